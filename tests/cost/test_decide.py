"""`decide` against hand-worked cases. Ids (AN-08 ...) are those of tests/data/cost.json."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cost_cases import VECTORS, given

from harness.base.errors import UsageError
from harness.cli import invoke
from harness.cost import decide


def close(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-9)


def test_one_box_without_fixed_costs_wins_for_good_from_its_monthly_price_over_the_task_price() -> None:
    expected = VECTORS["AN-08"]["expected"]

    got = decide(given())

    assert got["capacity_tasks_per_month"] == expected["K"]  # 0.6 x 2,628,000
    assert got["first_win_tasks_per_month"] == close(expected["first"])  # 5.672 x 730 / 0.00615
    assert got["permanent_win_tasks_per_month"] == close(expected["permanent"])
    assert got["verdict"] == "yes"
    assert got["winning_windows"] == [[close(673261.7886178861), None]]
    assert got["windows_truncated"] is False
    assert got["at_volume"] is None
    assert got["interval"] is None


def test_with_half_a_person_it_wins_loses_again_and_wins_for_good() -> None:
    expected = VECTORS["AN-09"]["expected"]

    got = decide(given(self_host__fixed_usd_per_month=8666.666666666666))

    assert got["first_win_tasks_per_month"] == close(expected["first"])
    assert got["permanent_win_tasks_per_month"] == close(expected["permanent"])
    lost, won = expected["windows_to_6K"]
    assert got["winning_windows"] == [close(lost), [close(won[0]), None]]


def test_headroom_and_peaks_can_make_the_same_box_never_pay() -> None:
    expected = VECTORS["AN-10"]["expected"]

    got = decide(given(self_host__max_load=0.8, workload__peak_to_mean=2.5))

    assert got["capacity_tasks_per_month"] == close(expected["K"])
    assert got["verdict"] == "never"
    assert got["first_win_tasks_per_month"] is None
    assert got["permanent_win_tasks_per_month"] is None
    assert got["winning_windows"] == []


def test_the_same_weights_hosted_cheaply_are_never_beaten() -> None:
    expected = VECTORS["AN-11"]["expected"]

    got = decide(given(api__input_usd_per_mtok=0.10, api__output_usd_per_mtok=0.32))

    assert got["api_usd_per_task"] == close(expected["a"])
    assert got["verdict"] == "never"
    assert got["min_goodput_requests_per_s"] == close(expected["goodput_rps_needed_per_instance"])


@pytest.mark.parametrize(("tasks", "instances"), [(0, 1), (1, 1), (1576800, 1), (1576801, 2), (5000000, 4)])
def test_instances_are_whole_and_a_full_one_is_not_two(tasks: int, instances: int) -> None:
    got = decide(given(workload__tasks_per_month=tasks))["at_volume"]

    assert got["instances"] == instances  # AN-12


def test_an_idle_month_costs_the_box_and_has_no_price_per_task() -> None:
    expected = VECTORS["AN-23"]["expected"]

    got = decide(given(workload__tasks_per_month=0))["at_volume"]

    assert got == {
        "tasks_per_month": 0,
        "instances": 1,
        "utilization": 0,
        "self_usd": close(expected["self_usd"]),
        "api_usd": 0,
        "self_usd_per_task": None,
        "winner": "api",
    }


@pytest.mark.parametrize(
    ("goodput", "verdict"), [(0.3, "yes"), (0.2562, "yes"), (0.25, "never"), (0.6, "yes")], ids=str
)
def test_goodput_decides_whether_not_where(goodput: float, verdict: str) -> None:
    got = decide(given(self_host__goodput_requests_per_s=goodput))  # AN-16

    assert got["verdict"] == verdict
    assert got["min_goodput_requests_per_s"] == close(0.2561878952122854)
    if verdict == "yes":
        assert got["first_win_tasks_per_month"] == close(673261.7886178861)


def test_a_box_that_needs_two_instances_breaks_even_at_twice_the_volume() -> None:
    got = decide(given(self_host__min_instances=2))  # AN-13: 2 x 673,261.789

    assert got["first_win_tasks_per_month"] == close(1346523.5772357723)


@pytest.mark.parametrize(("retries", "place"), [(0, 0), (1, 1), (2, 2), (3, 3), (None, 4)], ids=str)
@pytest.mark.parametrize("rate", [0.08, 0.3])
def test_a_success_costs_one_over_one_minus_p_whatever_the_cap(rate: float, retries: int | None, place: int) -> None:
    expected = VECTORS["AN-07"]["expected"][f"{rate:.2f}"]

    got = decide(given(workload__retry_failure_rate=rate, workload__max_retries=retries))

    assert got["attempts_per_task"] == close(expected["attempts"][place])
    assert got["success_rate"] == close(expected["success"][place])
    assert got["attempts_per_task"] / got["success_rate"] == close(1 / (1 - rate))


def test_retries_multiply_the_api_bill_and_divide_the_capacity() -> None:
    got = decide(given(workload__retry_failure_rate=0.08, workload__max_retries=1))  # AN-29

    assert got["api_usd_per_task"] == close(0.006642)  # 0.00615 x 1.08
    assert got["capacity_tasks_per_month"] == close(1460000)  # 1,576,800 / 1.08
    assert got["first_win_tasks_per_month"] == close(4140.56 / 0.006642)


def test_a_response_cache_spares_both_sides() -> None:
    got = decide(given(workload__response_cache_hit_rate=0.15))  # AN-30

    assert got["api_usd_per_task"] == close(0.0052275)  # 0.00615 x 0.85
    assert got["capacity_tasks_per_month"] == close(1855058.8235294117)  # 1,576,800 / 0.85
    assert got["first_win_tasks_per_month"] == close(4140.56 / 0.0052275)


def test_cached_input_costs_its_own_price_and_the_input_price_when_there_is_none() -> None:
    classes = [{"input_tokens": 800, "cached_input_tokens": 600, "output_tokens": 250}]

    listed = decide(given(workload__classes=classes, api__cached_input_usd_per_mtok=0.3))
    unlisted = decide(given(workload__classes=classes))

    assert listed["api_usd_per_task"] == close(0.00453)  # AN-06
    assert unlisted["api_usd_per_task"] == close(0.00615)


def test_classes_are_drawn_by_weight() -> None:
    classes = [
        {"name": "chat", "weight": 3, "input_tokens": 800, "output_tokens": 250},  # 0.00615
        {"name": "report", "weight": 1, "input_tokens": 8000, "output_tokens": 1000},  # 0.039
    ]

    got = decide(given(workload__classes=classes))

    assert got["api_usd_per_task"] == close((3 * 0.00615 + 0.039) / 4)


def test_a_daily_profile_gives_the_peak_to_mean() -> None:
    profile = VECTORS["AN-14"]["inputs"]["profile"]  # busiest hour 9, mean 116/24

    from_profile = decide(given(workload__hourly_profile=profile))
    from_factor = decide(given(workload__peak_to_mean=9 / (116 / 24)))

    assert from_profile == from_factor
    assert from_profile["capacity_tasks_per_month"] == close(1576800 / (9 * 24 / 116))


def test_a_week_of_equal_hours_is_flat() -> None:
    assert decide(given(workload__hourly_profile=[2] * 168)) == decide(given())


@pytest.mark.parametrize("goodput", [None, 0])
def test_without_goodput_there_is_no_capacity_and_never_a_win(goodput: float | None) -> None:
    got = decide(given(self_host__goodput_requests_per_s=goodput, workload__tasks_per_month=400000))

    assert got["verdict"] == "never"
    assert got["capacity_tasks_per_month"] is None
    assert got["at_volume"] == {
        "tasks_per_month": 400000,
        "instances": None,
        "utilization": None,
        "self_usd": None,
        "api_usd": close(2460),
        "self_usd_per_task": None,
        "winner": "api",
    }
    assert got["min_goodput_requests_per_s"] == close(0.2561878952122854)  # still needed, still known


def test_a_free_api_is_never_beaten_and_needs_no_goodput() -> None:
    got = decide(given(api__input_usd_per_mtok=0, api__output_usd_per_mtok=0))

    assert got["verdict"] == "never"
    assert got["min_goodput_requests_per_s"] is None


def test_the_interval_has_the_verdict_at_both_ends() -> None:
    measured = {"self_host__goodput_requests_per_s": 0.28, "self_host__goodput_low": 0.25}
    both = decide(given(**measured, self_host__goodput_high=0.3))
    one = decide(given(**measured))

    assert both["interval"] == {"verdict_at_low": "never", "verdict_at_high": "yes"}
    assert one["interval"] is None


def test_bills_hold_each_sides_own_fixed_costs_and_the_task_price_does_not() -> None:
    got = decide(
        given(workload__tasks_per_month=400000, self_host__fixed_usd_per_month=100, api__fixed_usd_per_month=40)
    )

    assert got["api_usd_per_task"] == close(0.00615)
    assert got["at_volume"]["api_usd"] == close(2500)  # 2,460 + 40
    assert got["at_volume"]["self_usd"] == close(4240.56)
    assert got["at_volume"]["self_usd_per_task"] == close(4240.56 / 400000)


def test_a_tie_is_a_win_of_self_hosting() -> None:
    # a box at 1 USD/h is 730 USD a month; 1 USD per 1,000 input tokens and 1,000 tokens a task: 730 tasks
    inputs = {
        "workload": {"tasks_per_month": 730, "classes": [{"input_tokens": 1000, "output_tokens": 0}]},
        "self_host": {"usd_per_hour": 1, "goodput_requests_per_s": 1},
        "api": {"input_usd_per_mtok": 1000, "output_usd_per_mtok": 0},
    }

    got = decide(inputs)

    assert got["first_win_tasks_per_month"] == 730
    assert got["at_volume"]["winner"] == "self_host"


@pytest.mark.parametrize("fixed", [0, 1234.56, 8666.666666666666])
def test_the_break_even_volume_itself_is_won(fixed: float) -> None:
    first = decide(given(self_host__fixed_usd_per_month=fixed))["first_win_tasks_per_month"]

    at = decide(given(self_host__fixed_usd_per_month=fixed, workload__tasks_per_month=first))["at_volume"]

    assert at["winner"] == "self_host"


def test_an_api_subscription_carries_a_small_box_in_a_window() -> None:
    # full box: worth 0.00615 x 525,600 = 3,232.44, costs 4,140.56; the API's fixed 1,000 carry N = 1 only:
    # lo = (4,140.56 - 1,000)/0.00615 = 510,660.16 <= K = 0.2 x 2,628,000; N = 2 misses 2 x 908.12 > 1,000
    got = decide(given(self_host__goodput_requests_per_s=0.2, api__fixed_usd_per_month=1000))

    assert got["verdict"] == "window"
    assert got["first_win_tasks_per_month"] == close(510660.16260162604)
    assert got["permanent_win_tasks_per_month"] is None
    assert got["winning_windows"] == [[close(510660.16260162604), close(525600)]]


def test_windows_stop_at_a_hundred_and_then_the_permanent_one() -> None:
    got = decide(given(self_host__goodput_requests_per_s=0.2562))

    assert len(got["winning_windows"]) == 101
    assert got["windows_truncated"] is True
    assert got["winning_windows"][-1] == [got["permanent_win_tasks_per_month"], None]
    # g = 0.00615 x 673,293.6 - 4,140.56 = 0.19564; N2 = ceil(4,140.56 / 0.19564) = 21,165
    assert got["permanent_win_tasks_per_month"] == close(max(21165 * 4140.56 / 0.00615, 21164 * 673293.6))


def test_a_million_windows_take_no_longer_than_one() -> None:
    # g is 1e-9 of the box: some 1e9 instances until the steps stop mattering
    got = decide(given(self_host__goodput_requests_per_s=0.2561878952122854 * (1 + 1e-9)))

    assert got["verdict"] == "yes"
    assert got["windows_truncated"] is True
    assert len(got["winning_windows"]) == 101


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"workload__retry_failure_rate": 8}, "`workload.retry_failure_rate`", "is 8 meant as 0.08?"),
        ({"workload__response_cache_hit_rate": 15}, "response_cache_hit_rate", "is 15 meant as 0.15?"),
        ({"self_host__max_load": 80}, "`self_host.max_load`", "is 80 meant as 0.8?"),
        ({"workload__retry_failure_rate": -0.1}, "at least 0 and below 1, got -0.1", None),
        ({"self_host__goodput_requests_per_s": math.nan}, "finite number, got nan", None),
        ({"self_host__goodput_requests_per_s": math.inf}, "finite number, got inf", None),
        ({"self_host__usd_per_hour": -1}, "`self_host.usd_per_hour`", None),
        ({"self_host__usd_per_hour": "5.672"}, "`self_host.usd_per_hour`", None),
        ({"self_host__usd_per_hour": True}, "`self_host.usd_per_hour`", None),
        ({"self_host__min_instances": 0}, "`self_host.min_instances`", None),
        ({"self_host__goodput_rps": 1}, "unknown key `self_host.goodput_rps`", None),
        ({"workload__peak_to_mean": 0.5}, "`workload.peak_to_mean`", None),
        ({"workload__hourly_profile": [1] * 23}, "24 or 168 weights, got 23", None),
        ({"workload__hourly_profile": [0] * 24}, "must not all be 0", None),
        ({"workload__hourly_profile": [1] * 23 + [-1]}, "`workload.hourly_profile[23]`", None),
        ({"workload__classes": []}, "`workload.classes`", None),
        ({"workload__classes": [{"input_tokens": 1}]}, "`workload.classes[0].output_tokens` is missing", None),
        ({"workload__classes": [{"input_tokens": 1, "output_tokens": 1, "weight": 0}]}, "must not all be 0", None),
        (
            {"workload__classes": [{"input_tokens": 1, "cached_input_tokens": 2, "output_tokens": 1}]},
            "cached_input_tokens (2) must not be above input_tokens (1)",
            None,
        ),
        ({"workload__tasks_per_month": 1e15, "self_host__goodput_requests_per_s": 1e-6}, "instances", None),
        (
            {"self_host__goodput_low": 0.7},
            "goodput_low (0.7) must not be above goodput_requests_per_s (0.6)",
            "the interval is around the goodput, in the same requests/s",
        ),
        (
            {"self_host__goodput_low": 0.4, "self_host__goodput_high": 0.5},
            "goodput_high (0.5) must not be below goodput_requests_per_s (0.6)",
            None,
        ),
        (
            {"self_host__goodput_requests_per_s": None, "self_host__goodput_low": 0.5},
            "goodput_low (0.5) belongs to a goodput, but goodput_requests_per_s is null",
            "leave goodput_low and goodput_high out where no load met the limits",
        ),
        (
            {"self_host__goodput_requests_per_s": 0, "self_host__goodput_high": 0.5},
            "goodput_high (0.5) belongs to a goodput, but goodput_requests_per_s is 0",
            None,
        ),
    ],
    ids=str,
)
def test_bad_input_names_the_key_and_the_value(changes: dict[str, Any], message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        decide(given(**changes))

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    if hint is not None:
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    "changes",
    [
        {"api__input_usd_per_mtok": 1e-320, "api__output_usd_per_mtok": 0},  # goodput needed: infinite
        {"self_host__max_load": 1e-320, "self_host__goodput_requests_per_s": 1e-9},  # capacity: 0
        {"workload__tasks_per_month": 1e-320},  # a task of the box: infinite
    ],
    ids=str,
)
def test_amounts_that_give_no_finite_number_are_one_line(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="too far apart to decide on"):
        decide(given(**changes))


def test_a_profile_and_a_factor_together_are_an_error() -> None:
    with pytest.raises(UsageError, match="not both"):
        decide(given(workload__peak_to_mean=2, workload__hourly_profile=[1] * 24))


def test_a_missing_part_is_named() -> None:
    with pytest.raises(UsageError, match="`api` is missing"):
        decide({key: value for key, value in given().items() if key != "api"})


def breakeven_decide(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "decide", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_the_command_reads_stdin_and_prints_only_json() -> None:
    done = breakeven_decide("-", stdin=json.dumps(given()))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == decide(given())
    assert done.stderr == ""


def test_the_command_reads_yaml_and_adds_what_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "input.yaml"
    path.write_text(
        "workload: {tasks_per_month: 1000000, classes: [{input_tokens: 800, output_tokens: 250}]}\n"
        "self_host: {usd_per_hour: 5.672, goodput_requests_per_s: 0.6}\n"
        "api: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}\n"
    )

    done = breakeven_decide(str(path), "--sensitivity", "--two-way", "goodput_requests_per_s", "usd_per_hour")

    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["sensitivity"]["saving_usd_per_month"] == close(2009.44)
    assert got["two_way"]["x"]["input"] == "goodput_requests_per_s"
    assert {k: v for k, v in got.items() if k not in {"sensitivity", "two_way"}} == decide(
        given(workload__tasks_per_month=1_000_000)
    )


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        ("", "stdin is empty"),
        ("[1]", "stdin holds a list"),
        ("{", "stdin:1:"),
        ("workload: {}", "stdin: `workload.classes` is missing"),
    ],
)
def test_a_command_that_cannot_decide_says_why_in_one_line_and_exits_2(stdin: str, message: str) -> None:
    done = breakeven_decide("-", stdin=stdin)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[0].startswith(f"error: {message}")
    assert "Traceback" not in done.stderr


def test_an_input_file_that_is_not_there_is_named() -> None:
    done = breakeven_decide("no-such.yaml")

    assert done.returncode == 2
    assert done.stderr.startswith("error: no such decision input file: no-such.yaml")


def test_a_closed_stdin_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert invoke(["decide", "-"]) == 2
    assert capsys.readouterr().err == "error: cannot read stdin: it is closed\n"
