"""Runs beside each other: who serves most and for least, if that can be said, and what got worse."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.base.rounding import amount, usd
from harness.base.units import SECONDS_PER_HOUR
from harness.report.compare.parity import Difference, differences, unequal_work, unnamed_weights
from harness.report.compare.quality import QUESTION, Quality, one_load, qualities, solves_most, weighed, why_no_winner
from harness.report.model import RunFiles
from harness.report.text import clean, interval, percent
from harness.report.verdict import gather_checks
from harness.rundir.manifest import InstanceFacts

SAY_WEIGHTS = "`breakeven report RUN --weights ID` says it"
REQUESTS = 1000  # costs are quoted for so many requests


@dataclass(frozen=True, slots=True)
class Standing:
    """A run's two figures that decide: goodput (requests/s, with its interval) and USD per 1000 requests."""

    label: str
    goodput: float | None
    low: float | None
    high: float | None
    usd_per_hour: float | None
    errors: tuple[str, ...]  # codes of failed checks of level error
    why_none: str = "no load step met the SLO"  # where there is no goodput
    at_least: bool = False  # the box was not filled: `goodput` is a lower bound

    def usd_at(self, requests_per_s: float | None) -> float | None:
        """USD of 1000 requests on an instance kept busy at a goodput; None when either is unknown."""
        if not requests_per_s or self.usd_per_hour is None:
            return None
        return self.usd_per_hour / (requests_per_s * SECONDS_PER_HOUR) * REQUESTS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a question comes to: the run that wins it, or why none is named."""

    question: str
    winner: str | None
    words: str


Change = Literal["worse", "within", "better", "not shown", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Regression:
    """A run against the first one: `drop` is the share of goodput lost (negative: gained)."""

    label: str
    drop: float | None
    change: Change
    words: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything a comparison says; the first run is the baseline."""

    runs: tuple[RunFiles, ...]
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    standings: tuple[Standing, ...]
    outcomes: tuple[Outcome, ...]
    qualities: tuple[Quality, ...]  # every pair of runs of the same tasks
    regressions: tuple[Regression, ...]  # empty when no limit was given


def compare_runs(runs: Sequence[RunFiles], fail_over: float | None = None) -> Comparison:
    """`fail_over`: the share of the first run's goodput that a later one may lose."""
    labels = _labels(runs)
    found = weighed(differences(runs), runs)
    known = [_instances(run) for run in runs]
    standings = tuple(
        _standing(run, label, None if None in known else instances)
        for run, label, instances in zip(runs, labels, known, strict=True)
    )
    pairs = qualities(runs, labels)
    at = one_load(runs) if pairs else ""
    if at:
        standings = tuple(_at_its_load(standing, run) for standing, run in zip(standings, runs, strict=True))
    why_not = _no_winner(standings, unequal_work(found), unnamed_weights(runs)) or _on_a_part(runs, labels)
    unsaid = [label for label, instances in zip(labels, known, strict=True) if instances is None]
    why_no_cost = f"no winner: nobody said how many boxes the URLs of {', '.join(unsaid)} are" if unsaid else ""
    outcomes = (_serves_most(standings, why_not), _costs_least(standings, why_not or why_no_cost))
    return Comparison(
        runs=tuple(runs),
        labels=labels,
        differences=tuple(found),
        standings=standings,
        outcomes=_with_quality(outcomes, pairs, labels, at),
        qualities=pairs,
        regressions=() if fail_over is None else _regressions(runs, standings, fail_over),
    )


def _at_its_load(standing: Standing, run: RunFiles) -> Standing:
    """What a task run served at its one load, which is no lower bound where all had the same."""
    step = run.metrics.at_slo
    if step is None or not standing.at_least or standing.goodput is None or not step.goodput_requests_per_s:
        return standing
    instances = step.goodput_requests_per_s / standing.goodput
    high = None if step.goodput_high is None else step.goodput_high / instances
    return replace(standing, high=high, at_least=False)


def _with_quality(
    outcomes: Sequence[Outcome], pairs: Sequence[Quality], labels: Sequence[str], at: str
) -> tuple[Outcome, ...]:
    """Who solves most beside the others; nobody wins by answering worse. `at`: the one load that all had."""
    if not pairs:
        return tuple(outcomes)
    checked = []
    for one in outcomes:
        why_not = why_no_winner(one.winner, one.question, pairs)
        words = f"at {at} {one.words}" if at and one.winner is not None else one.words
        checked.append(Outcome(one.question, None, why_not) if why_not else replace(one, words=words))
    return (*checked, Outcome(QUESTION, *solves_most(pairs, labels)))


def _labels(runs: Sequence[RunFiles]) -> tuple[str, ...]:
    """Engine and version where that tells the runs apart, else the quantisation, else both, else the directories'
    names.
    """
    engines, quantised = [run.engine for run in runs], [clean(run.run.quantization or "") for run in runs]
    both = [f"{engine} {kind}" if engine and kind else "" for engine, kind in zip(engines, quantised, strict=True)]
    for named in (engines, quantised, both):
        if all(named) and len(set(named)) == len(named):
            return tuple(named)
    places = [clean(run.run_dir.name) for run in runs]
    short = _what_differs(places)
    unique = len(set(short)) == len(short)
    return tuple(place if unique else f"{i}: {place}" for i, place in enumerate(short, 1))


def _what_differs(names: Sequence[str]) -> list[str]:
    """Directory names without the parts that all share: `20260801T120000Z-chat-vllm` is its time."""
    parts = [name.split("-") for name in names]
    if len({len(one) for one in parts}) != 1:
        return list(names)
    kept = [i for i in range(len(parts[0])) if len({one[i] for one in parts}) > 1]
    return ["-".join(one[i] for i in kept) or name for one, name in zip(parts, names, strict=True)]


def _instances(files: RunFiles) -> float | None:
    """As how many instances what a run drove counts, as it was priced; an unpriced one counts as it was driven."""
    if files.decision is None:
        return 1.0
    priced = files.decision.self_host.instance.instances_driven
    return InstanceFacts.model_validate(files.run.instance).instances if priced is None else priced


def _standing(files: RunFiles, label: str, instances: float | None) -> Standing:
    """The goodput of one instance, and that instance's price.

    `instances` None: nobody said of one of the runs how many it drove. Then all count as driven, and none has a price.
    """
    rented = files.decision.self_host.instance if files.decision is not None and instances is not None else None
    goodput = files.metrics.goodput
    if goodput is not None and instances is not None:
        goodput = goodput.each_of(instances)
    errors = [c.code for c in gather_checks(files.metrics, None).items if c.level == "error"]
    return Standing(
        label=label,
        goodput=None if goodput is None else goodput.requests_per_s,
        low=None if goodput is None else goodput.low,
        high=None if goodput is None else goodput.high,
        usd_per_hour=None if rented is None else rented.usd_per_hour,
        errors=tuple(dict.fromkeys([*errors, *(["partial"] if files.run.partial else [])])),
        why_none=files.metrics.why_no_goodput(instances or 1.0),
        at_least=goodput is not None and goodput.at_least,
    )


def _no_winner(standings: Sequence[Standing], unequal: Sequence[str], unnamed: Sequence[str]) -> str:
    """Why nobody may be named, before any number is looked at."""
    if unnamed:
        return f"no winner: {'; '.join(unnamed)}; {SAY_WEIGHTS}"
    if unequal:
        return f"no winner: the work was unequal ({', '.join(unequal)})"
    doubtful = [f"{s.label} ({', '.join(s.errors)})" for s in standings if s.errors]
    if doubtful:
        return f"no winner: not to be trusted: {', '.join(doubtful)}"
    missing = [f"{s.label} ({s.why_none})" for s in standings if s.goodput is None]
    if missing:
        return f"no winner: no goodput of {', '.join(missing)}"
    unsure = [s.label for s in standings if s.low is None or (s.high is None and not s.at_least)]
    return f"no winner: no interval for {', '.join(unsure)}" if unsure else ""


def _on_a_part(runs: Sequence[RunFiles], labels: Sequence[str]) -> str:
    """Why nobody may be named where one of them used other GPUs than its box has, and nobody said what fills it."""
    said = [
        f"{label} ({why})"
        for run, label in zip(runs, labels, strict=True)
        if run.decision is not None and (why := run.decision.self_host.instance.unpriced)
    ]
    return f"no winner: {'; '.join(said)}" if said else ""


def _serves_most(standings: Sequence[Standing], why_not: str) -> Outcome:
    ranges = {s.label: (s.low or 0.0, math.inf if s.at_least else s.high or 0.0) for s in standings}
    shown = {s.label: f"{interval(s.low, s.high)} req/s" for s in standings}
    return _outcome("serves most", "", why_not, ranges, shown)


def _costs_least(standings: Sequence[Standing], why_not: str) -> Outcome:
    # the ends swap: most requests a second is the lowest cost
    ends = {s.label: (0.0 if s.at_least else s.usd_at(s.high), s.usd_at(s.low)) for s in standings}
    ranges = {label: (-high, -low) for label, (low, high) in ends.items() if low is not None and high is not None}
    if len(ranges) < len(ends):
        unpriced = [label for label in ends if label not in ranges]
        why_not = why_not or f"no winner: no price, or no lower end, for {', '.join(unpriced)}"
    shown = {
        label: f"{usd(-high)} to {amount(-low)}" if high else f"{usd(-low)} or less"
        for label, (low, high) in ranges.items()
    }
    return _outcome("costs least", f" for {REQUESTS} requests", why_not, ranges, shown)


def _outcome(
    question: str, of: str, why_not: str, ranges: Mapping[str, tuple[float, float]], shown: Mapping[str, str]
) -> Outcome:
    """The winner is whose worst end beats the best end of every other; higher is better."""
    if why_not:
        return Outcome(question, None, why_not)
    best = max(ranges, key=lambda label: ranges[label][0])
    if any(high >= ranges[best][0] for label, (_, high) in ranges.items() if label != best):
        words = f"nobody {question} for sure: the intervals overlap ({_listed(shown)})"
        return Outcome(question, None, words)
    rest = {label: text for label, text in shown.items() if label != best}
    return Outcome(question, best, f"{best} {question}{of}, {shown[best]}, against {_listed(rest)}")


def _listed(shown: Mapping[str, str]) -> str:
    return "; ".join(f"{label} {text}" for label, text in shown.items())


def _regressions(runs: Sequence[RunFiles], standings: Sequence[Standing], limit: float) -> tuple[Regression, ...]:
    return tuple(
        _regression(standings[0], other, _no_judging([runs[0], run]), limit)
        for run, other in zip(runs[1:], standings[1:], strict=True)
    )


def _no_judging(runs: Sequence[RunFiles]) -> str:
    """Why two runs cannot be held against each other; empty: they can."""
    unnamed, unequal = unnamed_weights(runs), unequal_work(weighed(differences(runs), runs))
    if unnamed:
        return "; ".join(unnamed)
    return f"the work was unequal ({', '.join(unequal)})" if unequal else ""


def _regression(first: Standing, other: Standing, why_not: str, limit: float) -> Regression:
    if why_not:
        return Regression(other.label, None, "cannot tell", why_not)
    if first.errors or other.errors:
        which = first if first.errors else other
        return Regression(other.label, None, "cannot tell", f"{which.label}: {', '.join(which.errors)}")
    if first.goodput is None:
        return Regression(other.label, None, "cannot tell", f"{first.label} has no goodput to compare with")
    if other.goodput is None:
        return _without_goodput(first, other, limit)
    drop = (first.goodput - other.goodput) / first.goodput
    is_open = other.at_least if drop > limit else first.at_least  # it serves more, nobody knows by how much
    change: Change = "not shown" if is_open else _change(first, other, drop, limit)
    said = f"{percent(abs(drop))} {'less' if drop > 0 else 'more'} goodput than {first.label}"
    why = {
        "not shown": ", but the box was not filled" if is_open else ", but the intervals overlap",
        "worse": f", more than the {percent(limit)} allowed",
        "within": f", within the {percent(limit)} allowed",
    }.get(change, "")
    return Regression(other.label, drop, change, said + why)


def _without_goodput(first: Standing, other: Standing, limit: float) -> Regression:
    """No load step met the SLO any more, or none surely: then the run serves `other.high` at most."""
    if other.high is None:
        return Regression(other.label, 1.0, "worse", f"{other.why_none} any more")
    least = first.goodput if first.low is None else first.low
    assert least is not None
    is_worse = other.high < least * (1 - limit)
    return Regression(other.label, None, "worse" if is_worse else "not shown", other.why_none)


def _change(first: Standing, other: Standing, drop: float, limit: float) -> Change:
    if drop <= 0:
        return "better"
    if drop <= limit:
        return "within"
    if other.high is not None and first.low is not None and other.high >= first.low:
        return "not shown"
    return "worse"
