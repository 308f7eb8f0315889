"""Ways to buy: the fleet by the hour, and what each option costs for it."""

from __future__ import annotations

import pytest
from cost_cases import VECTORS, given

from harness.cost.box.purchase import Fleet, best_base, fleet_for, purchase_options, spot_usd_per_hour
from harness.cost.breakeven.decision import parse
from harness.cost.whatif.projection import projection
from harness.demand.demand import Demand
from harness.prices.record import Quote
from harness.rundir.decision import PurchaseOption

QUOTES = {
    "on_demand": Quote(5.672, "list", None),
    "reserved_1y": Quote(3.57336, "list", None),
    "spot": Quote(2.0796, "list", None),
}
PROFILE = VECTORS["AN-14"]["inputs"]["profile"]
PER_DAY = 100_000


def terms(startup_minutes: float) -> Demand:
    """5 % of the spot instances are lost an hour, 10 minutes each."""
    lost = {"spot_interruptions_per_hour": 0.05, "spot_recovery_minutes": 10}
    classes = [{"input_tokens": 800, "output_tokens": 250}]
    return Demand.model_validate({"name": "t", "classes": classes, "startup_minutes": startup_minutes, **lost})


def fleet() -> Fleet:
    found = fleet_for(PER_DAY * 730 / 24, PROFILE, 0.8 * 0.6, 1)
    assert found is not None
    return found


def row_of(rows: list[PurchaseOption], option: str) -> PurchaseOption:
    return next(row for row in rows if row.option == option)


def test_instances_follow_the_hours() -> None:
    expected = VECTORS["AN-14"]["expected"]

    assert list(fleet().by_hour) == expected["N_by_hour"]
    assert fleet().static_hours() * 24 / 730 == pytest.approx(expected["static_inst_hours"])
    assert fleet().autoscaled_hours() * 24 / 730 == pytest.approx(expected["auto_inst_hours"])


def test_static_and_autoscaled_are_priced_apart() -> None:
    expected = VECTORS["AN-14"]["expected"]

    rows = purchase_options(QUOTES, fleet(), terms(0))

    assert row_of(rows, "on_demand_static").usd_per_month == pytest.approx(expected["static_usd_month"])
    assert row_of(rows, "on_demand_autoscaled").usd_per_month == pytest.approx(expected["auto_usd_month"])


def test_an_instance_is_billed_from_its_launch() -> None:
    # 1 1 1 1 1 1 2 3 4 5 ...: four launches a day, 30 minutes each: 2 instance-hours a day
    assert fleet().starts() == 4
    assert fleet().autoscaled_hours(30) - fleet().autoscaled_hours() == pytest.approx(2 * 730 / 24)


def test_the_best_base_is_what_is_needed_more_than_63_per_cent_of_the_hours() -> None:
    # AN-21: a second instance is needed in 15 of 24 hours, 62.5 %; reserving pays above 3.57336/5.672 = 63 %
    base, usd = best_base(fleet(), 3.57336, 5.672, 0)

    assert base == 1
    assert usd == pytest.approx(9854.5328)  # 730 x 3.57336 + 42 x 5.672 x 730/24


def test_the_best_base_is_the_least_of_all_bases() -> None:
    every = [base * 730 * 3.57336 + fleet().above(base).autoscaled_hours(10) * 5.672 for base in range(6)]

    assert best_base(fleet(), 3.57336, 5.672, 10)[1] == pytest.approx(min(every))


def test_spot_costs_more_an_hour_that_serves() -> None:
    assert spot_usd_per_hour(2.0796, terms(10)) == pytest.approx(2.0970756303)  # AN-22


def test_spot_falls_back_to_on_demand_while_it_is_lost() -> None:
    rows = purchase_options(QUOTES, Fleet((1,) * 24), terms(10))

    # 730 x (2.0796 + 5 % x 10/60 x 5.672)
    assert row_of(rows, "spot_with_fallback").usd_per_month == pytest.approx(730 * (2.0796 + 0.05 / 6 * 5.672))
    note = row_of(rows, "spot_with_fallback").note
    assert note.endswith("on spot alone an hour that serves is USD 2.097")


def test_a_box_that_costs_nothing_can_be_bought_in_every_way() -> None:
    free = {**QUOTES, "on_demand": Quote(0, "own", None)}

    mixed = row_of(purchase_options(free, fleet(), terms(10)), "reserved_1y_base_with_burst")

    assert (mixed.usd_per_month, mixed.note) == (0, "0 reserved, the rest on demand by the hour")


def test_what_nobody_priced_is_last_and_says_so() -> None:
    rows = purchase_options(QUOTES, fleet(), terms(10))

    assert [row.usd_per_month is None for row in rows] == [False] * 5 + [True] * 2
    assert row_of(rows, "reserved_3y_static").note == ("no reserved 3y price is known; give yours with --prices FILE")
    priced = [row.usd_per_month for row in rows if row.usd_per_month is not None]
    assert priced == sorted(priced)


def test_a_week_has_its_own_weekend() -> None:
    week = ([1] * 8 + [10] * 10 + [1] * 6) * 5 + [1] * 48
    found = fleet_for(1_000_000, week, 0.5, 1)

    assert found is not None
    assert len(found.by_hour) == 168
    assert found.static_hours() == pytest.approx(max(found.by_hour) * 730)
    # 50 working hours of 3 instances, 118 of 1: 268 instance-hours a week
    assert found.autoscaled_hours() == pytest.approx(268 * 730 / 168)


def test_a_fleet_beyond_all_measure_is_no_fleet() -> None:
    assert fleet_for(1e15, [1] * 24, 1e-9, 1) is None


def test_what_is_paid_once_is_paid_back_by_what_is_saved() -> None:
    # 1M tasks save 2,009.44 a month: 5,000 are back in the third month, 2.488 months in
    got = projection(parse(given(workload__tasks_per_month=1_000_000)), growth_per_month=0, months=12, one_off_usd=5000)

    assert got is not None
    assert got.payback_month == 3
    assert got.payback_months_at_present_volume == pytest.approx(5000 / 2009.44)
    assert got.months[2].summed_saving_usd == pytest.approx(3 * 2009.44 - 5000)


def test_a_growing_volume_is_decided_month_by_month() -> None:
    # 400,000 growing 20 %: 400, 480, 576, 691 thousand; the fourth is above 673,262
    got = projection(parse(given(workload__tasks_per_month=400_000)), growth_per_month=0.2, months=5, one_off_usd=0)

    assert got is not None
    assert [row.api_usd > row.self_usd for row in got.months] == [False, False, False, True, True]


def test_a_box_that_saves_nothing_pays_nothing_back() -> None:
    got = projection(parse(given(workload__tasks_per_month=1000)), growth_per_month=0, months=12, one_off_usd=5000)

    assert got is not None
    assert got.payback_month is None
    assert got.payback_months_at_present_volume is None
