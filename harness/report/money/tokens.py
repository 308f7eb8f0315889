"""What a million tokens costs on the box: at the SLO, at the peak, and split over input and output by convention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.model import Cell, Column, Row, Table
from harness.report.text import NA, clean, number, significant, step_number, whole


def per_mtok_table(decision: Mapping[str, Any]) -> Table | None:
    """USD per million tokens at the SLO and at the peak, in the conventions people use."""
    rates = (decision.get("self_host") or {}).get("usd_per_mtok") or {}
    named = (("at the SLO", "at_slo"), ("at the peak, SLO ignored", "at_peak"))
    if not any(rates.get(key) for _, key in named):
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
        rows=tuple(_mtok_row(name, rates.get(key)) for name, key in named),
        notes=(
            "How an hour is split over input and output tokens is a convention. Both columns carry the whole "
            "hour: never add them up. The verdict uses neither; it compares the cost of the same task.",
        ),
    )


def _mtok_row(name: str, at: Mapping[str, Any] | None) -> Row:
    if not at:
        return Row(
            (Cell(name, note="no step met the SLO" if "SLO" in name else "not measured"), *[Cell(NA)] * 5)
        )
    return Row(
        (
            Cell(name),
            Cell(whole(at.get("step"))),
            Cell(significant(at.get("input_tokens_per_s"))),
            Cell(significant(at.get("output_tokens_per_s"))),
            Cell(significant(at.get("output_only"), 4)),
            Cell(significant(at.get("total"), 4)),
        )
    )


def splits_table(decision: Mapping[str, Any]) -> Table | None:
    """One hour's price shared out over input and output tokens, in each convention."""
    splits = (decision.get("self_host") or {}).get("splits") or {}
    rows = [
        Row(
            (
                Cell(clean(row.get("label") or row.get("convention") or NA)),
                Cell(_or_free(row.get("input_usd_per_mtok"))),
                Cell(_or_free(row.get("output_usd_per_mtok"))),
            )
        )
        for row in splits.get("conventions") or []
    ]
    if not rows:
        return None
    return Table(
        caption=f"The same hour split over input and output, at step {step_number(splits.get('step'))}",
        columns=(
            Column("convention", right=False),
            Column("input", "USD per Mtok"),
            Column("output", "USD per Mtok"),
        ),
        rows=tuple(rows),
        notes=("In each convention input and output together cost exactly the hour.",),
    )


def _or_free(usd: Any) -> str:
    return "0 by convention" if number(usd) == 0 else significant(usd, 4)
