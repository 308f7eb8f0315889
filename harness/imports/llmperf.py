"""llmperf: *_individual_responses.json (a list of requests, without when they began) and *_summary.json.

Read as real files: those of 2024 in its own repository, whose layout did not change any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from harness.imports import laid_out
from harness.imports.failures import code_of, shortened
from harness.imports.files import Source, number
from harness.imports.summaries import summary_of, summary_step
from harness.imports.table import Table
from harness.imports.told import Part, Rows, Told, closed
from harness.rundir.of_step import LoadOfStep, Summary
from harness.rundir.results import Step

NAME = "llmperf"
SEEN = "2024"
_DIFFERENCES = (
    "its inter_token_latency is the whole time over all chunks, the first token's wait included; TPOT here is first "
    "to last token over the tokens after the first",
    "tokens are counted by one Llama tokenizer, whatever the model",
    "TTFT ends at the first chunk with content",
)


def detect(source: Source) -> bool:
    """Whether it is one of this tool's."""
    return _has_rows(source) or (source.is_object and "results_ttft_s_quantiles_p50" in source.keys)


def _has_rows(source: Source) -> bool:
    return source.is_list and source.keys >= {"error_code", "ttft_s", "end_to_end_latency_s"}


def read(sources: list[Source]) -> Told:
    """Requests with the summaries that lie beside them; or summaries alone, each a part.

    Raises:
        UsageError: requests without the summary that says their users, a summary without what is needed.
    """
    summaries = {source: _said(source) for source in sources if not _has_rows(source)}
    rows = [source for source in sources if _has_rows(source)]
    parts = [_part(source, _beside(source, summaries, only=len(rows) == 1)) for source in rows]
    if not rows:
        parts = [
            Part(_load(source, said), summary=_summary(source, said), model=said.get("model"), file=source.name)
            for source, said in summaries.items()
        ]
    first = next(iter(summaries.values()))
    unknown = () if rows else ("requests one by one: they are in *_individual_responses.json",)
    return Told(
        tool=NAME,
        version=str(first["version"]) if first.get("version") else None,
        layout="individual responses" if rows else "summary",
        parts=tuple(parts),
        model=first.get("model"),
        api="chat",
        started_at=_started(first),
        differences=_DIFFERENCES,
        unknown=unknown,
        laid_out=bool(rows),
    )


def _said(source: Source) -> dict[str, Any]:
    said = source.document(NAME)
    if not isinstance(said, dict):
        raise source.bad(NAME, "it is neither a summary nor a list of responses")
    return said


def _beside(source: Source, summaries: Mapping[Source, Mapping[str, Any]], *, only: bool) -> Mapping[str, Any]:
    stem = source.path.name.removesuffix("_individual_responses.json")
    named = [
        said
        for other, said in summaries.items()
        if other.path.resolve() == source.path.resolve().with_name(f"{stem}_summary.json")
    ]
    if named:
        return named[0]
    if only and len(summaries) == 1:
        return next(iter(summaries.values()))
    raise source.bad(
        NAME, "it does not tell how many users there were", hint=f"name the {stem}_summary.json beside it too"
    )


def _load(source: Source, said: Mapping[str, Any]) -> LoadOfStep:
    users = number(said.get("num_concurrent_requests"))
    if users is None:
        raise source.bad(NAME, "`num_concurrent_requests` is missing", hint="is the summary whole?")
    return closed(users)


def _part(source: Source, said: Mapping[str, Any]) -> Part:
    table = Table()
    for row in source.document(NAME):
        if not isinstance(row, dict) or "ttft_s" not in row:
            raise source.bad(NAME, "it holds what is no response: no `ttft_s`")
        failed = row.get("error_code") is not None
        took = number(row.get("end_to_end_latency_s"))
        table.add(
            took=0.0 if failed or took is None else took,
            first=number(row.get("ttft_s")),
            prompt=number(row.get("number_input_tokens")),
            output=number(row.get("number_output_tokens")),
            failed=float(failed),
        )
        words = f"{row.get('error_code')} {row.get('error_msg') or ''}"
        table.say(error=code_of(words) if failed else None, detail=shortened(words) if failed else None)
    load = _load(source, said)
    failed_rows, took_s = table.column("failed") > 0, table.column("took")
    begun_s = laid_out.by_users(took_s, int(load.users or 1), _duration_s(said))
    rows = Rows(
        sent_s=begun_s,
        finished_s=np.where(failed_rows, np.nan, begun_s + took_s),
        first_token_s=np.where(failed_rows, np.nan, begun_s + table.column("first")),
        prompt_tokens=table.column("prompt"),
        output_tokens=np.where(failed_rows, np.nan, table.column("output")),
        error=table.texts("error"),
        error_detail=table.texts("detail"),
    )
    done = number(said.get("results_num_completed_requests"))
    answered = None if done is None else int(done)
    return Part(load, rows=rows, model=said.get("model"), file=source.name, answered=answered)


def _duration_s(said: Mapping[str, Any]) -> float | None:
    done, per_min = (
        number(said.get("results_num_completed_requests")),
        number(said.get("results_num_completed_requests_per_min")),
    )
    return done / per_min * 60 if done and per_min else None


def _summary(source: Source, said: Mapping[str, Any]) -> Step:
    done = number(said.get("results_num_completed_requests"))
    if done is None:
        raise source.bad(NAME, "`results_num_completed_requests` is missing", hint="is the summary whole?")
    n = int(done)

    def latency(name: str) -> Summary:
        of = {p: said.get(f"results_{name}_quantiles_{p}") for p in ("p50", "p90", "p95", "p99")}
        return summary_of({"mean": said.get(f"results_{name}_mean"), **of}, n, 1.0)

    lengths = [number(said.get(f"results_number_{side}_tokens_mean")) for side in ("input", "output")]
    return summary_step(
        _load(source, said),
        duration_s=_duration_s(said),
        completed=n,
        failed=int(number(said.get("results_number_errors")) or 0),
        input_tokens=None if lengths[0] is None else lengths[0] * n,
        output_tokens=None if lengths[1] is None else lengths[1] * n,
        ttft=latency("ttft_s"),
        tpot=Summary(),
        e2e=latency("end_to_end_latency_s"),
    )


def _started(said: Mapping[str, Any]) -> str | None:
    ended = number(said.get("timestamp"))
    return None if ended is None else datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds")
