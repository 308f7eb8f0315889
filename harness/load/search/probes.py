"""What a search knows and says: probes that were made, what they say of each load together, and its moves. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from harness.metrics.pooled import ERRORS, add_up, judge_together
from harness.metrics.slo import Nearness, Verdict
from harness.rundir.of_step import LimitOfStep
from harness.rundir.results import Step
from harness.rundir.search import LoadOfSearch


@dataclass(frozen=True, slots=True)
class Probe:
    """One load that was tried, and what came of it; unknown is None."""

    load: float
    passed: bool | None  # meets the SLO by its point percentiles; None: too few requests to say
    length_s: float  # as planned
    seconds: float  # as it was: less where the queue grew and the step was cut
    requests: int = 0  # that were judged
    requests_per_s: float | None = None
    goodput_low: float | None = None
    over_saturated: bool = False
    given_up: bool = False  # cut, since it could not pass any more: its throughput bounds nothing
    refused: str | None = None  # why it says nothing of the server: others than it refused the requests
    verdict: Verdict = "not_judged"  # how sure `passed` is
    goodput_per_s: float | None = None
    goodput_high: float | None = None
    limits: Mapping[str, Nearness] = field(default_factory=dict)
    """How near each limit is, by its key in the scenario; the failed requests are `error_rate`."""


@dataclass(frozen=True, slots=True)
class Next:
    """Try this load for so long, warm-up included."""

    load: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the search is over, as data (`reason`) and in words (`text`).

    found, decided, high_passes, low_fails, flat (more load adds no rate, without a limit on latency), too_short,
    max_probes, or refused (by a quota, or for the key).
    """

    reason: str
    text: str
    at_least: bool = False  # no load failed
    at_most: bool = False  # no load passed
    sure: bool | None = None  # of the verdicts on the loads it ends at; None: it does not rest on them


@dataclass(frozen=True, slots=True)
class Standing:
    """What all probes of one load say together."""

    load: float
    probes: tuple[Probe, ...]
    met: bool | None
    verdict: Verdict
    limits: Mapping[str, Nearness]

    @property
    def is_sure(self) -> bool:
        """Whether it surely passes or fails."""
        return self.verdict in ("yes", "no")

    @property
    def rate_per_s(self) -> float | None:
        """Requests per second that it got, the mean over its probes' time."""
        known = [(p.requests_per_s, p.seconds) for p in self.probes if p.requests_per_s is not None]
        seconds = sum(s for _, s in known)
        return sum(rate * s for rate, s in known) / seconds if seconds else None


def probe_of(move: Next, seconds: float, figures: Step, error_rate: float) -> Probe:
    """What came of a move, from its step's figures."""
    limits = {key: Nearness(**one.model_dump()) for key, one in figures.limits.items()}
    limits[ERRORS] = Nearness(100 * (1 - error_rate), figures.requests, figures.failed)
    return Probe(
        load=move.load,
        passed=figures.slo_met,
        length_s=move.length_s,
        seconds=seconds,
        requests=figures.requests,
        requests_per_s=figures.requests_per_s,
        goodput_low=figures.goodput_low,
        over_saturated=bool(figures.over_saturated),
        given_up=figures.given_up,
        refused=figures.void if figures.was_refused else None,
        verdict=_verdict(figures, limits),
        goodput_per_s=figures.goodput_requests_per_s,
        goodput_high=figures.goodput_high,
        limits=limits,
    )


def _verdict(figures: Step, limits: Mapping[str, Nearness]) -> Verdict:
    if figures.slo_met is None:
        return "not_judged"
    if not figures.slo_met and (figures.given_up or figures.over_saturated or figures.not_sent):
        return "no"  # it would not last, or was not the load asked for
    by_counts = judge_together([limits], [figures.slo_met]).verdict
    return "not_sure" if by_counts == "not_judged" else by_counts


def load_row(one: Standing) -> LoadOfSearch:
    """A load for search.json: what its probes say together."""
    return LoadOfSearch(
        load=one.load,
        probes=len(one.probes),
        passed=one.met,
        verdict=one.verdict,
        requests_per_s=one.rate_per_s,
        limits={key: LimitOfStep(**asdict(near)) for key, near in one.limits.items()},
    )


def standings(history: Sequence[Probe]) -> list[Standing]:
    """Every load that was tried, lowest first, its probes pooled."""
    by_load: dict[float, list[Probe]] = {}
    for probe in history:
        by_load.setdefault(probe.load, []).append(probe)
    return [_pooled(by_load[load]) for load in sorted(by_load)]


def bracket(loads: Sequence[Standing]) -> tuple[Standing | None, Standing | None]:
    """(the highest that passes below the lowest that fails, the lowest that fails).

    Of a pass and a fail in the wrong order the sure one counts: a higher load is never easier. Where neither or both
    are sure, the fail does.
    """
    surely_up_to = max((one.load for one in loads if one.verdict == "yes"), default=-math.inf)
    fails = [one for one in loads if one.met is False and (one.verdict == "no" or one.load > surely_up_to)]
    fail = min(fails, key=lambda one: one.load, default=None)
    passing = [one for one in loads if one.met and (fail is None or one.load < fail.load)]
    return max(passing, key=lambda one: one.load, default=None), fail


def _pooled(probes: Sequence[Probe]) -> Standing:
    """Requests, and those over each limit, are added up and judged as if they were one probe's.

    Not where one was cut or dropped arrivals: that fails, however good those are that were served. A probe that
    counts nothing has no more to say than its own verdict: the last such counts.
    """
    last = probes[-1]
    limits = add_up([p.limits for p in probes])
    failed = next((p for p in probes if _fails_whatever_its_counts(p)), None)
    if failed is not None:
        return Standing(last.load, tuple(probes), failed.passed, failed.verdict, limits)
    if len(probes) == 1 or not limits:
        return Standing(last.load, tuple(probes), last.passed, last.verdict, limits)
    together = judge_together([p.limits for p in probes], [p.passed for p in probes])
    return Standing(last.load, tuple(probes), together.met, together.verdict, limits)


def _fails_whatever_its_counts(probe: Probe) -> bool:
    by_counts = any(near.verdict(met=False) == "no" for near in probe.limits.values())
    return probe.verdict == "no" and not by_counts
