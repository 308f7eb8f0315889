"""A flat fee, capacity by the unit, hours that need no box, calls by the second: worked by hand.

A box of 1 USD/h is 730 USD a month; 2 requests/s are K = 2 x 2,628,000 = 5,256,000 tasks of it.
"""

from __future__ import annotations

from typing import Any

import pytest
from cost_cases import given

from harness.base.errors import UsageError
from harness.cost import decide
from harness.cost.breakeven.decision import decide_parsed, parse
from harness.cost.breakeven.words import sentence

K = 5_256_000
OFFICE_HOURS = [0] * 8 + [1] * 8 + [0] * 8


def free_tokens(**changes: Any) -> dict[str, Any]:
    """1 USD/h at 2 requests/s against an API that asks nothing for a token, unless changed."""
    box = {"self_host__usd_per_hour": 1, "self_host__goodput_requests_per_s": 2}
    return given(**{**box, "api__input_usd_per_mtok": 0, "api__output_usd_per_mtok": 0, **changes})


def said(inputs: dict[str, Any]) -> str:
    parsed = parse(inputs)
    return sentence(parsed, decide_parsed(parsed))


# the API's fee F is due whatever is asked: the box wins while N x 730 <= F


def test_a_flat_fee_is_beaten_as_long_as_the_boxes_cost_no_more() -> None:
    # floor(2,448/730) = 3 boxes, 3 x 5,256,000 tasks; one box at 400,000 saves 2,448 - 730
    inputs = free_tokens(api__fixed_usd_per_month=2448, workload__tasks_per_month=400_000)

    got = decide(inputs)

    assert (got["verdict"], got["winning_windows"]) == ("window", [[0, 15_768_000]])
    assert (got["first_win_tasks_per_month"], got["permanent_win_tasks_per_month"]) == (0, None)
    assert got["at_volume"]["api_usd"] - got["at_volume"]["self_usd"] == 1718
    assert got["at_volume"]["winner"] == "self_host"
    assert got["min_goodput_requests_per_s"] is None
    assert said(inputs) == (
        "At your 400,000 tasks a month self-hosting costs USD 730 and the API 2,448: self-hosting wins; "
        "it wins only from 0 to 15.8M."
    )


@pytest.mark.parametrize(
    ("fee", "own", "hourly", "fewest", "windows"),
    [
        (730, 0, 1, 1, [[0, K]]),  # a tie wins
        (729, 0, 1, 1, []),
        (2448, 1718, 1, 1, [[0, K]]),  # 1,718 of people leave 730: one box
        (2448, 1719, 1, 1, []),
        (2448, 0, 1, 4, []),  # four boxes are 2,920
        (2448, 0, 1, 3, [[0, 3 * K]]),
        (2448, 2448, 0, 1, [[0, None]]),  # both flat, and alike
        (0, 0, 0, 1, [[0, None]]),
        (2448, 2449, 0, 1, []),
        (0, 0, 1, 1, []),
    ],
)
def test_with_a_flat_fee_both_sides_are_flat_but_for_the_steps(
    fee: float, own: float, hourly: float, fewest: int, windows: list[Any]
) -> None:
    inputs = free_tokens(
        api__fixed_usd_per_month=fee,
        self_host__fixed_usd_per_month=own,
        self_host__usd_per_hour=hourly,
        self_host__min_instances=fewest,
    )

    got = decide(inputs)

    assert got["winning_windows"] == windows
    assert got["verdict"] == ("never" if not windows else "yes" if windows[0][1] is None else "window")


def test_a_fee_below_the_box_is_named_where_it_never_pays() -> None:
    assert said(free_tokens(api__fixed_usd_per_month=500)) == (
        "Self-hosting never wins, because the API takes USD 500 a month whatever the volume, and one box USD 730."
    )


# capacity by the unit: f a month for K_a tasks, both bills are staircases


def units(usd: float, tasks: float | None = 1_000_000, **changes: Any) -> dict[str, Any]:
    return free_tokens(api__units_usd_per_month=usd, api__unit_tasks_per_month=tasks, **changes)


@pytest.mark.parametrize(
    ("inputs", "windows"),
    [
        # 730 <= 2,448 from the start; full: 730/5.256M < 2,448/1M
        (units(2448), [[0, None]]),
        # one unit 500 < 730 <= 1,000: from the second unit on. Two boxes, 1,460, come at 5.256M, when it has 6, 3,000
        (units(500), [[1_000_000, None]]),
        # a unit of 500 for 5M: 730 <= 1,000 from the second unit at 5M to the second box at 5.256M (1,460 > 1,000);
        # 1,460 <= 1,500 from 10M to the third box at 10.512M; 3 boxes 2,190 > 2,000 at 15M; 500/5M < 730/5.256M
        (units(500, 5_000_000), [[5_000_000, K], [10_000_000, 2 * K]]),
        # a unit of 1,000 for 2M: 730 <= 1,000 at once; two boxes 1,460 where it has 3 units, 3,000
        (units(1000, 2_000_000), [[0, None]]),
        # and 1,000 a month of people: 1,730 <= 2,000 from the second unit on, for good
        (units(1000, 2_000_000, self_host__fixed_usd_per_month=1000), [[2_000_000, None]]),
        (units(100), []),  # 100/1M is 526 for a full box of 730, and one unit never carries a box
        (units(2448, None), [[0, 3 * K]]),  # a unit without a size serves all: a flat fee
    ],
    ids=["at once", "second unit", "two windows", "large unit", "people", "never", "no size"],
)
def test_boxes_against_units_win_where_both_staircases_say(inputs: dict[str, Any], windows: list[Any]) -> None:
    got = decide(inputs)

    assert got["winning_windows"] == windows
    assert got["windows_truncated"] is False


def test_the_apis_staircase_wins_a_stretch_between_two_of_the_boxs() -> None:
    # units of 700 for 3M, 600 of people. One box is 1,330: above one unit, below two (1,400, from 3M) until it is full
    # at 5.256M. Two are 2,060: above two units, below three (2,100, from 6M). Three, at 10.512M, are 2,790 to four
    # units' 2,800; four, at 15.768M, 3,520 to 4,200. Full: 700/3M is more than 730/5.256M, so for good
    inputs = units(700, 3_000_000, self_host__fixed_usd_per_month=600)

    assert decide(inputs)["winning_windows"] == [[3_000_000, K], [6_000_000, None]]
    assert said(inputs) == (
        "Self-hosting wins from 3M tasks a month, loses again from 5.26M to 6M, and wins for good above that."
    )


def test_a_unit_in_tokens_a_second_holds_the_busiest_hour() -> None:
    # 1,050 tokens a task, a peak of 2: 2,100 tokens/s serve 2,628,000 s x 2,100 / (2 x 1,050) = 2,628,000 tasks a month
    inputs = free_tokens(
        api__units_usd_per_month=1000, api__unit_tokens_per_s=2100, workload__peak_to_mean=2, self_host__usd_per_hour=2
    )

    # K is 2,628,000 too: 1,460 a box against 1,000 a unit, alike in size; the box never wins
    assert decide(inputs)["verdict"] == "never"
    assert decide(inputs)["min_goodput_requests_per_s"] == pytest.approx(2 * 1.46)  # 1,460/1,000 of the present
    inputs["workload"]["tasks_per_month"] = 2_628_001
    assert decide(inputs)["at_volume"]["api_usd"] == 2000


def test_the_goodput_needed_counts_a_units_price_as_its_tasks() -> None:
    # 500 for a million tasks is 0.0005: 730 / 0.0005 = 1.46M tasks = 0.5556 requests/s
    assert decide(units(500))["min_goodput_requests_per_s"] == pytest.approx(1.46e6 / 2_628_000)


# scale to zero: hours without arrivals cost nothing


def by_hours(**changes: Any) -> dict[str, Any]:
    return free_tokens(self_host__min_instances=0, workload__hourly_profile=OFFICE_HOURS, **changes)


def test_eight_hours_a_day_are_billed_as_eight_hours_a_day() -> None:
    # 8 x 730/24 = 243.33 hours of one box: each of the eight holds 50,000 tasks of 219,000
    at = decide(by_hours(workload__tasks_per_month=400_000))["at_volume"]

    assert at["self_usd"] == pytest.approx(8 * 730 / 24)
    assert at["instances"] == 1
    assert at["utilization"] == pytest.approx(50_000 / 219_000)


def test_a_start_bills_its_cold_start_and_its_idle_wait_once_a_day() -> None:
    inputs = by_hours(workload__tasks_per_month=400_000, self_host__cold_start_s=120, self_host__idle_s=300)

    assert decide(inputs)["at_volume"]["self_usd"] == pytest.approx((8 + 420 / 3600) * 730 / 24)


def test_no_task_costs_no_hour() -> None:
    at = decide(by_hours(workload__tasks_per_month=0))["at_volume"]

    assert (at["self_usd"], at["instances"], at["utilization"]) == (0, 0, 0)


def test_the_box_that_sleeps_wins_from_a_third_of_the_volume() -> None:
    # 0.0008 a task: 243.33 / 0.0008 = 304,167; at 1.752M a second one comes, 486.67, when the API is at 1,401
    got = decide(by_hours(api__input_usd_per_mtok=1))

    assert got["winning_windows"] == [[pytest.approx(243.3333333333 / 0.0008), None]]
    assert got["min_goodput_requests_per_s"] == pytest.approx(1 / 3600 / 0.0008)  # each hour full: no peak


def test_hours_of_two_loads_step_one_after_the_other() -> None:
    # 12 hours of weight 1, 12 of weight 3 (mean 2): an instance-hour is 7,200 tasks; n = 730/24 cycles. A busy
    # hour holds
    # 3/48 of the month, full at 7,200 x 30.4167 x 16 = 3.504M, a quiet one 1/48, full at 10.512M. 24 h: 730;
    # above 3.504M
    # 12 more, 1,095; above 7.008M 1,460. A fee of 1,200 carries the first two levels: to 7.008M
    inputs = by_hours(api__fixed_usd_per_month=1200)
    inputs["workload"]["hourly_profile"] = [1] * 12 + [3] * 12

    assert decide(inputs)["winning_windows"] == [[0, pytest.approx(7_008_000)]]
    inputs["workload"]["tasks_per_month"] = 3_504_001
    assert decide(inputs)["at_volume"]["self_usd"] == pytest.approx(1095)
    # and starts: 12 more at noon each day, none at midnight
    inputs["self_host"] |= {"cold_start_s": 3600}
    assert decide(inputs)["at_volume"]["self_usd"] == pytest.approx(1095 + 730 / 24)


def test_where_every_hour_full_is_too_dear_it_never_wins() -> None:
    # 1/7,200 = 0.000139 a task at best, 0.00008 at the API
    assert said(by_hours(api__input_usd_per_mtok=0.1)) == (
        "Self-hosting never wins, because a task costs USD 0.000139 on the box with every hour full "
        "and USD 0.0000800 at the API."
    )


# by the second: a call is billed in whole seconds, nothing between calls


def test_a_call_by_the_second_is_billed_in_whole_seconds() -> None:
    # 365,000/12 = 30,417 calls of 2.5 s, billed 3: 105.85
    inputs = free_tokens(
        self_host__goodput_requests_per_s=0.4,
        self_host__billing="per_second",
        self_host__usd_per_second=0.00116,
        workload__tasks_per_month=365_000 / 12,
    )

    assert decide(inputs)["at_volume"]["self_usd"] == pytest.approx(105.85)


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        ({"api__usd_per_request": 0.004}, [[0, None]]),  # 0.00348 a call at any volume
        ({"api__usd_per_request": 0.003}, []),
        ({"api__fixed_usd_per_month": 348}, [[0, 100_000]]),  # a fee of 348 carries 100,000 calls
        (
            {"api__usd_per_request": 0.004, "self_host__fixed_usd_per_month": 52},
            [[pytest.approx(100_000), None]],
        ),  # 52 / 0.00052
        # units of 500 for 100,000: 348 when full; with 200 of people 548 > 500: up to (500 - 200)/0.00348 = 86,207; the
        # second up to (1,000 - 200)/0.00348 = 229,885, beyond its end: for good from its start
        (
            {
                "api__units_usd_per_month": 500,
                "api__unit_tasks_per_month": 100_000,
                "self_host__fixed_usd_per_month": 200,
            },
            [[0, pytest.approx(86_206.8965517)], [100_000, None]],
        ),
        # units of 300: each carries 300/0.00348 = 86,207; two 172,414; ... seven 603,448 of
        # 600,000..700,000; eight 689,655,
        # less than where it begins
        (
            {"api__units_usd_per_month": 300, "api__unit_tasks_per_month": 100_000},
            [[n * 100_000, pytest.approx((n + 1) * 300 / 0.00348)] for n in range(7)],
        ),
    ],
    ids=["dearer call", "cheaper call", "fee", "people", "units", "small units"],
)
def test_by_the_second_the_box_is_a_line(changes: dict[str, Any], windows: list[Any]) -> None:
    serverless = {"self_host__billing": "per_second", "self_host__usd_per_second": 0.00116, "self_host__service_s": 2.5}

    assert decide(free_tokens(**serverless, **changes))["winning_windows"] == windows


def test_a_fee_is_saved_in_a_month_without_tasks_where_no_box_runs() -> None:
    # a fee of 200: nothing runs at 0 tasks; from the first task on eight hours a day are 243.33
    inputs = by_hours(api__fixed_usd_per_month=200, workload__tasks_per_month=0)

    got = decide(inputs)

    assert (got["verdict"], got["winning_windows"]) == ("window", [[0, 0]])
    assert got["at_volume"]["winner"] == "self_host"
    assert said(inputs) == (
        "At your 0 tasks a month self-hosting costs USD 0 and the API 200: self-hosting wins; it wins only at 0."
    )


# what a task takes beside its calls on either side: a person, for those that stay unsolved


def with_people(own_usd: float, api_usd: float, **changes: Any) -> dict[str, Any]:
    """Tokens of 800/250 at 3/15, 0.00615 USD a task, and the box of 730 USD a month."""
    inputs = free_tokens(**{"api__input_usd_per_mtok": 3, "api__output_usd_per_mtok": 15, **changes})
    inputs["self_host"]["usd_per_task"], inputs["api"]["usd_per_task"] = own_usd, api_usd
    return inputs


def test_a_person_on_either_side_is_in_its_bill_and_their_difference_moves_the_first_win() -> None:
    # 0.00615 + 0.001 - 0.004 = 0.00315 a task: 730/0.00315
    got = decide(with_people(0.004, 0.001, workload__tasks_per_month=1_000_000))

    assert got["verdict"] == "yes"
    assert got["first_win_tasks_per_month"] == pytest.approx(730 / 0.00315)
    assert got["at_volume"]["self_usd"] == pytest.approx(730 + 4_000)
    assert got["at_volume"]["api_usd"] == pytest.approx(6_150 + 1_000)
    assert got["api_usd_per_task"] == pytest.approx(0.00615)
    # cH over what a full box saves: 730/(0.00315 x 2,628,000)
    assert got["min_goodput_requests_per_s"] == pytest.approx(730 / (0.00315 * 2_628_000))


def test_a_person_on_both_sides_alike_changes_no_volume() -> None:
    plain, both = decide(with_people(0, 0)), decide(with_people(2.5, 2.5))

    assert both["first_win_tasks_per_month"] == pytest.approx(plain["first_win_tasks_per_month"])
    assert (both["verdict"], plain["verdict"]) == ("yes", "yes")


def test_a_box_whose_tasks_take_more_than_the_api_in_all_never_wins() -> None:
    inputs = with_people(0.02, 0.001, workload__tasks_per_month=1_000_000)

    assert decide(inputs)["verdict"] == "never"
    assert said(inputs) == (
        "At your 1,000,000 tasks a month self-hosting costs USD 20,730 and the API 7,150: the API wins; "
        "self-hosting never wins, because a task "
        "costs USD 0.0129 less at the API, people included, before any instance."
    )


def test_a_fee_of_the_api_carries_such_a_box_as_far_as_it_goes() -> None:
    # 0.02 - 0.001 - 0.00615 = 0.01285 a task out of 2,000 - 730
    got = decide(with_people(0.02, 0.001, api__fixed_usd_per_month=2_000))

    assert got["verdict"] == "window"
    assert got["winning_windows"] == [[0, pytest.approx(1_270 / 0.01285)]]


def test_with_units_of_capacity_such_a_box_is_not_decided() -> None:
    with pytest.raises(UsageError, match="sells capacity in units"):
        decide(with_people(0.02, 0.001, api__units_usd_per_month=500, api__unit_tasks_per_month=1_000_000))


def test_what_the_response_cache_answers_needs_no_person() -> None:
    got = decide(with_people(0.004, 0, workload__tasks_per_month=1_000_000, workload__response_cache_hit_rate=0.25))

    assert got["at_volume"]["self_usd"] == pytest.approx(730 + 3_000)
