"""Runs as rows of one table: what each measured, what it answered, and whether that is to be trusted."""

from collections.abc import Iterable

from harness.base.rounding import NA, significant
from harness.report.model import Cell, RunFiles, Table, table_of
from harness.report.money.money import wins_from
from harness.report.text import clean, count, interval
from harness.report.verdict import gather_checks, notices
from harness.rundir.decision import Decision
from harness.rundir.results import Goodput


def runs_table(runs: Iterable[RunFiles]) -> Table:
    """One row a run."""
    return table_of(
        "Runs, newest first. Goodput in req/s. Pays: against how many of its APIs self-hosting can, and from where.",
        list(enumerate(runs, 1)),
        ("#", "", lambda row: str(row[0])),
        ("started", None, lambda row: started_words(row[1])),
        ("scenario", None, lambda row: clean(row[1].scenario.name)),
        ("engine", None, lambda row: clean(row[1].run.engine.get("name") or row[1].run.backend)),
        ("instance", None, lambda row: row[1].instance or NA),
        ("goodput", None, lambda row: goodput_words(row[1].metrics.goodput)),
        ("pays", None, lambda row: pays_words(row[1].decision)),
        ("trust", None, lambda row: trust_cell(row[1])),
    )


def started_words(files: RunFiles) -> str:
    """`2026-11-28 07:29`, UTC."""
    return clean(files.run.started_at).replace("T", " ")[:16]


def goodput_words(goodput: Goodput | None) -> str:
    """`0.895 (0.708 to 1.13)`, `at least 12.0`, or `none`."""
    if goodput is None or goodput.requests_per_s is None:
        return "none"
    rate = significant(goodput.requests_per_s)
    if goodput.at_least:
        return f"at least {rate}"
    return f"{rate} ({interval(goodput.low, goodput.high)})" if goodput.low is not None else rate


def pays_words(decision: Decision | None) -> str:
    """`2 of 3 from 62.6k`: against how many APIs self-hosting can pay, and where that begins."""
    if decision is None:
        return "not priced"
    decided = [arm for arm in decision.arms if arm.decided]
    if not decided:
        return "not decided"
    able = [arm for arm in decided if arm.decision.winning_windows]
    if not able:
        return f"never, {count(len(decided), 'API')}"
    first = min(able, key=lambda arm: arm.decision.winning_windows[0][0])
    return f"{len(able)} of {len(decision.arms)} from {wins_from(first.decision)}"


def trust_cell(files: RunFiles) -> Cell:
    """What was found: the first error by its name, or how many warnings."""
    checks = gather_checks(files.metrics, files.decision)
    stops = notices(checks, is_partial=files.run.partial)
    if stops:
        more = f" and {len(stops) - 1} more" if len(stops) > 1 else ""
        return Cell(f"no: {stops[0].code}{more}", tone="bad")
    warnings = len(checks.items)
    return Cell(count(warnings, "warning"), tone="warn") if warnings else Cell("yes", tone="good")
