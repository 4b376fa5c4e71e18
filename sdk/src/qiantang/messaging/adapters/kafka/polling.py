"""Polling: the one thread that talks to librdkafka for a consumer, from its first call to its last.

It reads batches, answers rebalances, and tells Kafka up to where partitions are done. When too much was read and nobody fetches, it
pauses the partitions and polls on, so that the member stays in its group.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from qiantang.kernel import errors, observe
from qiantang.messaging.adapters.kafka import failing
from qiantang.messaging.adapters.kafka.saying import SAID
from qiantang.messaging.model import Taken, envelope
from qiantang.messaging.model.bands import NORMAL
from qiantang.messaging.model.partitions import Partitions, Place

logger = logging.getLogger(__name__)
log = observe.BoundedLog(logger)

POLL_SECONDS: Final = 0.05
BATCH: Final = 500
AHEAD: Final = 2000
"""How many messages are read ahead of who fetches them; then reading rests, and begins again at half of it."""
COMMIT_SECONDS: Final = 0.05
DRAIN_SECONDS: Final = 5.0
"""How long a partition that is to be given up waits for what is in hand of it."""
JOIN_SECONDS: Final = 20.0
"""How long a consumer that lost its partitions waits to be given any, or to hear that there are none for it; then it begins anew.

librdkafka 2.16 never joins again, now and then, when the server stood still beyond the session with a commit under way.
"""
LAST_SECONDS: Final = 2.0
"""How long a consumer that ends waits for Kafka to hear what is done."""
_BENIGN = {KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
"""Bands that nobody has sent to do not exist."""


class Polling(threading.Thread):
    """Of one consumer. `bands` gives the band of each of Kafka's topics; `topic` is their name in the estate; `wake` is called
    whenever there is something for the loop to look at.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        partitions: Partitions,
        *,
        topic: str,
        bands: Mapping[str, str],
        wake: Callable[[], None],
    ) -> None:
        super().__init__(name=f"poll {name}", daemon=True)
        self._name = name
        self._settings = settings
        self._topic = topic
        self._bands = bands
        self._partitions = partitions
        self._wake = wake
        self._consumer: Consumer | None = None
        self._resting: set[str] = set()
        self._changed = False
        self._told = 0.0
        self._lost_at = math.inf
        self._unanswered = 0
        self._ending = threading.Event()
        self.joined = threading.Event()
        self.ended = threading.Event()
        self.paused = False
        self.failure: errors.QiantangError | None = None

    def end(self) -> None:
        """Have it leave the group, and end."""
        self._ending.set()
        with self._partitions.lock:
            self._partitions.lock.notify_all()

    def run(self) -> None:
        try:
            self._consumer = Consumer(
                {**self._settings, "on_commit": self._committed, "error_cb": self._erred}, logger=SAID
            )
            self._consumer.subscribe(
                list(self._bands), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
            )
            while not self._ending.is_set():
                self._poll(self._consumer)
        except KafkaException as error:
            self.failure = failing.named(error, "consuming")
            if self._consumer is None:
                self.failure = failing.misconfigured(error)
        except Exception as error:
            log.failure(self._name, "the thread that polls Kafka broke off", error=error)
            self.failure = errors.UnavailableError(f"polling Kafka broke off: {error}")
        finally:
            self._leave()
            self.ended.set()
            self._wake()

    # -- reading -----------------------------------------------------------------------------------------

    def _poll(self, consumer: Consumer) -> None:
        self._rest_or_read(consumer)
        first = self._read(consumer.consume(1, POLL_SECONDS))
        if first:
            # the first are under their hold already: a rebalance may come with the rest
            rest = self._read(consumer.consume(BATCH - 1, 0))
            self._partitions.come([*first, *rest])
            self._wake()
        self._tell(consumer)
        if time.monotonic() - self._lost_at > JOIN_SECONDS:
            raise errors.UnavailableError(f"the consumer was out of its group for {JOIN_SECONDS:g} s")

    def _rest_or_read(self, consumer: Consumer) -> None:
        """Have bands rest of which too much was read, each for itself: a low one keeps no high one waiting."""
        self._wait_for_room()
        wanted = (
            set(self._bands.values()) if self.paused else {band for band in self._bands.values() if self._rests(band)}
        )
        if wanted == self._resting and not self._changed:
            return
        for act, resting in ((consumer.pause, True), (consumer.resume, False)):
            places = [TopicPartition(*one.place) for one in self._partitions.held() if (one.band in wanted) == resting]
            if places:
                act(places)
        self._resting, self._changed = wanted, False

    def _rests(self, band: str) -> bool:
        waiting = self._partitions.waiting(band)
        return waiting >= AHEAD or (band in self._resting and waiting > AHEAD // 2)

    def _wait_for_room(self) -> None:
        """Wait a little: often there is room again at once, and a pause throws away what librdkafka has read ahead."""
        partitions = self._partitions
        if not self._resting and not self.paused and partitions.waiting(NORMAL) >= AHEAD:
            with partitions.lock:
                partitions.lock.wait_for(lambda: partitions.waiting(NORMAL) < AHEAD or self._ending.is_set(), 0.2)

    def _read(self, messages: Sequence[Message]) -> list[Taken]:
        taken: list[Taken] = []
        for one in messages:
            error = one.error()
            if error is None:
                found = self._taken(one)
                if found is not None:
                    taken.append(found)
            elif error.fatal():
                raise KafkaException(error)
            elif error.code() not in _BENIGN:
                log.failure(self._name, "Kafka says of a consumer", error=failing.named(error, "reading"))
        return taken

    def _taken(self, message: Message) -> Taken | None:
        name, number, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
        partition = self._partitions.find((name, number))
        if partition is None:
            return None  # it was revoked meanwhile
        frame = envelope.framed(self._topic, message.value() or b"", *_headers(message))
        return Taken(frame=frame, handle=partition, queue=partition.queue, position=offset, hold=partition.hold)

    # -- telling -----------------------------------------------------------------------------------------

    def _tell(self, consumer: Consumer) -> None:
        now = time.monotonic()
        if not self._unanswered and now - self._told >= COMMIT_SECONDS:
            self._told = now
            self._commit(consumer, self._partitions.moved())

    def _commit(self, consumer: Consumer, moved: Sequence[tuple[Place, int]]) -> None:
        """Tell Kafka without waiting, which could be for ever: one that stands still lets no client give up."""
        if moved:
            consumer.commit(offsets=[TopicPartition(*place, offset) for place, offset in moved], asynchronous=True)
            self._unanswered += 1

    def _committed(self, error: KafkaError | None, offsets: Sequence[TopicPartition]) -> None:
        self._unanswered -= 1
        failed = [(one.topic, one.partition) for one in offsets if error is not None or one.error is not None]
        if failed:
            self._partitions.untell(failed)
            why = error or next(one.error for one in offsets if one.error is not None)
            log.failure(self._name, "Kafka was not told what is done; it is told again", error=failing.named(why, "it"))

    def _has_heard(self, consumer: Consumer) -> bool:
        """Wait a little for the answers to what was told; say whether all are there."""
        ends = time.monotonic() + LAST_SECONDS
        while self._unanswered and time.monotonic() < ends:
            consumer.consume(1, POLL_SECONDS)  # what comes now is another's
        return not self._unanswered

    # -- rebalances --------------------------------------------------------------------------------------

    def _assigned(self, _consumer: Consumer, assigned: Sequence[TopicPartition]) -> None:
        self._partitions.assign(((one.topic, one.partition), self._bands[one.topic]) for one in assigned)
        self.joined.set()
        self._lost_at = math.inf
        self._changed = True  # what is new is not paused as the rest of its band is
        self._wake()

    def _revoked(self, consumer: Consumer, revoked: Sequence[TopicPartition]) -> None:
        places = [(one.topic, one.partition) for one in revoked]
        leaving = self._partitions.leave(places)
        if not self._ending.is_set():
            if not self._partitions.wait_for(leaving, DRAIN_SECONDS):
                logger.info("partitions are given up with messages in hand", extra={"consumer": self._name})
            # on its way before the word that they are given up, so that their next owner begins behind it
            self._commit(consumer, self._partitions.moved(places))
        self._partitions.lose(leaving)
        self._wake()

    def _lost(self, _consumer: Consumer, lost: Sequence[TopicPartition]) -> None:
        self._lost_at = time.monotonic()
        self._partitions.lose(self._partitions.leave([(one.topic, one.partition) for one in lost]))
        self._wake()

    def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        self._ending.set()  # nothing is waited for in a rebalance any more
        try:
            self._commit(consumer, self._partitions.moved())
            if self._has_heard(consumer):
                consumer.close()
            # else it is dropped, and Kafka finds out by itself: closing would wait for the answer, for ever
        except (KafkaException, RuntimeError) as error:
            log.failure(self._name, "a consumer could not leave its group", error=error)
        self._partitions.lose(self._partitions.held())

    def _erred(self, error: KafkaError) -> None:
        """Hear what librdkafka says by itself: it goes on by itself as well, but where it is fatal."""
        if error.fatal():
            self.failure = failing.named(error, "consuming")
        log.failure(self._name, "Kafka cannot be reached, or says no", error=failing.named(error, "consuming"))


def _headers(message: Message) -> tuple[dict[str, str], dict[str, bytes]]:
    try:
        # a list of pairs, whatever its annotation says besides
        headers = cast("Sequence[tuple[str, bytes | None]]", message.headers() or ())
    except UnicodeDecodeError:  # a name that is no text: none of ours, and so a dead letter in the end
        return {}, {}
    try:
        text = {name: value.decode() for name, value in headers if value is not None}
    except UnicodeDecodeError:
        text = None
    if text is not None and envelope.BINARY not in text and len(text) == len(headers):
        return text, {}
    return envelope.from_bytes({name: value or b"" for name, value in headers})
