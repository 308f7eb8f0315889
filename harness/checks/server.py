"""Do the servers' own counts and times agree with ours?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.checks.finding import Check, check
from harness.metrics.catalogue import (
    Catalogue,
)
from harness.metrics.server import ServerRun
from harness.rundir.manifest import RunManifest

COUNT_TOLERANCE = 0.02
EDGE_TOKENS = 3  # of each running stream: made, but not yet arrived, at an edge of the window
TIMES_S = 0.010
TIMES_TOLERANCE = 0.05
FAILED_SCRAPES_TOLERATED = 0.2
HITS_TOLERANCE = 0.01
THROTTLED_SHARE = 0.1  # of the samples; a moment of it is normal


def add_server_checks(metrics: dict[str, Any], run: ServerRun | None, manifest: RunManifest) -> None:
    """Put what the servers' account shows into the checks of the steps and of the run."""
    for step in metrics["steps"]:
        step["checks"] += [*_times(step), *_throttled(step)]
        if run is not None:
            step["checks"] += step_checks(step, run.catalogue)
    if run is not None:
        metrics["checks"] += [*_resets(run), *_missing(run, manifest), *_failed_scrapes(run)]


def _times(step: Mapping[str, Any]) -> list[Check]:
    """A client whose times between first and last token are not the server's measures something else."""
    times = step["server_times"]
    if times is None or abs(times["decode_s"]) <= max(TIMES_S, TIMES_TOLERANCE * times["server_decode_s"]):
        return []
    text = (
        f"{_where(step)} requests took {times['decode_s'] * 1000:+.0f} ms from first token to last here, compared"
        f" with the server's own time (median of {times['n']})"
    )
    return [
        check("times_differ", "warning", text, "the network, a proxy that buffers, or a client that is late")
    ]


def step_checks(step: Mapping[str, Any], catalogue: Catalogue) -> list[Check]:
    """Findings of one step."""
    server = step["server"]
    if server is None:
        return []
    return [*_counts(step, server, catalogue), *_preempted(step, server), *_hits(step, server)]


def _where(step: Mapping[str, Any]) -> str:
    load = step["load"]
    users = load.get("users")
    return f"at {load.get('requests_per_s')} requests/s" if users is None else f"at {users} users"


def _counts(step: Mapping[str, Any], server: Mapping[str, Any], catalogue: Catalogue) -> list[Check]:
    counted, own = server["generation_tokens"], server["client_generation_tokens"]
    if counted is None or own is None or max(counted, own) == 0:
        return []
    running = server["requests_running"] or {"max": 1.0}
    edge = EDGE_TOKENS * max(running["max"], 1.0) if catalogue.counts_at == "token" else 0.0
    slack = max(COUNT_TOLERANCE * max(counted, own), edge)
    if abs(counted - own) <= slack:
        return []
    text = f"{_where(step)} the server counted {counted:.0f} generated tokens, this client {own:.0f}"
    hint = (
        "does somebody else use this server?"
        if counted > own
        else "are all replicas scraped, and is this the engine's own page?"
    )
    return [check("counts_differ", "error", text, hint)]


def _preempted(step: Mapping[str, Any], server: Mapping[str, Any]) -> list[Check]:
    if not server["preemptions"]:
        return []
    text = f"{_where(step)} the engine preempted {server['preemptions']:.0f} requests: its KV cache was full"
    return [check("preempted", "warning", text, "fewer concurrent requests, or more memory for the KV cache")]


def _hits(step: Mapping[str, Any], server: Mapping[str, Any]) -> list[Check]:
    """Where the answers themselves say nothing of cached tokens: see checks.py for those that do."""
    rate = server["prefix_cache_hit_rate"]
    if rate is None or rate <= HITS_TOLERANCE or step["cached_input_tokens"] is not None:
        return []
    text = f"{_where(step)} {rate:.0%} of the prompt tokens came from the server's prefix cache, by its own counters"
    return [
        check("prefix_cache_hits", "warning", text, "throughput looks better than fresh prompts would give")
    ]


def _resets(run: ServerRun) -> list[Check]:
    resets = run.readings.resets()
    if not resets:
        return []
    name, t_s = resets[0]
    text = f"the engine was started anew during the run: {name} fell {t_s:.0f} s after its beginning"
    return [check("engine_restarted", "error", text, "look into the engine's log")]


def _missing(run: ServerRun, manifest: RunManifest) -> list[Check]:
    missing = run.readings.missing()
    if not missing:
        return []
    looked = [name for quantity in missing for name, _ in run.catalogue.names[quantity]]
    version = manifest.engine.get("version") or "of unknown version"
    text = f"{run.engine} {version} does not tell {', '.join(missing)} (looked for {', '.join(looked)})"
    return [check("server_metrics_missing", "warning", text, "they are n/a in this run, not 0")]


def _failed_scrapes(run: ServerRun) -> list[Check]:
    up = run.up
    failed = int((up == 0).sum())
    if not failed or failed <= FAILED_SCRAPES_TOLERATED * len(up):
        return []
    text = f"{failed} of {len(up)} looks at the server's /metrics failed"
    return [check("server_metrics_missing", "warning", text, "its own counts cover only a part of the run")]


def _throttled(step: Mapping[str, Any]) -> list[Check]:
    gpu = step.get("gpu")
    over = {w: s for w, s in ((gpu or {}).get("throttled") or {}).items() if s > THROTTLED_SHARE}
    if not over:
        return []
    words = ", ".join(f"{share:.0%} of the time by {reason}" for reason, share in over.items())
    users = step["load"].get("users")
    where = f"at {users} users " if users is not None else ""
    hint = "a cooler or less limited GPU would serve more; the same box may do so at another hour"
    return [check("gpu_throttled", "warning", f"{where}the GPUs ran slower than they can: {words}", hint)]
