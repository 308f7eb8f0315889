"""The steps of a load as they are planned: what runs from when to when. Pure; a search has none beforehand."""

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.base.errors import UsageError
from harness.scenario.load import ClosedLoad, Load, OpenLoad, Over, RampLoad, SearchLoad, TraceLoad

MOST_PARTS = 10_000  # of a log
SHORTEST_S = 1.0  # that a slice of a ramp or a part of a log can be
LAST_S = 1.0  # that the last request of a log has, where its part goes on for as long


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Exactly one of `users` and `rate` is given, but for a trace, which gives neither.

    Both are (at the start, at the end) and change linearly in between.
    """

    step: int
    length_s: float
    warmup_s: float
    load: dict[str, Any]  # as metrics.json says it: {"kind", "users" | "requests_per_s"}
    users: tuple[int, int] | None = None
    rate: tuple[float, float] | None = None
    carried: int = 0  # users of a step before who go on
    enter_s: float = 0.0  # over which the others begin one by one
    cohort: int = 0  # users who will be there, where the first is alone as yet


def planned_steps(load: Load, *, arrivals_s: Sequence[float] = ()) -> list[Step]:
    """The steps of a load in order; none for a search. `arrivals_s`: of a trace, as logged, from 0 on and ascending.

    Raises:
        UsageError: slices or parts so short that nothing can be seen in one, or a warm-up as long as the log.
    """
    match load:
        case ClosedLoad():
            return [even_step(i, "users", n, load.step_s, load) for i, n in enumerate(load.users)]
        case OpenLoad():
            return [even_step(i, "requests_per_s", r, load.step_s, load) for i, r in enumerate(load.requests_per_s)]
        case RampLoad():
            return _slices(load)
        case TraceLoad():
            return _parts(load, [arrival_s / load.speed for arrival_s in arrivals_s])
        case SearchLoad():
            return []


def even_step(step: int, over: Over, size: float, length_s: float, load: ClosedLoad | OpenLoad | SearchLoad) -> Step:
    """A step of a number of users, or of a rate in requests per second."""
    facts = {"kind": load.kind, over: int(size) if over == "users" else size}
    if over == "users":
        return Step(step, length_s, load.warmup_s, facts, users=(int(size), int(size)))
    return Step(step, length_s, load.warmup_s, facts, rate=(size, size))


def _slices(load: RampLoad) -> list[Step]:
    length_s = load.ramp_s / load.slices
    if length_s < SHORTEST_S:
        raise UsageError(
            f"`load.slices` {load.slices} of a ramp of `load.ramp_s` {load.ramp_s:g} are {length_s:.3g} s each, "
            "shorter than a second",
            hint=f"slices: {max(int(load.ramp_s), 1)} at most, or a longer ramp_s",
        )
    return [_slice(load, i, length_s) for i in range(load.slices)]


def _slice(load: RampLoad, i: int, length_s: float) -> Step:
    """A slice and its mean load; of users the mean of those that it has, who are whole (`user_changes`)."""
    per_slice = (load.end - load.start) / load.slices
    start, end = load.start + per_slice * i, load.start + per_slice * (i + 1)
    if load.over == "requests_per_s":
        return Step(i, length_s, 0.0, {"kind": "ramp", load.over: (start + end) / 2}, rate=(start, end))
    first, last = round(start), round(end)
    mean = (first + last - (last > first) + (last < first)) / 2
    return Step(i, length_s, 0.0, {"kind": "ramp", "users": mean}, users=(first, last))


def _parts(load: TraceLoad, instants_s: Sequence[float]) -> list[Step]:
    """The parts of a log, each with its own rate. The last ends with its time, or a second after the last request; what
    would be less than half a part belongs to the one before.
    """
    span_s = instants_s[-1]
    length_s = load.step_s or max(span_s, load.warmup_s) + LAST_S
    count = int(span_s / length_s) + 1
    end_s = min(span_s + LAST_S, count * length_s)
    if count > 1 and end_s - (count - 1) * length_s < length_s / 2:
        count -= 1
    _check_parts(load, count, instants_s)
    begins_s = [i * length_s for i in range(count)]
    steps = []
    for i, (begin_s, until_s) in enumerate(zip(begins_s, [*begins_s[1:], end_s], strict=True)):
        warmup_s = load.warmup_s if i == 0 else 0.0
        arrivals = bisect_left(instants_s, until_s) - bisect_left(instants_s, begin_s + warmup_s)
        facts = {"kind": "trace", "requests_per_s": arrivals / (until_s - begin_s - warmup_s)}
        steps.append(Step(i, until_s - begin_s, warmup_s, facts))
    return steps


def _check_parts(load: TraceLoad, count: int, instants_s: Sequence[float]) -> None:
    """Whether the parts can show anything; how long a request takes only the run shows."""
    if count > MOST_PARTS:
        raise UsageError(
            f"{load.file} has {count:,} parts of `load.step_s`, at most {MOST_PARTS:,} can run",
            hint="a longer step_s, a higher speed, or max_requests",
        )
    if load.warmup_s and load.warmup_s >= instants_s[-1]:
        raise UsageError(
            f"`load.warmup_s` {load.warmup_s:g} leaves nothing of {load.file}, which is {instants_s[-1]:.3g} s long",
            hint="a shorter warmup_s, or a lower speed",
        )
    if load.step_s is None or (load.step_s >= SHORTEST_S and count <= len(instants_s)):
        return
    why = "shorter than a second" if load.step_s < SHORTEST_S else "with less than one request each"
    raise UsageError(
        f"`load.step_s` {load.step_s:g} cuts {load.file} into {count} parts {why}",
        hint=f"a longer step_s; the log has {len(instants_s)} requests in {instants_s[-1]:.3g} s",
    )


def user_changes(step: Step, seed: int) -> list[tuple[float, int]]:
    """(seconds from the step's start, users from then on), in order; one entry for each user of a ramp, whose last
    number is reached at the slice's end: by the next slice, or by the hold.

    Users who are new begin each at a random instant of its own equal part of `enter_s`. Who begin together, with
    requests of equal lengths, stay in step and wait for each other's prefill for ever.
    """
    assert step.users is not None
    start, end = step.users
    if start != end:
        direction = 1 if end > start else -1
        count = abs(end - start)
        return [(step.length_s * i / count, start + direction * i) for i in range(count)]
    new = end - step.carried
    if new <= 0 or step.enter_s <= 0:
        return [(0.0, end)]
    rng = random.Random(f"{seed}/enter/{step.step}")
    begun = [(step.enter_s * (i + rng.random()) / new, step.carried + i + 1) for i in range(new)]
    return [(0.0, step.carried), *begun]


def most_at_once(load: Load) -> int:
    """The most requests the load may have in flight."""
    match load:
        case ClosedLoad():
            return max(load.users)
        case RampLoad() | SearchLoad() if load.over == "users":
            return int(max(load.start, load.end)) if isinstance(load, RampLoad) else int(load.high)
        case _:
            return load.max_in_flight
