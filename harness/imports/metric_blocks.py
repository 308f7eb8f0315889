"""Summaries of AIPerf and genai-perf: a block of `unit`, `avg`, `p50`, ... for each metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.imports.files import Source, number
from harness.imports.summaries import summary_of, summary_step
from harness.imports.told import mean_at_once
from harness.rundir.of_step import LoadOfStep, Summary
from harness.rundir.results import Step

_UNITS_S = {
    1e-9: ("ns", "nanoseconds"), 1e-6: ("us", "\u00b5s", "\u03bcs", "microseconds"), 1e-3: ("ms", "milliseconds"),
    1.0: ("s", "sec", "second", "seconds"), 60.0: ("min", "minutes"), 3600.0: ("h", "hours"),
}  # fmt: skip
UNITS_S = {name: unit for unit, names in _UNITS_S.items() for name in names}
MS = 1e-3  # what times are in where no unit is told


def block_of(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A metric's block; empty where it has none."""
    block = said.get(name)
    return block if isinstance(block, dict) else {}


def average(said: Mapping[str, Any], *names: str) -> float | None:
    """The average, or the one value, of the first metric that has it; genai-perf wrote numbers as text for a while."""
    return next((value for name in names if (value := _as_number(block_of(said, name).get("avg"))) is not None), None)


def unit_s(source: Source, tool: str, said: Mapping[str, Any], name: str, otherwise: float = MS) -> float:
    """How many seconds a metric's unit is; `otherwise`: where its block tells none.

    Raises:
        UsageError: a unit that is no time.
    """
    unit = block_of(said, name).get("unit")
    if unit in (None, ""):
        return otherwise
    if (found := UNITS_S.get(str(unit).lower())) is None:
        raise source.bad(tool, f"`{name}` is in {unit!r}, which is no unit of time")
    return found


def seconds_of(source: Source, tool: str, said: Mapping[str, Any], name: str) -> float | None:
    """The average of a metric that is a time of the whole benchmark."""
    value = average(said, name)
    return None if value is None else value * unit_s(source, tool, said, name, otherwise=1.0)


def summary_of_blocks(source: Source, tool: str, said: Mapping[str, Any], load: LoadOfStep) -> Step:
    """The tool's own figures.

    Raises:
        UsageError: neither its requests nor its time are told.
    """
    rate, count = average(said, "request_throughput"), average(said, "request_count")
    duration_s = seconds_of(source, tool, said, "benchmark_duration")
    if duration_s is None and rate and count:
        duration_s = count / rate
    if rate is None and count is None:
        raise source.bad(tool, "neither `request_throughput` nor `request_count` is there", hint="is the file whole?")
    completed = int(count or 0) or int(number(block_of(said, "request_latency").get("count")) or 0)
    lengths = average(said, "input_sequence_length", "num_input_token")
    outputs = average(said, "output_sequence_length", "num_output_token")
    step = summary_step(
        load,
        duration_s=duration_s,
        completed=completed,
        failed=int(average(said, "error_request_count") or 0),
        input_tokens=None,
        output_tokens=None,
        ttft=_latency(source, tool, said, "time_to_first_token", completed),
        tpot=_latency(source, tool, said, "inter_token_latency", completed),
        e2e=_latency(source, tool, said, "request_latency", completed),
    )
    per_s = {
        "requests_per_s": rate if rate is not None else step.requests_per_s,
        "output_tokens_per_s": average(said, "output_token_throughput"),
        "input_tokens_per_s": None if rate is None or lengths is None else rate * lengths,
        "mean_input_tokens": lengths,
        "mean_output_tokens": outputs,
    }
    return step.model_copy(update=per_s)


def users_of(source: Source, tool: str, said: Mapping[str, Any]) -> float:
    """The mean number of requests under way, by the summary's own figures."""
    block = block_of(said, "request_latency")
    took = _as_number(block.get("avg"))
    took_s = None if took is None else took * unit_s(source, tool, said, "request_latency")
    return mean_at_once(average(said, "request_throughput"), took_s)


def _latency(source: Source, tool: str, said: Mapping[str, Any], name: str, n: int) -> Summary:
    block = block_of(said, name)
    figures = {key: _as_number(block.get(key)) for key in ("p50", "p90", "p95", "p99")}
    return summary_of({"mean": _as_number(block.get("avg")), **figures}, n, unit_s(source, tool, said, name))


def _as_number(value: Any) -> float | None:
    try:
        return number(float(value)) if isinstance(value, str) else number(value)
    except ValueError:
        return None
