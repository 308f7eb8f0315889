"""A comparison as a report: what was unequal first, then the runs as rows, then equal loads side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.base.rounding import NA, amount, significant, whole
from harness.report.compare.gains import WITHOUT_A_STREAM, GainRow, gain_sections
from harness.report.compare.loads import load_blocks
from harness.report.compare.money import money_table
from harness.report.compare.parity import Difference
from harness.report.compare.quality import quality_sections
from harness.report.compare.runs import Comparison, compare_runs
from harness.report.compare.standing import REQUESTS, Standing
from harness.report.measured.steps import percentile_cell
from harness.report.model import Block, Cell, Check, Field, Report, RunFiles, Section, Table, Text, table_of
from harness.report.text import clean, count, duration, interval, per_task
from harness.report.verdict import gather_checks
from harness.rundir.results import Step


def comparison_report(comparison: Comparison) -> Report:
    """What the printers print."""
    names, money = ", ".join(comparison.labels), comparison_money(comparison)
    return Report(
        title=f"comparison · {names}",
        headline=_headline(comparison),
        facts=tuple((label, clean(run.run_dir)) for label, run in zip(comparison.labels, comparison.runs, strict=True)),
        notices=tuple(_notices(comparison)),
        verdicts=(),
        sections=(
            Section("unequal", "What was not the same", _unequal(comparison)),
            Section("runs", "The runs", (runs_table(comparison),)),
            *(() if money is None else (Section("money", "The money of each", (money,)),)),
            *quality_sections(comparison.runs, comparison.labels, _usd_of_a_request(comparison), comparison.qualities),
            *gain_sections(_gain_rows(comparison)),
            Section("load", "The same load, side by side", load_blocks(comparison)),
            Section("checks", "Checks", _checks(comparison)),
        ),
        measured=f"{count(len(comparison.runs), 'run')}; the first is what the others are compared with",
        console_first=console_differences(comparison),
        console_table=_console_table(comparison),
    )


def comparison_money(comparison: Comparison) -> Table | None:
    """What the box of each run costs and from where it pays; None where none was priced."""
    return money_table(_beside(comparison), comparison.differences)


def beside_blocks(runs: Sequence[RunFiles]) -> tuple[Block | None, ...]:
    """Of a run that others were measured beside: what each served and costs; nothing where it stood alone."""
    if len(runs) < 2:
        return ()
    comparison = compare_runs(runs)
    return (Text(f"{_headline(comparison)}."), runs_table(comparison), comparison_money(comparison))


def _gain_rows(comparison: Comparison) -> list[GainRow]:
    return [GainRow(s.label, run, s.goodput, s.usd_at(s.goodput)) for s, run in _beside(comparison)]


def _usd_of_a_request(comparison: Comparison) -> Callable[[int], float | None]:
    def usd(i: int) -> float | None:
        standing = comparison.standings[i]
        cost = standing.usd_at(standing.goodput)
        return None if cost is None else cost / REQUESTS

    return usd


def _headline(comparison: Comparison) -> str:
    equal = "; ".join(dict.fromkeys(outcome.words for outcome in comparison.outcomes))
    text = f"{comparison.deployed}. At equal work: {equal}" if comparison.deployed else equal
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
    about = {
        "work": Cell("the work", tone="bad"),
        "subject": Cell("what is compared", tone="muted"),
        "nature": Cell("how the engine is built or set", tone="muted"),
    }
    note = (
        "A difference in the work (model, quantisation, lengths, caches, sampling, load, limits) forbids a winner. "
        "How an engine is built or set (slots, context, spread over GPUs, prefill budget, caps of its own) does not."
    )
    table = table_of(
        "What is not the same in all runs",
        comparison.differences,
        ("what", None, lambda difference: difference.what),
        ("concerns", None, lambda difference: about[difference.about]),
        *_values(comparison, code=True),
        notes=(note,),
    )
    return (table,)


def _values(comparison: Comparison, *, code: bool) -> list[Field[Difference]]:
    """A column a run of what differs."""

    def value(i: int) -> Callable[[Difference], Cell]:
        return lambda difference: Cell(difference.values[i], code=code)

    return [(label, None, value(i)) for i, label in enumerate(comparison.labels)]


def runs_table(comparison: Comparison) -> Table:
    """Runs as rows: goodput with its interval, against the first, cost, rates and latencies where it is reached."""
    first = comparison.standings[0]
    return table_of(
        "Each run at the load that gives its goodput (where none met the SLO: at its highest output)",
        _beside(comparison),
        ("run", None, lambda row: Cell(row[0].label, note=_place(row[1]))),
        ("goodput", "req/s", lambda row: Cell(significant(row[0].goodput), note=_interval(row[0]))),
        ("against the first", None, lambda row: _against(first, row[0])),
        ("cost", f"USD per {REQUESTS} requests", lambda row: _cost(row[0])),
        ("load", None, _at(lambda step: step.load.words)),
        ("requests", "", _at(lambda step: whole(step.requests))),
        ("failed", "", _at(lambda step: whole(step.failed))),
        ("output", "tok/s", _at(lambda step: significant(step.output_tokens_per_s))),
        ("TTFT p50", "", lambda row: _ttft(row, "p50")),
        ("TTFT p95", "", lambda row: _ttft(row, "p95")),
        ("TPOT p50", "", _at(lambda step: percentile_cell(step.tpot_s, "p50", duration))),
        ("failed checks", None, lambda row: _failed(row[0].errors)),
    )


_Beside = tuple[Standing, RunFiles]


def _beside(comparison: Comparison) -> list[_Beside]:
    return list(zip(comparison.standings, comparison.runs, strict=True))


def _at(show: Callable[[Step], Cell | str], why_not: str = "nothing measured") -> Callable[[_Beside], Cell | str]:
    """Of the step that counts."""

    def at(row: _Beside) -> Cell | str:
        step = row[1].metrics.decisive
        return Cell(why_not, tone="muted") if step is None else show(step)

    return at


def _ttft(row: _Beside, name: str, why_not: str = "nothing measured") -> Cell | str:
    if not row[1].scenario.request.stream:
        return Cell(WITHOUT_A_STREAM, tone="muted")
    return _at(lambda step: percentile_cell(step.ttft_s, name, duration), why_not)(row)


def _all_streamed(comparison: Comparison) -> bool:
    return all(run.scenario.request.stream for run in comparison.runs)


def _e2e(row: _Beside) -> Cell | str:
    return _at(lambda step: percentile_cell(step.e2e_s, "p50", duration), NA)(row)


def _failed(errors: Sequence[str]) -> Cell:
    return Cell(", ".join(errors) or "none", tone="bad" if errors else "")


def _place(run: RunFiles) -> str:
    return run.instance or "instance unknown"


def _interval(standing: Standing) -> str:
    if standing.goodput is None:
        return standing.why_none
    if standing.high is None and standing.low is not None:
        return f"at least {significant(standing.low)}"
    return interval(standing.low, standing.high, "no interval")


def _cost(standing: Standing) -> Cell:
    low, high = standing.usd_at(standing.high), standing.usd_at(standing.low)
    note = "no price" if standing.usd_per_hour is None else "no interval"
    if low is not None and high is not None:
        note = f"{per_task(low)} to {per_task(high)}"
    return Cell(per_task(standing.usd_at(standing.goodput)), note=note)


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


def _checks(comparison: Comparison) -> tuple[Block, ...]:
    found = [
        (label, check)
        for label, run in zip(comparison.labels, comparison.runs, strict=True)
        for check in gather_checks(run.metrics, None).items
    ]
    if not found:
        return (Text("No check found anything.", "good"),)
    table = table_of(
        "What the checks of each run found",
        found,
        ("run", None, lambda row: row[0]),
        ("level", None, lambda row: Cell(row[1].level, tone="bad" if row[1].level == "error" else "warn")),
        ("what", None, lambda row: Cell(row[1].message, note=row[1].where)),
        ("code", None, lambda row: Cell(row[1].code, code=True)),
    )
    return (table,)


def _console_table(comparison: Comparison) -> Table:
    return table_of(
        f"goodput in req/s with its 95 % interval; cost in USD per {REQUESTS} requests",
        _beside(comparison),
        ("run", None, lambda row: row[0].label),
        ("goodput", "", lambda row: significant(row[0].goodput)),
        ("interval", "", lambda row: _interval(row[0])),
        ("cost", "", lambda row: amount(row[0].usd_at(row[0].goodput))),
        ("tok/s", "", _at(lambda step: significant(step.output_tokens_per_s), NA)),
        ("TTFT p50", "", lambda row: _ttft(row, "p50", NA)),
        *(() if _all_streamed(comparison) else (("E2E p50", "", _e2e),)),
        ("load", None, _at(lambda step: step.load.words)),
    )


def console_differences(comparison: Comparison) -> Table | None:
    """What differs, for the console; None when nothing does."""
    if not comparison.differences:
        return None
    return table_of(
        "what is not the same (!: unequal work, so no winner)",
        comparison.differences,
        ("not the same", None, lambda one: ("! " if one.about == "work" else "") + one.what),
        *_values(comparison, code=False),
    )
