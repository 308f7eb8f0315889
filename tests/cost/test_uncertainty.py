"""The simulation: seeded, right where the answer is known, and honest about what it varied."""

from __future__ import annotations

from typing import Any

import pytest
from cost_cases import given

from harness.cost.breakeven.decision import parse
from harness.cost.whatif.uncertainty import simulate, spreads
from harness.rundir.whatif import MonteCarlo


def simulated(
    inputs: dict[str, Any], ranges: dict[str, tuple[float, float]] | None = None, **options: Any
) -> MonteCarlo | None:
    parsed = parse(inputs)
    uncertain = spreads(parsed, people_usd=0, ranges=ranges or {}, spot_range=None, confidence=0.95)
    return simulate(parsed, uncertain, **options)


def drawn(inputs: dict[str, Any], ranges: dict[str, tuple[float, float]] | None = None, **options: Any) -> MonteCarlo:
    found = simulated(inputs, ranges, **options)
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

    got = drawn(inputs, {"peak_to_mean": (1.0, 3.0)})

    assert {row.input: row.said_by for row in got.varied} == {
        "goodput_requests_per_s": "measured",
        "peak_to_mean": "assumed",
    }


def test_with_nothing_uncertain_there_is_no_simulation() -> None:
    assert simulated(given(workload__tasks_per_month=400_000)) is None


def test_without_a_volume_there_is_no_simulation() -> None:
    assert simulated(given(self_host__goodput_low=0.5, self_host__goodput_high=0.7)) is None
