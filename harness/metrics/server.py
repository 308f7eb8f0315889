"""The servers' own account of each load step, and whether it agrees with ours. Analysis only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.metrics.catalogue import (
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    Catalogue,
    Floats,
    Readings,
    catalogue_of,
    scrape_times,
)
from harness.metrics.gpu import add_gpus, without_gpus
from harness.metrics.windows import Columns, Window, columns, tokens_in_window
from harness.rundir.manifest import RunManifest
from harness.rundir.scrapes import UP

MIN_SCRAPES = 3  # fewer in a window leave too much of it unseen
CALM_S = 0.05  # a scrape and an answer that are further apart than this cannot have overtaken each other
WHY_NONE = {"llama_cpp_python": "llama-cpp-python has no /metrics: nothing on the server's side was counted"}


@dataclass(frozen=True, slots=True)
class ServerRun:
    """What all steps share of the servers' own account."""

    engine: str
    catalogue: Catalogue
    readings: Readings
    times_s: list[float]
    data: Columns
    events: Floats
    up: pd.Series[float]  # 1 where a look at /metrics was answered


def add_server(
    metrics: dict[str, Any], frame: pd.DataFrame | None, records: pd.DataFrame, manifest: RunManifest
) -> ServerRun | None:
    """Put the servers' account into each step (`server`, None without one); what it rests on, for the checks."""
    for step in metrics["steps"]:
        step["server_times"] = server_times(step, records)
    if frame is not None:
        add_gpus(metrics, frame)
        frame = without_gpus(frame)
    found = catalogue_of(frame) if frame is not None else None
    if frame is None or found is None:
        name = manifest.engine.get("name")
        note = WHY_NONE.get(name or "", "the server has no /metrics that is known here")
        metrics["server"] = {"engine": name, "note": note}
        for step in metrics["steps"]:
            step["server"] = None
        return None
    engine, catalogue = found
    from_schedule = manifest.scenario.get("load", {}).get("kind") == "open"
    events = records["events"].to_numpy(dtype=float, na_value=np.nan)
    run = ServerRun(
        engine,
        catalogue,
        Readings(frame, catalogue),
        scrape_times(frame),
        columns(records, from_schedule=from_schedule),
        events,
        up=frame.loc[frame["name"] == UP, "value"],
    )
    metrics["server"] = {"engine": engine, "note": None, "missing": run.readings.missing()}
    for step in metrics["steps"]:
        step["server"] = server_step(step, run)
    return run


def server_step(step: Mapping[str, Any], run: ServerRun) -> dict[str, Any] | None:
    """Counter increases and gauges between the first and the last scrape inside the step's window."""
    inside = [t for t in run.times_s if step["window"]["start_s"] <= t <= step["window"]["end_s"]]
    edges = _calm(inside, run)
    if len(inside) < MIN_SCRAPES or len(edges) < 2:
        return None
    start_s, end_s = edges[0], edges[-1]
    readings = run.readings
    out: dict[str, Any] = {"between": {"start_s": start_s, "end_s": end_s}, "scrapes": len(inside)}
    for quantity in COUNTERS:
        name = readings.name_of(quantity)
        out[quantity] = None if name is None else readings.increase(name, start_s, end_s)
    for quantity in GAUGES:
        out[quantity] = _gauge(readings, quantity, inside)
    for quantity in HISTOGRAMS:
        name = readings.name_of(quantity)
        out[quantity] = None if name is None else readings.histogram(name, start_s, end_s)
    out["client_generation_tokens"] = own_tokens(run, Window(start_s, end_s))
    hits, queries = out["prefix_cache_hits"], out["prefix_cache_queries"]
    if queries is None and hits is not None and out["prompt_tokens"] is not None:
        queries = out["prompt_tokens"] + hits  # llama-server counts the two apart
    out["prefix_cache_hit_rate"] = hits / queries if hits is not None and queries else None
    return out


def _calm(times_s: list[float], run: ServerRun) -> list[float]:
    """Scrapes between which requests can be told apart: none ended so near that it may lie on either side.

    Only where a request's tokens are counted at its end; requests of one batch like to end together.
    """
    if run.catalogue.counts_at == "token":
        return times_s
    ends_s = np.sort(run.data.finished_s[~np.isnan(run.data.finished_s)])
    near = np.searchsorted(ends_s, np.asarray(times_s) + CALM_S) - np.searchsorted(
        ends_s, np.asarray(times_s) - CALM_S
    )
    return [t for t, count in zip(times_s, near, strict=True) if count == 0]


def _gauge(readings: Readings, quantity: str, times_s: list[float]) -> dict[str, float] | None:
    """Mean and maximum over the scrapes; over replicas requests are summed, a share is the highest."""
    name = readings.name_of(quantity)
    if name is None:
        return None
    combine = max if quantity == "kv_cache_usage" else sum
    values = [combine(v for _, v in found) for t in times_s if (found := readings.values_at(name, t))]
    return {"mean": float(np.mean(values)), "max": float(max(values))} if values else None


def own_tokens(run: ServerRun, window: Window) -> float | None:
    """The generated tokens that we saw in the window, in the server's way of counting; None when we cannot say.

    A request whose tokens the server never told (it was cut, or failed) is taken at its events, times the tokens
    an event carried in the requests where both are known.
    """
    data = run.data
    known = ~np.isnan(data.output_tokens)
    told = known & data.ok & (run.events > 0)
    if (data.ok & ~known).any() or not told.any():
        return None
    per_event = data.output_tokens[told].sum() / run.events[told].sum()
    tokens = np.where(known, data.output_tokens, run.events * per_event)
    if run.catalogue.counts_at == "request_end":
        ended = window.holds(data.finished_s) & (data.ok | data.failed)
        return float(tokens[ended].sum())
    return float(tokens_in_window(data.first_s, data.finished_s, tokens, window).sum())


def server_times(step: Mapping[str, Any], records: pd.DataFrame) -> dict[str, Any] | None:
    """Our times of single requests against the server's own (vLLM's `metrics`, llama-server's `timings`); medians.

        outside_s   TTFT - (queue + prefill): what the network, HTTP and this client add
        decode_s    (finished - first_token) - the server's own time between its first and its last token

    None where the server tells neither. llama-server does not tell its queue: `outside_s` then has it too.
    """
    window = Window(step["window"]["start_s"], step["window"]["end_s"])
    rows = records[window.holds(records["scheduled_s"].to_numpy(dtype=float, na_value=np.nan))]
    rows = rows[rows["error"].isna() & rows["server_decode_s"].notna() & rows["first_token_s"].notna()]
    if not len(rows):
        return None
    ours = {name: rows[name].to_numpy(dtype=float) for name in ("sent_s", "first_token_s", "finished_s")}
    prefill_s = rows["server_prefill_s"].to_numpy(dtype=float, na_value=np.nan)
    queue_s = rows["server_queue_s"].fillna(0.0).to_numpy(dtype=float)
    decode_s = rows["server_decode_s"].to_numpy(dtype=float)
    outside_s = ours["first_token_s"] - ours["sent_s"] - queue_s - prefill_s
    difference_s = ours["finished_s"] - ours["first_token_s"] - decode_s
    return {
        "n": len(rows),
        "outside_s": float(np.median(outside_s)),
        "decode_s": float(np.median(difference_s)),
        "server_decode_s": float(np.median(decode_s)),
    }
