"""The steps of a load as they are planned: what runs from when to when. Pure; a search has none beforehand."""

import math
import random
from dataclasses import dataclass
from typing import Any

from harness.scenario.load import ClosedLoad, Load, OpenLoad, Over, RampLoad, SearchLoad, TraceLoad


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


def planned_steps(load: Load, *, trace_span_s: float | None = None, trace_requests: int = 0) -> list[Step]:
    """The steps of a load in order; none for a search. A trace's need its span and number of requests."""
    match load:
        case ClosedLoad():
            return [even_step(i, "users", n, load.step_s, load) for i, n in enumerate(load.users)]
        case OpenLoad():
            return [even_step(i, "requests_per_s", r, load.step_s, load) for i, r in enumerate(load.requests_per_s)]
        case RampLoad():
            return [_slice(load, i) for i in range(load.slices)]
        case TraceLoad():
            return _trace_steps(load, trace_span_s or 0.0, trace_requests)
        case SearchLoad():
            return []


def even_step(step: int, over: Over, size: float, length_s: float, load: ClosedLoad | OpenLoad | SearchLoad) -> Step:
    """A step of a number of users, or of a rate in requests per second."""
    facts = {"kind": load.kind, over: int(size) if over == "users" else size}
    if over == "users":
        return Step(step, length_s, load.warmup_s, facts, users=(int(size), int(size)))
    return Step(step, length_s, load.warmup_s, facts, rate=(size, size))


def _slice(load: RampLoad, i: int) -> Step:
    per_slice = (load.end - load.start) / load.slices
    start, end = load.start + per_slice * i, load.start + per_slice * (i + 1)
    facts = {"kind": "ramp", load.over: (start + end) / 2}
    length_s = load.ramp_s / load.slices
    if load.over == "users":
        return Step(i, length_s, 0.0, facts, users=(round(start), round(end)))
    return Step(i, length_s, 0.0, facts, rate=(start, end))


def _trace_steps(load: TraceLoad, span_s: float, requests: int) -> list[Step]:
    total_s = max(span_s / load.speed, load.warmup_s) + 1.0  # the last request is inside, and has a second
    length_s = load.step_s or total_s
    count = max(1, math.ceil(total_s / length_s))
    facts = {"kind": "trace", "requests_per_s": requests / total_s}
    return [Step(i, length_s, load.warmup_s if i == 0 else 0.0, facts) for i in range(count)]


def user_changes(step: Step, seed: int) -> list[tuple[float, int]]:
    """(seconds from the step's start, users from then on), in order; one entry for each user of a ramp.

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
