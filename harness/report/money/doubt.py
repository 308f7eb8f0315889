"""What would change the answer: one input at a time, all of them at once, and the value that flips it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.charts.tornado import tornado_charts
from harness.report.model import Block, Cell, Column, Row, Table, Text
from harness.report.text import (
    NA,
    amount,
    clean,
    count,
    input_words,
    number,
    percent,
    significant,
    volume,
    whole,
)

_NO_FLIP = "no value"


def doubt_blocks(decision: Mapping[str, Any]) -> tuple[Block, ...]:
    """Sensitivity and simulation; empty when decision.json carries neither."""
    arms = decision.get("arms") or []
    blocks: list[Block] = []
    charts = tornado_charts(decision)
    if charts:
        blocks += [Text(_most_moving(arms)), *charts]
    for table in (flip_table(arms), simulation_table(arms)):
        if table is not None:
            blocks.append(table)
    return tuple(blocks)


def _most_moving(arms: Sequence[Mapping[str, Any]]) -> str:
    """Which inputs flip the answer within their range, in words."""
    flips = []
    for arm in arms:
        rows = (arm.get("sensitivity") or {}).get("tornado") or []
        names = [input_words(r.get("input")) for r in rows if r.get("flips_winner") or r.get("flips_verdict")]
        if names:
            flips.append(f"{clean(arm.get('name'))}: {', '.join(names)}")
    ranges = "Each input alone, moved over its range (±20 % where the demand gives none)"
    if not flips:
        return f"{ranges}: none of them changes a verdict or the winner at your volume."
    return f"{ranges}. These change a verdict or the winner at your volume: {'; '.join(flips)}."


def flip_table(arms: Sequence[Mapping[str, Any]]) -> Table | None:
    """The value of each input at which the winner at the reader's volume changes; beneath, the verdict."""
    points = [
        {str(point.get("input")): point for point in (arm.get("sensitivity") or {}).get("flip_points") or []}
        for arm in arms
    ]
    names = list(dict.fromkeys(name for point in points for name in point))
    if not names:
        return None
    rows = []
    for name in names:
        known: Mapping[str, Any] = next(point[name] for point in points if name in point)
        cells = [_flip_cell(point.get(name)) for point in points]
        rows.append(Row((Cell(input_words(name)), Cell(_value(known), note=unit_words(known)), *cells)))
    columns = [Column("input", right=False), Column("now")]
    columns += [Column(clean(arm.get("name") or "unnamed"), right=False) for arm in arms]
    return Table(
        caption="The value at which the answer changes, everything else as it is",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(
            "First line: where the winner at your volume changes. Beneath it: where the verdict over all volumes "
            "(never, window, yes) changes, if anywhere.",
        ),
    )


def unit_words(point: Mapping[str, Any]) -> str:
    """`USD/h`, `requests/s`, or nothing."""
    unit = clean(point.get("unit") or "")
    return "" if unit == "share" else unit  # a share is printed as a percentage


def _value(point: Mapping[str, Any]) -> str:
    value = number(point.get("value"))
    return _shown(point, value)


def _shown(point: Mapping[str, Any], value: float | None) -> str:
    if value is None:
        return NA
    if point.get("unit") == "tasks":
        return volume(value)
    if point.get("unit") == "share":
        return percent(value)
    return amount(value) if point.get("unit") == "USD" else significant(value)


def _flip_cell(point: Mapping[str, Any] | None) -> Cell:
    if point is None:
        return Cell(NA, tone="muted")
    winner = _sides(point, point.get("winner_flips"))
    verdict = _sides(point, point.get("verdict_flips"))
    return Cell(
        winner or _NO_FLIP,
        note=f"verdict: {verdict}" if verdict else "",
        tone="" if winner else "muted",
    )


def _sides(point: Mapping[str, Any], ends: Mapping[str, Any] | None) -> str:
    said = [
        f"{side} {_shown(point, value)}"
        for side in ("below", "above")
        if (value := number((ends or {}).get(side))) is not None
    ]
    return " or ".join(said)


def simulation_table(arms: Sequence[Mapping[str, Any]]) -> Table | None:
    """How sure the answer is: shares of the verdicts and quantiles of the saving over all draws."""
    known = [(arm, arm["monte_carlo"]) for arm in arms if arm.get("monte_carlo")]
    if not known:
        return None
    draws = max(int(number(drawn.get("draws")) or 0) for _, drawn in known)
    varied = {str(v.get("input")): v for _, drawn in known for v in drawn.get("varied") or []}
    what = "; ".join(
        f"{input_words(name)} {significant(v.get('low'))} to {significant(v.get('high'))} ({clean(v.get('said_by'))})"
        for name, v in varied.items()
    )
    return Table(
        caption=f"How sure that is: {count(draws, 'draw')} of everything uncertain at once",
        columns=(
            Column("API arm", right=False),
            Column("self-host wins", "at your volume"),
            Column("verdict never", "share"),
            Column("window", "share"),
            Column("yes", "share"),
            Column("saving p05", "USD a month"),
            Column("p50", "USD a month"),
            Column("p95", "USD a month"),
            Column("measure better first", right=False),
        ),
        rows=tuple(_simulation_row(arm, drawn) for arm, drawn in known),
        notes=(f"Drawn: {what}.",) if what else (),
    )


def _simulation_row(arm: Mapping[str, Any], drawn: Mapping[str, Any]) -> Row:
    shares, saving = drawn.get("verdict_shares") or {}, drawn.get("saving_usd_per_month") or {}
    first = next((n for n in drawn.get("narrow_first") or [] if number(n.get("doubt_removed"))), None)
    return Row(
        (
            Cell(clean(arm.get("name") or "unnamed")),
            Cell(percent(drawn.get("probability_self_host_wins"))),
            *(Cell(percent(shares.get(name))) for name in ("never", "window", "yes")),
            *(Cell(amount(saving.get(name))) for name in ("p05", "p50", "p95")),
            Cell(
                input_words(first.get("input")) if first else "nothing: the answer is sure",
                note=f"{percent(first.get('doubt_removed'))} of the doubt" if first else "",
                tone="" if first else "muted",
            ),
        )
    )


def resampling_words(arm: Mapping[str, Any]) -> str:
    """`in 10,000 draws self-hosting wins at your volume in 12 %; the verdict changes in 3 %`, or nothing."""
    drawn = arm.get("monte_carlo") or {}
    draws, wins = number(drawn.get("draws")), number(drawn.get("probability_self_host_wins"))
    if draws is None or wins is None:
        return ""
    said = (
        f"In {whole(draws)} draws of what is uncertain, self-hosting wins at your volume in {percent(wins)}"
    )
    verdict = (arm.get("decision") or {}).get("verdict")
    same = number((drawn.get("verdict_shares") or {}).get(verdict))
    return f"{said}; the verdict is another in {percent(1 - same)}." if same is not None else f"{said}."
