"""Task runs within a spending limit: one purse for all rounds, for who takes over and for who judges."""

from pathlib import Path
from typing import Any

import pytest
from billing_api import Behaviour, BillingApi, Limits, Prices
from load_helpers import run_load
from task_runs import SUMS, of_tasks

from harness.base.errors import UsageError
from harness.cli.spending import budget_of
from harness.load.spending.purse import Spending
from harness.load.spending.tariff import PICO_PER_USD, Tariff, TokenPrices
from harness.pipeline.options import Budget, Measured
from harness.prices.price_file import UserPrices, user_prices
from harness.rundir.driven import Driven
from harness.rundir.files import read_manifest
from harness.rundir.judged import read_judged
from harness.rundir.read import read_records, read_rows
from harness.rundir.steps import read_steps
from harness.scenario import Scenario

CHEAP, DEAR = Tariff(TokenPrices(3, 3, 3, 15)), Tariff(TokenPrices(30, 30, 30, 150))


def paid(place: Path, api: BillingApi, work: Scenario, usd: float, **elsewhere: Tariff) -> Measured:
    spending = Spending(round(usd * PICO_PER_USD), CHEAP, elsewhere=elsewhere)
    budget = Budget(spending, Driven(arm="x:m", max_usd=usd), "m")
    patient = work.model_copy(update={"request": work.request.model_copy(update={"timeout_s": 60.0})})
    return run_load(place, api.url, backend="openai", work=patient, model="m", budget=budget)


def driven_of(measured: Measured) -> Driven:
    driven = read_manifest(measured.run_dir).driven
    assert driven is not None
    return driven


def test_all_rounds_are_paid_out_of_one_purse_and_nothing_is_asked_for_the_load_alone(tmp_path: Path) -> None:
    work = of_tasks(tmp_path, SUMS, on_failure=["again", "with_error"], output_tokens=5)
    with BillingApi() as api:
        measured = paid(tmp_path, api, work, 10)
        bill = api.bill_usd()

    assert len(api.calls) == 18  # six tasks that nobody solves, three times each
    assert not read_rows(measured.run_dir)["repeat"].any()
    assert driven_of(measured).spent_usd == pytest.approx(float(bill))
    assert driven_of(measured).stopped is False
    assert not read_manifest(measured.run_dir).partial


def test_a_limit_that_is_reached_in_a_round_ends_all_of_them(tmp_path: Path) -> None:
    work = of_tasks(tmp_path, SUMS, on_failure=["again"] * 5, output_tokens=60)
    with BillingApi() as api:
        measured = paid(tmp_path, api, work, 0.011)
        bill = api.bill_usd()

    manifest, rows = read_manifest(measured.run_dir), read_records(measured.run_dir)
    assert 0 < bill <= 0.011
    assert driven_of(measured).stopped
    assert manifest.partial
    assert manifest.client["cut_short"] == "its spending limit was reached"
    assert 6 < len(rows) < 36
    assert {one.request_id for one in read_judged(measured.run_dir)} == set(rows["request_id"])  # kept, and judged


def test_who_takes_over_is_paid_out_of_the_same_purse_at_its_own_price(tmp_path: Path) -> None:
    with BillingApi() as api, BillingApi(Prices(input="30", output="150")) as dear:
        work = of_tasks(
            tmp_path, SUMS, on_failure=["escalate"], escalate={"url": dear.url, "model": "large", "api": "x:large"}
        )
        measured = paid(tmp_path, api, work, 10, escalation=DEAR)
        bill = api.bill_usd() + dear.bill_usd()

    assert len(dear.calls) == 6
    assert driven_of(measured).spent_usd == pytest.approx(float(bill))


def test_who_takes_over_is_not_asked_beyond_the_limit(tmp_path: Path) -> None:
    """Each of the six that are not solved would take USD 0.0036 there: not all of them fit, however they follow."""
    with BillingApi() as api, BillingApi(Prices(input="30", output="150")) as dear:
        escalate = {"url": dear.url, "model": "large", "api": "x:large"}
        work = of_tasks(tmp_path, SUMS, on_failure=["escalate"], escalate=escalate, output_tokens=20)
        measured = paid(tmp_path, api, work, 0.02, escalation=DEAR)
        bill = api.bill_usd() + dear.bill_usd()

    assert len(api.calls) == 6
    assert 0 < len(dear.calls) < 6
    assert bill <= 0.02
    assert driven_of(measured).stopped


def test_a_judge_is_paid_out_of_the_same_purse(tmp_path: Path) -> None:
    with BillingApi() as api, BillingApi(Prices(input="30", output="150")) as judge:
        work = of_tasks(
            tmp_path,
            SUMS,
            checker={"kind": "judge"},
            judge={"url": judge.url, "model": "wise", "api": "x:wise", "output_tokens": 10},
        )
        measured = paid(tmp_path, api, work, 10, judging=DEAR)
        bill = api.bill_usd() + judge.bill_usd()

    assert len(judge.calls) == 6
    assert driven_of(measured).spent_usd == pytest.approx(float(bill))


def test_a_task_that_a_rate_limit_refuses_is_asked_again_and_is_no_failed_attempt(tmp_path: Path) -> None:
    tasks = [{"id": f"s{n}", "prompt": f"What is {n} plus {n}?", "expected": "no"} for n in range(20)]
    load = {"kind": "closed", "users": [8], "warmup_s": 0}
    with BillingApi(limits=Limits(requests_per_s=20, requests=4), behaviour=Behaviour(ttft_s=0.001)) as api:
        measured = paid(tmp_path, api, of_tasks(tmp_path, tasks, load, output_tokens=5), 10)

    rows = read_records(measured.run_dir)
    assert sorted(rows["task"]) == sorted(task["id"] for task in tasks)
    assert rows["error"].isna().all()
    assert set(rows["attempt"]) == {1}
    retried = read_rows(measured.run_dir)["retried"].sum()
    assert retried == api.refused() == driven_of(measured).rate_limited
    (step,) = read_steps(measured.run_dir)
    assert step.role == "attempts"


PRICES = {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15}


def prices_of(*models: str) -> UserPrices:
    return user_prices({"api": [{"provider": "x", "model": model, **PRICES} for model in models]}, Path("p.yaml"))


def given(**more: Any) -> dict[str, Any]:
    plain = {"max_usd": "2", "apis": ["x:m"], "urls": ["http://a"], "remote_workers": 0, "workers": None, "times": 1}
    return plain | more


def test_whoever_else_is_asked_with_a_key_has_a_price(tmp_path: Path) -> None:
    escalate = {"url": "http://b", "model": "large", "api_key_env": "KEY"}
    work = of_tasks(tmp_path, SUMS, on_failure=["escalate"], escalate=escalate)

    with pytest.raises(UsageError, match=r"`prompts\.escalate` has a key, and no price"):
        budget_of(given(), prices_of("m"), work)


def test_a_price_of_whoever_else_is_asked_is_one_that_is_known(tmp_path: Path) -> None:
    escalate = {"url": "http://b", "model": "large", "api": "openai:unheard-of"}
    work = of_tasks(tmp_path, SUMS, on_failure=["escalate"], escalate=escalate)

    with pytest.raises(UsageError, match="unheard-of"):
        budget_of(given(), prices_of("m"), work)


def test_the_prices_of_all_who_are_asked_are_kept(tmp_path: Path) -> None:
    escalate = {"url": "http://b", "model": "large", "api": "x:large", "api_key_env": "KEY"}
    work = of_tasks(tmp_path, SUMS, on_failure=["escalate"], escalate=escalate)

    budget = budget_of(given(), prices_of("m", "large"), work)

    assert budget is not None
    assert set(budget.spending.elsewhere) == set(budget.driven.elsewhere) == {"escalation"}


def test_one_that_is_asked_without_a_key_bills_nobody(tmp_path: Path) -> None:
    work = of_tasks(tmp_path, SUMS, on_failure=["escalate"], escalate={"url": "http://b", "model": "large"})

    budget = budget_of(given(), prices_of("m"), work)

    assert budget is not None
    assert budget.spending.of("escalation") is None
