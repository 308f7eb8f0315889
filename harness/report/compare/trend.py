"""Many runs over time: what each served, and which changes are larger than what two such runs differ by anyway."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.base.rounding import significant
from harness.report.charts.cost import ARM_COLOURS
from harness.report.charts.panel import Panel, Point, Series, draw
from harness.report.compare.gate import regression
from harness.report.compare.parity import differences
from harness.report.compare.ratio import Ratio, ratio_of
from harness.report.compare.runs import no_judging
from harness.report.compare.standing import Standing, instances_of, standing_of
from harness.report.model import Cell, Report, RunFiles, Section, Table, Text, table_of
from harness.report.text import clean, count, interval

_NOT_SAID = {"seed", "client machine", "client cores"}  # of what changed between two runs


@dataclass(frozen=True, slots=True)
class Entry:
    """One run in its line, against the one before it there."""

    number: int  # from 1, in order of time
    run: RunFiles
    standing: Standing
    line: str  # `chat · vllm · g5.12xlarge`: runs of one line are compared
    ratio: Ratio | None  # to the run before; None: it is the first, or nothing can be said
    why_not: str  # what forbids to hold them against each other
    changed: tuple[str, ...]  # what was not the same
    is_lost: bool = False  # no goodput any more, where the run before surely had one

    @property
    def is_change(self) -> bool:
        """Whether it serves more or less than the one before by more than their intervals."""
        one = self.ratio
        return self.is_lost or (
            one is not None and ((one.low is not None and one.low > 1) or (one.high is not None and one.high < 1))
        )


def trend(runs: Sequence[RunFiles]) -> tuple[Entry, ...]:
    """The runs in order of time; each held against the last sound one (trusted, with a goodput) of its line."""
    before: dict[str, tuple[RunFiles, Standing]] = {}
    entries = []
    for number, run in enumerate(sorted(runs, key=lambda run: run.run.started_at), 1):
        line = _line(run)
        standing = standing_of(run, line, instances_of(run))
        entries.append(_entry(number, run, standing, before.get(line)))
        if standing.goodput is not None and not standing.errors:  # else what it lost would hide what comes after it
            before[line] = (run, standing)
    return tuple(entries)


def _line(run: RunFiles) -> str:
    engine = clean(run.run.engine.get("name") or run.run.backend)
    return " · ".join(part for part in (clean(run.scenario.name), engine, run.instance) if part)


def _entry(number: int, run: RunFiles, standing: Standing, before: tuple[RunFiles, Standing] | None) -> Entry:
    if before is None:
        return Entry(number, run, standing, standing.label, None, "the first", ())
    why_not = no_judging([before[0], run])
    for errors in (standing.errors, before[1].errors):
        why_not = why_not or (f"not to be trusted: {', '.join(errors)}" if errors else "")
    ratio = None if why_not else ratio_of(standing, before[1])
    changed = [one.what for one in differences([before[0], run]) if one.what not in _NOT_SAID]
    is_lost = not why_not and ratio is None and regression(before[1], standing, "", 0.0).change == "worse"
    why_not = why_not or ("" if ratio is not None else "no goodput")
    return Entry(number, run, standing, standing.label, ratio, why_not, tuple(changed), is_lost)


def trend_report(entries: Sequence[Entry]) -> Report:
    """What the printers print."""
    lines = list(dict.fromkeys(entry.line for entry in entries))
    chart = draw(_panel(entries, lines), legend=tuple((_css(i), line) for i, line in enumerate(lines)))
    nothing = Text("No run has a goodput, so there is nothing to draw.", "muted")
    table = trend_table(entries)
    return Report(
        title=f"trend · {count(len(entries), 'run')} of {count(len(lines), 'line')}",
        headline=_headline(entries),
        facts=(),
        notices=(),
        verdicts=(),
        sections=(Section("trend", "Goodput over time", (chart or nothing, table)),),
        measured="each against the last sound run of its scenario, engine and instance",
        console_table=table,
    )


def _headline(entries: Sequence[Entry]) -> str:
    found = [entry for entry in entries if entry.is_change]
    if not found:
        return f"No change larger than the intervals in {count(len(entries), 'run')}"
    said = [f"run {one.number} ({one.line}) {_served(one)}{_why(one)}" for one in found]
    return f"{count(len(found), 'change')} larger than the intervals: {'; '.join(said)}"


def _served(entry: Entry) -> str:
    if entry.is_lost:
        return "has no goodput any more"
    assert entry.ratio is not None
    return f"served {entry.ratio.words} times what the one before did"


def _why(entry: Entry) -> str:
    return f" (other {', '.join(entry.changed)})" if entry.changed else ""


def trend_table(entries: Sequence[Entry]) -> Table:
    """One row a run."""
    return table_of(
        "Runs in order of time; bold: a change larger than the two intervals",
        entries,
        ("#", "", lambda row: str(row.number)),
        ("started", None, lambda row: clean(row.run.run.started_at).replace("T", " ")[:16]),
        ("line", None, lambda row: row.line),
        ("goodput", "req/s", _goodput),
        ("times the one before", None, _against),
        ("changed", None, lambda row: ", ".join(row.changed)),
        notes=("An interval is of the spread within a run; restarts of an engine may differ by more (`--repeat 3`).",),
        strong=lambda row: row.is_change,
    )


def _goodput(row: Entry) -> Cell:
    one = row.standing
    if one.goodput is None:
        return Cell("none", note=one.why_none, tone="muted")
    return Cell(significant(one.goodput), note=interval(one.low, one.high, "no interval"))


def _against(row: Entry) -> Cell:
    if row.ratio is None:
        return Cell(row.why_not, tone="bad" if row.is_lost else "muted")
    worse = row.ratio.high is not None and row.ratio.high < 1
    return Cell(row.ratio.words, tone="bad" if worse else "good" if row.is_change else "")


def _panel(entries: Sequence[Entry], lines: Sequence[str]) -> Panel:
    series = tuple(
        Series(
            line, _css(i), tuple(_point(entry) for entry in entries if entry.line == line and entry.standing.goodput)
        )
        for i, line in enumerate(lines)
    )
    return Panel("trend", "Goodput", "req/s", "run, in order of time", series)


def _css(i: int) -> str:
    return f"arm-{i % ARM_COLOURS}"


def _point(entry: Entry) -> Point:
    one = entry.standing
    assert one.goodput is not None
    ends = None if one.low is None or one.high is None else (one.low, one.high)
    return Point(entry.number, one.goodput, slo_met=True, sure=not one.errors, ends=ends)
