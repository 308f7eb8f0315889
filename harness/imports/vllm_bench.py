"""`vllm bench serve` (before: benchmark_serving.py): one JSON object a run; with --append-result several, one a line.

Read as real files: 0.32. Older layouts, whose goodput key has a colon in it, from documentation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from harness.base.stats import Floats
from harness.imports.failures import code_of, shortened
from harness.imports.files import Source, number
from harness.imports.members import Member, objects
from harness.imports.summaries import summary_ms, summary_step
from harness.imports.told import Api, Part, Rows, Told, at_rate, closed
from harness.rundir.of_step import LoadOfStep
from harness.rundir.results import Step

NAME = "vllm bench serve"
SEEN = "0.32"
_KEYS = {"model_id", "num_prompts", "request_throughput"}
_LARGE = {"input_lens", "output_lens", "ttfts", "itls", "latencies", "start_times", "queue_times", "generated_texts",
          "errors"}  # fmt: skip
_NEEDED = ("ttfts", "itls", "start_times", "output_lens", "input_lens")
_DIFFERENCES = (
    "TTFT ends at the first chunk that has choices, be it the empty one that only names the role: on chat routes it "
    "may lie before the first token",
    "the time of a request begins when the client's own limit on requests at once lets it go; what it waited before is "
    "not in TTFT or E2E",
    "output tokens are the server's count where it sent one, else those of the tool's tokenizer; the file does not say "
    "which",
)


def detect(source: Source) -> bool:
    """Whether it is one of this tool's."""
    return source.is_object and source.keys >= _KEYS and "dataset_name" not in source.keys


def read(sources: list[Source]) -> Told:
    """The runs of one or more files, each a part.

    Raises:
        UsageError: a file that is cut, or lacks what makes a run.
    """
    runs = [(source, members) for source in sources for members in objects(source, NAME)]
    scalars = [{k: m.value() for k, m in members.items() if k not in _LARGE} for _, members in runs]
    parts = [_part(source, members, said) for (source, members), said in zip(runs, scalars, strict=True)]
    first = scalars[0]
    backend = str(first.get("backend") or first.get("endpoint_type") or "openai")
    has_rows = all(part.rows is not None for part in parts)
    return Told(
        tool=NAME,
        layout=_layout(first, runs[0][1]),
        parts=tuple(parts),
        model=first.get("model_id"),
        api=_api(backend, str(first.get("endpoint") or "")),
        backend=backend if backend in ("vllm", "tgi", "sglang") else "openai",
        started_at=_started(first.get("date")),
        differences=_DIFFERENCES,
        unknown=() if has_rows else ("requests one by one: --save-detailed keeps them, with the times they began",),
    )


def _layout(said: Mapping[str, Any], members: Mapping[str, Member]) -> str:
    kind = "--save-detailed" if "itls" in members else "plain"
    if any(key.endswith(":") for key in said):
        return f"{kind}, an older script's, whose goodput key has a colon"
    return f"{kind}, {'with' if 'start_times' in members else 'without'} start times"


def _api(backend: str, endpoint: str) -> Api:
    return "chat" if "chat" in backend or "chat" in endpoint else "completions"


def _started(date: Any) -> str | None:
    """The file's date is of the client's own time zone, which it does not tell; taken as UTC."""
    try:
        return datetime.strptime(str(date), "%Y%m%d-%H%M%S").replace(tzinfo=UTC).isoformat()
    except ValueError:
        return None


def _part(source: Source, members: Mapping[str, Member], said: Mapping[str, Any]) -> Part:
    missing = [key for key in ("completed", "duration", "num_prompts") if number(said.get(key)) is None]
    if missing:
        raise source.bad(NAME, f"`{missing[0]}` is missing or no number", hint="is the file whole?")
    load = _load(said)
    if all(key in members for key in _NEEDED):
        return Part(load, rows=_rows(source, members, is_open=load.users is None))
    return Part(load, summary=_summary(load, said))


def _load(said: Mapping[str, Any]) -> LoadOfStep:
    """By rate; or, where it is infinite, as many users as may be under way at once: without a limit all of them."""
    rate, most = number(said.get("request_rate")), number(said.get("max_concurrency"))
    if rate is not None and rate > 0:
        return at_rate(rate)
    return closed(most or number(said["num_prompts"]) or 1)


def _rows(source: Source, members: Mapping[str, Member], *, is_open: bool) -> Rows:
    columns = {key: members[key].numbers() for key in ("start_times", "ttfts", "input_lens", "output_lens")}
    events, waits_s, gaps_s = _of_chunks(members["itls"])
    lengths = {**{key: len(values) for key, values in columns.items()}, "itls": len(events)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{key} {count:,}" for key, count in lengths.items())
        raise source.bad(NAME, f"its lists are not equally long: {said}")
    words = _errors(members.get("errors"), len(events))
    failed = np.array([bool(text) for text in words]) | ~(columns["output_lens"] > 0)
    first_s = columns["start_times"] + columns["ttfts"]
    queued_s = members["queue_times"].numbers() if is_open and "queue_times" in members else None
    return Rows(
        sent_s=columns["start_times"],
        finished_s=np.where(failed, np.nan, first_s + waits_s),
        first_token_s=np.where(failed, np.nan, first_s),
        scheduled_s=None if queued_s is None else columns["start_times"] - queued_s,
        prompt_tokens=columns["input_lens"],
        output_tokens=np.where(failed, np.nan, columns["output_lens"]),
        events=np.where(failed, 0, events + 1),
        max_gap_s=np.where(failed, np.nan, gaps_s),
        error=[_code(text) if bad else None for text, bad in zip(words, failed, strict=True)] if failed.any() else None,
        error_detail=[shortened(text) or None for text in words] if failed.any() else None,
    )


def _code(words: str) -> str:
    return code_of(words) if words else "no_tokens"


def _of_chunks(itls: Member) -> tuple[Floats, Floats, Floats]:
    """Of each request: gaps between chunks, their sum, the longest (NaN where there is none)."""
    counts: list[int] = []
    sums: list[float] = []
    longest: list[float] = []
    for piece in itls.items():
        counts += map(len, piece)
        sums += map(math.fsum, piece)
        longest += [max(gaps) if gaps else math.nan for gaps in piece]
    return np.array(counts, dtype=float), np.array(sums), np.array(longest)


def _errors(errors: Member | None, count: int) -> list[str]:
    if errors is None:
        return [""] * count
    words = [str(word or "") for word in errors.value()]
    if len(words) != count:
        raise errors.source.bad(NAME, f"`errors` has {len(words):,} entries, its other lists {count:,}")
    return words


def _summary(load: LoadOfStep, said: Mapping[str, Any]) -> Step:
    completed, failed = number(said["completed"]) or 0, number(said.get("failed"))
    if failed is None:
        failed = max((number(said["num_prompts"]) or 0) - completed, 0)
    n = int(completed)
    duration_s = number(said["duration"]) or 0.0
    return summary_step(
        load,
        duration_s=duration_s,
        completed=n,
        failed=int(failed),
        input_tokens=number(said.get("total_input_tokens")),
        output_tokens=number(said.get("total_output_tokens") or said.get("total_output")),
        ttft=summary_ms(said, "ttft", n),
        tpot=summary_ms(said, "tpot", n),
        e2e=summary_ms(said, "e2el", n),
        peak=number(said.get("max_concurrent_requests")),
    )
