"""What the engines say of themselves at `/metrics`: scrapes into a table, and what each quantity is called where.

server_metrics.parquet, long form: `t_s` (seconds since the run began), `name` (the sample's, suffix included),
`labels` (a JSON object; `instance` is the URL), `value`. A series has a row at the first scrape and whenever its
value changed. `up` (1 or 0) has one at every scrape: that is when the others are known to have held.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from harness.base.stats import Floats
from harness.rundir.accounts import Histogram
from harness.rundir.arrivals import Bools
from harness.rundir.scrapes import UP

Names = tuple[str, ...]
"""Series, newest first; the first that is there is read, never two of them."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Where one engine keeps its quantities. Histograms are named without `_sum`, `_count`, `_bucket`."""

    prefix: str
    names: Mapping[str, Names]
    counts_at: Literal["token", "request_end"]  # when a generated token enters the counter
    absent_is_zero: bool = False  # a counter that nothing has touched yet is not on the page
    not_everywhere: Names = ()  # quantities that a build of this engine goes without


# vLLM's names with `gpu_` are those from before 0.10; llama-server tells of its cache from b11434 on
CATALOGUES: dict[str, Catalogue] = {
    "vllm": Catalogue(
        prefix="vllm:",
        counts_at="token",
        names={
            "generation_tokens": ("vllm:generation_tokens_total",),
            "prompt_tokens": ("vllm:prompt_tokens_total",),
            "requests_finished": ("vllm:request_success_total",),
            "requests_running": ("vllm:num_requests_running",),
            "requests_waiting": ("vllm:num_requests_waiting",),
            "kv_cache_usage": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
            "preemptions": ("vllm:num_preemptions_total",),
            "prefix_cache_queries": ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
            "prefix_cache_hits": ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
            "queue_time_s": ("vllm:request_queue_time_seconds",),
            "ttft_s": ("vllm:time_to_first_token_seconds",),
        },
    ),
    "tgi": Catalogue(
        prefix="tgi_",
        counts_at="request_end",
        absent_is_zero=True,
        not_everywhere=("requests_running", "requests_waiting"),  # its llama.cpp backend has no gauges
        names={
            "generation_tokens": ("tgi_request_generated_tokens_sum",),
            "prompt_tokens": ("tgi_request_input_length_sum",),
            # not tgi_request_count: it rises twice for a request to an OpenAI route
            "requests_finished": ("tgi_request_success",),
            "requests_running": ("tgi_batch_current_size",),
            "requests_waiting": ("tgi_queue_size",),
            "queue_time_s": ("tgi_request_queue_duration",),
        },
    ),
    "sglang": Catalogue(
        prefix="sglang:",
        counts_at="request_end",
        absent_is_zero=True,
        not_everywhere=("queue_time_s", "preemptions", "prefix_cache_hits"),  # 0.4; until the first of its kind
        names={
            "generation_tokens": ("sglang:generation_tokens_total",),
            "prompt_tokens": ("sglang:prompt_tokens_total",),
            "requests_finished": ("sglang:num_requests_total",),
            "requests_running": ("sglang:num_running_reqs",),
            "requests_waiting": ("sglang:num_queue_reqs",),
            "kv_cache_usage": ("sglang:token_usage",),
            "preemptions": ("sglang:num_retracted_requests_total",),
            "prefix_cache_queries": ("sglang:prompt_tokens_total",),  # it counts those out of the cache too
            "prefix_cache_hits": ("sglang:cached_tokens_total",),
            "queue_time_s": ("sglang:queue_time_seconds",),
            "ttft_s": ("sglang:time_to_first_token_seconds",),
        },
    ),
    "llama_server": Catalogue(
        prefix="llamacpp:",
        counts_at="request_end",  # seen on b11434: 0 until the request of 300 tokens had ended
        names={
            "generation_tokens": ("llamacpp:tokens_predicted_total",),
            "prompt_tokens": ("llamacpp:prompt_tokens_total",),  # without those out of the cache
            "requests_running": ("llamacpp:requests_processing",),
            "requests_waiting": ("llamacpp:requests_deferred",),
            "prefix_cache_hits": ("llamacpp:prompt_tokens_cached_total",),
        },
    ),
}
MOST = 1e15  # of anything that is counted: more is no count
PROCESS_START = "process_start_time_seconds"  # of Prometheus' own client libraries
JUMP = 3.0  # a rise that is so many times the usual ones is another machine's counter
BACK_SHARE = 0.5  # of a fall: what a restarted counter gains in one look is not just what it lost
COUNTERS = (
    "generation_tokens", "prompt_tokens", "requests_finished", "preemptions",
    "prefix_cache_queries", "prefix_cache_hits",
)  # fmt: skip


Series = dict[str, list[tuple[dict[str, str], Floats]]]
"""Samples by name: for each of its labels, rows of (t_s, value)."""


def series_of(frame: pd.DataFrame) -> Series:
    """The table of scrapes by series, without values that nothing here can have; of two at one time the last."""
    frame = frame[frame["value"].between(0, MOST)].drop_duplicates(["t_s", "name", "labels"], keep="last")
    values = frame[["t_s", "value"]].to_numpy(dtype=float)
    series: Series = {}
    groups = cast("Mapping[tuple[str, str], Any]", frame.groupby(["name", "labels"], sort=True).indices)
    for (name, labels), rows in groups.items():
        series.setdefault(name, []).append((json.loads(labels), values[rows]))
    return series


@dataclass(frozen=True, slots=True)
class Readings:
    """The pages of one engine's servers, all its replicas. A series that is not there is None, never 0."""

    engine: str
    catalogue: Catalogue
    series: Series

    def looks(self) -> list[float]:
        """1 for each look at a page that was answered, 0 for one that was not."""
        return [float(up) for _, rows in self.series.get(UP, []) for up in rows[:, 1]]

    def instances(self) -> set[str]:
        """The servers that have this engine's page."""
        prefix = self.catalogue.prefix
        return {row["instance"] for name in self.series if name.startswith(prefix) for row, _ in self.series[name]}

    def scrape_times(self) -> list[float]:
        """When every instance's page was had, by its slowest one; scrapes that failed are left out."""
        answered = [rows[rows[:, 1] == 1, 0] for _, rows in self.series.get(UP, [])]
        instances = [times_s for times_s in answered if len(times_s)]
        times_s = pd.Series([float(t) for one in instances for t in one], dtype=float)
        if len(instances) <= 1:
            return list(times_s)
        return [float(group.max()) for _, group in times_s.groupby(times_s.round()) if len(group) == len(instances)]

    def name_of(self, quantity: str) -> str | None:
        """The series that holds it in this run, None where none of its names is there."""
        there = (n for n in self.catalogue.names.get(quantity, ()) if n in self.series or f"{n}_count" in self.series)
        return next(there, None)

    def missing(self) -> list[str]:
        """Quantities that the catalogue expects of every build and the page did not have."""
        usual = (quantity for quantity in self.catalogue.names if quantity not in self.catalogue.not_everywhere)
        return [quantity for quantity in usual if self.name_of(quantity) is None]

    def values_at(self, name: str, t_s: float) -> list[tuple[dict[str, str], float]] | None:
        """(labels, value) of each of its series as of `t_s`; None where that cannot be known."""
        found = self.series.get(name)
        if found is None:
            return None
        known = [(labels, rows[rows[:, 0] <= t_s]) for labels, rows in found]
        if not self.catalogue.absent_is_zero and all(not len(rows) for _, rows in known):
            return None  # the page began later
        return [(labels, float(rows[-1, 1])) for labels, rows in known if len(rows)]

    def increase(self, name: str, start_s: float, end_s: float) -> float | None:
        """How much a counter rose between two scrapes, over all its series; None where it is not there."""
        before, after = self.values_at(name, start_s), self.values_at(name, end_s)
        if before is None or after is None:
            return None
        return sum(value for _, value in after) - sum(value for _, value in before)

    def histogram(self, quantity: str, start_s: float, end_s: float) -> Histogram | None:
        """What a histogram took in between two scrapes; None where it is not there."""
        name = self.name_of(quantity)
        if name is None:
            return None
        count = self.increase(f"{name}_count", start_s, end_s)
        total = self.increase(f"{name}_sum", start_s, end_s)
        if count is None or total is None or not 0 <= count <= MOST or total < 0:
            return None
        if count < 1:
            return Histogram(n=0)
        below: dict[float, float] = {}
        for sign, t_s in ((-1, start_s), (1, end_s)):
            for labels, value in self.values_at(f"{name}_bucket", t_s) or []:
                edge = _edge(labels)
                below[edge] = below.get(edge, 0.0) + sign * value
        edges = [edge for edge in sorted(below) if below[edge] >= 0.95 * count and edge < float("inf")]
        return Histogram(n=int(count), mean=total / count, p95_at_most=edges[0] if edges else None)

    def resets(self) -> list[tuple[str, float]]:
        """(series, t_s) where a counter of the catalogue fell: another process counts from there on."""
        names = dict.fromkeys(filter(None, map(self.name_of, COUNTERS)))  # SGLang counts two in one
        return [
            (name, float(after[0]))
            for name in names
            for _, rows in self.series.get(name, [])
            for before, after in pairwise(rows)
            if after[1] < before[1]
        ]

    def several_machines(self) -> tuple[str, float] | None:
        """(series, t_s) where one address answers for several machines in turn, each with counters of its own.

        A counter falls and is back in one look, a little above where it was; or the process gets older again. After
        a restart a counter rises from there.
        """
        for _, rows in self.series.get(PROCESS_START, []):
            for before, after in pairwise(rows):
                if after[1] < before[1]:
                    return PROCESS_START, float(after[0])
        for name in filter(None, map(self.name_of, COUNTERS)):
            for _, rows in self.series.get(name, []):
                fell_s = _fell_and_was_back(rows)
                if fell_s is not None:
                    return name, fell_s
        return None


def _fell_and_was_back(rows: Floats) -> float | None:
    """When a counter fell that one later look finds back where it was; None where none did.

    A counter that was started anew is back there too, if it had not come far: in steps like any other of its steps.
    """
    usual = [float(after[1] - before[1]) for before, after in pairwise(rows) if after[1] > before[1]]
    fell_s, jumps = set(), []
    for at, (before, after) in enumerate(pairwise(rows)):
        if after[1] >= before[1]:
            continue
        last, back = rows[at + 1 : -1, 1], rows[at + 2 :, 1]
        found = (back - last)[_is_back(before[1], after[1], last, back)]
        if len(found):
            fell_s.add(float(after[0]))
            jumps += found.tolist()
    for jump in jumps[:1]:
        usual.remove(jump)
    if len(fell_s) > 1 or (jumps and max(jumps) > JUMP * float(np.median(usual or [0.0]))):
        return min(fell_s)
    return None


def _is_back(before: float, after: float, last: Floats, back: Floats) -> Bools:
    fall = before - after
    is_back: Bools = (back - last > BACK_SHARE * fall) & (back >= before) & (back - before < BACK_SHARE * fall)
    return is_back


def _edge(labels: Mapping[str, str]) -> float:
    """The upper edge of a bucket; endless where its label is no possible one."""
    try:
        edge = float(labels["le"])
    except (KeyError, ValueError):
        return float("inf")
    return edge if edge >= 0 else float("inf")


def readings_of(series: Series) -> Readings | None:
    """The pages of an engine, known by the series that are there; None for one that is not in CATALOGUES."""
    for engine, catalogue in CATALOGUES.items():
        if any(name.startswith(catalogue.prefix) for name in series):
            return Readings(engine, catalogue, series)
    return None
