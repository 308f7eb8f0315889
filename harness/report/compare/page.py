"""A comparison as a report: what was unequal first, then the runs as rows, then equal loads side by side."""

from __future__ import annotations

from harness.base.rounding import NA, amount, significant, whole
from harness.report.compare.load import load_blocks
from harness.report.compare.parity import RunFiles
from harness.report.compare.runs import REQUESTS, Comparison, Standing
from harness.report.measured.steps import percentile_cell
from harness.report.model import Block, Cell, Check, Column, Report, Row, Section, Table, Text
from harness.report.text import clean, count, duration, per_task
from harness.report.verdict import gather_checks
from harness.rundir.results import Step


def comparison_report(comparison: Comparison) -> Report:
    """What the printers print."""
    names = ", ".join(comparison.labels)
    return Report(
        title=f"comparison · {names}",
        headline=_headline(comparison),
        facts=tuple((label, clean(run.run_dir)) for label, run in zip(comparison.labels, comparison.runs, strict=True)),
        notices=tuple(_notices(comparison)),
        verdicts=(),
        sections=(
            Section("unequal", "What was not the same", _unequal(comparison)),
            Section("runs", "The runs", (runs_table(comparison),)),
            Section("load", "The same load, side by side", load_blocks(comparison)),
            Section("checks", "Checks", _checks(comparison)),
        ),
        measured=f"{count(len(comparison.runs), 'run')}; the first is what the others are compared with",
        console_first=console_differences(comparison),
        console_table=_console_table(comparison),
    )


def _headline(comparison: Comparison) -> str:
    text = "; ".join(dict.fromkeys(outcome.words for outcome in comparison.outcomes))
    # a run's own name keeps its first letter
    return text if text.startswith(comparison.labels) else text[:1].upper() + text[1:]


def _notices(comparison: Comparison) -> list[Check]:
    """Regressions and runs that cannot be trusted, said before anything else."""
    found = []
    for regression in comparison.regressions:
        if regression.change in ("worse", "cannot tell"):
            level = "error" if regression.change == "worse" else "warning"
            words = f"{regression.label} is worse: {regression.words}"
            if regression.change == "cannot tell":
                words = f"{regression.label} cannot be judged: {regression.words}"
            found.append(Check(level, "regression", words, ""))
    for standing in comparison.standings:
        if standing.errors:
            found.append(Check("error", "untrusted", f"{standing.label}: {', '.join(standing.errors)}", ""))
    return found


def _unequal(comparison: Comparison) -> tuple[Block, ...]:
    if not comparison.differences:
        return (Text("Nothing that is known: model, work, engine and machine say the same.", "good"),)
    about = {"work": "the work", "subject": "what is compared"}
    rows = [
        Row(
            (
                Cell(difference.what),
                Cell(about[difference.about], tone="bad" if difference.about == "work" else "muted"),
                *(Cell(value, code=True) for value in difference.values),
            )
        )
        for difference in comparison.differences
    ]
    columns = [Column("what", right=False), Column("concerns", right=False)]
    columns += [Column(label, right=False) for label in comparison.labels]
    note = (
        "A difference in the work (model, quantisation, context, slots, lengths, cache, sampling, load) "
        "forbids a winner."
    )
    return (Table("What is not the same in all runs", tuple(columns), tuple(rows), (note,)),)


def runs_table(comparison: Comparison) -> Table:
    """Runs as rows: goodput with its interval, against the first, cost, rates and latencies where it is reached."""
    first = comparison.standings[0]
    rows = [
        Row(
            (
                Cell(standing.label, note=_place(run)),
                Cell(significant(standing.goodput), note=_interval(standing)),
                _against(first, standing),
                Cell(per_task(standing.usd_at(standing.goodput)), note=_cost_interval(standing)),
                *_rates(run.metrics.decisive),
                Cell(", ".join(standing.errors) or "none", tone="bad" if standing.errors else ""),
            )
        )
        for run, standing in zip(comparison.runs, comparison.standings, strict=True)
    ]
    return Table(
        caption="Each run at the load that gives its goodput (where none met the SLO: at its highest output)",
        columns=(
            Column("run", right=False),
            Column("goodput", "req/s"),
            Column("against the first", right=False),
            Column("cost", f"USD per {REQUESTS} requests"),
            Column("load", right=False),
            Column("requests"),
            Column("failed"),
            Column("output", "tok/s"),
            Column("TTFT p50"),
            Column("TTFT p95"),
            Column("TPOT p50"),
            Column("failed checks", right=False),
        ),
        rows=tuple(rows),
    )


def _place(run: RunFiles) -> str:
    instance = (run.run.get("instance") or {}).get("id")
    return clean(instance) if instance else "instance unknown"


def _interval(standing: Standing) -> str:
    if standing.goodput is None:
        return "no load step met the SLO"
    if standing.low is None or standing.high is None:
        return "no interval"
    return f"{significant(standing.low)} to {significant(standing.high)}"


def _cost_interval(standing: Standing) -> str:
    low, high = standing.usd_at(standing.high), standing.usd_at(standing.low)
    if low is None or high is None:
        return "no price" if standing.usd_per_hour is None else "no interval"
    return f"{per_task(low)} to {per_task(high)}"


def _against(first: Standing, standing: Standing) -> Cell:
    if standing is first:
        return Cell("the first", tone="muted")
    if not first.goodput or standing.goodput is None:
        return Cell("no goodput to compare", tone="muted")
    ratio = f"{significant(standing.goodput / first.goodput)}×"
    ends = (first.low, first.high, standing.low, standing.high)
    if None in ends:
        return Cell(ratio, note="no interval")
    apart = (standing.low or 0) > (first.high or 0) or (standing.high or 0) < (first.low or 0)
    return Cell(ratio, note="intervals apart" if apart else "intervals overlap: no difference shown")


def _rates(step: Step | None) -> tuple[Cell, ...]:
    if step is None:
        return tuple(Cell("nothing measured", tone="muted") for _ in range(7))
    return (
        Cell(step.load.words),
        Cell(whole(step.requests)),
        Cell(whole(step.failed)),
        Cell(significant(step.output_tokens_per_s)),
        percentile_cell(step.ttft_s, "p50", duration),
        percentile_cell(step.ttft_s, "p95", duration),
        percentile_cell(step.tpot_s, "p50", duration),
    )


def _checks(comparison: Comparison) -> tuple[Block, ...]:
    rows = [
        Row(
            (
                Cell(label),
                Cell(check.level, tone="bad" if check.level == "error" else "warn"),
                Cell(check.message, note=check.where),
                Cell(check.code, code=True),
            )
        )
        for label, run in zip(comparison.labels, comparison.runs, strict=True)
        for check in gather_checks(run.metrics, None).items
    ]
    if not rows:
        return (Text("No check found anything.", "good"),)
    columns = tuple(Column(title, right=False) for title in ("run", "level", "what", "code"))
    return (Table("What the checks of each run found", columns, tuple(rows)),)


def _console_table(comparison: Comparison) -> Table:
    rows = []
    for run, standing in zip(comparison.runs, comparison.standings, strict=True):
        step = run.metrics.decisive
        rows.append(
            Row(
                (
                    Cell(standing.label),
                    Cell(significant(standing.goodput)),
                    Cell(_interval(standing)),
                    Cell(amount(standing.usd_at(standing.goodput))),
                    *_console_rates(step),
                )
            )
        )
    return Table(
        caption=f"goodput in req/s with its 95 % interval; cost in USD per {REQUESTS} requests",
        columns=(
            Column("run", right=False),
            Column("goodput"),
            Column("interval"),
            Column("cost"),
            Column("tok/s"),
            Column("TTFT p50"),
            Column("load", right=False),
        ),
        rows=tuple(rows),
    )


def _console_rates(step: Step | None) -> tuple[Cell, ...]:
    if step is None:
        return Cell(NA), Cell(NA), Cell("nothing measured")
    first = percentile_cell(step.ttft_s, "p50", duration)
    return Cell(significant(step.output_tokens_per_s)), first, Cell(step.load.words)


def console_differences(comparison: Comparison) -> Table | None:
    """What differs, for the console; None when nothing does."""
    if not comparison.differences:
        return None
    rows = tuple(
        Row((Cell(("! " if d.about == "work" else "") + d.what), *(Cell(v) for v in d.values)))
        for d in comparison.differences
    )
    columns = (Column("not the same", right=False), *(Column(label, right=False) for label in comparison.labels))
    return Table("what is not the same (!: unequal work, so no winner)", columns, rows)
