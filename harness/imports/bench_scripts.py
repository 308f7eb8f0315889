"""What vLLM's and SGLang's serving benchmarks have in common: one ancestor, and one shape of result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.base.stats import Floats
from harness.imports import laid_out
from harness.imports.failures import code_of, shortened
from harness.imports.files import Source, number
from harness.imports.members import Member
from harness.imports.summaries import summary_ms, summary_step
from harness.imports.told import Part, Rows, at_rate, closed, longest_gap
from harness.rundir.of_step import LoadOfStep

LARGE = {"input_lens", "output_lens", "ttfts", "itls", "latencies", "start_times", "queue_times", "generated_texts",
         "errors", "text_input_lens", "vision_input_lens"}  # fmt: skip
_ROWS = ("ttfts", "itls", "output_lens", "input_lens")


def has_rows(members: Mapping[str, Member]) -> bool:
    """Whether requests were kept one by one."""
    return all(key in members for key in _ROWS)


def part_of(source: Source, tool: str, members: Mapping[str, Member], said: Mapping[str, Any], e2e: str) -> Part:
    """One run; `e2e`: what its keys call the whole time of a request.

    Raises:
        UsageError: what makes a run is missing.
    """
    for key in ("completed", "duration"):
        if number(said.get(key)) is None:
            raise source.bad(tool, f"`{key}` is missing or no number", hint="is the file whole?")
    load = _load(said)
    if has_rows(members):
        rows = _rows(source, tool, members, load, number(said["duration"]))
        answered = int(number(said["completed"]) or 0)
        return Part(load, rows=rows, file=source.name, took_s=number(said["duration"]), answered=answered)
    completed = int(number(said["completed"]) or 0)
    failed = number(said.get("failed"))
    if failed is None:
        failed = max((number(said.get("num_prompts")) or completed) - completed, 0)
    summary = summary_step(
        load,
        duration_s=number(said["duration"]),
        completed=completed,
        failed=int(failed),
        input_tokens=number(said.get("total_input_tokens")),
        output_tokens=number(said.get("total_output_tokens")),
        ttft=summary_ms(said, "ttft", completed),
        tpot=summary_ms(said, "tpot", completed),
        e2e=summary_ms(said, e2e, completed),
        peak=number(said.get("max_concurrent_requests")),
    )
    return Part(load, summary=summary, file=source.name)


def _load(said: Mapping[str, Any]) -> LoadOfStep:
    """By rate; or, where it is infinite, as many users as may be under way at once: without a limit all of them.

    A rate in words other than "inf" is a trace's: it came to as many as were answered.
    """
    asked, most = said.get("request_rate"), number(said.get("max_concurrency"))
    rate = number(asked)
    if isinstance(asked, str):
        try:
            rate = number(float(asked))
        except ValueError:
            rate = _of_trace(said)
    if rate is not None and rate > 0:
        return at_rate(rate)
    return closed(most or number(said.get("num_prompts")) or number(said["completed"]) or 1)


def _of_trace(said: Mapping[str, Any]) -> float | None:
    done, took_s = number(said.get("completed")), number(said.get("duration"))
    return done / took_s if done and took_s and took_s > 0 else None


def _known_starts(source: Source, tool: str, start_s: Floats, failed: Any) -> Floats | None:
    """When each began; one that failed before it got a time began with the one before it. None: all failed so.

    Raises:
        UsageError: a request that was answered has none.
    """
    if len(start_s) > 1 and not failed.all() and not start_s.any():
        raise source.bad(tool, "`start_times` are all 0")
    known = ~np.isnan(start_s) & ((start_s != 0) | ~failed)
    if not (known | failed).all():
        place = int(np.flatnonzero(~(known | failed))[0])
        raise source.bad(tool, f"`start_times` has no time of request {place:,}, which was answered")
    if not known.any():
        return None
    last = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))
    return start_s[np.where(last < 0, int(np.flatnonzero(known)[0]), last)]


def _rows(source: Source, tool: str, members: Mapping[str, Member], load: LoadOfStep, duration_s: float | None) -> Rows:
    ttft_s, prompt_tokens, output_tokens = (members[key].numbers() for key in ("ttfts", "input_lens", "output_lens"))
    events, waits_s, gaps_s = _of_chunks(members["itls"])
    lists = {"ttfts": ttft_s, "input_lens": prompt_tokens, "output_lens": output_tokens, "itls": events}
    lists |= {key: members[key].numbers() for key in ("start_times", "queue_times") if key in members}
    words = _errors(source, tool, members.get("errors"), len(events))
    if len({len(values) for values in lists.values()}) > 1:
        said = ", ".join(f"{key} {len(values):,}" for key, values in lists.items())
        raise source.bad(tool, f"its lists are not equally long: {said}")
    failed = np.array([bool(text) for text in words], dtype=bool) | ~(output_tokens > 0)
    took_s = np.where(failed, 0.0, ttft_s + waits_s)
    begun_s = _known_starts(source, tool, lists["start_times"], failed) if "start_times" in lists else None
    sent_s = _begun(load, took_s, duration_s) if begun_s is None else begun_s
    due_s = None
    if load.users is None and begun_s is not None and "queue_times" in lists:
        due_s = sent_s - lists["queue_times"]
    return Rows(
        sent_s=sent_s,
        finished_s=np.where(failed, np.nan, sent_s + took_s),
        first_token_s=np.where(failed, np.nan, sent_s + ttft_s),
        scheduled_s=due_s,
        prompt_tokens=prompt_tokens,
        output_tokens=np.where(failed, np.nan, output_tokens),
        events=np.where(failed, 0, events + 1),
        max_gap_s=np.where(failed, np.nan, gaps_s),
        error=[_code(text) if bad else None for text, bad in zip(words, failed, strict=True)] if failed.any() else None,
        error_detail=[shortened(text) or None for text in words] if failed.any() else None,
    )


def _begun(load: LoadOfStep, took_s: Floats, duration_s: float | None) -> Floats:
    if load.requests_per_s is not None:
        return laid_out.at_rate(len(took_s), load.requests_per_s)
    return laid_out.by_users(took_s, int(load.users or 1), duration_s)


def _code(words: str) -> str:
    return code_of(words) if words else "no_tokens"


def _of_chunks(itls: Member) -> tuple[Floats, Floats, Floats]:
    """Of each request: gaps between chunks, their sum, the longest."""
    counts: list[int] = []
    sums: list[float] = []
    longest: list[float] = []
    for piece in itls.items():
        if not all(isinstance(gaps, list) for gaps in piece):
            raise itls.source.bad(itls.tool, "`itls` is no list of lists of numbers")
        counts += map(len, piece)
        sums += map(sum, piece)
        longest += map(longest_gap, piece)
    return np.array(counts, dtype=float), np.array(sums), np.array(longest)


def _errors(source: Source, tool: str, errors: Member | None, count: int) -> list[str]:
    if errors is None:
        return [""] * count
    words = [str(word or "") for word in errors.value()]
    if len(words) != count:
        raise source.bad(tool, f"`errors` has {len(words):,} entries, its other lists {count:,}")
    return words
