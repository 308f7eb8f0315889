"""inference-perf: per_request_lifecycle_metrics.json (a list of requests), and summaries of a run or of its stages.

Read as real files: 0.3, 0.5, 0.7, and a stage's summary of 0.2. From documentation: 0.4, 0.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from harness.base.errors import UsageError
from harness.imports.failures import code_of, shortened
from harness.imports.files import Source, inside, number
from harness.imports.members import Cursor
from harness.imports.summaries import summary_of, summary_step
from harness.imports.table import Table
from harness.imports.told import Part, Rows, Told, at_rate, closed, ended, longest_gap, mean_at_once, most_at_once
from harness.rundir.of_step import LoadOfStep, Summary
from harness.rundir.results import Step

NAME = "inference-perf"
SEEN = "0.3, 0.5, 0.7, summaries of 0.2"
DOCUMENTED = "0.4, 0.6"
_DIFFERENCES = (
    "output tokens are those of the tool's tokenizer, unless use_server_output_tokens was set; where requests have the "
    "server's usage, that is taken",
    "all tokens of a chunk have the chunk's time, so that gaps within it are 0",
    "its request_latency runs to the end of the response; E2E here to the last token",
)


def detect(source: Source) -> bool:
    """Whether it is one of this tool's."""
    return _has_rows(source) or (source.is_object and source.keys >= {"load_summary", "successes"})


def _has_rows(source: Source) -> bool:
    return source.is_list and source.keys >= {"start_time", "end_time", "request"}


def read(sources: list[Source]) -> Told:
    """Requests, told apart by the stages whose summaries are given too; or summaries alone, each a part.

    Raises:
        UsageError: a file that is cut, a summary without what is needed.
    """
    tables = [_table(source) for source in sources if _has_rows(source)]
    stages = [(source, _stage(source)) for source in sources if not _has_rows(source)]
    stages = [one for one in stages if number(_load_of(one[1]).get("requested_rate"))] or stages
    unknown = ["its version, the model and the address: they are in its config.yaml"]
    if not tables:
        parts = [Part(_load(said, None), summary=_summary(source, said), file=source.name) for source, said in stages]
        unknown.insert(0, "requests one by one: report.request_lifecycle.per_request keeps them")
    else:
        parts = [part for table in tables for part in _parts(table, [said for _, said in stages])]
    if not any(number(_load_of(said).get("requested_rate")) for _, said in stages):
        taken = "the most at once" if tables else "as many as were under way on average"
        unknown.append(f"whether requests came by rate or by users: taken as users, {taken}")
    return Told(
        tool=NAME,
        layout="per request" if tables else _layout([said for _, said in stages]),
        parts=tuple(parts),
        streamed=any(p.rows.first_token_s is not None for p in parts if p.rows is not None)
        or any(p.summary.ttft_s.n > 0 for p in parts if p.summary is not None),
        model=next((table.model for table in tables if table.model), None),
        api="chat" if any(table.is_chat for table in tables) else "completions",
        differences=_DIFFERENCES,
        unknown=tuple(unknown),
    )


class _Requests(Table):
    """The requests of a file, and what their bodies say of all of them."""

    file: str = ""
    model: str | None = None
    is_chat: bool = False


def _table(source: Source) -> _Requests:
    out, cursor = _Requests(), Cursor(source, NAME)
    out.file = source.name
    for place in cursor.items():
        request = cursor.value()
        if not isinstance(request, dict) or number(request.get("start_time")) is None:
            raise source.bad(NAME, f"item {place:,} is no request: it has no `start_time`")
        if place == 0:
            out.model, out.is_chat = _of_body(request.get("request"))
        _add(out, request)
    if not len(out):
        raise source.bad(NAME, "it has no request")
    return out


def _of_body(body: Any) -> tuple[str | None, bool]:
    try:
        said = orjson.loads(body) if isinstance(body, str) else body
    except orjson.JSONDecodeError:
        return None, False
    if not isinstance(said, dict):
        return None, False
    model = said.get("model")
    return (model if isinstance(model, str) else None), "messages" in said


def _add(table: Table, request: Mapping[str, Any]) -> None:
    info = inside(request, "info")
    answer = inside(info, "response_metrics") or inside(info, "response_info")  # the latter up to 0.5
    asked, usage = inside(info, "request_metrics", "text"), inside(answer, "server_usage")
    times = answer.get("output_token_times") or answer.get("chunk_times") or info.get("output_token_times") or []
    chunks = answer.get("chunk_times") or times
    error = request.get("error")
    is_ok = not error
    sent, end = number(request["start_time"]), number(request.get("end_time"))
    table.add(
        sent=sent,
        first=number(times[0]) if times and is_ok else None,
        last=ended(number(times[-1]) if times else end, end, sent) if is_ok else None,
        prompt=_either(asked.get("input_tokens"), info.get("input_tokens")),
        output=_either(answer.get("output_tokens"), info.get("output_tokens")) if is_ok else None,
        server_prompt=number(usage.get("prompt_tokens")),
        server_output=number(usage.get("completion_tokens")),
        cached=number(inside(usage, "prompt_tokens_details").get("cached_tokens")),
        events=float(len(chunks)) if chunks else None,
        max_gap_s=longest_gap(np.diff(chunks).tolist()),
        failed=float(not is_ok),
    )
    words = _words(error)
    table.say(error=None if is_ok else code_of(words), detail=None if is_ok else shortened(words))


def _words(error: Any) -> str:
    if isinstance(error, dict):
        return " ".join(str(error[key]) for key in ("error_type", "error_msg") if error.get(key))
    return str(error or "")


def _either(*values: Any) -> float | None:
    return next((told for value in values if (told := number(value)) is not None), None)


def _parts(table: _Requests, stages: list[Mapping[str, Any]]) -> list[Part]:
    """All of it, or the stages one after another where their counts are those of the file."""
    counts = [int(number(_load_of(said).get("count")) or 0) for said in stages]
    if len(stages) > 1 and sum(counts) != len(table):
        shown = " + ".join(f"{count:,}" for count in counts)
        raise UsageError(
            f"{NAME}: the summaries beside the requests count {shown} requests, "
            f"the file of requests has {len(table):,}",
            hint="name those stages that the requests are of, and each measurement by itself",
        )
    if len(stages) > 1:
        rows = _rows(table, np.argsort(table.column("sent"), kind="stable"))
        ends = np.cumsum(counts)
        cut = [rows.between(end - count, end) for count, end in zip(counts, ends, strict=True)]
        return [Part(_load(said, own), rows=own, file=table.file) for said, own in zip(stages, cut, strict=True)]
    rows = _rows(table, np.arange(len(table)))
    said = stages[0] if stages else {}
    answered = number(inside(said, "successes").get("count"))
    done = None if answered is None else int(answered)
    return [Part(_load(said, rows), rows=rows, file=table.file, answered=done)]


def _rows(table: Table, order: Any) -> Rows:
    def column(name: str) -> Any:
        return table.column(name)[order]

    zero = float(np.nanmin(table.column("sent")))
    served = ~(column("failed") > 0)
    by_server = bool(served.any()) and not np.isnan(column("server_output")[served]).any()
    server_prompt = column("server_prompt")
    has_first = not np.isnan(column("first")).all()
    texts = {name: table.texts(name) for name in ("error", "detail")}
    return Rows(
        sent_s=column("sent") - zero,
        finished_s=column("last") - zero,
        first_token_s=column("first") - zero if has_first else None,
        prompt_tokens=np.where(np.isnan(server_prompt) | (not by_server), column("prompt"), server_prompt),
        cached_tokens=column("cached"),
        output_tokens=column("server_output") if by_server else column("output"),
        events=column("events"),
        max_gap_s=column("max_gap_s"),
        error=None if texts["error"] is None else [texts["error"][i] for i in order],
        error_detail=None if texts["detail"] is None else [texts["detail"][i] for i in order],
        token_source="server" if by_server else "tool",
    )


def _stage(source: Source) -> dict[str, Any]:
    said = source.document(NAME)
    if not isinstance(said, dict) or not isinstance(said.get("successes"), dict):
        raise source.bad(NAME, "`successes` is missing", hint="is it a lifecycle summary?")
    return said


def _load_of(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return inside(said, "load_summary")


def _load(said: Mapping[str, Any], rows: Rows | None) -> LoadOfStep:
    summary = _load_of(said)
    rate, users = number(summary.get("requested_rate")), number(summary.get("concurrency"))
    if rate and not users:
        return at_rate(rate)
    if users or rows is None:
        took_s = number(inside(said, "successes", "latency", "request_latency").get("mean"))
        per_s = number(inside(said, "successes", "throughput").get("requests_per_sec"))
        return closed(users or mean_at_once(per_s, took_s))
    return closed(most_at_once(rows.sent_s, rows.finished_s))


def _summary(source: Source, said: Mapping[str, Any]) -> Step:
    done = said["successes"]
    throughput = inside(done, "throughput")
    count, per_s = number(done.get("count")), number(throughput.get("requests_per_sec"))
    if count is None:
        raise source.bad(NAME, "`successes.count` is missing", hint="is the file whole?")
    duration_s = number(said.get("benchmark_time_seconds")) or (count / per_s if per_s else None)
    failed = number(inside(said, "failures").get("count")) or 0
    n = int(count)

    def latency(name: str) -> Summary:
        block = inside(done, "latency", name)
        named = {"p50": block.get("median", block.get("p50")), **{p: block.get(p) for p in ("p90", "p95", "p99")}}
        return summary_of({"mean": block.get("mean"), **named}, n, 1.0)

    step = summary_step(
        _load(said, None),
        duration_s=duration_s,
        completed=n,
        failed=int(failed),
        input_tokens=None,
        output_tokens=None,
        ttft=latency("time_to_first_token"),
        tpot=latency("time_per_output_token"),
        e2e=latency("request_latency"),
    )
    return step.model_copy(
        update={
            "requests_per_s": per_s if per_s is not None else step.requests_per_s,
            "input_tokens_per_s": number(throughput.get("input_tokens_per_sec")),
            "output_tokens_per_s": number(throughput.get("output_tokens_per_sec")),
            "mean_input_tokens": _mean(done, "prompt_tokens", "prompt_len"),
            "mean_output_tokens": _mean(done, "output_tokens", "output_len"),
        }
    )


def _mean(done: Mapping[str, Any], *names: str) -> float | None:
    return next((m for name in names if (m := number(inside(done, name).get("mean"))) is not None), None)


def _layout(stages: list[Mapping[str, Any]]) -> str:
    names = {name for said in stages for name in said["successes"]}
    if "prompt_len" in names:
        return "summary, prompt_len" + (" and prompt_tokens (0.6)" if "prompt_tokens" in names else " (up to 0.5)")
    return "summary, prompt_tokens (after 0.6)"
