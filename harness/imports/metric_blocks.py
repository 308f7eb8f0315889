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
    1e-9: ("ns", "nsec", "nanosecond", "nanoseconds"), 1e-3: ("ms", "msec", "millisecond", "milliseconds"),
    1e-6: ("us", "usec", "\u00b5s", "\u03bcs", "microsecond", "microseconds"),
    1.0: ("s", "sec", "secs", "second", "seconds"), 60.0: ("m", "min", "mins", "minute", "minutes"),
    3600.0: ("h", "hr", "hrs", "hour", "hours"),
}  # fmt: skip
_UNITS_S_BY_NAME = {name: unit for unit, names in _UNITS_S.items() for name in names}
_COUNTED = frozenset({"request", "requests", "req", "reqs", "token", "tokens", "tok", "toks", "count", "counts"})
_PER_S = {"rps": 1.0, "qps": 1.0, "tps": 1.0, "rpm": 60.0, "qpm": 60.0, "tpm": 60.0}  # a rate's short names
MS = 1e-3  # what times are in where no unit is told


def block_of(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A metric's block; empty where it has none."""
    block = said.get(name)
    return block if isinstance(block, dict) else {}


def average(said: Mapping[str, Any], name: str) -> float | None:
    """The average, or the one value, of a metric; genai-perf wrote numbers as text for a while."""
    return _as_number(block_of(said, name).get("avg"))


def unit_s(source: Source, tool: str, said: Mapping[str, Any], name: str, otherwise: float = MS) -> float:
    """How many seconds a metric's unit is; `otherwise`: where its block tells none.

    Raises:
        UsageError: a unit that is no time.
    """
    unit = block_of(said, name).get("unit")
    if unit in (None, ""):
        return otherwise
    if (found := _UNITS_S_BY_NAME.get(str(unit).strip().lower())) is None:
        raise source.bad(tool, f"`{name}` is in {unit!r}, which is no unit of time")
    return found


def per_s(source: Source, tool: str, said: Mapping[str, Any], name: str) -> float | None:
    """The average of a metric that is a rate, per second; without a unit it is one.

    Raises:
        UsageError: a unit that is no rate of requests or tokens.
    """
    value, unit = average(said, name), block_of(said, name).get("unit")
    if value is None or unit in (None, ""):
        return value
    word = str(unit).strip().lower()
    what, _, time = word.replace(" per ", "/").partition("/")
    unit_s = _PER_S.get(word) or (_UNITS_S_BY_NAME.get(time.strip()) if what.strip() in _COUNTED else None)
    if unit_s is None:
        raise source.bad(tool, f"`{name}` is in {unit!r}, which is no rate of requests or tokens")
    return value / unit_s


def counted(source: Source, tool: str, said: Mapping[str, Any], *names: str, value: str = "avg") -> float | None:
    """The average, or the one value, of the first metric that has it and counts requests or tokens.

    Raises:
        UsageError: a unit that is neither.
    """
    for name in names:
        unit, found = block_of(said, name).get("unit"), _as_number(block_of(said, name).get(value))
        if found is not None and unit not in (None, "") and str(unit).strip().lower() not in _COUNTED:
            raise source.bad(tool, f"`{name}` is in {unit!r}, which counts neither requests nor tokens")
        if found is not None:
            return found
    return None


def seconds_of(source: Source, tool: str, said: Mapping[str, Any], name: str) -> float | None:
    """The average of a metric that is a time of the whole benchmark."""
    value = average(said, name)
    return None if value is None else value * unit_s(source, tool, said, name, otherwise=1.0)


def summary_of_blocks(source: Source, tool: str, said: Mapping[str, Any], load: LoadOfStep) -> Step:
    """The tool's own figures.

    Raises:
        UsageError: neither its requests nor its time are told.
    """
    rate, count = per_s(source, tool, said, "request_throughput"), counted(source, tool, said, "request_count")
    duration_s = seconds_of(source, tool, said, "benchmark_duration")
    if duration_s is None and rate and count:
        duration_s = count / rate
    if rate is None and count is None:
        raise source.bad(tool, "neither `request_throughput` nor `request_count` is there", hint="is the file whole?")
    completed = int(count or 0) or int(number(block_of(said, "request_latency").get("count")) or 0)
    lengths = counted(source, tool, said, "input_sequence_length", "num_input_token")
    outputs = counted(source, tool, said, "output_sequence_length", "num_output_token")
    step = summary_step(
        load,
        duration_s=duration_s,
        completed=completed,
        failed=int(counted(source, tool, said, "error_request_count") or 0),
        input_tokens=None,
        output_tokens=None,
        ttft=_latency(source, tool, said, "time_to_first_token", completed),
        tpot=_latency(source, tool, said, "inter_token_latency", completed),
        e2e=_latency(source, tool, said, "request_latency", completed),
    )
    figures = {
        "requests_per_s": rate if rate is not None else step.requests_per_s,
        "output_tokens_per_s": per_s(source, tool, said, "output_token_throughput"),
        "input_tokens_per_s": None if rate is None or lengths is None else rate * lengths,
        "mean_input_tokens": lengths,
        "mean_output_tokens": outputs,
    }
    return step.model_copy(update=figures)


def users_of(source: Source, tool: str, said: Mapping[str, Any]) -> float:
    """The mean number of requests under way, by the summary's own figures."""
    block = block_of(said, "request_latency")
    took = _as_number(block.get("avg"))
    took_s = None if took is None else took * unit_s(source, tool, said, "request_latency")
    return mean_at_once(per_s(source, tool, said, "request_throughput"), took_s)


def _latency(source: Source, tool: str, said: Mapping[str, Any], name: str, n: int) -> Summary:
    block = block_of(said, name)
    figures = {key: _as_number(block.get(key)) for key in ("p50", "p90", "p95", "p99")}
    return summary_of({"mean": _as_number(block.get("avg")), **figures}, n, unit_s(source, tool, said, name))


def _as_number(value: Any) -> float | None:
    try:
        return number(float(value)) if isinstance(value, str) else number(value)
    except ValueError:
        return None
