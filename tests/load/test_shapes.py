"""The plans of every shape, exactly: no clock, no server."""

import itertools
import math
import struct
from dataclasses import replace

import pytest

from harness.base.errors import UsageError
from harness.base.yamlfile import validate
from harness.load.shapes.arrivals import ArrivalPlan
from harness.scenario import Scenario
from harness.scenario.load import ClosedLoad, Load, OpenLoad, RampLoad, TraceLoad
from harness.scenario.steps import even_step, most_at_once, planned_steps, user_changes


def as_bytes(instants: list[float]) -> bytes:
    return struct.pack(f"{len(instants)}d", *instants)


def test_constant_arrivals_are_evenly_spaced_from_the_first_instant() -> None:
    # 2 a second for 2 s: r T = 4 of them
    assert ArrivalPlan(1, "constant").step(2, 2) == [0.0, 0.5, 1.0, 1.5]


def test_a_plan_is_unbroken_across_a_step() -> None:
    plan = ArrivalPlan(1, "constant")

    # 1 a second for 1.5 s: at 0 and 1; half a gap is left at its end, which lasts 0.125 s at 4 a second
    assert plan.step(1.5, 1) == [0.0, 1.0]
    assert plan.step(1, 4) == [0.125, 0.375, 0.625, 0.875]


def test_no_even_arrival_is_lost_to_rounding() -> None:
    plan = ArrivalPlan(1, "constant")

    # 0.7 s at 30/7 a second are 3 each, a hundred times over, though 0.7 * 30/7 is no exact float
    assert [len(plan.step(0.7, 30 / 7)) for _ in range(100)] == [3] * 100


@pytest.mark.parametrize("arrivals", ["poisson", "gamma", "constant"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(arrivals: str) -> None:
    def drawn(seed: int) -> bytes:
        plan = ArrivalPlan(seed, arrivals, 0.5)  # type: ignore[arg-type]
        return as_bytes(plan.step(5, 20)) + as_bytes(plan.step(5, 40))

    assert drawn(1) == drawn(1)
    assert (drawn(1) == drawn(2)) is (arrivals == "constant")


def test_a_poisson_plan_does_not_depend_on_where_it_is_cut_into_steps() -> None:
    whole = ArrivalPlan(7, "poisson").step(10, 50)
    cut = ArrivalPlan(7, "poisson")
    parts = cut.step(4, 50) + [4 + t for t in cut.step(6, 50)]

    assert len(whole) == len(parts)
    assert whole == pytest.approx(parts, abs=1e-9)


@pytest.mark.parametrize(
    ("arrivals", "burstiness", "cv2"),
    [("poisson", 1.0, 1.0), ("gamma", 0.25, 4.0), ("gamma", 4.0, 0.25)],
    ids=["poisson", "bursts", "even"],
)
def test_gaps_have_the_mean_and_spread_of_their_law(arrivals: str, burstiness: float, cv2: float) -> None:
    # gamma of shape k has a squared coefficient of variation of 1/k; 20,000 draws scatter by a few percent
    instants = ArrivalPlan(3, arrivals, burstiness).step(2000, 10)  # type: ignore[arg-type]
    gaps = [b - a for a, b in itertools.pairwise(instants)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)

    assert len(instants) == pytest.approx(20_000, rel=0.05)
    assert mean == pytest.approx(0.1, rel=0.05)
    assert variance / mean**2 == pytest.approx(cv2, rel=0.1)


def test_a_ramp_sends_where_the_area_under_its_rate_is_a_whole_number() -> None:
    instants = ArrivalPlan(1, "constant").step(4, 0.5, 1.5)

    # 0.5 t + t^2/8 = 0, 1, 2, 3  =>  t = -2 + sqrt(4 + 8 n); the area of the whole is 4
    assert instants == pytest.approx([-2 + math.sqrt(4 + 8 * n) for n in range(4)])


def test_arrivals_stay_inside_their_step() -> None:
    plan = ArrivalPlan(5, "gamma", 0.1)

    for _ in range(200):
        instants = plan.step(0.37, 90)
        assert all(0 <= t < 0.37 for t in instants)
        assert instants == sorted(instants)


def test_the_steps_of_a_ramp_are_its_slices() -> None:
    steps = planned_steps(RampLoad(kind="ramp", start=1, end=4, ramp_s=60, slices=3))

    assert [s.rate for s in steps] == [(1, 2), (2, 3), (3, 4)]
    assert [s.load for s in steps] == [{"kind": "ramp", "requests_per_s": x} for x in (1.5, 2.5, 3.5)]
    assert [s.length_s for s in steps] == [20, 20, 20]


def test_a_ramp_of_users_adds_them_one_by_one() -> None:
    (step,) = planned_steps(RampLoad(kind="ramp", over="users", start=1, end=4, ramp_s=30, slices=1))

    assert user_changes(step, 1) == [(0, 1), (10, 2), (20, 3)]  # the fourth comes at its very end, and is held


@pytest.mark.parametrize(
    ("start", "end", "slices", "users"),
    [(1, 16, 4, [2.5, 6, 9.5, 13.5]), (16, 1, 4, [14.5, 10.5, 7, 3.5]), (1, 3, 4, [1, 2, 2, 2]), (4, 4, 2, [4, 4])],
    ids=["up", "down", "fewer users than slices", "level"],
)
def test_a_slice_of_a_ramp_of_users_carries_the_users_that_it_has(
    start: int, end: int, slices: int, users: list[float]
) -> None:
    # 1 to 16 in 24 s: 1, 2, 3, 4 users in the first 6 s, 1.5 s each; then 5, 6, 7 for 2 s each; 8 to 11; 12 to 15
    load = RampLoad(kind="ramp", over="users", start=start, end=end, ramp_s=24, slices=slices)

    steps = planned_steps(load)

    assert [step.load["users"] for step in steps] == users
    for step in steps:
        changes = [*user_changes(step, 1), (step.length_s, 0)]
        had = sum(n * (until - at) for (at, n), (until, _) in itertools.pairwise(changes)) / step.length_s
        assert step.load["users"] == pytest.approx(had)


def trace(arrivals_s: list[float], **more: object) -> list[tuple[float, float, float]]:
    """(length, warm-up, requests per second) of a log's parts."""
    load = TraceLoad.model_validate({"kind": "trace", "file": "t"} | more)
    steps = planned_steps(load, arrivals_s=arrivals_s)
    return [(s.length_s, s.warmup_s, s.load["requests_per_s"]) for s in steps]


def test_a_trace_is_one_step_or_parts_of_a_length_each_with_its_own_rate() -> None:
    # a request a second for 20 s, then four a second up to 30 s
    log = [float(s) for s in range(20)] + [20 + n / 4 for n in range(40)]

    assert trace(log[:20], speed=2) == [(10.5, 0, 20 / 10.5)]  # 19 s / 2 and a second
    assert trace(log, step_s=10) == [(10, 0, 1), (10, 0, 1), (10, 0, 4)]
    assert trace(log, step_s=10, warmup_s=5) == [(10, 5, 1), (10, 0, 1), (10, 0, 4)]


@pytest.mark.parametrize(
    ("last_s", "lengths_s"),
    [(39.9, [10, 10, 10, 10]), (40.0, [10, 10, 10, 11]), (43.0, [10, 10, 10, 14]), (44.5, [10, 10, 10, 10, 5.5])],
)
def test_the_last_part_of_a_trace_ends_where_the_log_does(last_s: float, lengths_s: list[float]) -> None:
    log = [n / 2 for n in range(79)] + [last_s]

    assert [length_s for length_s, _, _ in trace(log, step_s=10)] == pytest.approx(lengths_s)


def test_a_part_in_which_nothing_came_has_a_load_of_none() -> None:
    log = [n / 2 for n in range(20)] + [30 + n / 2 for n in range(20)]

    assert [rate for _, _, rate in trace(log, step_s=10)] == [2, 0, 0, 2]


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (RampLoad(kind="ramp", start=1, end=2, ramp_s=5, slices=6), "`load.slices` 6 of a ramp of `load.ramp_s` 5 are"),
        (RampLoad(kind="ramp", over="users", start=1, end=2, ramp_s=0.5, slices=1), "shorter than a second"),
        (TraceLoad(kind="trace", file="t", step_s=0.01), "`load.step_s` 0.01 cuts t into 2951 parts shorter than"),
        (TraceLoad(kind="trace", file="t", step_s=1, speed=0.1), "296 parts with less than one request each"),
        (TraceLoad(kind="trace", file="t", warmup_s=30), "`load.warmup_s` 30 leaves nothing of t"),
    ],
)
def test_what_is_too_short_to_show_anything_is_refused_before_the_load(load: Load, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        planned_steps(load, arrivals_s=[n / 2 for n in range(60)])

    assert message in str(caught.value)


def test_the_most_at_once_is_users_or_the_cap() -> None:
    assert most_at_once(ClosedLoad(users=[1, 8, 2])) == 8
    assert most_at_once(OpenLoad(kind="open", requests_per_s=[5], max_in_flight=70)) == 70
    assert most_at_once(RampLoad(kind="ramp", over="users", start=5, end=3)) == 5


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ({"kind": "open"}, "`load.requests_per_s` is missing"),
        ({"kind": "open", "requests_per_s": [1, 0]}, "`load.requests_per_s[1]`: must be greater than 0, got 0"),
        ({"kind": "open", "requests_per_s": 1, "burstiness": 2}, "burstiness (2) needs `arrivals: gamma`"),
        ({"kind": "open", "requests_per_s": 1, "step_s": 4}, "warmup_s (5) must be below step_s (4)"),
        ({"kind": "ramp", "over": "users", "start": 1.5, "end": 3}, "users are whole numbers, got 1.5 to 3"),
        ({"kind": "search", "low": 9, "high": 3}, "low (9) must not be above high (3)"),
        ({"kind": "open", "requests_per_s": 1, "users": 3}, "unknown key `load.users`"),
    ],
)
def test_bad_loads_are_refused_in_one_line(load: dict, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        validate(Scenario, {"name": "a", "load": load}, where="s.yaml")

    assert message in str(caught.value)


def test_conversations_need_users() -> None:
    with pytest.raises(UsageError, match="a user is a conversation"):
        validate(
            Scenario,
            {"name": "a", "load": {"kind": "open", "requests_per_s": 1}, "prompts": {"kind": "sessions"}},
            where="s.yaml",
        )


def test_a_turn_must_have_room_for_the_last_reply() -> None:
    with pytest.raises(UsageError, match=r"growth_tokens \(200\) must be above output_tokens \(250\)"):
        validate(Scenario, {"name": "a", "prompts": {"kind": "sessions", "growth_tokens": 200}}, where="s.yaml")


def test_users_who_are_new_begin_each_in_its_own_part_of_the_time_of_a_request() -> None:
    step = replace(even_step(1, "users", 6, 30, ClosedLoad()), carried=2, enter_s=8.0)

    (first, already), *others = user_changes(step, seed=3)

    assert (first, already) == (0, 2)
    assert [users for _, users in others] == [3, 4, 5, 6]
    for i, (offset_s, _) in enumerate(others):
        assert 2 * i <= offset_s < 2 * (i + 1)
    assert user_changes(step, seed=3) == [(0, 2), *others]
    assert user_changes(step, seed=4) != [(0, 2), *others]


def test_a_step_of_fewer_users_has_nobody_to_wait_for() -> None:
    assert user_changes(replace(even_step(1, "users", 2, 30, ClosedLoad()), carried=2, enter_s=8.0), 1) == [(0, 2)]
