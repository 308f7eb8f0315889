"""Findings on requests that failed: more of them than may, and those that others than the server refused."""

from collections.abc import Iterator

import pandas as pd

from harness.backends.faults import hint_for, refused_for
from harness.checks.finding import at, check
from harness.rundir.records import NOT_FAILURES
from harness.rundir.result import Check, Level
from harness.rundir.results import Step
from harness.scenario import Scenario

MOST_CHARS = 120  # of a server's words


def failure_checks(step: Step, rows: pd.DataFrame, scenario: Scenario, *, is_goodput: bool) -> Iterator[Check]:
    """Of one step and the requests of its window; `is_goodput`: some step passes."""
    # overload at a step above the goodput is what a ladder looks for; below it the run is broken
    level: Level = "warning" if is_goodput and step.failed < step.requests else "error"
    failures = rows[rows["error"].notna() & ~rows["error"].isin(NOT_FAILURES)]
    if not step.requests:
        text = f"{at(step)} no request began and ended: nothing was measured"
        yield check("too_few_samples", "warning" if is_goodput else "error", text, "make step_s longer")
    elif step.was_refused:
        yield _refused(step, failures, "warning" if is_goodput else "error")
    elif step.failed / step.requests > scenario.slo.error_rate:
        text = f"{at(step)} {step.failed} of {step.requests} requests failed ({_kinds(failures)})"
        kind, detail = _example(failures)
        text += "" if detail is None else f": {detail[:MOST_CHARS]}"
        limit = f"the limit is {scenario.slo.error_rate:.1%} (`slo.error_rate`)"
        yield check("errors_over_limit", level, text, hint_for(kind, detail) or limit)


def _refused(step: Step, failures: pd.DataFrame, level: Level) -> Check:
    """A step that was refused by others than the server: that is no capacity."""
    whys = [refused_for(error, None if pd.isna(said) else said) for error, said in _pairs(failures)]
    refused = failures[[why is not None for why in whys]]
    kind, detail = _example(refused)
    said = _kinds(refused) if detail is None else f"{_kinds(refused)}: {detail}"
    text = f"{at(step)} {step.void}: not judged, no capacity measured ({said})"
    return check("refused_not_served", level, text, hint_for(kind, detail))


def _pairs(failures: pd.DataFrame) -> Iterator[tuple[str, str]]:
    return zip(failures["error"], failures["error_detail"], strict=True)


def _kinds(failures: pd.DataFrame) -> str:
    return ", ".join(f"{count}x {kind}" for kind, count in failures["error"].value_counts().head(3).items())


def _example(failures: pd.DataFrame) -> tuple[str, str | None]:
    """The most frequent error, and what the first of its requests was told."""
    kind = str(failures["error"].value_counts().index[0])
    details = failures[failures["error"] == kind]["error_detail"].dropna()
    return kind, str(details.iloc[0]) if len(details) else None
