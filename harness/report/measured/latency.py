"""Latencies of every load step by percentile, and what failed in it, in the words of who said so."""

from collections.abc import Callable, Sequence

from harness.base.rounding import significant, whole
from harness.base.units import MS_PER_S
from harness.report.measured.steps import LOAD, STEP, gives_goodput, percentile_cell
from harness.report.model import Block, Cell, Field, Table, table_of
from harness.report.text import clean, percent
from harness.rundir.of_step import ErrorOfStep, Summary
from harness.rundir.results import Metrics, Step
from harness.scenario import Slo

PERCENTILES = ("p50", "p90", "p95", "p99")
_SECONDS_FROM = 10  # columns whose largest value is this many seconds are printed in s, else in ms
_LONGEST_SAID = 160  # characters of what was said of a failure


def latency_blocks(metrics: Metrics, slo: Slo) -> tuple[Block | None, ...]:
    """The percentiles of every step; where something failed, what."""
    return latencies_table(metrics, slo), failures_table(metrics.steps)


def latencies_table(metrics: Metrics, slo: Slo) -> Table:
    """One row a load step, p50 to p99 of each latency; ITL where arrivals were kept."""
    steps = metrics.steps
    kinds = ["ttft", "tpot", "e2e"] + (["itl"] if any(step.itl_s is not None for step in steps) else [])
    limits = {(limit.latency, limit.percentile): limit.seconds for limit in slo.limits()}
    return table_of(
        "Latencies of every load step: requests scheduled in its window that did not fail",
        steps,
        STEP,
        LOAD,
        ("answers", "", lambda step: whole(step.e2e_s.n)),
        *(field for kind in kinds for field in _percentiles(steps, kind, limits)),
        notes=(
            "TTFT: until the first token. TPOT: each token after it. E2E: the whole answer."
            + (" ITL: between two arrivals of tokens." if "itl" in kinds else "")
            + " A percentile needs samples: p90 64, p95 130, p99 662; below that their number stands beneath it. "
            "Beneath a unit: the limit of the SLO; red: over it.",
        ),
        strong=lambda step: gives_goodput(metrics, step),
    )


def _percentiles(steps: Sequence[Step], kind: str, limits: dict[tuple[str, str], float]) -> list[Field[Step]]:
    unit, show = latency_unit(steps, kind)
    return [_percentile(kind, name, unit, show, limits.get((kind, name))) for name in PERCENTILES]


def _percentile(kind: str, name: str, unit: str, show: Callable[[float], str], limit: float | None) -> Field[Step]:
    def cell(step: Step) -> Cell:
        stats = _latency(step, kind)
        shown, value = percentile_cell(stats, name, show), stats.percentile(name)
        if limit is None or value is None or value <= limit:
            return shown
        return Cell(shown.text, shown.note, "bad")

    return f"{kind.upper()} {name}", unit if limit is None else f"{unit}\n≤\u00a0{show(limit)}", cell


def _latency(step: Step, kind: str) -> Summary:
    return step.itl_s or Summary() if kind == "itl" else step.latency(kind)


def latency_unit(steps: Sequence[Step], kind: str) -> tuple[str, Callable[[float], str]]:
    """The unit of a latency's columns, and how its seconds are shown in it."""
    values = [_latency(step, kind).percentile(name) for step in steps for name in PERCENTILES]
    if max((v for v in values if v is not None), default=0.0) >= _SECONDS_FROM:
        return "s", significant
    return "ms", lambda seconds: significant(seconds * MS_PER_S)


def failures_table(steps: Sequence[Step]) -> Table | None:
    """One row a step and kind of failure; nothing where none failed, or an older version did not look."""
    rows = [(step, error) for step in steps for error in step.errors or ()]
    if not rows:
        return None
    return table_of(
        "What failed in each load step",
        rows,
        ("step", "", lambda row: str(row[0].number)),
        ("load", None, lambda row: row[0].load.words),
        ("kind", None, lambda row: Cell(clean(row[1].kind), code=True)),
        ("failed", "", lambda row: Cell(whole(row[1].requests), tone="bad")),
        ("of its requests", "", lambda row: percent(row[1].requests / row[0].requests)),
        ("in the words of who failed", None, lambda row: _said(row[1])),
        notes=("Words that differ in their numbers alone count as the same; at most the three commonest are shown.",),
    )


def _said(error: ErrorOfStep) -> Cell:
    if not error.said:
        return Cell("nothing was said", tone="muted")
    first, *others = (
        f"{_short(one.words)}{f' ({whole(one.requests)})' if one.requests < error.requests else ''}"
        for one in error.said
    )
    return Cell(first, note="\n".join(others))


def _short(words: str) -> str:
    said = clean(words)
    return said if len(said) <= _LONGEST_SAID else said[: _LONGEST_SAID - 1] + "…"
