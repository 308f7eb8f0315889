"""AIPerf: profile_export.jsonl (a line a request), profile_export_aiperf.json (its summary and what was asked).

Read as real files: 0.3, which has no `schema_version`, and 0.13 (schema 1.4). Others from documentation: 1.0 to 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from harness.base.units import NS_PER_S
from harness.imports.failures import code_of, shortened
from harness.imports.files import Source, inside, number
from harness.imports.metric_blocks import counted, seconds_of, summary_of_blocks, unit_s, users_of
from harness.imports.table import Table
from harness.imports.told import Part, Rows, Told, at_rate, closed, longest_gap, most_at_once
from harness.rundir.of_step import LoadOfStep

NAME = "AIPerf"
SEEN = "0.3 (no schema version), 0.13 (schema 1.4)"
DOCUMENTED = "other versions (schema 1.0 to 1.5)"
NEWEST_SCHEMA = 1
_DIFFERENCES = (
    "tokens are counted by the tool's own tokenizer, unless --use-server-token-count was given; where rows have the "
    "server's usage, that is taken",
    "TTFT ends at the first chunk with text or reasoning",
    "TPOT here is its inter_token_latency: (E2E - TTFT) over the tokens after the first",
)


_SECRET = re.compile(
    r"(--?\S*(?:key|token(?!izer)|header|auth|password)[^\s=]*|-H)[=\s]+(?:'[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE
)


def detect(source: Source) -> bool:
    """Whether it is one of this tool's."""
    return source.is_object and (_has_rows(source) or _is_summary(source))


def _has_rows(source: Source) -> bool:
    return source.keys >= {"metadata", "request_start_ns", "metrics"}


def _is_summary(source: Source) -> bool:
    keys = source.keys
    return "request_latency" in keys and ("aiperf_version" in keys or {"phases", "loadgen"} & keys != set())


def read(sources: list[Source]) -> Told:
    """Files of rows with the summaries that lie beside them; or summaries alone.

    Raises:
        UsageError: a line that is none of its, a summary without what is needed.
    """
    rows = [source for source in sources if _has_rows(source)]
    summaries = {source: _summary_in(source) for source in sources if not _has_rows(source)}
    beside = {source: _beside(source, summaries, only=len(rows) == 1) for source in rows}
    parts = [part for source in rows for part in _parts(source, beside[source])]
    if not rows:
        parts = [_summary_part(source, said) for source, said in summaries.items()]
    said = next(iter(summaries.values()), {})
    config = inside(said, "input_config")
    unknown = [] if rows else ["requests one by one: they are in profile_export.jsonl"]
    if rows and not all(beside.values()):
        unknown.append("users or rate: they are in profile_export_aiperf.json; the most requests at once are taken")
    schema = said.get("schema_version")
    return Told(
        tool=NAME,
        version=said.get("aiperf_version"),
        layout=f"{'rows' if rows else 'summary'}{f', schema {schema}' if schema else ', no schema version'}",
        parts=tuple(parts),
        model=_model(config),
        api="chat" if "chat" in str(_find(config, "type") or _find(config, "endpoint_type")) else "completions",
        streamed=any(part.rows is not None and part.rows.first_token_s is not None for part in parts)
        or any(part.summary is not None and part.summary.ttft_s.n for part in parts),
        urls=_urls(config),
        started_at=_started(rows, said),
        differences=_DIFFERENCES,
        unknown=tuple(unknown),
        command=_command(said),
    )


def _summary_in(source: Source) -> dict[str, Any]:
    said = source.document(NAME)
    if not isinstance(said, dict) or "request_latency" not in said:
        raise source.bad(NAME, "`request_latency` is missing", hint="was any request answered?")
    schema = re.match(r"\d+", str(said.get("schema_version") or ""))
    if schema is not None and int(schema.group()) > NEWEST_SCHEMA:
        problem = f"its schema is {said['schema_version']}, this version of breakeven reads up to {NEWEST_SCHEMA}.x"
        raise source.bad(NAME, problem, version=_text(said.get("aiperf_version")))
    return said


def _beside(source: Source, summaries: Mapping[Source, dict[str, Any]], *, only: bool) -> dict[str, Any] | None:
    near = [said for other, said in summaries.items() if other.path.resolve().parent == source.path.resolve().parent]
    if only and len(summaries) == 1:
        return next(iter(summaries.values()))
    return near[0] if len(near) == 1 else None


def _parts(source: Source, said: Mapping[str, Any] | None) -> Iterator[Part]:
    table = Table()
    left_out = 0
    for line, row in source.lines(NAME):
        meta = row.get("metadata") if isinstance(row, dict) else None
        if not isinstance(meta, dict) or number(meta.get("request_start_ns")) is None:
            raise source.bad(NAME, f"line {line:,} is no record of a request: it has no `metadata.request_start_ns`")
        if meta.get("benchmark_phase") not in (None, "profiling"):
            left_out += 1
            continue
        _add(source, table, meta, inside(row, "metrics"), row.get("error"))
    if not len(table):
        raise source.bad(NAME, f"it has no profiled request ({left_out:,} of the warm-up)")
    ids = [one for one in table.texts("request_id") or [] if one is not None]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise source.bad(NAME, f"request {twice} is in it twice", hint="were two copies of it put together?")
    indices = sorted(set(table.column("index").tolist()))
    for index in indices:
        rows = _rows(table.where("index", index))
        yield Part(
            _load(said, rows),
            rows=rows,
            model=_model(inside(said, "input_config")),
            file=source.name,
            took_s=seconds_of(source, NAME, said or {}, "benchmark_duration") if len(indices) == 1 else None,
            answered=_answered(source, said or {}) if len(indices) == 1 else None,
        )


def _answered(source: Source, said: Mapping[str, Any]) -> int | None:
    count = counted(source, NAME, said, "request_count")
    return None if count is None else int(count)


def _add(source: Source, table: Table, meta: Mapping[str, Any], metrics: Mapping[str, Any], error: Any) -> None:
    start_ns = int(meta["request_start_ns"])
    zero_ns = table.zero(start_ns)
    took_s, ttft_s = (_seconds(source, metrics, name) for name in ("request_latency", "time_to_first_token"))
    sent_s = (start_ns - zero_ns) / NS_PER_S
    gaps = metrics.get("inter_chunk_latency")
    gaps_ms = gaps.get("value") if isinstance(gaps, dict) else None
    gaps_ms = gaps_ms if isinstance(gaps_ms, list) else None
    words, code = _failure(meta, error)
    issued = number(meta.get("credit_issued_ns"))
    tokens = partial(counted, source, NAME, metrics, value="value")
    table.add(
        index=number(meta.get("profiling_index")) or 0.0,
        scheduled_s=sent_s if issued is None else (int(meta["credit_issued_ns"]) - zero_ns) / NS_PER_S,
        due_known=float(issued is not None),
        sent_s=sent_s,
        first_token_s=None if ttft_s is None else sent_s + ttft_s,
        finished_s=None if took_s is None or code is not None else sent_s + took_s,
        prompt_tokens=tokens("input_sequence_length") or tokens("error_isl"),
        output_tokens=tokens("output_sequence_length"),
        server_prompt=tokens("usage_prompt_tokens"),
        server_output=tokens("usage_completion_tokens"),
        reasoning_tokens=tokens("reasoning_token_count"),
        turn=number(meta.get("turn_index")),
        events=None if gaps_ms is None else float(len(gaps_ms) + 1),
        max_gap_s=None if not gaps_ms else longest_gap(gaps_ms) * unit_s(source, NAME, metrics, "inter_chunk_latency"),
        failed=float(code is not None),
    )
    table.say(
        request_id=_text(meta.get("x_request_id")), session=_text(meta.get("conversation_id")), error=code, detail=words
    )


def _failure(meta: Mapping[str, Any], error: Any) -> tuple[str | None, str | None]:
    """(its words, our code); both None where it went well."""
    if meta.get("was_cancelled"):
        return "cancelled by the tool", "cut_at_end"
    if not error:
        return None, None
    said = error if isinstance(error, dict) else {"message": str(error)}
    words = " ".join(str(said[key]) for key in ("type", "message") if said.get(key))
    status = number(said.get("code"))
    code = f"http_{status:.0f}" if status is not None and 400 <= status < 600 else code_of(words)
    return shortened(words), "cut_at_end" if status == 499 else code


def _rows(table: Table) -> Rows:
    column = table.column
    served = ~(column("failed") > 0)
    by_server = not np.isnan(column("server_output")[served]).any() and bool(served.any())
    server_prompt = column("server_prompt")
    has_first = not np.isnan(column("first_token_s")).all()
    return Rows(
        sent_s=column("sent_s"),
        finished_s=column("finished_s"),
        first_token_s=column("first_token_s") if has_first else None,
        scheduled_s=column("scheduled_s") if column("due_known").all() else None,
        prompt_tokens=np.where(np.isnan(server_prompt) | (not by_server), column("prompt_tokens"), server_prompt),
        output_tokens=column("server_output") if by_server else column("output_tokens"),
        reasoning_tokens=column("reasoning_tokens"),
        events=column("events"),
        max_gap_s=column("max_gap_s"),
        turn=column("turn"),
        request_id=table.numbered("request_id"),
        session=table.texts("session"),
        error=table.texts("error"),
        error_detail=table.texts("detail"),
        token_source="server" if by_server else "tool",
    )


def _load(said: Mapping[str, Any] | None, rows: Rows) -> LoadOfStep:
    config = inside(said, "input_config")
    rate, users = number(_find(config, "request_rate")), number(_find(config, "concurrency"))
    if rate:
        return at_rate(rate)
    return closed(users or most_at_once(rows.sent_s, rows.finished_s))


def _summary_part(source: Source, said: Mapping[str, Any]) -> Part:
    config = inside(said, "input_config")
    rate, users = number(_find(config, "request_rate")), number(_find(config, "concurrency"))
    load = at_rate(rate) if rate else closed(users or users_of(source, NAME, said))
    summary = summary_of_blocks(source, NAME, said, load)
    return Part(load, summary=summary, model=_model(config), file=source.name)


def _seconds(source: Source, metrics: Mapping[str, Any], name: str) -> float | None:
    value = _value(metrics, name)
    return None if value is None else value * unit_s(source, NAME, metrics, name)


def _value(metrics: Mapping[str, Any], name: str) -> float | None:
    block = metrics.get(name)
    return number(block.get("value")) if isinstance(block, dict) else None


def _find(config: Any, name: str) -> Any:
    """The first value of a key anywhere in what was asked: its place changed with the versions."""
    if isinstance(config, dict):
        if config.get(name) is not None and not isinstance(config[name], dict | list):
            return config[name]
        inner = list(config.values())
    else:
        inner = config if isinstance(config, list) else []
    return next((found for one in inner if (found := _find(one, name)) is not None), None)


def _model(config: Mapping[str, Any]) -> str | None:
    endpoint, models = config.get("endpoint"), config.get("models")
    names = endpoint.get("model_names") if isinstance(endpoint, dict) else None
    if isinstance(names, list) and names:
        return _text(names[0])
    return _text(_find(models, "name")) or _text(config.get("model"))


def _urls(config: Mapping[str, Any]) -> tuple[str, ...]:
    endpoint = config.get("endpoint")
    urls = (endpoint.get("urls") or [endpoint.get("url")]) if isinstance(endpoint, dict) else []
    return tuple(url for url in urls if isinstance(url, str))


def _started(rows: list[Source], said: Mapping[str, Any]) -> str | None:
    if rows:
        _, first = next(rows[0].lines(NAME))
        return datetime.fromtimestamp(first["metadata"]["request_start_ns"] // NS_PER_S, UTC).isoformat()
    try:
        return datetime.fromisoformat(str(said.get("start_time"))).replace(tzinfo=UTC).isoformat(timespec="seconds")
    except ValueError:
        return None


def _command(said: Mapping[str, Any]) -> str | None:
    told = _text(inside(said, "run_info").get("cli_command") or inside(said, "input_config").get("cli_command"))
    return None if told is None else _SECRET.sub(r"\1 ***", told)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
