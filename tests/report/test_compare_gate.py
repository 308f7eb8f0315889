"""Quotients of goodputs, repeats as one side, and the gate on a loss; values worked by hand."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from report_cases import run_of

from harness.base.errors import UsageError
from harness.report.compare.gate import WITHIN_A_RUN
from harness.report.compare.ratio import ratio_of
from harness.report.compare.repeats import as_one
from harness.report.compare.runs import compare_runs
from harness.report.compare.standing import Standing
from harness.report.model import RunFiles


def served(low: float | None, value: float, high: float | None, **each: float) -> Standing:
    seeds = {int(seed.removeprefix("s")): rate for seed, rate in each.items()}
    at_least = low is not None and high is None
    return Standing("x", value, low, high, None, (), at_least=at_least, each=seeds)


def repeats(*rates: float, seed: int = 1, place: str = "repeats") -> RunFiles:
    """Runs of one measurement that served so many requests/s, seeds counted on from `seed`, as one."""
    runs = []
    for n, rate in enumerate(rates):
        run = run_of(directory=f"{place}/{n}", goodput=(rate * 0.99, rate, rate * 1.01))
        scenario = {**run.run.scenario, "seed": seed + n}
        runs.append(replace(run, run=run.run.model_copy(update={"seed": seed + n, "scenario": scenario})))
    return as_one(runs, Path(place))


def test_two_intervals_become_one_on_the_logarithm() -> None:
    ratio = ratio_of(served(0.5, 0.54, 0.58), served(0.55, 0.6, 0.65))

    # ln(0.54/0.5) = 0.07696, ln(0.65/0.6) = 0.08004: root of the squares 0.11104; 0.9 e^-0.11104 = 0.8054
    # ln(0.58/0.54) = 0.07146, ln(0.6/0.55) = 0.08701: 0.11259; 0.9 e^0.11259 = 1.0072
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.9, 0.8054, 1.0072), abs=1e-4)


def test_a_box_that_was_not_filled_leaves_an_end_open() -> None:
    above = ratio_of(served(4.6, 4.7, None), served(0.7, 0.9, 1.1))
    below = ratio_of(served(0.7, 0.9, 1.1), served(4.6, 4.7, None))

    assert above is not None
    assert below is not None
    assert above.high is None
    assert above.words.startswith("at least ")
    assert below.low is None
    assert below.words.startswith("at most ")


def test_repeats_with_the_same_seeds_are_taken_pair_by_pair() -> None:
    first, other = served(0.5, 1.0, 1.5, s1=0.8, s2=1.0, s3=1.2), served(0.4, 0.9, 1.4, s1=0.72, s2=0.9, s3=1.08)

    ratio = ratio_of(other, first)

    assert ratio is not None
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((0.9, 0.9, 0.9))  # each pair: a tenth less
    assert ratio.pairs == 3


def test_pairs_that_disagree_widen_it_as_student_says() -> None:
    ratio = ratio_of(served(0.5, 1.0, 1.5, s1=1.1, s2=0.9), served(0.5, 1.0, 1.5, s1=1.0, s2=1.0))

    # ln 1.1 = 0.09531, ln 0.9 = -0.10536: mean -0.00503, sd 0.14190, t(1) 12.706: half 1.27495
    assert ratio is not None
    assert math.log(ratio.value) == pytest.approx(-0.00503, abs=1e-5)
    assert math.log(ratio.high or 0) == pytest.approx(1.26992, abs=1e-4)


def test_the_mean_of_repeats_has_students_interval() -> None:
    goodput = repeats(1.0, 1.1, 1.2).metrics.goodput

    # mean 1.1, sd 0.1, t(2) 4.30265: half 0.24841
    assert goodput is not None
    assert (goodput.low, goodput.requests_per_s, goodput.high) == pytest.approx((0.85159, 1.1, 1.34841), abs=1e-5)


def test_one_run_in_a_folder_is_itself() -> None:
    run = run_of(directory="results/only")

    assert as_one([run], Path("results")) is run


def test_unlike_runs_in_a_folder_are_no_repeats() -> None:
    with pytest.raises(UsageError, match="cannot be pooled: `model`"):
        as_one([run_of(), run_of(model="other")], Path("results"))


def gate(first: RunFiles, other: RunFiles, limit: float) -> tuple[str, str]:
    (found,) = compare_runs([first, other], limit).regressions
    return found.change, found.words


def test_a_gate_on_pairs_sees_what_the_spread_between_runs_would_hide() -> None:
    before, after = repeats(0.8, 1.0, 1.2), repeats(0.7, 0.88, 1.05, place="after")

    change, words = gate(before, after, 0.10)

    assert change == "worse"
    assert WITHIN_A_RUN not in words


def test_other_seeds_are_held_by_the_intervals_of_the_means() -> None:
    before, after = repeats(0.8, 1.0, 1.2), repeats(0.7, 0.88, 1.05, seed=7, place="after")

    assert gate(before, after, 0.10)[0] == "not shown"


def test_a_loss_whose_interval_holds_the_limit_shows_nothing() -> None:
    change, words = gate(run_of(goodput=(0.59, 0.6, 0.61)), run_of(directory="b", goodput=(0.53, 0.5388, 0.548)), 0.1)

    assert change == "not shown"  # 10.2 % less, 8.0 % to 12.4 %
    assert "10.2 % less" in words
    assert words.endswith(WITHIN_A_RUN)


def test_a_loss_wholly_below_the_limit_is_within_it() -> None:
    change, _ = gate(run_of(goodput=(0.59, 0.6, 0.61)), run_of(directory="b", goodput=(0.53, 0.5388, 0.548)), 0.15)

    assert change == "within"


def test_unequal_work_has_no_winner_and_still_an_answer_as_deployed() -> None:
    one, other = run_of(goodput=(0.55, 0.6, 0.65)), run_of(directory="b", quantization="fp8", goodput=(1.1, 1.2, 1.3))

    comparison = compare_runs([one, other])

    assert [outcome.winner for outcome in comparison.outcomes] == [None, None]
    assert "served 2.00 (1.78 to 2.25) times what" in comparison.deployed
    assert comparison.deployed.endswith("on this box, each as it was set up")


def test_a_run_that_is_not_to_be_trusted_leaves_nothing_to_say_as_deployed() -> None:
    assert compare_runs([run_of(), run_of("errors", "b")]).deployed == ""
