"""What a million tokens costs on the box: at the SLO, at the peak, and split over input and output by convention."""

from __future__ import annotations

from harness.base.rounding import NA, significant
from harness.report.model import Cell, Column, Row, Table
from harness.report.text import clean
from harness.rundir.decision import Decision, MtokAtStep
from harness.rundir.results import step_number


def per_mtok_table(decision: Decision) -> Table | None:
    """USD per million tokens at the SLO and at the peak, in the conventions people use."""
    rates = decision.self_host.usd_per_mtok
    if rates.at_slo is None and rates.at_peak is None:
        return None
    return Table(
        caption="USD per million tokens of one instance kept busy at that step",
        columns=(
            Column("load", right=False),
            Column("step"),
            Column("input", "tok/s"),
            Column("output", "tok/s"),
            Column("all on output", "USD per Mtok out"),
            Column("spread over all", "USD per Mtok in + out"),
        ),
        rows=(
            _mtok_row("at the SLO", rates.at_slo, "no step met the SLO"),
            _mtok_row("at the peak, SLO ignored", rates.at_peak, "not measured"),
        ),
        notes=(
            "How an hour is split over input and output tokens is a convention. Both columns carry the whole "
            "hour: never add them up. The verdict uses neither; it compares the cost of the same task.",
        ),
    )


def _mtok_row(name: str, at: MtokAtStep | None, why_not: str) -> Row:
    if at is None:
        return Row((Cell(name, note=why_not), *[Cell(NA)] * 5))
    return Row(
        (
            Cell(name),
            Cell(str(step_number(at.step))),
            Cell(significant(at.input_tokens_per_s)),
            Cell(significant(at.output_tokens_per_s)),
            Cell(significant(at.output_only, 4)),
            Cell(significant(at.total, 4)),
        )
    )


def splits_table(decision: Decision) -> Table | None:
    """One hour's price shared out over input and output tokens, in each convention."""
    splits = decision.self_host.splits
    if splits is None:
        return None
    return Table(
        caption=f"The same hour split over input and output, at step {step_number(splits.step)}",
        columns=(Column("convention", right=False), Column("input", "USD per Mtok"), Column("output", "USD per Mtok")),
        rows=tuple(
            Row(
                (
                    Cell(clean(row.label)),
                    Cell(_or_free(row.input_usd_per_mtok)),
                    Cell(_or_free(row.output_usd_per_mtok)),
                )
            )
            for row in splits.conventions
        ),
        notes=("In each convention input and output together cost exactly the hour.",),
    )


def _or_free(usd: float) -> str:
    return "0 by convention" if usd == 0 else significant(usd, 4)
