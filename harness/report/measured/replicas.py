"""Several URLs beside each other: what each replica was asked and how it answered."""

from harness.base.rounding import significant, whole
from harness.report.measured.steps import percentile_cell
from harness.report.model import Cell, Table, table_of
from harness.report.text import clean, duration
from harness.rundir.of_step import ReplicaOfStep
from harness.rundir.results import Metrics, Step


def replicas_table(metrics: Metrics) -> Table | None:
    """One row a URL, of the step that gives the goodput, or of the first in which one failed; None of a single URL."""
    step = _step(metrics)
    if step is None or not step.replicas:
        return None
    return table_of(
        f"Each replica, in step {step.number} ({step.load.words})",
        step.replicas,
        ("replica", None, lambda one: Cell(clean(one.url), code=True)),
        ("requests", "", lambda one: whole(one.requests)),
        ("failed", "", _failed),
        ("finished", "req/s", lambda one: significant(one.requests_per_s)),
        ("output", "tok/s", lambda one: significant(one.output_tokens_per_s)),
        ("TTFT p50", "", lambda one: percentile_cell(one.ttft_s, "p50", duration)),
        ("TTFT p95", "", lambda one: percentile_cell(one.ttft_s, "p95", duration)),
        ("TPOT p50", "", lambda one: percentile_cell(one.tpot_s, "p50", duration)),
        ("in flight", "mean", lambda one: significant(one.in_flight)),
    )


def _step(metrics: Metrics) -> Step | None:
    fails = (step for step in metrics.steps if any(one.failing for one in step.replicas))
    return next(fails, metrics.decisive)


def _failed(one: ReplicaOfStep) -> Cell:
    note = "fails by itself" if one.failing else ""
    return Cell(whole(one.failed), note=note, tone="bad" if one.failed or one.failing else "")
