"""From a log's raw columns to a `RequestLog`: what a row is, which are no request, what had to be understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.base.errors import UsageError
from harness.base.stats import Floats
from harness.base.workload import MOST_TASKS
from harness.scenario.logs.blocks import block_size, blocks_of
from harness.scenario.logs.layout import Layout, TimeUnit
from harness.scenario.logs.prompt_keys import PromptKeys, prompt_keys
from harness.scenario.logs.raw import Raw
from harness.scenario.logs.recognise import is_there, known_layouts, layout_of
from harness.scenario.logs.request_log import RequestLog
from harness.scenario.logs.sessions import has_own_clocks, roots_of, with_delays
from harness.scenario.logs.source import open_source
from harness.scenario.logs.times import Times
from harness.scenario.logs.tokens import Tokens, with_input_beside, with_whole_input
from harness.scenario.logs.values import Bools, Names, failures_of, names_of, truths_of

LONGEST_SPAN_S = 3660 * 86_400.0  # ten years
MOST_TOKENS = 10**9  # of one request
DAY_S = 86_400.0
Rows = npt.NDArray[np.intp]
NO_CALLS = "that are no calls of a model"


def read_log(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    time_unit: TimeUnit | None = None,
    wants_blocks: bool = False,
    wants_prompts: bool = False,
) -> RequestLog:
    """Read a request log of any known layout.

    Args:
        path: CSV, JSON, JSON lines (each also gzipped) or Parquet.
        columns: what its columns are, where that is not known by itself: `{"input_tokens": "prompt_tokens"}`.
        time_unit: of times that are numbers, where it cannot be told.
        wants_blocks: also which blocks of text requests share.
        wants_prompts: also which requests ask the very same, where it tells.

    Raises:
        UsageError: no such file, no known layout, a value that is no number (with its line), clocks that are mixed, a
            unit that cannot be told, or no request.
    """
    source = open_source(path)
    if not source.columns:
        raise _empty(path)
    layout = layout_of(path, source.columns, columns or {})
    wanted = [name for name in layout.fields.all() if is_there(name, source.columns)]
    if not wants_blocks:
        wanted = [name for name in wanted if name not in layout.fields.blocks]
    raw = source.read(wanted)
    return _log(Raw(source, layout, raw, time_unit, len(next(iter(raw.values()), ()))), wants_prompts=wants_prompts)


def _empty(path: Path, left_out: Mapping[str, int] | None = None) -> UsageError:
    why = ", ".join(f"{count:,} {reason}" for reason, count in (left_out or {}).items())
    return UsageError(
        f"{path} holds no request{f' that was served: rows {why}' if why else ''}", hint=f"layouts: {known_layouts()}"
    )


@dataclass(frozen=True, slots=True)
class _Understood:
    """What the rows say, as they stand in the file."""

    times: Times | None
    until: Times | None
    tokens: Tokens
    served: Floats
    failed: Floats
    from_cache: Bools | None
    model: Names | None
    session: Names | None
    blocks: list[tuple[int, ...]] | None
    prompts: PromptKeys | None


def _log(raw: Raw, *, wants_prompts: bool) -> RequestLog:
    if raw.rows == 0:
        raise _empty(raw.source.path)
    has = raw.layout.fields
    kinds, session, times = raw.names(has.kind), _sessions(raw), raw.times(has.arrival)
    tokens = _tokens(raw)
    kept = _calls(raw, kinds, tokens)
    kept, tokens, served, failed = _counted(raw, tokens, kept)
    if times is not None and session is not None:
        times = replace(times, seconds=with_delays(times.seconds, raw.numbers(has.delay_ms), session))
    if times is not None and has_own_clocks(times.seconds, session):
        raw.notes.append("times count from the start of each conversation: no volume")
        times = None
    if times is not None:
        kept = raw.leave_out(~np.isfinite(times.seconds), kept, "without a time")
    understood = _Understood(
        times=times,
        until=raw.times(has.end),
        tokens=tokens,
        served=served,
        failed=failed,
        from_cache=truths_of(raw.columns[has.from_cache[0]]) if raw.there(has.from_cache) else None,
        model=raw.names(has.model),
        session=session,
        blocks=blocks_of(raw.columns[has.blocks[0]], raw.source) if raw.there(has.blocks) else None,
        prompts=prompt_keys(raw.source, raw.layout, tokens.input) if wants_prompts else None,
    )
    return _sorted(raw, understood, np.flatnonzero(kept))


def _calls(raw: Raw, kinds: Names | None, tokens: Tokens) -> Bools:
    """The rows that are calls of a model, by their kind; of spans of all kinds those with tokens, where it is none."""
    layout, kept = raw.layout, np.ones(raw.rows, dtype=bool)
    if kinds is not None:
        is_call = [
            kind.lower() not in layout.not_kinds and (layout.kinds is None or kind.lower() in layout.kinds)
            for kind in kinds.names
        ]
        other = ~np.array([*is_call, layout.kinds is None], dtype=bool)[kinds.codes]
        kept = raw.leave_out(other, kept, NO_CALLS)
    if layout.not_kinds:
        silent = np.isnan(tokens.input) & np.isnan(tokens.output)
        kept = raw.leave_out(silent & (kinds.codes < 0 if kinds is not None else True), kept, NO_CALLS)
    return kept


def _counted(raw: Raw, tokens: Tokens, kept: Bools) -> tuple[Bools, Tokens, Floats, Floats]:
    """(rows that count, tokens of a request, requests served, requests failed) of each row."""
    status = [failures_of(raw.columns[name], name) for name in raw.there(raw.layout.fields.status)]
    failed: Bools = np.logical_or.reduce(status) if status else np.zeros(raw.rows, dtype=bool)
    if raw.layout.bucket_s is None:
        kept, failed = _requests(raw, tokens, failed, kept, has_status=bool(status))
        return kept, tokens, (kept & ~failed).astype(float), (kept & failed).astype(float)
    served, failures = _counts(raw)
    kept &= _buckets(raw, tokens, served + failures)
    return kept, tokens.per_request(served), served, failures


def _sessions(raw: Raw) -> Names | None:
    has = raw.layout.fields
    own, parents = raw.there(has.session), raw.there(has.parent)
    if own and parents:
        return roots_of(names_of(raw.columns[own[0]]), names_of(raw.columns[parents[0]]))
    return raw.names(has.session)


def _tokens(raw: Raw) -> Tokens:
    has, n = raw.layout.fields, raw.rows
    given, out = raw.numbers(has.input_tokens), raw.numbers(has.output_tokens)
    found = Tokens(
        np.full(n, np.nan) if given is None else given,
        np.full(n, np.nan) if out is None else out,
        raw.numbers(has.cached_input_tokens),
        raw.numbers(has.cache_write_tokens),
        raw.numbers(has.reasoning_tokens),
        raw.numbers(has.images),
    )
    joined = with_input_beside(found, raw.numbers(has.input_beside), raw.numbers(has.cached_beside))
    whole, notes = with_whole_input(joined, raw.numbers(has.total_tokens))
    raw.notes += notes
    return whole


def _counts(raw: Raw) -> tuple[Floats, Floats]:
    """(served, failed) requests of each bucket of an aggregate."""
    has = raw.layout.fields
    requests = raw.numbers(has.requests)
    if requests is None:
        raise UsageError(
            f"{raw.source.path} is an aggregate ({raw.layout.name}) that does not say how many requests",
            hint=f"its column is `{has.requests[0]}`",
        )
    requests = np.nan_to_num(requests)
    failures = raw.numbers(has.failures)
    failed = np.zeros(raw.rows) if failures is None else np.minimum(np.nan_to_num(failures), requests)
    return requests - failed, failed


def _buckets(raw: Raw, tokens: Tokens, requests: Floats) -> Bools:
    kept = np.ones(raw.rows, dtype=bool)
    kept = raw.leave_out((requests < 0) | (tokens.input < 0) | (tokens.output < 0), kept, "negative")
    unknown = (np.isnan(tokens.input) | np.isnan(tokens.output)) & (requests > 0)
    return raw.leave_out(unknown, kept, "without tokens")


def _requests(raw: Raw, tokens: Tokens, failed: Bools, kept: Bools, *, has_status: bool) -> tuple[Bools, Bools]:
    """(rows that are requests, those of them that failed): a row without tokens costs that row."""
    given, out = tokens.input, tokens.output
    kept = raw.leave_out((given < 0) | (out < 0), kept, "with negative tokens")
    blank = np.isnan(given) | np.isnan(out) | (given == 0)
    kept = raw.leave_out(blank & ~failed, kept, "without tokens")
    silent = (out == 0) & ~failed & kept
    if has_status:  # it says that it was well, so it is another kind of call, an embedding
        return raw.leave_out(silent, kept, "without output"), failed
    return kept, failed | silent


def _sorted(raw: Raw, found: _Understood, rows: Rows) -> RequestLog:
    layout, path, times = raw.layout, raw.source.path, found.times
    if not len(rows) or found.served[rows].sum() == 0:
        raise _empty(path, raw.left_out)
    seconds = times.seconds if times is not None else np.zeros(raw.rows)
    order = rows[np.argsort(seconds[rows], kind="stable")]
    first_s = float(seconds[order[0]])
    arrival_s, tokens, served = seconds[order] - first_s, found.tokens.only(order), found.served[order]
    _check(path, arrival_s, tokens, served)
    bucket_s = _bucket_s(layout, seconds, found.until, order)
    is_dated = times is not None and times.is_dated
    hits, blocks = found.from_cache, found.blocks
    counts = None if blocks is None else np.array([len(row) for row in blocks], dtype=float)
    return RequestLog(
        file=path.name,
        layout=layout.name,
        unit=times.unit if times is not None else "none",
        arrival_s=arrival_s,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_tokens=tokens.cached,
        cache_write_tokens=tokens.cache_write,
        reasoning_tokens=tokens.reasoning,
        images=tokens.images,
        served=served,
        failed=found.failed[order],
        from_cache=hits[order] if hits is not None and hits.any() else None,
        model=found.model.only(order) if found.model is not None else None,
        session=found.session.only(order) if found.session is not None else None,
        blocks=tuple(blocks[n] for n in order) if blocks is not None else None,
        block_tokens=layout.block_tokens or block_size(counts, found.tokens.input),
        bucket_s=bucket_s,
        end_s=float(arrival_s[-1]) + bucket_s,
        starts_at_s=first_s if is_dated or (layout.from_midnight and times is not None) else None,
        is_dated=is_dated,
        left_out=raw.left_out,
        notes=tuple(raw.notes),
        prompts=found.prompts.only(order) if found.prompts is not None else None,
    )


def _bucket_s(layout: Layout, seconds: Floats, until: Times | None, order: Rows) -> float:
    """The length of an aggregate's buckets; 0 where a row is a request."""
    if layout.bucket_s is None:
        return 0.0
    if until is None:
        return layout.bucket_s
    lengths = until.seconds[order] - seconds[order]
    known = lengths[lengths > 0]
    return float(np.median(known)) if len(known) else layout.bucket_s


def _check(path: Path, arrival_s: Floats, tokens: Tokens, served: Floats) -> None:
    most = np.maximum(tokens.input, tokens.output)
    if (most[served > 0] > MOST_TOKENS).any():
        raise UsageError(f"{path}: a request of more than {MOST_TOKENS:,} tokens")
    if served.sum() > MOST_TASKS:
        raise UsageError(f"{path}: {served.sum():.3g} requests, at most {MOST_TASKS:g}")
    if arrival_s[-1] > LONGEST_SPAN_S:
        days = f"{arrival_s[-1] / DAY_S:,.0f} days, at most {LONGEST_SPAN_S / DAY_S:,.0f}"
        raise UsageError(f"{path} spans {days}: are all its times in one unit?")
