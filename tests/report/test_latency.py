"""Percentiles of every step, and what failed in it."""

from typing import Any

from report_cases import HOSTILE, case, changed

from harness.report.measured.latency import failures_table, latencies_table
from harness.report.measured.steps import measured_line
from harness.report.model import Row, Table
from harness.rundir.of_step import ErrorOfStep, SaidOfError, Summary
from harness.rundir.results import Metrics
from harness.scenario import Slo

SLO = Slo(ttft_p95_s=2.0, e2e_p99_s=10.0)


def titles(table: Table) -> list[str]:
    return [column.title for column in table.columns]


def cells_of(table: Table, row: Row) -> dict[str, tuple[str, str, str]]:
    shown = [(cell.text, cell.note, cell.tone) for cell in row.cells]
    return dict(zip(titles(table), shown, strict=True))


def test_every_latency_has_its_four_percentiles() -> None:
    table = latencies_table(case("two_windows").metrics, SLO)

    percentiles = ("p50", "p90", "p95", "p99")
    assert titles(table)[3:] == [f"{kind} {name}" for kind in ("TTFT", "TPOT", "E2E") for name in percentiles]


def test_itl_stands_there_where_arrivals_were_kept() -> None:
    def keep(data: dict[str, Any]) -> None:
        data["steps"][1]["itl_s"] = {"n": 9000, "mean": 0.03, "p50": 0.025, "p90": 0.04, "p95": 0.05, "p99": 0.125}

    table = latencies_table(changed(case("two_windows").metrics, keep), SLO)

    assert cells_of(table, table.rows[1])["ITL p99"] == ("125", "", "")
    assert cells_of(table, table.rows[0])["ITL p99"] == ("n/a", "", "muted")


def test_a_percentile_over_its_limit_is_red_and_the_limit_stands_over_it() -> None:
    table = latencies_table(case("two_windows").metrics, SLO)

    limits = {column.title: column.unit for column in table.columns}
    assert limits["TTFT p95"] == "ms\n≤\u00a02,000"
    assert limits["TTFT p90"] == "ms"
    assert limits["E2E p99"] == "s\n≤\u00a010.0"
    # at 8 users the first tokens took up to 9.1 s
    assert cells_of(table, table.rows[3])["TTFT p95"][2] == "bad"
    assert cells_of(table, table.rows[3])["TTFT p90"][2] == ""
    assert cells_of(table, table.rows[0])["TTFT p95"][2] == "muted"  # within it, from too few requests


def test_the_run_in_one_line_has_the_percentile_that_the_slo_limits() -> None:
    def limit_p99(data: dict[str, Any]) -> None:
        for step in data["steps"]:
            step["limits"] = {"ttft_p99_s": {"percentile": 99, "n": 66, "over": 0}}

    metrics = changed(case("two_windows").metrics, limit_p99)

    assert "TTFT p50 714 ms, p99 " in measured_line(metrics)
    assert "TTFT p50 714 ms, p95 " in measured_line(case("two_windows").metrics)


def test_failures_stand_by_step_and_kind_in_the_words_of_who_failed() -> None:
    words = (SaidOfError(words="queue is full", requests=2), SaidOfError(words=HOSTILE, requests=1))
    errors = (ErrorOfStep(kind="http_503", requests=3, said=words), ErrorOfStep(kind="reset", requests=1))
    first, second, *_ = case("two_windows").metrics.steps
    steps = (first, second.model_copy(update={"requests": 40, "failed": 4, "errors": errors}))

    table = failures_table(steps)

    assert table is not None
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["2", "2 users", "http_503", "3", "7.5 %", "queue is full (2)"],
        ["2", "2 users", "reset", "1", "2.5 %", "nothing was said"],
    ]
    assert "\x1b" not in table.rows[0].cells[5].note


def test_a_run_without_failures_or_of_an_older_version_has_no_table_of_them() -> None:
    metrics = changed(case("two_windows").metrics, lambda data: [step.pop("errors") for step in data["steps"]])

    assert metrics.steps[3].failed == 1
    assert failures_table(metrics.steps) is None
    assert failures_table(case("two_windows").metrics.steps[:3]) is None


def test_a_run_without_any_latency_has_a_table_that_says_so() -> None:
    def lose(data: dict[str, Any]) -> None:
        for step in data["steps"]:
            step.update(ttft_s=Summary().to_dict(), tpot_s=Summary().to_dict(), e2e_s=Summary().to_dict())

    metrics: Metrics = changed(case("two_windows").metrics, lose)

    table = latencies_table(metrics, SLO)

    assert {cell.text for row in table.rows for cell in row.cells[3:]} == {"n/a"}
