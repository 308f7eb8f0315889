"""Runs as JUnit XML, which every CI shows: a case a step, a case for the goodput, a case a finding."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.report.measured.steps import goodput_words
from harness.report.model import Check, RunFiles
from harness.report.text import clean, count
from harness.report.verdict import gather_checks, notices
from harness.rundir.results import Step


@dataclass(frozen=True, slots=True)
class Case:
    """One test case: what failed it, why it could not be judged, what else there is to say; all empty: it passed."""

    name: str
    failure: str = ""
    kind: str = ""  # of the failure: a check's code
    skipped: str = ""
    said: str = ""
    time_s: float = 0.0


def render_junit(runs: Iterable[RunFiles], more: Iterable[tuple[str, Case]] = ()) -> str:
    """The XML document of these runs, each a suite, and of `more` cases in suites by their names."""
    root = Element("testsuites", name="breakeven")
    for run in runs:
        _suite(root, run.run_dir.name, run.run.started_at, list(cases_of(run)))
    by_suite: dict[str, list[Case]] = {}
    for name, case in more:
        by_suite.setdefault(name, []).append(case)
    for name, cases in by_suite.items():
        _suite(root, name, None, cases)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def cases_of(run: RunFiles) -> Iterator[Case]:
    """A case a step (failed by a check of level error, not by a limit that a ladder is there to find), one for the
    goodput, one a finding of the run."""
    for step in run.metrics.steps:
        yield _of_step(step)
    has_goodput = run.metrics.goodput is not None and not run.metrics.goodput.at_most
    words = goodput_words(run.metrics)
    yield Case("goodput", said=words) if has_goodput else Case("goodput", failure=words, kind="no_goodput")
    checks = gather_checks(run.metrics, run.decision)
    stops = notices(checks, is_partial=run.run.partial)
    for check in (*stops, *(one for one in checks.items if one.level != "error")):
        yield _of_check(check)


def _of_step(step: Step) -> Case:
    errors = [check for check in step.checks if check.level == "error"]
    said = f"{count(step.requests, 'request')}, {step.failed:,} failed; SLO: {_SLO[step.verdict]}"
    return Case(
        f"step {step.number}: {step.load.words}",
        failure="; ".join(clean(check.message) for check in errors),
        kind=errors[0].code if errors else "",
        skipped=f"not judged: {clean(step.void)}" if step.void and not errors else "",
        said=said,
        time_s=step.window.length_s,
    )


_SLO = {"yes": "met", "no": "broken", "not_sure": "not surely met or broken", "not_judged": "not judged"}


def _of_check(check: Check) -> Case:
    where = f" ({check.where})" if check.where else ""
    said = check.message + (f"; hint: {check.hint}" if check.hint else "")
    if check.level == "warning":
        return Case(f"check {check.code}{where}", said=f"warning: {said}")
    return Case(f"check {check.code}{where}", failure=said, kind=check.code)


def _suite(root: Element, name: str, started_at: str | None, cases: list[Case]) -> None:
    failed, skipped = sum(bool(case.failure) for case in cases), sum(bool(case.skipped) for case in cases)
    suite = SubElement(
        root,
        "testsuite",
        name=clean(name),
        tests=str(len(cases)),
        failures=str(failed),
        errors="0",
        skipped=str(skipped),
        time=f"{sum(case.time_s for case in cases):.3f}",
    )
    if started_at is not None:
        suite.set("timestamp", clean(started_at)[:19])
    for case in cases:
        element = SubElement(suite, "testcase", classname=clean(name), name=clean(case.name), time=f"{case.time_s:.3f}")
        if case.failure:
            failure = SubElement(element, "failure", type=clean(case.kind), message=clean(case.failure))
            failure.text = clean(case.failure)
        elif case.skipped:
            SubElement(element, "skipped", message=clean(case.skipped))
        if case.said:
            SubElement(element, "system-out").text = clean(case.said)
