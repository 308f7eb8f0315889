"""Runs within a spending limit, against a server that bills, limits and fails like an API."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from billing_api import FAULTS, Behaviour, BillingApi, Limits
from load_helpers import scenario

from harness.base.errors import BreakevenError, UsageError
from harness.load.spending.purse import Spending
from harness.load.spending.tariff import PICO_PER_USD, Tariff, TokenPrices
from harness.pipeline.measure import measure
from harness.pipeline.options import Budget, Measured, RunOptions
from harness.rundir.driven import Driven
from harness.rundir.files import read_manifest
from harness.rundir.read import read_records, read_rows
from harness.rundir.records import NOT_FAILURES
from harness.rundir.steps import read_steps

TARIFF = Tariff(TokenPrices(3, 3, 3, 15))
SHORT = {"kind": "closed", "users": [4], "step_s": 1, "warmup_s": 0}


def budget(usd: float) -> Budget:
    return Budget(Spending(round(usd * PICO_PER_USD), TARIFF), Driven(arm="x:m", max_usd=usd), "m")


def drive(out_dir: Path, api: BillingApi, usd: float, load: dict[str, Any] | None = None, **more: Any) -> Measured:
    work = scenario(load=load or SHORT, request={"api": "chat", "timeout_s": 60.0})
    options = RunOptions(
        scenario=work, base_dir=out_dir, backend="openai", out_dir=out_dir, urls=[api.url], model="m",
        budget=budget(usd), **more,
    )  # fmt: skip
    return measure(options, lambda event: None)


def driven_of(measured: Measured) -> Driven:
    driven = read_manifest(measured.run_dir).driven
    assert driven is not None
    return driven


def test_what_was_spent_is_the_apis_own_bill_to_the_last_digit(tmp_path: Path) -> None:
    with BillingApi() as api:
        measured = drive(tmp_path, api, 10, preflight=True)
        bill = api.bill_usd()

    driven = driven_of(measured)
    assert driven.spent_usd == pytest.approx(float(bill), rel=1e-12)
    assert bill > 0
    assert (driven.reserved_usd, driven.stopped, driven.rate_limited) == (0, False, 0)
    assert read_manifest(measured.run_dir).partial is False


def test_at_the_limit_no_further_request_is_begun_and_those_under_way_end(tmp_path: Path) -> None:
    with BillingApi(behaviour=Behaviour(ttft_s=0.1)) as api:
        measured = drive(tmp_path, api, 0.02, {**SHORT, "users": [2, 8], "step_s": 1.5})
        bill = api.bill_usd()

    manifest, rows = read_manifest(measured.run_dir), read_records(measured.run_dir)
    driven = driven_of(measured)
    assert driven.stopped
    assert manifest.partial
    assert manifest.client["cut_short"] == "its spending limit was reached"
    assert Fraction(0.01) < bill <= Fraction("0.02")
    assert rows["error"].isna().all()  # none was cut
    assert len(rows) == len(api.calls)
    assert driven.spent_usd == pytest.approx(float(bill))
    last = read_steps(measured.run_dir)[-1]
    assert last.end_s is not None
    assert last.end_s < rows["finished_s"].max()  # the step's window ended with the money, not with the last answer


@pytest.mark.parametrize("fault", ["500_after", "reset_midstream", "no_usage"])
def test_the_worst_case_of_an_answer_whose_usage_nobody_knows_stays_reserved(fault: str, tmp_path: Path) -> None:
    with BillingApi(behaviour=Behaviour(faults={fault: 0.3})) as api:
        driven = driven_of(drive(tmp_path, api, 10))
        lost = sum((call.usd for call in api.calls if call.fault == fault), start=Fraction(0))
        bill = api.bill_usd()

    assert driven.spent_usd == pytest.approx(float(bill - lost))
    assert driven.reserved_usd > float(lost) > 0


@pytest.mark.parametrize("fault", ["400", "429"])
def test_what_is_answered_with_4xx_costs_nothing(fault: str, tmp_path: Path) -> None:
    with BillingApi(behaviour=Behaviour(faults={fault: 0.2})) as api:
        driven = driven_of(drive(tmp_path, api, 10))
        bill = api.bill_usd()

    assert any(call.fault == fault for call in api.calls)
    assert (driven.spent_usd, driven.reserved_usd) == (pytest.approx(float(bill)), 0)


def test_a_filtered_answer_is_paid_by_its_usage(tmp_path: Path) -> None:
    with BillingApi(behaviour=Behaviour(faults={"filtered": 0.5})) as api:
        driven = driven_of(drive(tmp_path, api, 10))

    assert (driven.spent_usd, driven.reserved_usd) == (pytest.approx(float(api.bill_usd())), 0)


def test_the_limit_holds_with_64_at_once_failures_and_retries(tmp_path: Path) -> None:
    behaviour = Behaviour(faults=dict.fromkeys(FAULTS, 0.02), hides_reasoning=True, tells_total_alone=True, ttft_s=0.2)
    with BillingApi(behaviour=behaviour) as api:
        measured = drive(tmp_path, api, 0.08, {**SHORT, "users": [64], "step_s": 2})
        bill = api.bill_usd()

    driven = driven_of(measured)
    assert driven.stopped
    assert api.most_at_once > 16
    assert bill <= Fraction("0.08")
    assert float(bill) <= driven.spent_usd + driven.reserved_usd <= 0.08 + 1e-12


@pytest.mark.parametrize("preflight", [True, False])
def test_a_limit_below_one_request_is_said_in_a_line_and_nothing_is_asked(*, preflight: bool, tmp_path: Path) -> None:
    with BillingApi() as api, pytest.raises(UsageError, match="below the worst case of one request") as caught:
        drive(tmp_path / "out", api, 0.0001, preflight=preflight)

    assert "\n" not in str(caught.value)
    assert api.calls == []
    assert not (tmp_path / "out").exists()


def test_an_api_that_bills_more_than_was_asked_for_is_asked_nothing_more(tmp_path: Path) -> None:
    with BillingApi(behaviour=Behaviour(template_tokens=5000)) as api:
        measured = drive(tmp_path, api, 1, {**SHORT, "users": [1]})

    driven = driven_of(measured)
    assert len(api.calls) == 1
    assert driven.stopped
    assert "more than it could cost" in (driven.why or "")


@pytest.mark.parametrize("style", ["openai", "retry_date", "anthropic"])
def test_a_rate_limit_is_waited_for_and_no_failure(style: str, tmp_path: Path) -> None:
    with BillingApi(limits=Limits(requests_per_s=20, requests=5, style=style)) as api:
        measured = drive(tmp_path, api, 10, {**SHORT, "users": [16], "step_s": 2})

    rows, every, driven = read_records(measured.run_dir), read_rows(measured.run_dir), driven_of(measured)
    served = rows[rows["error"].isna()]
    assert len(served) > 10
    assert set(rows["error"].dropna()) <= NOT_FAILURES  # a refusal that was asked again is in no figure
    retried = every[every["retried"].fillna(value=False)]
    assert len(retried) == driven.rate_limited == api.refused()
    assert set(retried["error"]) <= {"http_429"}
    assert driven.waited_s > 1
    assert len(served) > api.refused()  # it waits rather than burns
    assert (served["sent_s"] - served["scheduled_s"]).max() < 0.5  # what it waited is not the schedule's
    assert every["request_id"].is_unique


def test_a_quota_that_no_wait_cures_is_a_failure(tmp_path: Path) -> None:
    with BillingApi(limits=Limits(requests_per_s=0.0001, requests=3, style="retry_after")) as api:
        measured = drive(tmp_path, api, 10)

    rows = read_records(measured.run_dir)
    assert set(rows["error"].dropna()) == {"http_429", "not_sent"}  # who asked, and who waited until the load was over
    assert rows["error_detail"][rows["error"] == "not_sent"].str.contains("rate limit held it up").all()
    assert driven_of(measured).rate_limited == 0


def test_the_key_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-very-secret-1234")
    with BillingApi(key="sk-very-secret-1234", behaviour=Behaviour(faults={"429": 0.1})) as api:
        measured = drive(tmp_path, api, 0.01, api_key_env="A_KEY")

    assert api.bill_usd() > 0
    for path in measured.run_dir.iterdir():
        assert b"very-secret" not in path.read_bytes()


def test_how_it_stands_is_told_while_it_runs(tmp_path: Path) -> None:
    seen: list[float] = []
    with BillingApi() as api:
        options = RunOptions(
            scenario=scenario(load={**SHORT, "step_s": 2.5}, request={"api": "chat", "timeout_s": 60.0}),
            base_dir=tmp_path, backend="openai", out_dir=tmp_path, urls=[api.url], model="m", budget=budget(10),
        )  # fmt: skip

        def look(event: object) -> None:
            for run_dir in tmp_path.glob("*-t-*"):
                driven = read_manifest(run_dir).driven
                seen.append(0.0 if driven is None else driven.spent_usd)

        measure(options, look)

    assert len(set(seen)) > 2  # run.json has it, each second
    assert seen == sorted(seen)


def test_an_endpoint_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    with BillingApi() as api:
        pass

    with pytest.raises(BreakevenError):
        drive(tmp_path, api, 1)
