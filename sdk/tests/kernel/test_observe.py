"""Observe: bounded failure logs, exact meters, log lines that nothing forges."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import observe
from qiantang.kernel.settings import Secret


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def logger() -> tuple[logging.Logger, Collected]:
    handler = Collected()
    made = logging.Logger("test")  # noqa: LOG001  # apart from the process's tree
    made.addHandler(handler)
    return made, handler


def field(record: logging.LogRecord, name: str) -> object:
    return record.__dict__.get(name)


def test_the_first_few_are_full_and_the_rest_one_line_per_period() -> None:
    log, said = logger()
    clock = Clock()
    bounded = observe.BoundedLog(log, first=2, period=60, clock=clock)
    for second in range(200):
        clock.now = float(second)
        bounded.failure("redis", "redis is away", error=OSError("no"), extra={"attempt": second})
    bounded.flush()
    full = [record for record in said.records if record.exc_info]
    counts = [field(record, "repeated") for record in said.records if not record.exc_info]
    assert [field(record, "attempt") for record in full] == [0, 1]
    assert len(counts) == 4
    assert sum(int(str(count)) for count in counts) + 2 == 200
    assert {record.message for record in said.records if hasattr(record, "message")} <= {"redis is away"}


def test_a_key_that_was_quiet_begins_anew_and_loses_no_count() -> None:
    log, said = logger()
    clock = Clock()
    bounded = observe.BoundedLog(log, first=1, period=10, clock=clock)
    for _ in range(3):
        bounded.failure("a", "broken")
    clock.now = 100.0
    bounded.failure("a", "broken")
    assert [field(record, "repeated") for record in said.records] == [None, 2, None]


def test_recovery_is_said_once_with_the_count() -> None:
    log, said = logger()
    bounded = observe.BoundedLog(log, first=1)
    bounded.recovered("a", "works again")
    for _ in range(5):
        bounded.failure("a", "broken", level=logging.WARNING)
    bounded.recovered("a", "works again")
    bounded.recovered("a", "works again")
    assert [(record.levelno, record.msg) for record in said.records] == [
        (logging.WARNING, "broken"),
        (logging.INFO, "works again"),
    ]
    assert field(said.records[-1], "failures") == 5


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), max_size=200))
def test_no_failure_is_lost_and_lines_are_bounded(happened: list[tuple[int, int]]) -> None:
    log, said = logger()
    clock = Clock()
    bounded = observe.BoundedLog(log, first=2, period=60, keys=5, clock=clock)
    for key, pause in happened:
        clock.now += pause
        bounded.failure(f"key {key}", "broken")
    bounded.flush()
    counted = sum(int(str(field(record, "repeated") or 1)) for record in said.records)
    assert counted == len(happened)
    periods = clock.now // 60 + 2
    assert len(said.records) <= periods * (5 + 1) * 3


def test_counters_are_exact_over_threads() -> None:
    meter = observe.Meter()
    counter = meter.counter("reads", "reads", place="here")
    histogram = meter.histogram("seconds", "time", bounds=(1.0, 2.0))

    def work() -> None:
        for _ in range(2000):
            counter.add()
            histogram.observe(1.5)

    threads = [threading.Thread(target=work) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    reads, seconds = meter.snapshot()
    assert (reads.name, reads.kind, reads.value, reads.labels) == ("reads", "counter", 16000.0, (("place", "here"),))
    assert (seconds.count, seconds.value) == (16000, 24000.0)
    assert seconds.buckets == ((1.0, 0), (2.0, 16000), (float("inf"), 16000))


def test_the_same_name_and_labels_give_the_same_instrument() -> None:
    meter = observe.Meter()
    assert meter.counter("a", "x", k="1") is meter.counter("a", "x", k="1")
    assert meter.counter("a", "x", k="1") is not meter.counter("a", "x", k="2")
    with pytest.raises(ValueError, match="counter"):
        meter.gauge("a", "x", k="1")
    with pytest.raises(ValueError, match="labels"):
        meter.counter("a", "x", other="1")
    with pytest.raises(ValueError, match="not a name"):
        meter.counter("Bad Name", "x")


def test_label_sets_are_bounded() -> None:
    meter = observe.Meter()
    for number in range(2000):
        meter.counter("calls", "calls", peer=str(number)).add()
    series = meter.snapshot()
    assert len(series) <= 501
    assert sum(one.value for one in series) == 2000


def test_gauges_are_set_or_followed() -> None:
    meter = observe.Meter()
    meter.gauge("depth", "set").set(3)
    meter.gauge("age", "followed").follow(lambda: 7)
    assert [one.value for one in meter.snapshot()] == [7.0, 3.0]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_a_lock_is_held_leaves_the_child_free() -> None:
    meter = observe.Meter()
    counter = meter.counter("a", "x")
    bounded = observe.BoundedLog(logger()[0])
    with counter._lock, bounded._lock:  # type: ignore[reportPrivateUsage]
        child = os.fork()
        if child == 0:
            counter.add()
            bounded.failure("a", "broken")
            os._exit(int(meter.snapshot()[0].value))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


@pytest.fixture
def lines() -> Iterator[tuple[logging.Logger, io.StringIO, logging.StreamHandler[io.StringIO]]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    made = logging.Logger("qiantang.test")  # noqa: LOG001
    made.addHandler(handler)
    yield made, stream, handler
    handler.close()


Lines = tuple[logging.Logger, io.StringIO, "logging.StreamHandler[io.StringIO]"]


def test_json_lines_hold_the_fields(lines: Lines) -> None:
    log, stream, handler = lines
    handler.setFormatter(observe.JsonFormatter())
    try:
        raise OSError("away")
    except OSError:
        log.exception(
            "could %s", "not", extra={"port": 1, "secret": Secret("x1y2"), "nan": float("nan"), "text": "a\nb\udc80"}
        )
    text = stream.getvalue()
    line = json.loads(text)
    assert text.count("\n") == 1
    assert (line["message"], line["level"], line["logger"], line["port"]) == ("could not", "error", "qiantang.test", 1)
    assert line["error"].endswith("OSError: away")
    assert "x1y2" not in text


def test_human_lines_quote_what_would_confuse(lines: Lines) -> None:
    log, stream, handler = lines
    handler.setFormatter(observe.HumanFormatter())
    log.warning("two\nlines", extra={"a": "plain", "b": "two words", "c": "x\n2026 ERROR forged", "d": 3})
    (line,) = stream.getvalue().splitlines()
    assert 'WARNING two\\nlines a=plain b="two words" c="x\\n2026 ERROR forged" d=3 [qiantang.test]' in line


@given(st.text(), st.text(), st.recursive(st.none() | st.floats() | st.text(), st.lists))
def test_any_value_makes_one_line(message: str, text: str, value: object) -> None:
    record = logging.LogRecord("n", logging.INFO, "p", 1, message, None, None)
    record.__dict__.update(field_a=text, field_b=value)
    assert len(observe.HumanFormatter().format(record).splitlines()) == 1
    assert json.loads(observe.JsonFormatter().format(record))["level"] == "info"


def test_large_and_broken_values_are_bounded(lines: Lines) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    log, stream, handler = lines
    handler.setFormatter(observe.JsonFormatter())
    log.info("x", extra={"big": "a" * 10_000_000, "broken": Broken(), "many": list(range(100_000))})
    assert len(stream.getvalue()) < 5000
    assert "Broken that raised RuntimeError" in stream.getvalue()
