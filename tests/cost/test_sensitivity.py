"""What would change the answer: swings, flip points, break-even values, two inputs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from cost_cases import comparisons, given
from hypothesis import assume, settings
from hypothesis import given as random

from harness.base.errors import UsageError
from harness.cost import decide
from harness.cost.breakeven.decision import parse
from harness.cost.whatif.ranges import ranges_of
from harness.cost.whatif.sensitivity import break_even_values, sensitivity, two_way_table
from harness.rundir.whatif import FlipPoint, Flips, Sensitivity, Swing

A_MILLION = given(workload__tasks_per_month=1_000_000)


Row = TypeVar("Row", Swing, FlipPoint)


def row_of(rows: Sequence[Row], name: str) -> Row:
    return next(row for row in rows if row.input == name)


def the_sensitivity(inputs: dict[str, Any], **options: Any) -> Sensitivity:
    found = sensitivity(parse(inputs), **options)
    assert found is not None
    return found


def test_one_input_at_a_time_moves_the_saving_by_its_own_share() -> None:
    # saving at 1M: 6,150 - 4,140.56 = 2,009.44; 20 % of the box is 828.112, 20 % of the API bill 1,230
    got = the_sensitivity(A_MILLION)

    assert got.saving_usd_per_month == pytest.approx(2009.44)
    hourly, price = row_of(got.tornado, "usd_per_hour"), row_of(got.tornado, "api_price")
    assert (hourly.saving_usd_at_low, hourly.saving_usd_at_high) == pytest.approx((2837.552, 1181.328))
    assert (price.saving_usd_at_low, price.saving_usd_at_high) == pytest.approx((779.44, 3239.44))
    assert got.tornado[0].input in {"api_price", "tasks_per_month"}  # the widest swing is first


def test_the_input_that_flips_the_winner_is_named() -> None:
    # at 700,000 tasks the API bill is 4,305: 20 % less is below the box
    got = the_sensitivity(given(workload__tasks_per_month=700_000))

    assert row_of(got.tornado, "api_price").flips_winner is True
    assert row_of(got.tornado, "api_price").winner_at_low == "api"
    assert row_of(got.tornado, "goodput_requests_per_s").flips_winner is False


def test_the_demands_own_range_replaces_twenty_per_cent() -> None:
    got = the_sensitivity(A_MILLION, ranges=ranges_of(parse(A_MILLION), own={"peak_to_mean": (1.0, 3.0)}))

    row = row_of(got.tornado, "peak_to_mean")
    assert (row.low, row.high, row.range_from) == (1.0, 3.0, "demand")
    assert row.verdict_at_high == "never"  # K/3 x 0.00615 = 3,232 < 4,140.56


@pytest.mark.parametrize(
    ("name", "side", "which", "value"),
    [
        ("goodput_requests_per_s", "below", "verdict_flips", 0.2561878952122854),  # G_min
        ("usd_per_hour", "above", "verdict_flips", 0.00615 * 1576800 / 730),  # a'K = cH
        ("peak_to_mean", "above", "verdict_flips", 0.00615 * 1576800 / 4140.56),
        ("api_price", "below", "verdict_flips", 4140.56 / (0.00615 * 1576800)),
        ("tasks_per_month", "below", "winner_flips", 673261.7886178861),  # R*
        ("usd_per_hour", "above", "winner_flips", 6150 / 730),
        ("api_price", "below", "winner_flips", 4140.56 / 6150),
    ],
)
def test_an_input_flips_where_the_formula_says(name: str, side: str, which: str, value: float) -> None:
    got = row_of(the_sensitivity(A_MILLION).flip_points, name).to_dict()

    assert got[which][side] == pytest.approx(value, rel=1e-6)


def test_retries_and_caches_never_flip_whether_a_full_box_pays() -> None:
    # they scale the price of a task and the capacity in opposite ways: a'K stays
    got = the_sensitivity(A_MILLION).flip_points

    for name in ("retry_failure_rate", "response_cache_hit_rate"):
        assert row_of(got, name).verdict_flips == Flips(below=None, above=None)


def test_people_are_an_input_of_their_own() -> None:
    inputs = given(workload__tasks_per_month=1_000_000, self_host__fixed_usd_per_month=1000)

    got = the_sensitivity(inputs, people_usd=1000)

    # 6,150 - 4,140.56 leaves 2,009.44 a month for people
    assert row_of(got.flip_points, "people_usd_per_month").winner_flips.above == pytest.approx(2009.44, rel=1e-6)


def test_break_even_values_bring_both_sides_to_a_tie() -> None:
    got = break_even_values(parse(A_MILLION))

    assert got is not None
    assert got.tasks_per_month == pytest.approx(673261.7886178861)
    assert got.utilization == pytest.approx(673261.7886178861 / 1576800)
    assert got.usd_per_hour == pytest.approx(6150 / 730)
    assert got.api_price_factor == pytest.approx(4140.56 / 6150)
    assert got.people_usd_per_month == pytest.approx(2009.44)


def test_bought_capacity_is_listed_at_a_price_too() -> None:
    # a million tasks take 7 units of 150,000: 17,136 a month; at 0.8 of it 13,708.80
    units = {"units_usd_per_month": 2448, "unit_tasks_per_month": 150_000}
    inputs = given(workload__tasks_per_month=1_000_000)
    inputs["api"] = {"input_usd_per_mtok": 0, "output_usd_per_mtok": 0, **units}

    got = the_sensitivity(inputs)

    assert row_of(got.tornado, "api_price").saving_usd_at_low == pytest.approx(13_708.80 - 4140.56)
    assert row_of(got.flip_points, "api_price").winner_flips.below == pytest.approx(4140.56 / 17_136, rel=1e-6)
    assert got.break_even is not None
    assert got.break_even.api_price_factor == pytest.approx(4140.56 / 17_136)


def test_what_no_value_can_bring_to_a_tie_is_none() -> None:
    # at 400,000 tasks the API bill of 2,460 is below the people alone
    inputs = given(workload__tasks_per_month=400_000, self_host__fixed_usd_per_month=8666.67)

    got = break_even_values(parse(inputs), people_usd=8666.67)

    assert got is not None
    assert got.usd_per_hour is None
    assert got.people_usd_per_month is None


@random(comparisons())
@settings(max_examples=60, deadline=None)
def test_at_the_break_even_price_the_winner_is_about_to_change(inputs: dict[str, Any]) -> None:
    inputs["workload"]["tasks_per_month"] = 300_000
    values = break_even_values(parse(inputs))
    assert values is not None
    tie = values.usd_per_hour
    assume(tie is not None and 1e-3 < tie < 1e6)
    assert tie is not None

    def winner(hourly: float) -> str:
        inputs["self_host"]["usd_per_hour"] = hourly
        won: str = decide(inputs)["at_volume"]["winner"]
        return won

    assert winner(tie * (1 - 1e-6)) == "self_host"
    assert winner(tie * (1 + 1e-6)) == "api"


def test_two_inputs_at_once_are_the_decisions_of_each_pair() -> None:
    got = two_way_table(parse(A_MILLION), "goodput_requests_per_s", "usd_per_hour")

    assert got.x.values == pytest.approx([0.15, 0.3, 0.45, 0.6, 0.9, 1.2, 2.4])
    assert got.y.values == pytest.approx([1.418, 2.836, 4.254, 5.672, 8.508, 11.344, 22.688])
    for i, hourly in enumerate(got.y.values):
        for j, goodput in enumerate(got.x.values):
            alone = decide(
                given(
                    workload__tasks_per_month=1_000_000,
                    self_host__usd_per_hour=hourly,
                    self_host__goodput_requests_per_s=goodput,
                )
            )
            at = alone["at_volume"]
            assert got.saving_usd[i][j] == pytest.approx(at["api_usd"] - at["self_usd"])
            assert got.winner[i][j] == at["winner"]
            assert got.verdict[i][j] == alone["verdict"]


def test_an_input_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match="no input `goodput` above 0") as caught:
        two_way_table(parse(A_MILLION), "goodput", "usd_per_hour")

    assert "goodput_requests_per_s" in str(caught.value.hint)


def test_without_a_volume_there_is_nothing_to_compare() -> None:
    assert sensitivity(parse(given())) is None


def test_without_a_goodput_nothing_breaks() -> None:
    got = the_sensitivity(given(workload__tasks_per_month=1000, self_host__goodput_requests_per_s=None))

    assert got.saving_usd_per_month is None
    assert got.break_even is None
