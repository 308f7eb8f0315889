"""Runs as JUnit XML: what fails a case, and what only says something."""

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from report_cases import write_case

from harness.pipeline.analyse import Analysis
from harness.pipeline.listing import list_runs
from harness.report.render.junit import Case, render_junit


def suite_of(tmp_path: Path, case: str) -> Element:
    """The suite of a run, read back."""
    write_case(case, tmp_path / case)
    (run,) = list_runs([tmp_path / case])
    assert isinstance(run, Analysis)
    suite = fromstring(render_junit([run])).find("testsuite")
    assert suite is not None
    return suite


@pytest.mark.parametrize("case", ["two_windows", "twelve_steps", "errors", "partial", "infeasible", "never"])
def test_the_counts_of_a_suite_are_those_of_its_cases(tmp_path: Path, case: str) -> None:
    suite = suite_of(tmp_path, case)

    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))


def test_each_step_is_a_case_and_a_broken_limit_fails_none(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "twelve_steps")
    steps = [case for case in suite.findall("testcase") if case.attrib["name"].startswith("step ")]

    assert len(steps) == 12
    assert any("SLO: broken" in (case.findtext("system-out") or "") for case in steps)
    assert [case for case in steps if case.find("failure") is not None] == []


def test_a_check_of_level_error_fails_its_case_by_its_code(tmp_path: Path) -> None:
    failures = suite_of(tmp_path, "errors").findall("testcase/failure")

    assert failures
    assert all(failure.attrib["type"] and failure.attrib["message"] for failure in failures)


def test_a_run_without_a_goodput_fails_in_that_case(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, "infeasible")

    failure = suite.find("testcase[@name='goodput']/failure")
    assert failure is not None
    assert failure.attrib["type"] == "no_goodput"


def test_a_run_that_was_cut_short_fails_as_partial(tmp_path: Path) -> None:
    assert suite_of(tmp_path, "partial").find("testcase[@name='check partial']/failure") is not None


def test_what_a_server_said_cannot_become_markup() -> None:
    text = render_junit([], [("compare", Case("a <b> & c", failure="x\x1b[31m</failure>", kind="worse"))])

    case = fromstring(text).find("testsuite/testcase")
    assert case is not None
    assert case.attrib["name"] == "a <b> & c"
    assert case.findtext("failure") == "x [31m</failure>"
