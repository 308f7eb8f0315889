"""Terms that one arm has and another has not: in the price file, in the demand, and in what is decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cost_cases import given, manifest, metrics, smallest

from harness.base.errors import UsageError
from harness.cost import decide
from harness.cost.focus import focus_rows
from harness.cost.verdict import build_decision
from harness.demand.demand import Demand
from harness.report.money.arms import terms_words
from harness.report.verdict import verdicts
from harness.rundir.decision import Arm, Decision


def of(demand: Demand, tmp_path: Path, prices: str = "", *asked: str) -> Decision:
    file = tmp_path / "prices.yaml"
    file.write_text(prices or "api: []")
    return build_decision(manifest(), metrics(), demand, asked, prices_file=file)


def arm_of(decision: Decision, name: str) -> Arm:
    return next(arm for arm in decision.arms if arm.name == name)


ROW = "api:\n  - {provider: mine, model: m, input_usd_per_mtok: 3, output_usd_per_mtok: 15"


@pytest.mark.parametrize(
    ("terms", "usd"),
    [
        ({}, 0.00615),
        ({"usd_per_request": 0.005}, 0.01115),
        ({"surcharge": 0.055}, 0.00615 * 1.055),
        ({"usd_per_request": 0.005, "surcharge": 0.1}, 0.01115 * 1.1),  # a marketplace adds to the fee too
        ({"output_ratio": 2}, 0.0024 + 2 * 0.00375),
        ({"reasoning_tokens": 1000}, 0.00615 + 0.015),
        ({"tokenizer_ratio": 1.2}, 0.00615 * 1.2),
        ({"tokenizer_ratio": 1.2, "reasoning_tokens": 1000}, 0.00615 * 1.2 + 0.015),  # those are its own already
        ({"success_rate": 0.8}, 0.00615 / 0.8),  # asked 1/0.8 times for as much done
        ({"cached_share": 0.5, "cached_input_usd_per_mtok": 0.3}, 0.0012 + 400 * 0.3e-6 + 0.00375),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_term_changes_what_a_task_costs(terms: dict[str, Any], usd: float) -> None:
    got = decide(given(**{f"api__{name}": value for name, value in terms.items()}))

    assert got["api_usd_per_task"] == pytest.approx(usd, rel=1e-12)


def test_a_success_rate_as_the_workloads_own_changes_nothing() -> None:
    retried = {"workload__retry_failure_rate": 0.08, "workload__max_retries": 2}

    same = decide(given(**retried, api__success_rate=0.92))["api_usd_per_task"]

    assert same == pytest.approx(decide(given(**retried))["api_usd_per_task"], rel=1e-12)


def test_a_price_file_gives_one_arm_terms_and_the_others_none(tmp_path: Path) -> None:
    # sonar at 1/1: 0.00105 of tokens and 0.012 a request, at 100,000 tasks 105 and 1,200
    row = "api:\n  - {provider: perplexity, model: sonar, input_usd_per_mtok: 1, output_usd_per_mtok: 1,"
    decision = of(smallest(tasks_per_month=100_000), tmp_path, row + " usd_per_request: 0.012}", "perplexity:sonar")

    sonar, *others = decision.arms
    assert sonar.decision.at_volume is not None
    assert sonar.decision.at_volume.api_usd == pytest.approx(1305)
    assert sonar.classes[0].usd_per_task == pytest.approx(0.01305)
    assert [arm.input.api.usd_per_request for arm in others] == [0] * len(others)
    assert ("perplexity:sonar usd per request", 0.012) in [(fact.what, fact.value) for fact in decision.provenance]


def test_a_demand_gives_arms_terms_by_name_and_compares_them(tmp_path: Path) -> None:
    terms = {"mine:m": {"surcharge": 0.055}, "openai:gpt-4.1-mini": {"fixed_usd_per_month": 2448, "output_ratio": 1.5}}

    decision = of(smallest(arms=terms), tmp_path, ROW + "}")

    assert arm_of(decision, "mine:m").decision.api_usd_per_task == pytest.approx(0.00615 * 1.055)
    mini = arm_of(decision, "openai:gpt-4.1-mini")  # 0.40/1.60
    assert mini.decision.api_usd_per_task == pytest.approx(800 * 0.4e-6 + 375 * 1.6e-6)
    assert mini.input.api.fixed_usd_per_month == 2448


def test_the_demands_terms_lie_over_the_price_files(tmp_path: Path) -> None:
    row = ROW + ", surcharge: 0.055, usd_per_request: 0.01}"

    mine = arm_of(of(smallest(arms={"mine:m": {"surcharge": 0}}), tmp_path, row), "mine:m")

    assert mine.decision.api_usd_per_task == pytest.approx(0.01615)


def test_an_arms_tokenizer_counts_before_its_tiers_do(tmp_path: Path) -> None:
    # 800 of ours are 1,040 of its own, above 1,000: 6/30 for every token; 325 out
    row = ROW + ", tiers: [{above_input_tokens: 1000, input_usd_per_mtok: 6, output_usd_per_mtok: 30}]}"

    mine = arm_of(of(smallest(arms={"mine:m": {"tokenizer_ratio": 1.3}}), tmp_path, row), "mine:m")

    assert mine.decision.api_usd_per_task == pytest.approx(1040 * 6e-6 + 325 * 30e-6)


def test_what_an_arm_reads_from_its_cache_it_does_not_write_there(tmp_path: Path) -> None:
    # 800 in, 600 of them written at 3.75; an arm that reads 75 % at 0.30 has 200 left to write
    classes = [{"input_tokens": 800, "cache_write_tokens": 600, "output_tokens": 0}]
    row = ROW + ", cached_input_usd_per_mtok: 0.3, cache_write_usd_per_mtok: 3.75}"

    plain = arm_of(of(smallest(classes=classes), tmp_path, row, "mine:m"), "mine:m")
    reads = arm_of(of(smallest(classes=classes, arms={"mine:m": {"cached_share": 0.75}}), tmp_path, row), "mine:m")

    assert plain.decision.api_usd_per_task == pytest.approx(200 * 3e-6 + 600 * 3.75e-6)
    assert reads.decision.api_usd_per_task == pytest.approx(600 * 0.3e-6 + 200 * 3.75e-6)


def test_an_arm_waits_for_its_batch_price_with_a_share_of_its_own(tmp_path: Path) -> None:
    row = ROW + ", batch: {input_usd_per_mtok: 1.5, output_usd_per_mtok: 7.5}}"

    mine = arm_of(of(smallest(batch_share=1, arms={"mine:m": {"batch_share": 0.5}}), tmp_path, row), "mine:m")

    assert mine.decision.api_usd_per_task == pytest.approx(0.00615 * 0.75)


def test_a_mix_has_terms_of_its_own(tmp_path: Path) -> None:
    parts = [{"api": "mine:m", "calls_per_task": 0.5}, {"api": "openai:gpt-4.1-mini", "calls_per_task": 0.5}]
    demand = smallest(mixes=[{"name": "half", "parts": parts}], arms={"half": {"surcharge": 0.1}})

    half = arm_of(of(demand, tmp_path, ROW + "}"), "half")

    assert half.decision.api_usd_per_task == pytest.approx((0.00615 + 0.00072) / 2 * 1.1)


def test_units_of_an_arm_are_bought_whole(tmp_path: Path) -> None:
    terms = {"mine:m": {"units_usd_per_month": 500, "unit_tasks_per_month": 150_000}}
    row = "api:\n  - {provider: mine, model: m, input_usd_per_mtok: 0, output_usd_per_mtok: 0}"

    mine = arm_of(of(smallest(arms=terms), tmp_path, row), "mine:m")

    assert mine.decision.at_volume is not None
    assert mine.decision.at_volume.api_usd == 1500  # 400,000 tasks are three of 150,000
    assert mine.sensitivity is not None


def test_a_box_paid_by_the_second_is_paid_so_in_a_demand(tmp_path: Path) -> None:
    # 0.6 requests/s: 1.67 s a call, billed 2
    own = {"billing": "per_second", "usd_per_second": 0.00116}

    got = of(smallest(self_host=own), tmp_path).arms[0].decision.at_volume

    assert got is not None
    assert got.self_usd == pytest.approx(400_000 * 2 * 0.00116)


def test_a_demand_may_let_the_box_go_at_night(tmp_path: Path) -> None:
    # eight hours hold 50,000 tasks each, an instance-hour 2,160 x 730/24 = 65,700
    night_off = {"hourly_profile": [0] * 8 + [1] * 8 + [0] * 8, "min_instances": 0}

    got = of(smallest(**night_off), tmp_path).arms[0].decision.at_volume

    assert got is not None
    assert got.self_usd == pytest.approx(5.672 * 8 * 730 / 24)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_instances": 0}, "`min_instances`: 0 (scale to zero) needs an `hourly_profile`"),
        ({"self_host": {"cold_start_s": 60}}, "`self_host.cold_start_s` is of instances that go when nothing arrives"),
        ({"self_host": {"usd_per_second": 0.001}}, "`usd_per_second` belongs to `billing: per_second`"),
        ({"self_host": {"billing": "per_minute"}}, "`self_host.billing`: must be 'per_hour' or 'per_second'"),
        ({"self_host": {"billing": "per_second", "idle_s": 3}}, "`self_host.idle_s` is of instances by the hour"),
        ({"arms": {"mine:m": {"surcharge": 5.5}}}, "surcharge`: must be a share"),
        ({"arms": {"mine:m": {"surcharges": 0.05}}}, "unknown key `arms.mine:m.surcharges`"),
    ],
)
def test_terms_that_cannot_be_are_one_line(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    from harness.demand.demand import demand_from_dict

    plain = {"name": "t", "classes": [{"input_tokens": 800, "output_tokens": 250}]}
    with pytest.raises(UsageError) as caught:
        demand_from_dict({**plain, **changes})

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sizes_of_a_unit_from_two_files_do_not_go_together(tmp_path: Path) -> None:
    row = ROW + ", units_usd_per_month: 100, unit_tasks_per_month: 1000}"

    with pytest.raises(UsageError, match="give `unit_tasks_per_month` or `unit_tokens_per_s`, not both"):
        of(smallest(arms={"mine:m": {"unit_tokens_per_s": 5}}), tmp_path, row)


def test_a_size_of_a_unit_needs_its_price(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`unit_tokens_per_s` is the size of a unit, but `units_usd_per_month` gives"):
        of(smallest(arms={"mine:m": {"unit_tokens_per_s": 5}}), tmp_path, ROW + "}")
    half = smallest(arms={"mine:m": {"unit_tokens_per_s": 5}})
    assert of(half, tmp_path, ROW + ", units_usd_per_month: 100}").arms[0].input.api.units_usd_per_month == 100


def test_terms_of_one_model_of_a_mix_are_refused(tmp_path: Path) -> None:
    demand = smallest(mixes=[{"name": "two", "parts": [{"api": "mine:m", "calls_per_task": 1}] * 2}])

    with pytest.raises(UsageError, match=r"`mine:m` has terms beside its price per token \(surcharge\)"):
        of(demand, tmp_path, ROW + ", surcharge: 0.1}")


def test_what_has_no_terms_is_written_as_before(tmp_path: Path) -> None:
    written = of(smallest(), tmp_path).arms[0].input.model_dump()

    assert set(written["api"]) == {
        "input_usd_per_mtok", "cached_input_usd_per_mtok", "output_usd_per_mtok", "fixed_usd_per_month",
    }  # fmt: skip
    assert set(written["self_host"]) == {
        "usd_per_hour", "goodput_requests_per_s", "goodput_low", "goodput_high", "max_load", "min_instances",
        "fixed_usd_per_month",
    }  # fmt: skip


def test_the_bill_and_the_spreadsheet_name_what_an_arm_asks_beside_its_tokens(tmp_path: Path) -> None:
    # 400,000 x 0.01115 x 1.1 = 4,906; four units of 100,000 at 50; a fee of 20
    terms = {"usd_per_request": 0.005, "surcharge": 0.1, "fixed_usd_per_month": 20, "reasoning_tokens": 100}
    units = {"units_usd_per_month": 50, "unit_tasks_per_month": 100_000}
    decision = of(smallest(arms={"mine:m": terms | units}), tmp_path, ROW + "}")

    month = next(bill for bill in decision.monthly if bill.name == "mine:m")
    rows = [row for row in focus_rows(decision) if row["x_Arm"] == "mine:m"]
    total = 400_000 * (0.01115 + 0.0015) * 1.1 + 4 * 50 + 20
    assert month.total_usd == pytest.approx(total)
    assert [(line.line, line.usd) for line in month.lines] == [("inference", pytest.approx(total - 20)), ("fee", 20)]
    assert sum(row["BilledCost"] for row in rows) == pytest.approx(total)
    assert {row["ChargeDescription"].removeprefix("mine:m ") for row in rows} == {
        "input tokens", "output tokens", "requests", "capacity units", "the arm's own fee",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "unit", "usd"),
    [
        ({"self_host": {"billing": "per_second", "usd_per_second": 0.001}}, "Seconds", 800.0),  # 2 s a call
        ({"hourly_profile": [0] * 16 + [1] * 8, "min_instances": 0}, "Hours", 5.672 * 8 * 730 / 24),
        ({}, "Hours", 5.672 * 730),
    ],
    ids=["by the second", "eight hours", "all month"],
)
def test_the_spreadsheet_bills_the_box_as_it_is_paid(
    changes: dict[str, Any], unit: str, usd: float, tmp_path: Path
) -> None:
    box = next(row for row in focus_rows(of(smallest(**changes), tmp_path)) if row["x_Arm"] == "self_host")

    assert (box["PricingUnit"], box["BilledCost"]) == (unit, pytest.approx(usd))
    assert box["PricingQuantity"] * box["ListUnitPrice"] == pytest.approx(usd)


def test_a_month_without_a_peak_says_what_a_usual_one_does(tmp_path: Path) -> None:
    # mine at 9/45 is 0.01845 a task: 4,140.56 of it from 224,420; at 2.5 x K is 630,720, and 11,637 > 4,140.56
    row = "api:\n  - {provider: mine, model: m, input_usd_per_mtok: 9, output_usd_per_mtok: 45}"

    decision = of(smallest(), tmp_path, row, "mine:m", "openai:gpt-4.1-mini")

    assert arm_of(decision, "mine:m").assumes == (
        "Assumes the same load every hour; at 2.5 x peak to mean self-hosting wins from 224k tasks a month on."
    )
    assert arm_of(decision, "openai:gpt-4.1-mini").assumes == (
        "Assumes the same load every hour; at 2.5 x peak to mean self-hosting never wins."
    )
    shown = [verdict.detail for verdict in verdicts(decision)]
    assert shown[0].startswith("Assumes the same load every hour; at 2.5 x peak to mean self-hosting wins from 224k")


@pytest.mark.parametrize("said", [{"peak_to_mean": 1}, {"peak_to_mean": 3}, {"hourly_profile": [1] * 24}])
def test_a_month_that_says_its_hours_takes_none_for_granted(said: dict[str, Any], tmp_path: Path) -> None:
    assert {arm.assumes for arm in of(smallest(**said), tmp_path).arms} == {None}


@pytest.mark.parametrize("purchase", ["reserved_1y", "owned"])
def test_what_is_paid_whether_it_runs_or_not_saves_nothing_at_night(purchase: str, tmp_path: Path) -> None:
    night_off = smallest(hourly_profile=[0] * 8 + [1] * 8 + [0] * 8, min_instances=0, self_host={"cold_start_s": 60})
    file = tmp_path / "prices.yaml"
    file.write_text(
        "instances:\n  - {id: g5.12xlarge, usd_per_hour: {reserved_1y: 2}, owned: {price_usd: 52560, months: 36}}"
    )  # 1,460 a month either way

    decision = build_decision(manifest(purchase=purchase), metrics(), night_off, [], prices_file=file)

    at = decision.arms[0].decision.at_volume
    assert at is not None
    assert at.self_usd == pytest.approx(1460)
    assert "paid_while_off" in [check.code for check in decision.checks]
    assert decision.self_host.instance.kind == ("assumed" if purchase == "owned" else "listed")


def test_the_table_of_arms_says_what_is_asked_beside_the_tokens(tmp_path: Path) -> None:
    terms = {"surcharge": 0.055, "usd_per_request": 0.005, "units_usd_per_month": 2448, "unit_tasks_per_month": 1e6}
    decision = of(smallest(arms={"mine:m": {**terms, "output_ratio": 1.5}}), tmp_path, ROW + "}")

    assert terms_words(arm_of(decision, "mine:m").input.api) == (
        "2,448 USD a month a unit of 1M tasks; 0.005 USD a request; + 5.5 %; 1.50 x our output tokens"
    )
    assert terms_words(decision.arms[-1].input.api) == ""


def test_scaled_to_zero_the_hours_on_demand_are_the_decisions_own(tmp_path: Path) -> None:
    hours = {"hourly_profile": [0] * 8 + [1] * 8 + [0] * 8, "min_instances": 0, "self_host": {"cold_start_s": 120}}

    decision = of(smallest(**hours), tmp_path)

    assert decision.purchase_options is not None
    autoscaled = next(row for row in decision.purchase_options.options if row.option == "on_demand_autoscaled")
    assert decision.arms[0].decision.at_volume is not None
    assert autoscaled.usd_per_month == pytest.approx(decision.arms[0].decision.at_volume.self_usd)
