"""What servers and GPUs say of a run, as metrics.json keeps it; unknown is None."""

from harness.rundir.result import Result, WindowOfStep


class ServerTimes(Result):
    """Our times of single requests less the server's own; medians in seconds."""

    n: int
    outside_s: float  # TTFT - (queue + prefill): the network, HTTP and this client
    decode_s: float  # first token to last, here less there
    server_decode_s: float


class Gauge(Result):
    """A gauge over the scrapes inside a window."""

    mean: float
    max: float


class Histogram(Result):
    """What a server's histogram took in; `p95_at_most` is the upper edge of the bucket that holds the percentile."""

    n: int
    mean: float | None = None
    p95_at_most: float | None = None


class ServerAccount(Result):
    """The servers' own account of a step, by their /metrics; None: this engine does not tell it."""

    between: WindowOfStep  # the first and the last look at the counters inside the window
    scrapes: int
    generation_tokens: float | None = None
    prompt_tokens: float | None = None
    requests_finished: float | None = None
    preemptions: float | None = None
    prefix_cache_queries: float | None = None
    prefix_cache_hits: float | None = None
    requests_running: Gauge | None = None
    requests_waiting: Gauge | None = None
    kv_cache_usage: Gauge | None = None
    queue_time_s: Histogram | None = None
    ttft_s: Histogram | None = None
    client_generation_tokens: float | None = None  # ours, counted in the server's way
    client_requests_finished: int | None = None  # ours, in the same time
    prefix_cache_hit_rate: float | None = None
    replicas: int | None = None  # URLs driven, where several were
    replicas_told: int | None = None  # of them, those whose pages were read: where some were not, ours is not compared


class GpuAccount(Result):
    """All GPUs over a step's window; throttled: share of the samples by reason."""

    gpus: int
    utilization: float | None = None
    memory_used_gib: float | None = None
    memory_total_gib: float | None = None
    power_w: float | None = None
    energy_j: float | None = None
    joules_per_output_token: float | None = None
    throttled: dict[str, float] | None = None


class ServerSaid(Result):
    """Whose /metrics were read, or why nobody's."""

    engine: str | None = None
    note: str | None = None
    missing: tuple[str, ...] = ()
