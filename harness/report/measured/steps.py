"""What was measured, step by step: the table under the load charts, and the one line that sums it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.base.stats import SAMPLE_FLOORS
from harness.report.model import Cell, Column, Row, Table
from harness.report.text import (
    MS_PER_S,
    NA,
    duration,
    interval,
    number,
    percent,
    rate,
    significant,
    step_number,
    whole,
)
from harness.scenario import DEFAULT_ERROR_RATE, SLO_PRESETS

_SECONDS_FROM = 10  # a column whose largest value is this many seconds is printed in s, else in ms


def slo_limits(slo: Mapping[str, Any] | None) -> dict[str, float]:
    """Latency limits in seconds by key (`ttft_p95_s`), the preset's under the user's own; default chat."""
    given = slo or {}
    own = {k: v for k, value in given.items() if k.endswith("_s") and (v := number(value)) is not None}
    preset = given.get("preset") or (None if own else "chat")
    return {**SLO_PRESETS.get(str(preset), {}), **own}


def slo_words(slo: Mapping[str, Any] | None) -> str:
    """`TTFT p99 ≤ 2.00 s, TPOT p99 ≤ 200 ms, errors ≤ 1 %`."""
    names = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E"}
    parts = []
    for key, limit in slo_limits(slo).items():
        kind, percentile = key.split("_")[:2]
        parts.append(f"{names.get(kind, kind)} {percentile} ≤ {duration(limit)}")
    errors = number((slo or {}).get("error_rate"))
    parts.append(f"errors ≤ {percent(DEFAULT_ERROR_RATE if errors is None else errors)}")
    return ", ".join(parts)


def load_words(step: Mapping[str, Any]) -> str:
    """`4 users` or `0.5 req/s`."""
    load = step.get("load") or {}
    users = number(load.get("users"))
    if users is not None:
        return f"{users:g} {'user' if users == 1 else 'users'}"  # a slice of a ramp has half users
    return rate(load.get("requests_per_s"))


def window_s(step: Mapping[str, Any]) -> float | None:
    """Length of the step's steady window in seconds."""
    window = step.get("window") or {}
    start, end = number(window.get("start_s")), number(window.get("end_s"))
    return end - start if start is not None and end is not None else None


def percentile_cell(stats: Mapping[str, Any] | None, name: str, show: Callable[[float], str]) -> Cell:
    """A percentile, or why it is not printed: never measured, or too few samples (how many)."""
    if not stats:
        return Cell(NA, tone="muted")
    samples, value = number(stats.get("n")), number(stats.get(name))
    if samples is not None and samples < SAMPLE_FLOORS.get(name, 1):
        return Cell(f"too few ({whole(samples)})", tone="muted")
    return Cell(NA, tone="muted") if value is None else Cell(show(value))


def steps_table(metrics: Mapping[str, Any]) -> Table:
    """One row a load step: load, requests, rates, latencies, whether the SLO held."""
    steps = metrics.get("steps") or []
    columns = [
        Column("step"),
        Column("load", right=False),
        Column("SLO", right=False),
        Column("window", "s"),
        Column("requests"),
        Column("failed"),
        Column("finished", "req/s"),
        Column("within SLO", "req/s"),
        Column("input", "tok/s"),
        Column("output", "tok/s"),
    ]
    latencies = [
        ("ttft_s", "TTFT", ("p50", "p95", "p99")),
        ("tpot_s", "TPOT", ("p50", "p99")),
        ("e2e_s", "E2E", ("p50", "p95")),
    ]
    shows = {}
    for key, title, percentiles in latencies:
        unit, shows[key] = _unit(steps, key)
        columns += [Column(f"{title} {name}", unit) for name in percentiles]
    goodput_step = (metrics.get("goodput") or {}).get("step")
    rows = []
    for step in steps:
        cells = _counts(step)
        for key, _, percentiles in latencies:
            cells += [percentile_cell(step.get(key), name, shows[key]) for name in percentiles]
        rows.append(Row(tuple(cells), strong=step.get("step") == goodput_step))
    return Table(
        caption="Every load step, counted over its steady window",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(
            "A window begins after the warm-up given, or later where the step's own requests show that the server "
            "had not settled by then (told from 100 requests on). Rates: requests finished and tokens arrived "
            "inside the window. Latencies: requests scheduled inside it. A percentile needs samples: p95 130, p99 "
            "662; below that it reads “too few (n)”. With fewer than 10 requests the SLO is unknown. Beneath a "
            "goodput: its 95 % interval.",
            *(("The row in bold gives the goodput.",) if goodput_step is not None else ()),
        ),
    )


def _unit(steps: Sequence[Mapping[str, Any]], key: str) -> tuple[str, Callable[[float], str]]:
    values = [number((step.get(key) or {}).get(p)) for step in steps for p in ("p50", "p95", "p99")]
    if max((v for v in values if v is not None), default=0.0) >= _SECONDS_FROM:
        return "s", significant
    return "ms", lambda seconds: significant(seconds * MS_PER_S)


def _counts(step: Mapping[str, Any]) -> list[Cell]:
    requests, failed = number(step.get("requests")), number(step.get("failed"))
    length = window_s(step)
    return [
        Cell(step_number(step.get("step"))),
        Cell(load_words(step)),
        _slo_cell(step),
        Cell(NA if length is None else significant(length)),
        Cell(whole(requests)),
        Cell(whole(failed), tone="bad" if failed else ""),
        Cell(significant(step.get("requests_per_s"))),
        Cell(significant(step.get("goodput_requests_per_s")), note=_ends(step)),
        Cell(significant(step.get("input_tokens_per_s"))),
        Cell(significant(step.get("output_tokens_per_s"))),
    ]


def _ends(step: Mapping[str, Any]) -> str:
    """A step's goodput interval, where there were enough windows for one."""
    low, high = number(step.get("goodput_low")), number(step.get("goodput_high"))
    return "" if low is None or high is None else f"{significant(low)} to {significant(high)}"


def _slo_cell(step: Mapping[str, Any]) -> Cell:
    met = step.get("slo_met")
    if met is None:
        return Cell("unknown", tone="muted")
    return Cell("met", tone="good") if met else Cell("broken", tone="bad")


def goodput_words(metrics: Mapping[str, Any]) -> str:
    """`goodput 0.600 req/s (0.550 to 0.650, 95 %) at 4 users`, or why there is none."""
    goodput = metrics.get("goodput")
    if not goodput:
        return (
            "goodput: none, no load step met the SLO"
            if metrics.get("steps")
            else "goodput: none, nothing was measured"
        )
    low, high = number(goodput.get("low")), number(goodput.get("high"))
    confidence = number(goodput.get("confidence"))
    between = interval(low, high)
    if low is not None and confidence is not None:
        between += f", {percent(confidence)}"
    at = next((load_words(s) for s in metrics.get("steps") or [] if s.get("step") == goodput.get("step")), "")
    return f"goodput {rate(goodput.get('requests_per_s'))} ({between}){at and ' at ' + at}"


def measured_line(metrics: Mapping[str, Any]) -> str:
    """The run in one line: goodput, output rate and first token at the step that counts, sample counts."""
    steps = metrics.get("steps") or []
    goodput_step = (metrics.get("goodput") or {}).get("step")
    step = next((s for s in steps if s.get("step") == goodput_step), steps[-1] if steps else None)
    parts = [goodput_words(metrics)]
    if step is not None:
        ttft = step.get("ttft_s") or {}
        parts.append(f"output {significant(step.get('output_tokens_per_s'))} tok/s")
        firsts = [f"{name} {percentile_cell(ttft, name, duration).text}" for name in ("p50", "p95")]
        parts.append(f"TTFT {', '.join(firsts)}")
        length = window_s(step)
        window = f", {significant(length)} s window" if length is not None else ""
        failed = whole(step.get("failed"))
        parts.append(f"{whole(step.get('requests'))} requests, {failed} failed{window}")
    return " · ".join(parts)


def console_steps_table(metrics: Mapping[str, Any]) -> Table:
    """The console's table when there is no decision to show."""
    rows = tuple(
        Row(
            (
                Cell(load_words(step)),
                Cell(whole(step.get("requests"))),
                Cell(whole(step.get("failed"))),
                Cell(significant(step.get("requests_per_s"))),
                Cell(significant(step.get("output_tokens_per_s"))),
                percentile_cell(step.get("ttft_s"), "p50", duration),
                percentile_cell(step.get("ttft_s"), "p95", duration),
                _slo_cell(step),
            )
        )
        for step in metrics.get("steps") or []
    )
    return Table(
        caption="load steps",
        columns=(
            Column("load", right=False),
            Column("requests"),
            Column("failed"),
            Column("req/s"),
            Column("output tok/s"),
            Column("TTFT p50"),
            Column("TTFT p95"),
            Column("SLO", right=False),
        ),
        rows=rows,
    )
