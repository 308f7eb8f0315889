"""Tasks asked of an API that is paid for: one limit for all rounds, and nothing is asked for the load alone."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from billing_api import BillingApi
from task_runs import of_tasks

from harness.load.spending.purse import Spending
from harness.load.spending.tariff import PICO_PER_USD, Tariff, TokenPrices
from harness.pipeline.measure import Budget, Measured, RunOptions, measure
from harness.rundir.driven import Driven
from harness.rundir.files import read_manifest
from harness.rundir.judged import read_judged
from harness.rundir.read import read_records, read_rows
from harness.rundir.steps import read_steps

TASKS = [{"id": f"t{n}", "prompt": f"Say {n}.", "expected": "nothing says this"} for n in range(12)]


def drive(place: Path, api: BillingApi, usd: float) -> tuple[Measured, Driven]:
    budget = Budget(
        Spending(round(usd * PICO_PER_USD), Tariff(TokenPrices(3, 3, 3, 15))), Driven(arm="x:m", max_usd=usd), "m"
    )
    more: dict[str, Any] = {"on_failure": ["again"], "output_tokens": 20}
    options = RunOptions(
        scenario=of_tasks(place, TASKS, **more), base_dir=place, backend="openai", out_dir=place, urls=[api.url],
        model="m", budget=budget,
    )  # fmt: skip
    measured = measure(options, lambda event: None)
    driven = read_manifest(measured.run_dir).driven
    assert driven is not None
    return measured, driven


def test_two_rounds_cost_what_the_api_bills_and_no_repeat_is_paid_for(tmp_path: Path) -> None:
    with BillingApi() as api:
        measured, driven = drive(tmp_path, api, 10)
        bill = api.bill_usd()

    assert driven.spent_usd == pytest.approx(float(bill), rel=1e-12)
    assert len(api.calls) == len(read_rows(measured.run_dir)) == 24
    assert [step.round for step in read_steps(measured.run_dir)] == [1, 2]
    assert not read_manifest(measured.run_dir).partial


def test_the_limit_is_of_all_rounds_together_and_ends_the_run_where_it_is_reached(tmp_path: Path) -> None:
    # a request costs at least 20 x 15 USD / 1M = 0.0003, so 12 of them 0.0036 and 24 of them 0.0072
    with BillingApi() as api:
        measured, driven = drive(tmp_path, api, 0.0062)
        bill = api.bill_usd()

    manifest, rows = read_manifest(measured.run_dir), read_records(measured.run_dir)
    assert driven.stopped
    assert bill <= Fraction("0.0062")
    assert manifest.partial
    assert 12 <= len(rows) < 24
    assert {one.request_id for one in read_judged(measured.run_dir)} == set(rows["request_id"])
