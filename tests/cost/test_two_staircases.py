"""Two staircases, and hours of their own, against a walk over every step of both in exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.cost import decide
from harness.cost.breakeven.decision import parse
from harness.cost.breakeven.vector import case_of, first_wins

SECONDS_PER_MONTH = 2_628_000
HOURS_PER_MONTH = 730
STEPS = 30  # of the box that are walked


def exact(value: float) -> Fraction:
    return Fraction(str(value))


class Bills:
    """Both bills in exact arithmetic, at a volume and just above it."""

    def __init__(self, inputs: dict[str, Any]) -> None:
        work, box, api = inputs["workload"], inputs["self_host"], inputs["api"]
        self.per_task, self.unit = exact(api["usd_per_request"]), exact(api["units_usd_per_month"])
        self.size = exact(api["unit_tasks_per_month"]) if self.unit else Fraction(10**30)
        self.fixed = exact(box["fixed_usd_per_month"]) - exact(api["fixed_usd_per_month"])
        self.hourly, self.goodput = exact(box["usd_per_hour"]), exact(box["goodput_requests_per_s"])
        self.fewest, self.profile = box["min_instances"], work.get("hourly_profile")
        self.unserved = Fraction(box.get("cold_start_s", 0) + box.get("idle_s", 0), 3600)
        if self.profile:
            month = self.goodput * 3600 * Fraction(HOURS_PER_MONTH, len(self.profile)) * sum(self.profile)
            self.fills = [month / weight if weight else None for weight in self.profile]
        else:
            self.fills = [self.goodput * SECONDS_PER_MONTH]

    def box(self, tasks: Fraction, *, after: bool = False) -> Fraction:
        if not self.profile:
            counts = [max(self.fewest, self._count(tasks, self.fills[0], after))]
            return counts[0] * self.hourly * HOURS_PER_MONTH
        counts = [self._count(tasks, fill, after) for fill in self.fills]
        starts = sum(max(0, now - counts[i - 1]) for i, now in enumerate(counts))
        cycles = Fraction(HOURS_PER_MONTH, len(counts))
        return cycles * self.hourly * (sum(counts) + starts * self.unserved)

    @staticmethod
    def _count(tasks: Fraction, fill: Fraction | None, after: bool) -> int:
        return 0 if fill is None else floor(tasks / fill) + 1 if after else ceil(tasks / fill)

    def api(self, tasks: Fraction, *, after: bool = False) -> Fraction:
        units = floor(tasks / self.size) + 1 if after else max(1, ceil(tasks / self.size))
        return self.per_task * tasks + units * self.unit

    def saves(self, tasks: Fraction, *, after: bool = False) -> Fraction:
        return self.api(tasks, after=after) - self.box(tasks, after=after) - self.fixed

    def edges(self, most: Fraction) -> list[Fraction]:
        steps = [fill for fill in self.fills if fill is not None] + ([self.size] if self.unit else [])
        return sorted({n * step for step in steps for n in range(1, floor(most / step) + 1)})

    def windows(self, most: Fraction) -> list[tuple[Fraction, Fraction]]:
        """Where self-hosting wins up to a volume, merged where windows touch."""
        start = Fraction(0)
        idle = self.saves(start)  # with hours of its own no box runs in a month without tasks
        found: list[tuple[Fraction, Fraction]] = [(start, start)] if idle > 0 else []
        for end in self.edges(most):
            at_start, at_end = self.saves(start, after=True), self.saves(end)
            if at_end >= 0:  # the API's bill never falls, and the box's is level: it wins up to the end
                low = start if at_start >= 0 else start - at_start / self.per_task
                if found and found[-1][1] == low:
                    found[-1] = (found[-1][0], end)
                else:
                    found.append((low, end))
            start = end
        return found


@st.composite
def comparisons(draw: st.DrawFn, *, by_hours: bool) -> dict[str, Any]:
    """A box and an API whose full prices lie near each other, so that windows are many; every amount may be 0."""
    goodput = draw(st.sampled_from([0.05, 0.3, 2, 7]))
    hourly = draw(st.sampled_from([0, 0.5, 1, 5.672]))
    full = hourly * HOURS_PER_MONTH / (goodput * SECONDS_PER_MONTH)  # USD a task, all instances full
    share = draw(st.sampled_from([0, 0.3, 0.9]))
    size = draw(st.sampled_from([1000, 90_000, 1_000_000, 5_256_000]))
    price = draw(st.sampled_from([0.5, 0.8, 1, 1.3, 4])) * full * size
    api: dict[str, Any] = {
        "input_usd_per_mtok": 0,
        "output_usd_per_mtok": 0,
        "usd_per_request": round(share * full, 9),
        "fixed_usd_per_month": draw(st.sampled_from([0, 0, 730, 2448, 9999.5])),
        "units_usd_per_month": round(price, 2) if draw(st.booleans()) or not by_hours else 0,
    }
    if api["units_usd_per_month"]:
        api["unit_tasks_per_month"] = size
    box: dict[str, Any] = {
        "usd_per_hour": hourly,
        "goodput_requests_per_s": goodput,
        "min_instances": 0 if by_hours else draw(st.sampled_from([1, 1, 3])),
        "fixed_usd_per_month": draw(st.sampled_from([0, 0, 400, 8666.67])),
    }
    work: dict[str, Any] = {"classes": [{"input_tokens": 1, "output_tokens": 1}]}
    if by_hours:
        day = draw(st.lists(st.integers(0, 4), min_size=24, max_size=24).filter(any))
        work["hourly_profile"] = day
        box |= {"cold_start_s": draw(st.sampled_from([0, 90])), "idle_s": draw(st.sampled_from([0, 600, 7200]))}
    return {"workload": work, "self_host": box, "api": api}


def near(got: float, expected: Fraction) -> bool:
    return abs(got - float(expected)) <= 1e-7 * max(1.0, abs(float(expected)))


def check(inputs: dict[str, Any]) -> None:
    bills, got = Bills(inputs), decide(inputs)
    smallest = min(fill for fill in bills.fills if fill is not None)
    most = STEPS * smallest
    assume(not bills.unit or most / bills.size < 500)
    edges = [Fraction(0), *bills.edges(most)]
    sides = [bills.saves(edge, after=after) for edge in edges for after in (False, True)]
    assume(all(side == 0 or abs(side) > Fraction(1, 10**6) for side in sides))  # a tie is one in floats too

    last = float(most) * (1 - 1e-9)  # a window that begins with the last step is not walked
    walked = [window for window in bills.windows(most) if window[0] < last]
    found = [(low, high) for low, high in got["winning_windows"] if low < last]
    if got["windows_truncated"] and len(found) < len(walked):
        walked = walked[: len(found) - 1]
        found = found[: len(walked)]
    assert len(found) == len(walked), (found, [tuple(map(float, w)) for w in walked])
    for (low, high), (walked_low, walked_high) in zip(found, walked, strict=True):
        assert near(low, walked_low)
        assert near(float(walked_high) if high is None or high > float(walked_high) else high, walked_high)

    if got["windows_truncated"]:  # the walk was cut on both ways, at volumes that make no sense
        return
    (first,) = first_wins(case_of(parse(inputs), 0.0))  # of many at once: the same volume
    assert first == pytest.approx(math.inf if got["verdict"] == "never" else got["first_win_tasks_per_month"], rel=1e-9)


@given(comparisons(by_hours=False))
@settings(max_examples=100, deadline=None)
def test_two_staircases_cross_where_a_walk_over_every_step_finds_them_to(inputs: dict[str, Any]) -> None:
    check(inputs)


@given(comparisons(by_hours=True))
@settings(max_examples=100, deadline=None)
def test_hours_of_their_own_win_where_a_walk_over_every_step_finds_them_to(inputs: dict[str, Any]) -> None:
    check(inputs)


def test_boxes_and_units_alike_tie_at_every_volume() -> None:
    # 730 for 5.256M tasks on either side: which is no win for good, and no end of one
    box = {"usd_per_hour": 1, "goodput_requests_per_s": 2}
    api = {
        "input_usd_per_mtok": 0,
        "output_usd_per_mtok": 0,
        "units_usd_per_month": 730,
        "unit_tasks_per_month": 5_256_000,
    }

    got = decide({"workload": {"classes": [{"input_tokens": 1, "output_tokens": 1}]}, "self_host": box, "api": api})

    assert (got["verdict"], got["permanent_win_tasks_per_month"], got["windows_truncated"]) == ("window", None, True)
    assert got["winning_windows"][0][0] == 0
    assert got["winning_windows"][0][1] == pytest.approx(5000 * 5_256_000)
