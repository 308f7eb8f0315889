"""What streaming, or a prefix cache that is hit, gains and costs: the same figures of each run, against the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.base.rounding import NA, significant
from harness.report.compare.parity import CACHE_SHARE_TOLERANCE, cached_share
from harness.report.model import Cell, RunFiles, Section, section, table_of
from harness.report.text import duration, per_task, percent
from harness.rundir.of_step import Summary
from harness.rundir.results import Step

WITHOUT_A_STREAM = "n/a: not streamed"
_NOTES = (
    "Each at the load that gives its goodput; beneath: against the first run. Whole answers show no first token: "
    "what is judged of them is E2E.",
    "Prefix cache: the share of input tokens that answers say came from it (`cached_tokens`); beneath: hits of tokens "
    "looked up, by the server's /metrics.",
)


class GainRow(NamedTuple):
    """A run, its goodput (requests/s) and its USD per 1000 requests."""

    label: str
    run: RunFiles
    goodput: float | None
    usd: float | None

    @property
    def is_streamed(self) -> bool:
        """Whether its answers were."""
        return self.run.scenario.request.stream

    @property
    def hit_rate(self) -> float | None:
        """Of its input tokens, those from a prefix cache: as answers say, else as /metrics does."""
        said = cached_share(self.run.metrics)
        return _looked_up(self.run.metrics.decisive) if said is None else said


def gain_sections(rows: Sequence[GainRow]) -> Iterator[Section]:
    """Nothing where all runs were streamed alike and hit a cache alike."""
    rates = [row.hit_rate for row in rows]
    known = [rate for rate in rates if rate is not None]
    has_hits = len(known) > 1 and max(known) - min(known) > CACHE_SHARE_TOLERANCE
    if not has_hits and len({row.is_streamed for row in rows}) == 1:
        return
    first = rows[0]
    table = table_of(
        "Rate, times and cost side by side",
        rows,
        ("run", None, lambda row: Cell(row.label, note="streamed" if row.is_streamed else "whole answers")),
        *((("prefix cache", "of the input", _hits),) if has_hits else ()),
        ("goodput", "req/s", lambda row: _against(significant(row.goodput), row.goodput, first.goodput, row is first)),
        ("TTFT p50", "", lambda row: _latency(row, first, "ttft", "p50")),
        ("TTFT p95", "", lambda row: _latency(row, first, "ttft", "p95")),
        ("E2E p50", "", lambda row: _latency(row, first, "e2e", "p50")),
        ("E2E p95", "", lambda row: _latency(row, first, "e2e", "p95")),
        ("cost", "USD per 1000 requests", lambda row: _against(per_task(row.usd), row.usd, first.usd, row is first)),
        notes=_NOTES if has_hits else _NOTES[:1],
    )
    yield section("gains", "What streaming and the prefix cache gain", table)


def _looked_up(step: Step | None) -> float | None:
    return None if step is None or step.server is None else step.server.prefix_cache_hit_rate


def _hits(row: GainRow) -> Cell:
    server = _looked_up(row.run.metrics.decisive)
    said = cached_share(row.run.metrics)
    note = "" if server is None else f"/metrics: {percent(server)}"
    return Cell("answers do not say" if said is None else percent(said), note=note)


def _against(text: str, value: float | None, first: float | None, is_first: bool) -> Cell:
    if is_first or not value or not first:
        return Cell(text)
    return Cell(text, note=f"{significant(value / first)}×")


def _latency(row: GainRow, first: GainRow, kind: str, name: str) -> Cell:
    if kind == "ttft" and not row.is_streamed:
        return Cell(WITHOUT_A_STREAM, tone="muted")
    value, before = _percentile(row, kind, name), _percentile(first, kind, name)
    return Cell(NA, tone="muted") if value is None else _against(duration(value), value, before, row is first)


def _percentile(row: GainRow, kind: str, name: str) -> float | None:
    step = row.run.metrics.decisive
    if step is None:
        return None
    stats: Summary = step.ttft_s if kind == "ttft" else step.e2e_s
    return stats.percentile(name)
