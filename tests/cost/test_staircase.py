"""The closed form of the staircase against a walk over it, instance by instance, in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from cost_cases import comparisons
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.cost import decide
from harness.cost.breakeven.exact import ceil, floor
from harness.cost.breakeven.staircase import Staircase
from harness.cost.breakeven.windows import break_even

SECONDS_PER_MONTH = 2_628_000


class Walk:
    """The bills of both sides in exact arithmetic, from the inputs' decimal digits."""

    def __init__(self, inputs: dict[str, Any]) -> None:
        work, box, api = inputs["workload"], inputs["self_host"], inputs["api"]
        kind = work["classes"][0]
        self.per_task = (
            kind["input_tokens"] * exact(api["input_usd_per_mtok"])
            + kind["output_tokens"] * exact(api["output_usd_per_mtok"])
        ) / 10**6
        goodput, load = exact(box["goodput_requests_per_s"]), exact(box["max_load"])
        self.capacity = load * goodput * SECONDS_PER_MONTH / exact(work["peak_to_mean"])
        self.month = exact(box["usd_per_hour"]) * 730
        self.fewest = box["min_instances"]
        self.self_fixed, self.api_fixed = exact(box["fixed_usd_per_month"]), exact(api["fixed_usd_per_month"])

    def instances(self, tasks: Fraction) -> int:
        return max(self.fewest, -(-tasks // self.capacity))

    def wins(self, tasks: Fraction) -> bool:
        own = self.instances(tasks) * self.month + self.self_fixed
        return own <= self.per_task * tasks + self.api_fixed

    def window_of(self, n: int) -> tuple[Fraction, Fraction] | None:
        """Where exactly n instances run and win: None if nowhere."""
        low = (n * self.month + self.self_fixed - self.api_fixed) / self.per_task
        start = (n - 1) * self.capacity if n > self.fewest else Fraction(0)
        low = max(low, start, Fraction(0))
        return (low, n * self.capacity) if low <= n * self.capacity else None

    def windows(self, instances: int) -> list[tuple[Fraction, Fraction]]:
        """All windows of the first so many instance counts, merged where they touch."""
        merged: list[tuple[Fraction, Fraction]] = []
        for n in range(self.fewest, self.fewest + instances):
            window = self.window_of(n)
            if window is None:
                continue
            if merged and window[0] <= merged[-1][1]:
                merged[-1] = (merged[-1][0], window[1])
            else:
                merged.append(window)
        return merged


def exact(value: float) -> Fraction:
    return Fraction(str(value))


def near(got: float, expected: Fraction) -> bool:
    return abs(got - float(expected)) <= 1e-9 * max(1.0, abs(float(expected)))


def has_a_close_call(walk: Walk) -> bool:
    """A full box worth its price to within rounding: which side it falls on is a matter of digits."""
    gain = walk.per_task * walk.capacity - walk.month
    return gain != 0 and abs(gain) < Fraction(1, 10**7) * walk.month


WALKED = 60


@given(comparisons())
@settings(max_examples=400, deadline=None)
def test_windows_are_those_that_a_walk_over_the_instances_finds(inputs: dict[str, Any]) -> None:
    walk = Walk(inputs)
    assume(not has_a_close_call(walk))

    got = decide(inputs)

    walked = walk.windows(WALKED)
    horizon = (walk.fewest + WALKED - 1) * walk.capacity
    found = [w for w in got["winning_windows"] if w[0] < float(horizon) * (1 - 1e-9)]
    assert len(found) == len(walked)
    for (low, high), (walked_low, walked_high) in zip(found, walked, strict=True):
        assert near(low, walked_low)
        assert near(horizon if high is None or high > horizon else high, walked_high)


@given(comparisons(), st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_every_volume_inside_a_window_wins_and_every_other_loses(inputs: dict[str, Any], volumes: list[int]) -> None:
    walk = Walk(inputs)
    assume(not has_a_close_call(walk))
    got = decide(inputs)
    assume(not got["windows_truncated"])

    for volume in volumes:
        inside = any(low <= volume <= (volume if high is None else high) for low, high in got["winning_windows"])
        at_an_edge = any(
            edge is not None and abs(volume - edge) <= 1e-6 * max(1, edge)
            for window in got["winning_windows"]
            for edge in window
        )
        assert at_an_edge or inside == walk.wins(Fraction(volume))


@given(comparisons(), st.integers(0, 10**8))
@settings(max_examples=300, deadline=None)
def test_the_bills_at_a_volume_are_the_walks(inputs: dict[str, Any], tasks: int) -> None:
    walk = Walk(inputs)
    inputs["workload"]["tasks_per_month"] = tasks

    at = decide(inputs)["at_volume"]

    count = walk.instances(Fraction(tasks))
    assert at["instances"] == count
    assert near(at["self_usd"], count * walk.month + walk.self_fixed)
    assert near(at["api_usd"], walk.per_task * tasks + walk.api_fixed)
    if abs(at["self_usd"] - at["api_usd"]) > 1e-6:
        assert (at["winner"] == "self_host") == walk.wins(Fraction(tasks))


@given(comparisons())
@settings(max_examples=200, deadline=None)
def test_yes_means_that_it_wins_at_every_larger_volume(inputs: dict[str, Any]) -> None:
    walk = Walk(inputs)
    assume(not has_a_close_call(walk))

    got = decide(inputs)

    permanent = got["permanent_win_tasks_per_month"]
    assert (got["verdict"] == "yes") == (permanent is not None)
    if permanent is None:
        return
    # where a step up comes is where it would lose again
    n = walk.instances(Fraction(permanent))
    steps = [(n + i) * walk.capacity * (1 + Fraction(1, 10**9)) for i in range(50)]
    assert all(walk.wins(step) for step in steps)
    first = got["first_win_tasks_per_month"]
    if first > 1:
        assert not walk.wins(Fraction(first) * (1 - Fraction(1, 10**6)))


def test_a_full_box_worth_exactly_its_price_ties_at_every_step() -> None:
    # K = 1000, a' = 1, cH = 1000: each N ties at N x 1000 only
    found = break_even(Staircase(1.0, 1000.0, 1000.0, 0.0, 0.0, 1))

    assert found.verdict == "window"
    assert found.first == 1000
    assert found.permanent is None
    assert found.windows[:3] == ((1000.0, 1000.0), (2000.0, 2000.0), (3000.0, 3000.0))
    assert len(found.windows) == 100
    assert found.truncated


def test_a_full_box_worth_its_price_and_an_api_fee_as_large_wins_for_good() -> None:
    found = break_even(Staircase(1.0, 1000.0, 1000.0, 0.0, 1000.0, 1))

    assert found.verdict == "yes"
    assert found.first == found.permanent == 0
    assert found.windows == ((0.0, None),)


def test_windows_of_a_losing_box_join_while_the_api_fee_carries_the_next_one() -> None:
    # g = 500 - 1000 = -500, F = -3200: N wins while 500 N <= 3200 (N <= 6); N+1 continues N while
    # 500 N <= 3200 - 1000 (N <= 4), so 1..5 are one window from 0 to 2500 and 6 stands alone:
    # lo(6) = max(6000 - 3200, 5 x 500) = 2800
    found = break_even(Staircase(1.0, 1000.0, 500.0, 0.0, 3200.0, 1))

    assert found.verdict == "window"
    assert found.windows == ((0.0, 2500.0), (2800.0, 3000.0))
    assert not found.truncated


@given(st.integers(-(10**6), 10**6))
@example(0)
def test_rounding_does_not_move_a_whole_number(n: int) -> None:
    assert ceil(n * 0.1 * 10) == n
    assert floor(n * 0.1 * 10) == n


def test_a_box_for_nothing_wins_at_once() -> None:
    found = break_even(Staircase(0.00615, 0.0, 1576800.0, 0.0, 0.0, 1))

    assert found.verdict == "yes"
    assert found.first == 0


def test_amounts_too_large_for_a_float_are_no_win() -> None:
    found = break_even(Staircase(1e-300, 0.0, 1e-10, 1e12, 0.0, 1))

    assert found.verdict == "never"
