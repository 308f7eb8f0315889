"""The simulation: seeded, right where the answer is known, and honest about what it varied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cost_cases import ARMS, given, manifest, metrics, smallest

from harness.cost.breakeven.decision import parse
from harness.cost.verdict import build_decision
from harness.cost.whatif.knobs import knobs
from harness.cost.whatif.ranges import ranges_of
from harness.cost.whatif.uncertainty import simulate, spreads
from harness.demand.demand import Demand, load_demand
from harness.rundir.decision import Decision
from harness.rundir.whatif import MonteCarlo

PEOPLE = 8666.67
KEPT = sorted((Path(__file__).parent.parent.parent / "results" / "kept").glob("*/decision.json"))
SUPPORT_AGENT = load_demand(Path("support-agent"))


def simulated(
    inputs: dict[str, Any],
    ranges: dict[str, tuple[float, float]] | None = None,
    *,
    people_usd: float = 0,
    seed: int = 1,
) -> MonteCarlo | None:
    """With every input in its own range."""
    parsed = parse(inputs)
    uncertain = spreads(parsed, people_usd, ranges_of(parsed, people_usd, ranges or {}))
    return simulate(parsed, uncertain, seed=seed)


def drawn(inputs: dict[str, Any], ranges: dict[str, tuple[float, float]] | None = None, **options: Any) -> MonteCarlo:
    """With nothing uncertain but a goodput that has ends and what `ranges` says."""
    held = {knob.name: (knob.value, knob.value) for knob in knobs(parse(inputs))}
    if "goodput_low" in inputs["self_host"]:
        del held["goodput_requests_per_s"]
    found = simulated(inputs, held | (ranges or {}), **options)
    assert found is not None
    return found


def test_the_same_seed_gives_the_same_answer() -> None:
    inputs = given(workload__tasks_per_month=700_000)
    ranges = {"tasks_per_month": (500_000.0, 900_000.0)}

    assert simulated(inputs, ranges, seed=3) == simulated(inputs, ranges, seed=3)
    assert simulated(inputs, ranges, seed=3) != simulated(inputs, ranges, seed=4)


def test_a_goodput_around_what_is_needed_is_a_coin_toss() -> None:
    # half of a normal around G_min lies above it
    inputs = given(
        workload__tasks_per_month=600_000,
        self_host__goodput_requests_per_s=0.2561878952122854,
        self_host__goodput_low=0.20,
        self_host__goodput_high=0.3123757904,
    )

    got = drawn(inputs)

    assert got.verdict_shares.yes == pytest.approx(0.5, abs=0.02)
    assert got.verdict_shares.never == pytest.approx(0.5, abs=0.02)


def test_a_triangle_of_volumes_wins_as_often_as_its_area_says() -> None:
    # R* 673,261.79 in a triangle from 400,000 over 700,000 to 1,000,000:
    # P(R < R*) = (273,261.79)^2 / (600,000 x 300,000) = 0.41484
    got = drawn(given(workload__tasks_per_month=700_000), {"tasks_per_month": (400_000.0, 1_000_000.0)})

    assert got.probability_self_host_wins == pytest.approx(1 - 0.41484, abs=0.02)
    # saving is 0.00615 R - 4,140.56, its mean that of the mean volume 700,000
    assert got.saving_usd_per_month is not None
    assert got.saving_usd_per_month.mean == pytest.approx(0.00615 * 700_000 - 4140.56, abs=30)


def test_the_input_to_narrow_first_is_the_one_that_decides() -> None:
    ranges = {"tasks_per_month": (400_000.0, 1_000_000.0), "max_load": (0.9, 1.0)}

    got = drawn(given(workload__tasks_per_month=700_000), ranges)

    first, second = got.narrow_first
    assert first.input == "tasks_per_month"
    assert first.doubt_removed > 0.9
    assert second.doubt_removed < 0.02


def test_a_certain_saving_leaves_nothing_to_narrow() -> None:
    inputs = given(workload__tasks_per_month=400_000, self_host__goodput_low=0.58, self_host__goodput_high=0.62)

    got = drawn(inputs)

    assert got.probability_self_host_wins == 0
    assert got.narrow_first[0].doubt_removed == 0


def test_what_was_varied_says_whose_range_it_is() -> None:
    inputs = given(workload__tasks_per_month=400_000, self_host__goodput_low=0.5, self_host__goodput_high=0.7)

    got = simulated(inputs, {"peak_to_mean": (1.0, 3.0)}, people_usd=PEOPLE)

    assert got is not None
    assert {row.input: (row.said_by, row.range_from, row.low, row.high) for row in got.varied} == {
        "goodput_requests_per_s": ("measured", "measured", 0.5, 0.7),
        "peak_to_mean": ("assumed", "demand", 1.0, 3.0),
        "tasks_per_month": ("assumed", "assumed half to twice", 200_000, 800_000),
        "people_usd_per_month": ("assumed", "assumed half to twice", PEOPLE / 2, PEOPLE * 2),
        "usd_per_hour": ("assumed", "assumed +-20 %", pytest.approx(4.5376), pytest.approx(6.8064)),
        "api_price": ("assumed", "assumed +-20 %", 0.8, 1.2),
        "retry_failure_rate": ("assumed", "assumed up to 0.1", 0.0, 0.1),
    }


def test_a_load_that_is_the_same_every_hour_is_drawn_up_to_a_usual_peak_and_one_that_has_a_peak_around_it() -> None:
    flat, peaked = simulated(given()), simulated(given(workload__peak_to_mean=3))

    assert flat is not None
    assert peaked is not None
    (one,), (other,) = ([row for row in got.varied if row.input == "peak_to_mean"] for got in (flat, peaked))
    assert (one.low, one.high) == (1.0, 2.5)
    assert (other.low, other.high) == pytest.approx((2.4, 3.6))


@pytest.mark.parametrize(
    ("ends", "low", "high"),
    [
        ({"goodput_low": 0.5}, 0.5, 0.6),  # the box was not filled: nothing is drawn above what it served
        ({"goodput_high": 0.8}, 0.6, 0.8),
        ({}, 0.48, 0.72),
    ],
)
def test_a_goodput_is_drawn_between_the_ends_that_it_has(ends: dict[str, float], low: float, high: float) -> None:
    got = simulated(given(**{f"self_host__{name}": end for name, end in ends.items()}))

    assert got is not None
    (row,) = (row for row in got.varied if row.input == "goodput_requests_per_s")
    assert (row.low, row.high) == pytest.approx((low, high))
    assert row.said_by == ("measured" if ends else "assumed")


def test_an_input_whose_range_has_equal_ends_is_held() -> None:
    got = simulated(given(), {"api_price": (1.0, 1.0), "max_load": (0.7, 0.9)})

    assert got is not None
    assert "api_price" not in {row.input for row in got.varied}
    assert "max_load" in {row.input for row in got.varied}  # a plan is drawn where somebody gives its range


def test_people_that_may_be_needed_are_drawn_though_none_are_paid_now() -> None:
    # R* = (4,140.56 + people) / 0.00615, people in a triangle from 0 on its top to 1,000: median 292.893
    got = drawn(given(), {"people_usd_per_month": (0.0, 1000.0)})

    assert [row.value for row in got.varied] == [0.0]
    assert got.first_win_tasks_per_month is not None
    assert got.first_win_tasks_per_month.p50 == pytest.approx((4140.56 + 292.893) / 0.00615, rel=0.005)


def test_calls_that_fail_are_made_again_and_paid_by_both_sides() -> None:
    # full instances alone: 1/(1-p) calls a task leave the price of 0.00615 and K 1,576,800 at (1-p) of it; first win
    # 4,140.56 (1-p) / 0.00615, in a triangle from p 0 over 0 to 0.1: F(p) = 1 - (1 - 10 p)^2, median p 0.0292893
    got = drawn(given(), {"retry_failure_rate": (0.0, 0.1)})

    assert got.first_win_tasks_per_month is not None
    assert got.first_win_tasks_per_month.p50 == pytest.approx(673_261.79 * (1 - 0.0292893), rel=0.002)


def test_without_a_volume_the_draws_say_where_self_hosting_first_wins() -> None:
    # R* = 4,140.56 / (0.00615 x factor), the factor in a triangle from 0.8 over 1 to 1.2: its 5 and 95 % lie
    # sqrt(0.05 x 2) x 0.2 = 0.0632456 inside the ends
    got = drawn(given(), {"api_price": (0.8, 1.2)})

    first = got.first_win_tasks_per_month
    assert first is not None
    assert first.p05 == pytest.approx(673_261.79 / 1.1367544, rel=0.005)
    assert first.p50 == pytest.approx(673_261.79, rel=0.005)
    assert first.p95 == pytest.approx(673_261.79 / 0.8632456, rel=0.005)
    assert (got.probability_self_host_wins, got.saving_usd_per_month) == (None, None)
    assert got.narrow_first[0].doubt_removed > 0.95


def test_a_price_that_is_drawn_is_the_price_of_the_mix_that_is_drawn() -> None:
    ranges = {"api_price": (0.8, 1.2), "input_per_output_tokens": (3.2, 3.2000001)}  # 800 to 250, and hardly more

    got, alone = drawn(given(), ranges), drawn(given(), {"api_price": (0.8, 1.2)})

    assert got.first_win_tasks_per_month is not None
    assert alone.first_win_tasks_per_month is not None
    assert got.first_win_tasks_per_month.p05 == pytest.approx(alone.first_win_tasks_per_month.p05, rel=0.01)


def test_draws_that_never_win_are_beyond_every_volume() -> None:
    # half of a normal around G_min lies below it
    goodput = {"goodput_requests_per_s": 0.2561878952122854, "goodput_low": 0.20, "goodput_high": 0.3123757904}

    got = drawn(given(**{f"self_host__{name}": value for name, value in goodput.items()}))

    assert got.verdict_shares.never == pytest.approx(0.5, abs=0.02)
    first = got.first_win_tasks_per_month
    assert first is not None
    assert first.p25 == pytest.approx(673_261.79)  # R*, whatever the goodput: one instance holds it
    assert (first.p75, first.p95) == (None, None)


MONTHS = {
    "no volume": Demand.model_validate({"name": "t", "classes": [{"input_tokens": 800, "output_tokens": 250}]}),
    "a small volume": smallest(tasks_per_month=1000),
    "support agent": SUPPORT_AGENT,
    "without people": SUPPORT_AGENT.without("people"),
    "hours of the day": smallest(hourly_profile=[1] * 8 + [4] * 8 + [2] * 8),
    "off at night": smallest(hourly_profile=[0] * 8 + [4] * 8 + [2] * 8, min_instances=0),
    "by the second": smallest(self_host={"billing": "per_second"}),
    "bought capacity": smallest(arms={ARMS[0]: {"units_usd_per_month": 2448, "unit_tasks_per_month": 150_000}}),
    "retried": smallest(retry_failure_rate=0.08, max_retries=2),
}


@pytest.mark.parametrize(("name", "goodput"), [*((name, 0.6) for name in MONTHS), ("support agent", 40.0)])
def test_no_answer_is_so_sure_that_its_quantiles_are_equal(name: str, goodput: float) -> None:
    month = MONTHS[name]

    decision = build_decision(manifest(), metrics(goodput), month, ARMS)

    for arm in decision.arms:
        got = arm.monte_carlo
        assert got is not None
        first, saving = got.first_win_tasks_per_month, got.saving_usd_per_month
        assert first is not None
        if first.p05 not in (
            None,
            0.0,
            150_000,
        ):  # by the second: the first task; bought capacity: its first unit's end
            assert first.p50 is None or first.p05 < first.p50
            assert first.p95 is None or (first.p50 or 0) < first.p95
        if month.tasks_per_month is None:
            assert saving is None
            continue
        assert saving is not None
        assert saving.p05 < saving.p25 < saving.p50 < saving.p75 < saving.p95


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.parent.name)
def test_the_runs_that_are_kept_were_drawn_whole(path: Path) -> None:
    decision = Decision.model_validate_json(path.read_text())

    for arm in (arm for arm in decision.arms if arm.decided):
        got = arm.monte_carlo
        assert got is not None
        assert {"goodput_requests_per_s", "people_usd_per_month", "api_price"} <= {one.input for one in got.varied}
        first = got.first_win_tasks_per_month
        assert first is not None
        assert first.p05 is None or first.p05 != first.p95


def test_where_every_input_is_held_there_is_nothing_to_simulate() -> None:
    inputs = given(workload__tasks_per_month=400_000)

    assert simulated(inputs, {knob.name: (knob.value, knob.value) for knob in knobs(parse(inputs))}) is None


def test_without_a_goodput_there_is_nothing_to_simulate() -> None:
    assert simulated(given(self_host__goodput_requests_per_s=None)) is None
