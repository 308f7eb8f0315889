"""What is said of a log beside the demand that was made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.base.units import SECONDS_PER_HOUR
from harness.demand.volume import DAYS_PER_WEEK, FEW_AN_HOUR, SECONDS_PER_DAY, covered_s
from harness.scenario.logs.request_log import RequestLog


def head_words(log: RequestLog) -> str:
    """The demand file's first line."""
    return f"{log.requests:,.0f} requests of {log.file}, {_span(log)}; its volume taken as typical of a month."


def summary(log: RequestLog, demand: dict[str, Any], *, per_model: bool = False) -> list[str]:
    """What was read, what was left out, what to beware of; a line each."""
    return [
        f"{log.requests:,.0f} requests over {_span(log)} ({log.layout} layout{_losses(log)}): {_volume(log, demand)}",
        _sizes(log, demand),
        *_hours(log, demand),
        *_beware(log, demand),
        *_content(demand["made_of_log"], per_model),
        *_repeats(log, demand),
        *log.notes,
    ]


def _span(log: RequestLog) -> str:
    hours = log.end_s / SECONDS_PER_HOUR
    return f"{hours:.1f} h" if hours >= 1 else f"{log.end_s:.0f} s"


def _losses(log: RequestLog) -> str:
    failed = f", {log.failed.sum():,.0f} failed" if log.failed.any() else ""
    return failed + "".join(f", {count:,} {why} left out" for why, count in log.left_out.items())


def _volume(log: RequestLog, demand: dict[str, Any]) -> str:
    volume = demand["tasks_per_month"]
    if volume is None:
        return f"n/a ({'no times' if log.unit == 'none' else 'too short for a month'}: lengths only)"
    low, high = demand["ranges"]["tasks_per_month"]
    return f"{volume:,} a month, between {low:,} and {high:,}"


def _sizes(log: RequestLog, demand: dict[str, Any]) -> str:
    n = len(demand["classes"])
    classes = f"; {n} classes, cut where prices in tiers change" if n > 1 else ""
    given, out = (
        float((values * log.served).sum() / log.served.sum()) for values in (log.input_tokens, log.output_tokens)
    )
    return f"mean request {given:,.6g} tokens in, {out:,.6g} out{classes}"


def _hours(log: RequestLog, demand: dict[str, Any]) -> Iterator[str]:
    profile = demand.get("hourly_profile")
    if profile is None:
        yield f"{_why_no_profile(log)}: no hourly profile, the peak is taken as the mean"
        return
    clock = "" if log.starts_at_s is not None else "; hours count from the first request, the log has no clock"
    if log.bucket_s > SECONDS_PER_HOUR:
        clock = "; within a day the load is taken as even, its buckets do not say more"
    yield f"busiest of {len(profile)} hours {max(profile):.2f} times the mean{clock}"
    each = float(log.served.sum()) / len(profile)
    if each < FEW_AN_HOUR:
        yield f"warning: some {each:.0f} requests for each hour of the profile: its peak may be chance"


def _why_no_profile(log: RequestLog) -> str:
    if log.bucket_s > SECONDS_PER_HOUR:
        return f"its buckets are {log.bucket_s / SECONDS_PER_HOUR:g} h long"
    if log.unit != "none" and covered_s(log) >= SECONDS_PER_DAY:
        return "fewer requests than hours of a day"
    return "less than a day"


def _beware(log: RequestLog, demand: dict[str, Any]) -> Iterator[str]:
    if log.is_aggregate:
        size = f"{log.bucket_s / SECONDS_PER_HOUR:g} h"
        yield f"an aggregate: its counts are spread evenly over buckets of {size}, lengths are the means of a bucket"
    days = covered_s(log) / SECONDS_PER_DAY
    if demand["tasks_per_month"] is not None and days < DAYS_PER_WEEK:
        yield (
            f"warning: {'a day' if 0.8 <= days < 1.5 else 'less than a week'} of traffic is taken for a month: other "
            "days, nights and weekends are not in it; a log of a week or more says"
        )
    if log.failed.any():
        share = log.failed.sum() / log.requests
        yield (
            f"{log.failed.sum():,.0f} of {log.requests:,.0f} requests failed ({share:.1%}) and are not in the volume; "
            "where each is asked and billed again set retry_failure_rate"
        )


def _content(made: dict[str, Any], per_model: bool) -> Iterator[str]:
    if made.get("cached_share"):
        yield f"{made['cached_share']:.1%} of the input tokens were cached: kept in the classes"
    if made.get("reasoning_tokens"):
        yield f"{made['reasoning_tokens']:g} of the output tokens of a request are reasoning: priced as output"
    if made.get("images"):
        total = made["images"] * (made["requests"] - made["failed"])
        yield f"{total:,.0f} images ({made['images']:g} a request) have no price here: only the tokens are priced"
    if made.get("models", 1) > 1 and not per_model:
        yield f"{made['models']} models: --per-model keeps them apart"
    talk = made.get("conversations")
    if talk:
        many = "conversation" if talk["sessions"] == 1 else "conversations"
        yield (
            f"{talk['sessions']:,} {many} of {talk['turns']:g} turns, {talk['base_tokens']:,.0f} tokens in at "
            f"first and {talk['growth_tokens']:,.0f} more each turn"
        )


def _repeats(log: RequestLog, demand: dict[str, Any]) -> Iterator[str]:
    found = demand["made_of_log"].get("repeats")
    if found is None:
        why = "an aggregate names no single request" if log.is_aggregate else "no prompt is told whole"
        hint = "" if log.is_aggregate else "; --column prompt=NAME names their text, or a hash of it"
        yield f"cannot tell whether prompts come again: {why}{hint}"
        return
    told, unknown = found["told"], found["unknown"]
    by = f"`{found['column']}`" + ("" if log.model is None else " and model")
    untold = f" ({unknown:,} more do not tell it whole)" if unknown else ""
    came = f"of {told:,} requests had a prompt that came before, by {by}{untold}"
    yield f"{found['share']:.2%} {came}: {_saved(found, '')}"
    recent = found["share_24h"]
    if recent is not None:
        yield f"{recent:.2%} had it within 24 h: {_saved(found, '_24h')}"
    hits = round((found["share"] if recent is None else recent) * told / (told + unknown), 4)
    if "response_cache_hit_rate" not in demand and hits:
        yield (
            f"where the same answer may be given again, a cache by the exact prompt comes to "
            f"`response_cache_hit_rate: {hits:g}`; it is not set"
        )


def _saved(found: dict[str, Any], within: str) -> str:
    return (
        f"{found[f'input_tokens{within}']:,.0f} tokens in and {found[f'output_tokens{within}']:,.0f} out would be saved"
    )
