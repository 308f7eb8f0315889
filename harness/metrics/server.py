"""The servers' own account of each load step, beside ours. Analysis only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.base.stats import known
from harness.metrics.catalogue import Catalogue, Readings, readings_of, series_of
from harness.metrics.gpu import GpuSeries, gpu_account, gpus_apart
from harness.metrics.windows import Columns, Window, tokens_in_window
from harness.rundir.accounts import Gauge, GpuAccount, ServerAccount, ServerSaid, ServerTimes
from harness.rundir.arrivals import Bools
from harness.rundir.result import WindowOfStep

MIN_SCRAPES = 3  # fewer in a window leave too much of it unseen
CALM_S = 0.05  # a scrape and an answer that are further apart than this cannot have overtaken each other
SEVERAL = "one address answers for several machines in turn: their counts cannot be told apart and are left out"
WHY_NONE = {
    "llama_cpp_python": "llama-cpp-python has no /metrics: nothing on the server's side was counted",
    "sglang": "SGLang has a /metrics only where it was started with --enable-metrics",
}


@dataclass(frozen=True, slots=True)
class ServerSide:
    """Everything that servers and GPUs said during a run."""

    said: ServerSaid
    pages: Readings | None  # None: no page of a known engine
    gpus: GpuSeries | None
    replicas: int = 1  # URLs driven
    told: int = 1  # of them, those whose pages were read

    def account(self, window: Window, data: Columns) -> ServerAccount | None:
        """The servers' account of a window; None where too little of it was seen."""
        found = None if self.pages is None or self.said.note else _account(self.pages, window, data)
        if found is None or self.replicas < 2:
            return found
        counts: dict[str, int | None] = {"replicas": self.replicas, "replicas_told": self.told}
        if self.told < self.replicas:  # ours are of all of them
            counts |= {"client_generation_tokens": None, "client_requests_finished": None}
        return found.model_copy(update=counts)

    def gpu(self, window: Window, output_tokens_per_s: float | None) -> GpuAccount | None:
        """What the GPUs did in a window; None where none was seen."""
        return None if self.gpus is None else gpu_account(self.gpus, window, output_tokens_per_s)


def server_side(frame: pd.DataFrame | None, engine: str | None, urls: Sequence[str] = ()) -> ServerSide:
    """What was scraped, told apart; `engine`: its name as the run knows it, `urls`: what was driven."""
    series, gpus = gpus_apart({} if frame is None else series_of(frame))
    pages = readings_of(series)
    if pages is None:
        why_none = WHY_NONE.get(engine or "", "the server has no /metrics that is known here")
        return ServerSide(ServerSaid(engine=engine, note=why_none), None, gpus)
    note = SEVERAL if pages.several_machines() else None
    return ServerSide(
        ServerSaid(engine=pages.engine, missing=tuple(pages.missing()), note=note),
        pages,
        gpus,
        max(len(urls), 1),
        len(pages.instances()),
    )


def _account(pages: Readings, window: Window, data: Columns) -> ServerAccount | None:
    """Counter increases and gauges between the first and the last scrape inside the window."""
    inside = [t for t in pages.scrape_times() if window.start_s <= t <= window.end_s]
    edges = _calm(inside, pages, data)
    if len(inside) < MIN_SCRAPES or len(edges) < 2:
        return None
    start_s, end_s = edges[0], edges[-1]

    def increase(quantity: str) -> float | None:
        name = pages.name_of(quantity)
        return None if name is None else pages.increase(name, start_s, end_s)

    def gauge(quantity: str) -> Gauge | None:
        return _gauge(pages, quantity, inside)

    hits, queries, prompt_tokens = map(increase, ("prefix_cache_hits", "prefix_cache_queries", "prompt_tokens"))
    asked = queries
    if asked is None and hits is not None and prompt_tokens is not None:
        asked = prompt_tokens + hits  # llama-server counts the two apart
    return ServerAccount(
        between=WindowOfStep(start_s=start_s, end_s=end_s),
        scrapes=len(inside),
        generation_tokens=increase("generation_tokens"),
        prompt_tokens=prompt_tokens,
        requests_finished=increase("requests_finished"),
        preemptions=increase("preemptions"),
        prefix_cache_queries=queries,
        prefix_cache_hits=hits,
        requests_running=gauge("requests_running"),
        requests_waiting=gauge("requests_waiting"),
        kv_cache_usage=gauge("kv_cache_usage"),
        queue_time_s=pages.histogram("queue_time_s", start_s, end_s),
        ttft_s=pages.histogram("ttft_s", start_s, end_s),
        client_generation_tokens=own_tokens(data, pages.catalogue, Window(start_s, end_s)),
        client_requests_finished=int((Window(start_s, end_s).holds(data.answered_s) & data.ok).sum()),
        prefix_cache_hit_rate=hits / asked if hits is not None and asked and 0 <= hits <= asked else None,
    )


def _calm(times_s: list[float], pages: Readings, data: Columns) -> list[float]:
    """Scrapes between which requests can be told apart: none ended so near that it may lie on either side.

    Only where a request's tokens are counted at its end, behind its last token; requests of one batch like to end
    together.
    """
    if pages.catalogue.counts_at == "token":
        return times_s
    ends_s = np.sort(known(data.answered_s))
    near = np.searchsorted(ends_s, np.asarray(times_s) + CALM_S) - np.searchsorted(ends_s, np.asarray(times_s) - CALM_S)
    return [t for t, count in zip(times_s, near, strict=True) if count == 0]


def _gauge(readings: Readings, quantity: str, times_s: list[float]) -> Gauge | None:
    """Mean and maximum over the scrapes; over replicas requests are summed, a share is the highest."""
    name = readings.name_of(quantity)
    if name is None:
        return None
    combine = max if quantity == "kv_cache_usage" else sum
    values = [combine(v for _, v in found) for t in times_s if (found := readings.values_at(name, t))]
    return Gauge(mean=float(np.mean(values)), max=float(max(values))) if values else None


def own_tokens(data: Columns, catalogue: Catalogue, window: Window) -> float | None:
    """The generated tokens that we saw in the window, in the server's way of counting; None when we cannot say.

    A request whose tokens the server never told (it was cut, or failed) is taken at its events, times the tokens
    an event carried in the requests where both are known.
    """
    is_known = ~np.isnan(data.output_tokens)
    told = is_known & data.ok & (data.events > 0)
    if (data.ok & ~is_known).any() or not told.any():
        return None
    per_event = data.output_tokens[told].sum() / data.events[told].sum()
    tokens = np.where(is_known, data.output_tokens, data.events * per_event)
    if catalogue.counts_at == "request_end":
        ended = window.holds(data.answered_s) & (data.ok | data.failed)
        return float(tokens[ended].sum())
    return float(tokens_in_window(data.first_s, data.finished_s, tokens, window).sum())


def server_times(data: Columns, timed: Bools) -> ServerTimes | None:
    """Our times of single requests against the server's own (vLLM's `metrics`, llama-server's `timings`); medians.

        outside_s   TTFT - (queue + prefill): what the network, HTTP and this client add
        decode_s    (finished - first_token) - the server's own time between its first and its last token

    None where the server tells neither. llama-server does not tell its queue: `outside_s` then has it too.
    """
    ours, theirs = data.first_s - data.sent_s + data.finished_s, data.server_prefill_s + data.server_decode_s
    told = timed & ~np.isnan(ours + theirs)
    if not told.any():
        return None
    first_s, decode_s = data.first_s[told], data.server_decode_s[told]
    outside_s = first_s - data.sent_s[told] - np.nan_to_num(data.server_queue_s[told]) - data.server_prefill_s[told]
    return ServerTimes(
        n=int(told.sum()),
        outside_s=float(np.median(outside_s)),
        decode_s=float(np.median(data.finished_s[told] - first_s - decode_s)),
        server_decode_s=float(np.median(decode_s)),
    )
