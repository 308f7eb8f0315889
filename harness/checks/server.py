"""Do the servers' own counts and times agree with ours?"""

from collections.abc import Iterator

from harness.checks.finding import at, check
from harness.metrics.catalogue import Catalogue, Readings
from harness.rundir.accounts import ServerAccount
from harness.rundir.result import Check
from harness.rundir.results import Step

COUNT_TOLERANCE = 0.02
EDGE_TOKENS = 3  # of each running stream: made, but not yet arrived, at an edge of the window
UNEVEN = 0.25  # of a stream's tokens lie elsewhere than evenly spread, where a server prefills others meanwhile
TIMES_S = 0.010
TIMES_TOLERANCE = 0.05
FAILED_SCRAPES_TOLERATED = 0.2
HITS_TOLERANCE = 0.01
MOST_SEEN = 0.8  # of our requests: a page that saw more of them is no other machine's
SHARE_TOLERANCE = 0.15  # between the share of requests and that of tokens: at the edges, and unequal lengths
SEVERAL_HINT = (
    "name each machine with a --url of its own: then they are driven evenly and their counts are held to ours"
)
THROTTLED_SHARE = 0.1  # of the samples; a moment of it is normal


def server_step_checks(step: Step, catalogue: Catalogue | None) -> Iterator[Check]:
    """Findings of one step; `catalogue` None where no page of a known engine was read."""
    yield from _times(step)
    yield from _throttled(step)
    server = step.server
    if catalogue is None or server is None:
        return
    yield from _counts(step, server, catalogue)
    if server.preemptions is not None and server.preemptions > 0:
        text = f"{at(step)} the engine preempted {server.preemptions:.0f} requests: its KV cache was full"
        yield check("preempted", "warning", text, "fewer concurrent requests, or more memory for the KV cache")
    # where the answers themselves say nothing of cached tokens: see run.py for those that do
    rate = server.prefix_cache_hit_rate
    if rate is not None and rate > HITS_TOLERANCE and step.cached_input_tokens is None:
        text = f"{at(step)} {rate:.0%} of the prompt tokens came from the server's prefix cache, by its own counters"
        yield check("prefix_cache_hits", "warning", text, "throughput looks better than fresh prompts would give")


def server_run_checks(pages: Readings | None, version: str | None) -> Iterator[Check]:
    """Findings of the servers' pages as a whole; `version` as the engine gave it."""
    if pages is None:
        return
    several = pages.several_machines()
    if several is not None:
        name, t_s = several
        text = (
            "one address, several machines: the servers' /metrics jumps between the counters of several "
            f"({name} first fell {t_s:.0f} s after the run's beginning, and was back); they are left out"
        )
        yield check("several_machines", "warning", text, SEVERAL_HINT)
        return
    for name, t_s in pages.resets()[:1]:
        text = f"the engine was started anew during the run: {name} fell {t_s:.0f} s after its beginning"
        yield check("engine_restarted", "error", text, "look into the engine's log")
    missing = pages.missing()
    if missing:
        looked = [name for quantity in missing for name in pages.catalogue.names[quantity]]
        text = (
            f"{pages.engine} {version or 'of unknown version'} does not tell {', '.join(missing)} "
            f"(looked for {', '.join(looked)})"
        )
        yield check("server_metrics_missing", "warning", text, "they are n/a in this run, not 0")
    looks = pages.looks()
    failed = looks.count(0)
    if failed > FAILED_SCRAPES_TOLERATED * len(looks):
        text = f"{failed} of {len(looks)} looks at the server's /metrics failed"
        yield check("server_metrics_missing", "warning", text, "its own counts cover only a part of the run")


def _times(step: Step) -> Iterator[Check]:
    """A client whose times between first and last token are not the server's measures something else."""
    times = step.server_times
    if times is not None and abs(times.decode_s) > max(TIMES_S, TIMES_TOLERANCE * times.server_decode_s):
        text = (
            f"{at(step)} requests took {times.decode_s * 1000:+.0f} ms from first token to last here, compared"
            f" with the server's own time (median of {times.n})"
        )
        yield check("times_differ", "warning", text, "the network, a proxy that buffers, or a client that is late")


def _counts(step: Step, server: ServerAccount, catalogue: Catalogue) -> Iterator[Check]:
    counted, own = server.generation_tokens, server.client_generation_tokens
    if counted is None or own is None:
        return
    running = 1.0 if server.requests_running is None else max(server.requests_running.max, 1.0)
    # without arrivals a request's tokens are taken as evenly spread
    unstamped = UNEVEN * (step.mean_output_tokens or 0.0) if step.itl_s is None else 0.0
    edge = max(EDGE_TOKENS, unstamped) * running if catalogue.counts_at == "token" else 0.0
    if abs(counted - own) <= max(COUNT_TOLERANCE * max(counted, own), edge):
        return
    share = _share_seen(server)
    if share is not None and own and abs(counted / own - share) < SHARE_TOLERANCE:
        text = (
            f"{at(step)} the page at /metrics saw {share:.0%} of the requests and {counted / own:.0%} of their "
            "tokens: it is one of several machines behind the address"
        )
        yield check("several_machines", "warning", text, SEVERAL_HINT)
    else:
        text = f"{at(step)} the server counted {counted:.0f} generated tokens, this client {own:.0f}"
        less = "are all replicas scraped, and is this the engine's own page?"
        yield check("counts_differ", "error", text, "does somebody else use this server?" if counted > own else less)


def _share_seen(server: ServerAccount) -> float | None:
    """Which share of our requests a page counted that knows of far fewer; None where it knows of most, or says none."""
    theirs, ours = server.requests_finished, server.client_requests_finished
    if theirs is None or not ours or theirs > MOST_SEEN * ours:
        return None
    return theirs / ours


def _throttled(step: Step) -> Iterator[Check]:
    throttled = {} if step.gpu is None else step.gpu.throttled or {}
    over = {reason: share for reason, share in throttled.items() if share > THROTTLED_SHARE}
    if over:
        words = ", ".join(f"{share:.0%} of the time by {reason}" for reason, share in over.items())
        hint = "a cooler or less limited GPU would serve more; the same box may do so at another hour"
        yield check("gpu_throttled", "warning", f"{at(step)} the GPUs ran slower than they can: {words}", hint)
