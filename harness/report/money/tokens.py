"""What a million tokens costs on the box: at the SLO, at the peak, and split over input and output by convention."""

from __future__ import annotations

from collections.abc import Callable

from harness.base.rounding import NA, significant
from harness.report.model import Cell, Table, table_of
from harness.report.text import clean
from harness.rundir.decision import Decision, MtokAtStep
from harness.rundir.results import step_number


def per_mtok_table(decision: Decision) -> Table | None:
    """USD per million tokens at the SLO and at the peak, in the conventions people use."""
    rates = decision.self_host.usd_per_mtok
    if rates.at_slo is None and rates.at_peak is None:
        return None
    rows = (
        ("at the SLO", rates.at_slo, "no step met the SLO"),
        ("at the peak, SLO ignored", rates.at_peak, "not measured"),
    )

    def told(show: Callable[[MtokAtStep], str]) -> Callable[[_AtLoad], str]:
        return lambda row: NA if row[1] is None else show(row[1])

    return table_of(
        "USD per million tokens of one instance kept busy at that step",
        rows,
        ("load", None, lambda row: Cell(row[0], note="" if row[1] else row[2])),
        ("step", "", told(lambda at: str(step_number(at.step)))),
        ("input", "tok/s", told(lambda at: significant(at.input_tokens_per_s))),
        ("output", "tok/s", told(lambda at: significant(at.output_tokens_per_s))),
        ("all on output", "USD per Mtok out", told(lambda at: significant(at.output_only, 4))),
        ("spread over all", "USD per Mtok in + out", told(lambda at: significant(at.total, 4))),
        notes=(
            "How an hour is split over input and output tokens is a convention. Both columns carry the whole "
            "hour: never add them up. The verdict uses neither; it compares the cost of the same task.",
        ),
    )


_AtLoad = tuple[str, MtokAtStep | None, str]  # load, its figures, or why there are none


def splits_table(decision: Decision) -> Table | None:
    """One hour's price shared out over input and output tokens, in each convention."""
    splits = decision.self_host.splits
    if splits is None:
        return None
    return table_of(
        f"The same hour split over input and output, at step {step_number(splits.step)}",
        splits.conventions,
        ("convention", None, lambda row: clean(row.label)),
        ("input", "USD per Mtok", lambda row: _or_free(row.input_usd_per_mtok)),
        ("output", "USD per Mtok", lambda row: _or_free(row.output_usd_per_mtok)),
        notes=("In each convention input and output together cost exactly the hour.",),
    )


def _or_free(usd: float) -> str:
    return "0 by convention" if usd == 0 else significant(usd, 4)
