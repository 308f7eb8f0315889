"""Do the servers' own counts and times agree with ours?"""

from __future__ import annotations

from harness.base.stats import Floats
from harness.checks.finding import at, check
from harness.metrics.catalogue import Catalogue
from harness.metrics.server import ServerPages
from harness.rundir.results import Check, ServerAccount, ServerSaid, Step

COUNT_TOLERANCE = 0.02
EDGE_TOKENS = 3  # of each running stream: made, but not yet arrived, at an edge of the window
TIMES_S = 0.010
TIMES_TOLERANCE = 0.05
FAILED_SCRAPES_TOLERATED = 0.2
HITS_TOLERANCE = 0.01
THROTTLED_SHARE = 0.1  # of the samples; a moment of it is normal


def server_step_checks(step: Step, catalogue: Catalogue | None) -> list[Check]:
    """Findings of one step; `catalogue` None where no page of a known engine was read."""
    found = [*_times(step), *_throttled(step)]
    if catalogue is not None and step.server is not None:
        found += [*_counts(step, step.server, catalogue), *_preempted(step, step.server), *_hits(step, step.server)]
    return found


def server_run_checks(pages: ServerPages | None, said: ServerSaid, version: str | None) -> list[Check]:
    """Findings of the servers' pages as a whole; `version` as the engine gave it."""
    if pages is None:
        return []
    return [*_resets(pages), *_missing(pages, said, version), *_failed_scrapes(pages.up)]


def _times(step: Step) -> list[Check]:
    """A client whose times between first and last token are not the server's measures something else."""
    times = step.server_times
    if times is None or abs(times.decode_s) <= max(TIMES_S, TIMES_TOLERANCE * times.server_decode_s):
        return []
    text = (
        f"{at(step)} requests took {times.decode_s * 1000:+.0f} ms from first token to last here, compared"
        f" with the server's own time (median of {times.n})"
    )
    return [check("times_differ", "warning", text, "the network, a proxy that buffers, or a client that is late")]


def _counts(step: Step, server: ServerAccount, catalogue: Catalogue) -> list[Check]:
    counted, own = server.generation_tokens, server.client_generation_tokens
    if counted is None or own is None or max(counted, own) == 0:
        return []
    running = 1.0 if server.requests_running is None else max(server.requests_running.max, 1.0)
    edge = EDGE_TOKENS * running if catalogue.counts_at == "token" else 0.0
    if abs(counted - own) <= max(COUNT_TOLERANCE * max(counted, own), edge):
        return []
    text = f"{at(step)} the server counted {counted:.0f} generated tokens, this client {own:.0f}"
    hint = (
        "does somebody else use this server?"
        if counted > own
        else "are all replicas scraped, and is this the engine's own page?"
    )
    return [check("counts_differ", "error", text, hint)]


def _preempted(step: Step, server: ServerAccount) -> list[Check]:
    if not server.preemptions:
        return []
    text = f"{at(step)} the engine preempted {server.preemptions:.0f} requests: its KV cache was full"
    return [check("preempted", "warning", text, "fewer concurrent requests, or more memory for the KV cache")]


def _hits(step: Step, server: ServerAccount) -> list[Check]:
    """Where the answers themselves say nothing of cached tokens: see run.py for those that do."""
    rate = server.prefix_cache_hit_rate
    if rate is None or rate <= HITS_TOLERANCE or step.cached_input_tokens is not None:
        return []
    text = f"{at(step)} {rate:.0%} of the prompt tokens came from the server's prefix cache, by its own counters"
    return [check("prefix_cache_hits", "warning", text, "throughput looks better than fresh prompts would give")]


def _resets(pages: ServerPages) -> list[Check]:
    resets = pages.readings.resets()
    if not resets:
        return []
    name, t_s = resets[0]
    text = f"the engine was started anew during the run: {name} fell {t_s:.0f} s after its beginning"
    return [check("engine_restarted", "error", text, "look into the engine's log")]


def _missing(pages: ServerPages, said: ServerSaid, version: str | None) -> list[Check]:
    if not said.missing:
        return []
    looked = [name for quantity in said.missing for name in pages.catalogue.names[quantity]]
    text = (
        f"{pages.engine} {version or 'of unknown version'} does not tell {', '.join(said.missing)} "
        f"(looked for {', '.join(looked)})"
    )
    return [check("server_metrics_missing", "warning", text, "they are n/a in this run, not 0")]


def _failed_scrapes(up: Floats) -> list[Check]:
    failed = int((up == 0).sum())
    if not failed or failed <= FAILED_SCRAPES_TOLERATED * len(up):
        return []
    text = f"{failed} of {len(up)} looks at the server's /metrics failed"
    return [check("server_metrics_missing", "warning", text, "its own counts cover only a part of the run")]


def _throttled(step: Step) -> list[Check]:
    if step.gpu is None or not step.gpu.throttled:
        return []
    over = {reason: share for reason, share in step.gpu.throttled.items() if share > THROTTLED_SHARE}
    if not over:
        return []
    words = ", ".join(f"{share:.0%} of the time by {reason}" for reason, share in over.items())
    hint = "a cooler or less limited GPU would serve more; the same box may do so at another hour"
    return [check("gpu_throttled", "warning", f"{at(step)} the GPUs ran slower than they can: {words}", hint)]
