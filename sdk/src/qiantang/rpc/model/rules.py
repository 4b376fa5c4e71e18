"""Rules: what people configure of calls. A rule says for what it is (its target) and has sections; each section governs one thing.

For each section a call takes the most specific rule that has it, as a whole: method for one consumer, method, service, application,
tenant, then the defaults. Who is refused is refused by any of them. Times are in seconds, shares between 0 and 1.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from qiantang.kernel import wire
from qiantang.kernel.scope import Who
from qiantang.rpc.model.definition import LONGEST_TIMEOUT
from qiantang.rpc.model.quantities import (
    Argument,
    Consumer,
    Count,
    Method,
    Mode,
    PerSecond,
    Positive,
    Seconds,
    Service,
    Share,
)


class Target(wire.Command, frozen=True):
    """For what a rule is. Without a service for all calls of the application, or of the tenant where `reach` says so."""

    service: Service = ""
    method: Method = ""
    consumer: Consumer = ""
    reach: Literal["application", "tenant"] = "application"
    side: Literal["client", "server", "both"] = "both"

    def __post_init__(self) -> None:
        if self.method and not self.service:
            raise ValueError(f"the method {self.method!r} is of no service: name the service")
        if self.consumer and not self.method:
            raise ValueError(f"the consumer {self.consumer!r} is of no method: name service and method")
        if self.reach == "tenant" and self.service:
            raise ValueError("a rule for a service is no rule of the tenant: leave `reach` out")


class TimeoutRule(wire.Command, frozen=True):
    """How long a call may take, all its attempts and waits together."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_TIMEOUT, description="seconds, at most an hour")] = 3.0


class BalanceRule(wire.Command, frozen=True):
    """How one of the nodes that routes left is chosen for a call."""

    picker: Annotated[
        Literal[
            "peak_ewma",
            "round_robin",
            "random",
            "weighted_round_robin",
            "weighted_random",
            "least_active",
            "consistent_hash",
        ],
        msgspec.Meta(description="peak_ewma: the better of two by their latency and what they have to do"),
    ] = "peak_ewma"
    key: Annotated[
        str,
        msgspec.Meta(
            max_length=200,
            description="for consistent_hash: the argument whose value decides, with dots: req.user_id; empty: the method's own",
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.key and self.picker != "consistent_hash":
            raise ValueError(f"a key decides nothing with {self.picker}: leave it out, or choose consistent_hash")


class DegradeRule(wire.Command, frozen=True):
    """What a call is answered with where its provider's answer is not to be had, or is not even asked for.

    An error that is the service's answer is none of that. `last_good` keeps answers only while such a rule is in force, and
    where there is none for the same arguments, or the consumer declared no fallback, the call fails as it would have.
    """

    how: Annotated[
        Literal["error", "fallback", "value", "last_good"],
        msgspec.Meta(
            description="an error; the fallback that the consumer declared; the value of this rule; the last answer to a call "
            "with the same arguments"
        ),
    ] = "error"
    when: Annotated[
        Literal["always", "failure"],
        msgspec.Meta(description="always: without calling; failure: when the call failed or was refused"),
    ] = "failure"
    value: Annotated[
        Any, msgspec.Meta(description="how=value: it must fit the result of each method of the target")
    ] = None
    age: Annotated[Seconds, msgspec.Meta(description="how=last_good: an answer is given so long after it came")] = 300.0
    entries: Annotated[
        int, msgspec.Meta(ge=1, le=100_000, description="how=last_good: so many answers of a method are kept")
    ] = 1_000
    size: Annotated[
        int, msgspec.Meta(ge=1 << 10, le=1 << 30, description="how=last_good: bytes that those of a method may take")
    ] = 8 << 20

    def __post_init__(self) -> None:
        if self.value is not None and self.how != "value":
            raise ValueError(f"a value is given, and how is {self.how}: write how=value, or leave the value out")


class BreakerRule(wire.Command, frozen=True):
    """When calls stop for a while, and how it is tried whether they can go on. Of a method, or of a method on one node."""

    window: Annotated[int, msgspec.Meta(ge=1, le=600, description="seconds that are looked back on")] = 10
    min_calls: Annotated[Count, msgspec.Meta(description="fewer calls in the window open nothing")] = 20
    failure_rate: Share = 0.5
    slow_rate: Share = 0.8
    slow_seconds: Annotated[Seconds, msgspec.Meta(description="a call that takes longer is slow")] = 1.0
    consecutive: Annotated[
        int, msgspec.Meta(ge=0, le=1000, description="so many failures in a row open it at once; 0: never")
    ] = 0
    concurrency: Annotated[
        int, msgspec.Meta(ge=0, le=1_000_000, description="so many calls at a time, more are refused; 0: any number")
    ] = 0
    refused_rate: Annotated[
        Share, msgspec.Meta(description="opens when this share was refused for too many at a time; 0: never")
    ] = 0.0
    wait: Annotated[Seconds, msgspec.Meta(description="how long it stays open, doubled each time it opens again")] = 5.0
    longest_wait: Seconds = 60.0
    jitter: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.2
    probes: Annotated[int, msgspec.Meta(ge=1, le=100, description="calls that try whether it can close")] = 5
    close_rate: Annotated[Positive, msgspec.Meta(description="the share of probes that must go well")] = 0.8
    force: Annotated[Literal["none", "open", "closed"], msgspec.Meta(description="what people decided by hand")] = (
        "none"
    )
    mode: Mode = "enforce"


class AdaptiveRule(wire.Command, frozen=True):
    """Refuse calls by chance, the more the fewer the provider accepts (Google's client-side throttling)."""

    multiplier: Annotated[
        float, msgspec.Meta(ge=1, le=100, description="K: how many calls for one that is accepted")
    ] = 2.0
    protect: Annotated[int, msgspec.Meta(ge=0, le=10_000, description="so many calls are always let through")] = 5
    window: Annotated[int, msgspec.Meta(ge=1, le=600)] = 30
    mode: Mode = "enforce"


class VotesRule(wire.Command, frozen=True):
    """When what single consumers found of a node counts for all of them."""

    quorum: Annotated[
        Positive, msgspec.Meta(description="of the consumers that live must have voted; never fewer than 2")
    ] = 0.3
    most: Annotated[Share, msgspec.Meta(description="of the nodes at most this share is out; beyond it none is")] = 0.5
    lifetime: Annotated[Seconds, msgspec.Meta(description="a vote that is not renewed ends")] = 60.0
    pause: Annotated[Seconds, msgspec.Meta(description="between two votes of one consumer about one node")] = 5.0
    mode: Mode = "enforce"


class OutlierRule(wire.Command, frozen=True):
    """When a node that does worse than the others gets no calls for a while (Envoy's outlier detection)."""

    interval: Seconds = 10.0
    consecutive: Annotated[int, msgspec.Meta(ge=0, le=1000, description="faults of the node in a row; 0: never")] = 5
    consecutive_local: Annotated[
        int, msgspec.Meta(ge=0, le=1000, description="times in a row that it could not be reached; 0: never")
    ] = 5
    ejection: Seconds = 30.0
    longest_ejection: Seconds = 300.0
    jitter: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    most: Annotated[
        Share, msgspec.Meta(description="of the nodes at most this share is out, yet one may always be")
    ] = 0.3
    panic: Annotated[Share, msgspec.Meta(description="with fewer nodes in than this share, nobody is out")] = 0.5
    success_deviations: Annotated[
        float, msgspec.Meta(ge=0, le=10, description="below the mean by so many standard deviations; 0: never")
    ] = 1.9
    success_nodes: Count = 5
    success_calls: Count = 100
    failure_share: Annotated[Share, msgspec.Meta(description="of its calls failed; 0: never")] = 0.85
    failure_calls: Count = 50
    mode: Mode = "enforce"


Retried = Literal["unavailable", "timeout", "overload", "internal"]


class RetryRule(wire.Command, frozen=True):
    """How often a call is made again, and what it may cost.

    What certainly did not begin is tried again; what may have begun only where its method is idempotent. A call that is itself an
    attempt of somebody further up is never tried again here.
    """

    attempts: Annotated[int, msgspec.Meta(ge=1, le=5, description="all together; 1: no retry")] = 3
    first: Annotated[Seconds, msgspec.Meta(description="the longest pause before the second attempt")] = 0.05
    multiplier: Annotated[float, msgspec.Meta(ge=1, le=10)] = 2.0
    longest: Seconds = 1.0
    on: Annotated[tuple[Retried, ...], msgspec.Meta(max_length=4)] = ("unavailable", "timeout", "overload")
    budget: Annotated[
        Share, msgspec.Meta(description="retries and hedges of the last ten seconds, as a share of calls")
    ] = 0.2
    least: Annotated[
        float, msgspec.Meta(ge=0, le=1000, description="a second that are always allowed, however few calls there are")
    ] = 1.0


class HedgeRule(wire.Command, frozen=True):
    """Ask a second node when the first takes long. Idempotent methods alone; drawn from the budget of retries."""

    percentile: Annotated[float, msgspec.Meta(ge=0.5, le=0.999)] = 0.95
    floor: Annotated[Seconds, msgspec.Meta(description="never sooner than this")] = 0.005
    most: Annotated[int, msgspec.Meta(ge=2, le=3, description="calls under way together")] = 2
    min_calls: Annotated[Count, msgspec.Meta(description="nothing is hedged before so many were measured")] = 100


class ConcurrencyRule(wire.Command, frozen=True):
    """How many calls may run at a time."""

    most: Count
    mode: Mode = "enforce"


class GradientRule(wire.Command, frozen=True):
    """How many calls may run at a time, found from how their latency changes (Netflix Gradient2)."""

    least: Count = 4
    most: Count = 2000
    start: Count = 20
    queue: Annotated[int, msgspec.Meta(ge=0, le=1000, description="calls that may stand in a queue")] = 4
    smoothing: Positive = 0.2
    tolerance: Annotated[
        float, msgspec.Meta(ge=1, le=5, description="a latency so many times the usual one is no sign")
    ] = 1.5
    mode: Mode = "enforce"

    def __post_init__(self) -> None:
        if not self.least <= self.start <= self.most:
            raise ValueError(f"start {self.start} is not between least {self.least} and most {self.most}")


class RateRule(wire.Command, frozen=True):
    """How many calls a second, and how many at once where it was quiet before.

    `warm_up`: after quiet times the rate is a `cold_factor`th, and grows to the whole within so many seconds of use. `pace`: calls
    wait for their turn, at most so long and never beyond their deadline, instead of being refused.
    """

    per_second: PerSecond
    burst: Count = 1
    warm_up: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    cold_factor: Annotated[float, msgspec.Meta(gt=1, le=100)] = 3.0
    pace: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    mode: Mode = "enforce"

    def __post_init__(self) -> None:
        if self.warm_up and self.pace:
            raise ValueError(
                "warm_up and pace exclude each other: write two rules of different targets, or leave one out"
            )


Hot = Annotated[str, msgspec.Meta(max_length=1024)]


class HotRule(wire.Command, frozen=True):
    """How many calls a second with one value of an argument. `exceptions`: values that have a rate of their own, 0 refuses them."""

    argument: Argument
    per_second: PerSecond
    burst: Count = 1
    capacity: Annotated[int, msgspec.Meta(ge=1, le=100_000, description="values that are remembered")] = 10_000
    exceptions: Annotated[
        dict[Hot, Annotated[float, msgspec.Meta(ge=0, le=10_000_000)]], msgspec.Meta(max_length=1000)
    ] = {}
    mode: Mode = "enforce"


class SheddingRule(wire.Command, frozen=True):
    """When a provider is overloaded, and refuses what is over what it got done lately, the least important first."""

    lag: Annotated[Seconds, msgspec.Meta(description="the event loop is late by so much")] = 0.05
    cpu: Annotated[Positive, msgspec.Meta(description="of one core that the worker uses")] = 0.9
    queue: Annotated[Positive, msgspec.Meta(description="of a call's time that half of the calls spent waiting")] = 0.25
    cooling: Annotated[Seconds, msgspec.Meta(description="it counts as overloaded so long after the last sign")] = 1.0
    mode: Mode = "enforce"


class FaultRule(wire.Command, frozen=True):
    """A fault on purpose: calls are made late or refused, some by chance. It ends by itself."""

    until: Annotated[float, msgspec.Meta(gt=0, description="seconds since 1970; after it the rule does nothing")]
    delay: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    delay_share: Share = 0.0
    abort_share: Share = 0.0
    tag: Annotated[str, msgspec.Meta(max_length=64, description="only calls with this tag; empty: all")] = ""


class AccessRule(wire.Command, frozen=True):
    """Who may call. With `allowed` only these; those who are refused may not, whatever any rule allows."""

    allowed: Annotated[list[Who], msgspec.Meta(max_length=1000)] = []
    refused: Annotated[list[Who], msgspec.Meta(max_length=1000)] = []
    subscribers_only: Annotated[bool, msgspec.Meta(description="who has subscribed to the service alone")] = False


class Rule(wire.Command, frozen=True, kw_only=True):
    """The body of a resource of kind "rule"; its name is the rule's id."""

    target: Target = Target()
    enabled: bool = True
    public: Annotated[
        bool,
        msgspec.Meta(
            description="for applications that name this one as a source; it names a service of this one then"
        ),
    ] = False
    timeout: TimeoutRule | None = None
    balance: BalanceRule | None = None
    degrade: DegradeRule | None = None
    breaker: BreakerRule | None = None
    node_breaker: BreakerRule | None = None
    adaptive: AdaptiveRule | None = None
    votes: VotesRule | None = None
    outlier: OutlierRule | None = None
    retry: RetryRule | None = None
    hedge: HedgeRule | None = None
    concurrency: ConcurrencyRule | None = None
    gradient: GradientRule | None = None
    rate: RateRule | None = None
    hot: Annotated[list[HotRule], msgspec.Meta(max_length=8)] | None = None
    shedding: SheddingRule | None = None
    faults: Annotated[list[FaultRule], msgspec.Meta(max_length=16)] | None = None
    access: AccessRule | None = None
    description: Annotated[str, msgspec.Meta(max_length=4000)] = ""

    def __post_init__(self) -> None:
        if self.public and (not self.target.service or self.target.side == "server"):
            raise ValueError("a public rule is for those who call one service: name it, and leave the side out")
