"""Runs beside each other: who serves most and for least, if that can be said, and what got worse."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.base.rounding import amount, usd
from harness.report.compare.gate import Regression, regression
from harness.report.compare.parity import Difference, differences, unequal_work, unnamed_weights
from harness.report.compare.quality import QUESTION, Quality, one_load, qualities, solves_most, weighed, why_no_winner
from harness.report.compare.ratio import ratio_of
from harness.report.compare.standing import REQUESTS, Standing, at_its_load, instances_of, standing_of
from harness.report.model import RunFiles
from harness.report.text import clean, interval

SAY_WEIGHTS = "`breakeven report RUN --weights ID` says it"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a question comes to: the run that wins it, or why none is named."""

    question: str
    winner: str | None
    words: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything a comparison says; the first run is the baseline."""

    runs: tuple[RunFiles, ...]
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    standings: tuple[Standing, ...]
    outcomes: tuple[Outcome, ...]
    deployed: str  # what each served over the others as it was set up; empty: nothing to say
    qualities: tuple[Quality, ...]  # every pair of runs of the same tasks
    regressions: tuple[Regression, ...]  # empty when no limit was given


def compare_runs(runs: Sequence[RunFiles], fail_over: float | None = None) -> Comparison:
    """`fail_over`: the share of the first run's goodput that a later one may lose."""
    labels = _labels(runs)
    found = weighed(differences(runs), runs)
    known = [instances_of(run) for run in runs]
    standings = tuple(
        standing_of(run, label, None if None in known else instances)
        for run, label, instances in zip(runs, labels, known, strict=True)
    )
    pairs = qualities(runs, labels)
    at = one_load(runs) if pairs else ""
    if at:
        standings = tuple(at_its_load(standing, run) for standing, run in zip(standings, runs, strict=True))
    why_not = _no_winner(standings, unequal_work(found), unnamed_weights(runs)) or _on_a_part(runs, labels)
    unsaid = [label for label, instances in zip(labels, known, strict=True) if instances is None]
    why_no_cost = f"no winner: nobody said how many boxes the URLs of {', '.join(unsaid)} are" if unsaid else ""
    outcomes = (_serves_most(standings, why_not), _costs_least(standings, why_not or why_no_cost))
    return Comparison(
        runs=tuple(runs),
        labels=labels,
        differences=tuple(found),
        standings=standings,
        deployed=_as_deployed(runs, standings),
        outcomes=_with_quality(outcomes, pairs, labels, at),
        qualities=pairs,
        regressions=()
        if fail_over is None
        else tuple(
            regression(standings[0], other, no_judging([runs[0], run]), fail_over)
            for run, other in zip(runs[1:], standings[1:], strict=True)
        ),
    )


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


def _as_deployed(runs: Sequence[RunFiles], standings: Sequence[Standing]) -> str:
    """`as deployed, vLLM served 2.10 (1.90 to 2.30) times what llama-server did`, whatever the work was.

    Each against the one that served most; nothing where a run has no goodput or may not be trusted.
    """
    if any(standing.goodput is None or standing.errors for standing in standings):
        return ""
    best = max(standings, key=lambda one: one.goodput or 0.0)
    others = [(ratio_of(best, one), one) for one in standings if one is not best]
    said = [f"{ratio.words} times what {one.label} did" for ratio, one in others if ratio is not None]
    boxes = {run.instance for run in runs}
    where = "on this box" if len(boxes) == 1 and boxes != {""} else "each on its own box"
    return f"as deployed, {best.label} served {', '.join(said)}, {where}, each as it was set up"


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


def no_judging(runs: Sequence[RunFiles]) -> str:
    """Why two runs cannot be held against each other; empty: they can."""
    unnamed, unequal = unnamed_weights(runs), unequal_work(weighed(differences(runs), runs))
    if unnamed:
        return "; ".join(unnamed)
    return f"the work was unequal ({', '.join(unequal)})" if unequal else ""
