"""GuideLLM's benchmarks.json: one benchmark a load, its requests among successful, errored and incomplete ones.

Read as real files: 0.3.1 (times in the request itself), 0.8. From documentation: 0.4 to 0.6 (`info.timings`), 0.7
(`config` instead of `args`, metadata of version 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from harness.imports.failures import code_of, shortened
from harness.imports.files import Source, inside, number
from harness.imports.members import Cursor
from harness.imports.summaries import summary_of, summary_step
from harness.imports.table import Table
from harness.imports.told import Part, Rows, Told, at_rate, closed, ended, most_at_once
from harness.rundir.of_step import LoadOfStep, Summary
from harness.rundir.results import Step

NAME = "GuideLLM"
SEEN = "0.3.1, 0.8"
DOCUMENTED = "0.4 to 0.7"
NEWEST_LAYOUT = 2
_DIFFERENCES = (
    "its time_per_output_token includes the time to the first token; TPOT here is its inter_token_latency: first to "
    "last token over the tokens after the first",
    "its percentiles of inter_token_latency are of the means of requests",
    "its request_latency runs to the end of the response; E2E here to the last token",
    "its clock is the wall clock, which may be set while it measures",
    "output tokens are the server's count where it sent one, else the chunks; the file does not say which",
)
_STATES = {"successful": None, "errored": "failed", "incomplete": "cut_at_end"}


def detect(source: Source) -> bool:
    """Whether it is one of this tool's."""
    return (
        source.is_object
        and "benchmarks" in source.keys
        and bool({"guidellm_version", "request_loader", "scheduler_state", "type_", "strategy"} & source.keys)
    )


@dataclass(slots=True)
class _Benchmark:
    """One benchmark: what is small of it, and its requests as columns."""

    said: dict[str, Any]
    table: Table


def read(sources: list[Source]) -> Told:
    """The benchmarks of one or more files, each a part.

    Raises:
        UsageError: a file that is cut, of a newer layout, or without a benchmark.
    """
    tops, found = [], []
    for source in sources:
        top, benchmarks = _walk(source)
        if not benchmarks:
            raise source.bad(NAME, "`benchmarks` has no benchmark", hint="was it interrupted before the first ended?")
        tops.append(top)
        found += [(source, one) for one in benchmarks]
    top, first = tops[0], found[0][1].said
    version = _dig(top, "metadata", "guidellm_version")
    asked = _asked(top, first)
    top_of = {id(source): top for source, top in zip(sources, tops, strict=True)}
    parts = tuple(
        replace(_part(source, one), model=_first(_asked(top_of[id(source)], one.said), "model", "backend_model"))
        for source, one in found
    )
    return Told(
        tool=NAME,
        version=version if isinstance(version, str) else None,
        layout=_layout(top, first),
        parts=parts,
        model=_first(asked, "model", "backend_model"),
        api="chat" if "chat" in str(_first(asked, "request_format", "request_type")) else "completions",
        urls=tuple(url for url in (_first(asked, "target", "backend_target"),) if url),
        started_at=_started(first),
        differences=_DIFFERENCES,
        unknown=() if all(p.rows is not None for p in parts) else ("requests one by one: they were sampled away",),
    )


def _walk(source: Source) -> tuple[dict[str, Any], list[_Benchmark]]:
    cursor = Cursor(source, NAME)
    top: dict[str, Any] = {}
    benchmarks: list[_Benchmark] = []
    for key in cursor.names():
        if key != "benchmarks":
            top[key] = cursor.value()
            _check_version(source, top)
            continue
        for _ in cursor.items():
            benchmarks.append(_benchmark(source, cursor))
    return top, benchmarks


def _check_version(source: Source, top: Mapping[str, Any]) -> None:
    version = number(_dig(top, "metadata", "version"))
    if version is not None and version > NEWEST_LAYOUT:
        of = _dig(top, "metadata", "guidellm_version")
        problem = f"its layout is version {version:g}, this version of breakeven reads up to {NEWEST_LAYOUT}"
        raise source.bad(NAME, problem, version=str(of) if of else None)


def _benchmark(source: Source, cursor: Cursor) -> _Benchmark:
    out = _Benchmark({}, Table())
    for key in cursor.names():
        if key != "requests" or cursor.begins != b"{":
            out.said[key] = cursor.value()
            continue
        for state in cursor.names():
            if state not in _STATES or cursor.begins != b"[":
                cursor.skip()
                continue
            for _ in cursor.items():
                request = cursor.value()
                if not isinstance(request, dict):
                    raise source.bad(NAME, f"`requests.{state}` holds a request that is no object")
                _add(source, out.table, state, request)
    return out


def _add(source: Source, table: Table, state: str, request: Mapping[str, Any]) -> None:
    info, times = inside(request, "info"), inside(request, "info", "timings") or inside(request, "scheduler_info")

    def at(*names: str) -> float | None:
        return next((t for name in names if (t := number(times.get(name) or request.get(name))) is not None), None)

    start = at("request_start", "start_time", "request_start_time")
    if start is None:
        if state == "incomplete":
            return  # cut before it was sent
        start = at("resolve_start", "dequeued", "scheduled_at")
    if start is None:
        raise source.bad(NAME, f"a request of `requests.{state}` has no time at which it began")
    first = at("first_token_iteration", "first_iteration", "first_token_time")
    last = at("last_token_iteration", "last_iteration", "last_token_time", "request_end", "end_time")
    last = ended(last, at("request_end", "end_time", "request_end_time"), start)
    words = info.get("error") or request.get("error")
    is_ok = state == "successful"
    table.add(
        due=at("targeted_start", "targeted_start_time"),
        sent=start,
        first=first if is_ok else None,
        last=last if is_ok else None,
        prompt=_tokens(request, "prompt_tokens", "input_metrics"),
        cached=number(inside(request, "input_metrics").get("cached_tokens")),
        output=_tokens(request, "output_tokens", "output_metrics") if is_ok else None,
        events=number(times.get("token_iterations") or times.get("iterations")),
        turn=number(info.get("turn_index")),
    )
    code = _STATES[state]
    if code == "failed" and words:
        code = code_of(str(words))
    table.say(
        id=request.get("request_id"),
        session=info.get("conversation_id"),
        error=code,
        detail=shortened(str(words)) if words else None,
    )


def _tokens(request: Mapping[str, Any], name: str, metrics: str) -> float | None:
    told = inside(request, metrics)
    return next(
        (
            t
            for v in (request.get(name), told.get("total_tokens"), told.get("text_tokens"))
            if (t := number(v)) is not None
        ),
        None,
    )


def _part(source: Source, one: _Benchmark) -> Part:
    strategy = _strategy(one.said)
    zero = float(np.nanmin(one.table.column("sent"))) if len(one.table) else 0.0
    rows = _rows(one.table, zero, is_open=_rate(strategy) is not None)
    load = _load(strategy, rows)
    if len(one.table) and not _is_sample(one):
        started_s, ended_s = number(one.said.get("start_time")), number(one.said.get("end_time"))
        took_s = None if started_s is None or ended_s is None else ended_s - started_s
        return Part(load, rows=rows, file=source.name, took_s=took_s)
    return Part(load, summary=_summary(source, load, one.said), file=source.name)


def _rows(table: Table, zero: float, *, is_open: bool) -> Rows:
    column = table.column
    due = column("due") - zero
    has_first = not np.isnan(column("first")).all()
    return Rows(
        sent_s=column("sent") - zero,
        finished_s=column("last") - zero,
        first_token_s=column("first") - zero if has_first else None,
        scheduled_s=due if is_open and not np.isnan(due).any() else None,
        prompt_tokens=column("prompt"),
        cached_tokens=column("cached"),
        output_tokens=column("output"),
        events=column("events"),
        turn=column("turn"),
        request_id=table.numbered("id"),
        session=table.texts("session"),
        error=table.texts("error"),
        error_detail=table.texts("detail"),
    )


def _is_sample(one: _Benchmark) -> bool:
    """Whether fewer requests were kept than were made: of such nobody can tell a rate."""
    made = number(_dig(one.said, "metrics", "request_totals", "total"))
    made = made if made is not None else number(_dig(one.said, "request_totals", "total"))
    return made is not None and len(one.table) < 0.99 * made - 1


def _strategy(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return inside(said, "config", "strategy") or inside(said, "args", "strategy")


def _rate(strategy: Mapping[str, Any]) -> float | None:
    kind = str(strategy.get("type_") or strategy.get("kind") or "")
    return number(strategy.get("rate")) if kind in ("constant", "poisson", "async") else None


def _load(strategy: Mapping[str, Any], rows: Rows) -> LoadOfStep:
    rate = _rate(strategy)
    if rate:
        return at_rate(rate)
    kind = str(strategy.get("type_") or strategy.get("kind") or "")
    users = 1.0 if kind == "synchronous" else number(strategy.get("streams") or strategy.get("max_concurrency"))
    return closed(users or most_at_once(rows.sent_s, rows.finished_s))


def _summary(source: Source, load: LoadOfStep, said: Mapping[str, Any]) -> Step:
    metrics = said.get("metrics")
    if not isinstance(metrics, dict):
        raise source.bad(NAME, "a benchmark has neither requests nor `metrics`", hint="is the file whole?")
    totals = inside(metrics, "request_totals") or inside(said, "request_totals")
    done, failed = number(totals.get("successful")), number(totals.get("errored"))
    started_s, ended_s = number(said.get("start_time")), number(said.get("end_time"))
    if done is None or started_s is None or ended_s is None:
        raise source.bad(NAME, "a benchmark without requests lacks `request_totals`, `start_time` or `end_time`")
    n = int(done)

    def latency(name: str, unit_s: float) -> Summary:
        block, percentiles = inside(metrics, name, "successful"), inside(metrics, name, "successful", "percentiles")
        figures = {p: percentiles.get(p) for p in ("p50", "p90", "p95", "p99")} | {"mean": block.get("mean")}
        figures["p50"] = figures["p50"] if figures["p50"] is not None else block.get("median")
        return summary_of(figures, n, unit_s)

    return summary_step(
        load,
        duration_s=ended_s - started_s,
        completed=n,
        failed=int(failed or 0),
        input_tokens=number(_dig(metrics, "prompt_token_count", "successful", "total_sum")),
        output_tokens=number(_dig(metrics, "output_token_count", "successful", "total_sum")),
        ttft=latency("time_to_first_token_ms", 1e-3),
        tpot=latency("inter_token_latency_ms", 1e-3),
        e2e=latency("request_latency", 1.0),
    )


def _layout(top: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    version = _dig(top, "metadata", "version")
    if version is not None:
        return f"metadata of version {version}, with `{'config' if 'config' in top else 'args'}`"
    return "without metadata, with `config`" if "config" in first else "without metadata, times in the request (0.3)"


def _asked(top: Mapping[str, Any], first: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Where the model and the address stand, by version: the newest first."""
    places = (
        _dig(first, "config", "backend"), _dig(top, "config", "spec", "backend"), _dig(top, "config", "backend"),
        top.get("args"), _dig(top, "args", "backend_kwargs"), first.get("worker"), _dig(first, "benchmark", "backend"),
    )  # fmt: skip
    return [place for place in places if isinstance(place, dict)]


def _first(places: list[Mapping[str, Any]], *names: str) -> str | None:
    return next((v for place in places for name in names if isinstance(v := place.get(name), str) and v), None)


def _started(said: Mapping[str, Any]) -> str | None:
    start = number(said.get("start_time"))
    return None if start is None else datetime.fromtimestamp(start, UTC).isoformat(timespec="seconds")


def _dig(said: Any, *keys: str) -> Any:
    for key in keys:
        said = said.get(key) if isinstance(said, dict) else None
    return said
