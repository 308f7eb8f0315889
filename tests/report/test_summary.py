"""The report in ten lines of Markdown."""

from dataclasses import replace
from pathlib import Path

import pytest
from report_cases import write_case

from harness.pipeline.analyse import Analysis
from harness.pipeline.listing import list_runs
from harness.report.model import Report
from harness.report.render.summary import render_summary
from harness.report.sections import build_report


def report_of(tmp_path: Path, case: str) -> Report:
    write_case(case, tmp_path / case)
    (run,) = list_runs([tmp_path / case])
    assert isinstance(run, Analysis)
    return build_report(run)


@pytest.mark.parametrize("case", ["two_windows", "twelve_steps", "errors", "partial", "infeasible", "never"])
def test_it_answers_first_and_has_ten_lines_at_most(tmp_path: Path, case: str) -> None:
    lines = render_summary(report_of(tmp_path, case)).splitlines()

    assert lines[0].startswith("**")
    assert len(lines) <= 10


def test_each_api_has_its_sentence(tmp_path: Path) -> None:
    report = report_of(tmp_path, "two_windows")

    said = render_summary(report)

    assert all(f"- **{verdict.arm}**: " in said for verdict in report.verdicts)


def test_of_many_apis_and_many_errors_the_rest_is_counted(tmp_path: Path) -> None:
    report = report_of(tmp_path, "errors")
    verdict, notice = report_of(tmp_path, "two_windows").verdicts[0], report.notices[0]
    crowded = replace(report, verdicts=(verdict,) * 7, notices=(notice,) * 5)

    lines = render_summary(crowded).splitlines()

    assert len(lines) <= 10
    assert "- 3 more APIs in the report" in lines
    assert f"{3 + len(report.warnings)} more findings" in lines[-1]
