"""Checks of the load itself: was what was planned really sent, did the server keep up, was every process there?"""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.finding import at, check
from harness.rundir.result import Check, Level
from harness.rundir.results import Step

RATE_WARNING = 0.01
RATE_ERROR = 0.05
CLOCK_APART_S = 0.01  # what a worker's clock may be off by before it is said
INHERITED_HINT = "let a ramp rise, or drive that load in a step of its own, which begins without a queue"
EDGE_REQUESTS = 2  # that may be planned inside a window and leave after its end


def open_checks(step: Step, *, is_goodput: bool, is_rate_limited: bool = False) -> Iterator[Check]:
    """Findings of a step whose requests leave by a plan; none for closed loads. `is_goodput`: some step passes.
    `is_rate_limited`: requests waited for the API's limit.

    A step that overloads the server is what a ladder looks for: an error only where no step passes.
    """
    if step.offered_requests_per_s is None or step.sent_requests_per_s is None:
        return
    level: Level = "warning" if is_goodput else "error"
    if step.inherited_queue:
        text = f"{at(step)} {step.queue_at_start} requests of a heavier load were still queued: it is not judged"
        yield check("queue_inherited", "warning", text, INHERITED_HINT)
    dropped = step.not_sent or 0
    if dropped:
        text = f"{at(step)} {dropped} arrivals were dropped: `load.max_in_flight` requests were in flight"
        hint = "the server could not keep up; a higher cap only makes the queue longer"
        if is_rate_limited:
            text = f"{at(step)} {dropped} arrivals were not sent: the API's rate limit held up those before them"
            hint = "load less, or have the account's limit raised"
        yield check("not_sent", level, text, hint)
    planned = step.offered_requests_per_s * step.window.length_s
    missing = (step.offered_requests_per_s - step.sent_requests_per_s) * step.window.length_s - dropped
    if planned and not is_rate_limited and missing > max(EDGE_REQUESTS, RATE_WARNING * planned):
        text = f"{at(step)} {missing:.0f} of {planned:.0f} planned requests left after their step's end"
        hint = "the client is too slow: more --workers, or a machine of its own"
        yield check("rate_missed", "error" if missing > RATE_ERROR * planned else "warning", text, hint)
    if step.over_saturated:
        text = (
            f"{at(step)} the queue was still growing: the server answers fewer than arrive, so no latency "
            "of this step would last"
        )
        hint = "the step does not count as passed; a server that only fills up needs a longer warmup_s"
        yield check("over_saturated", level, text, hint)


def lost_checks(step: Step, lost_s: float | None) -> Iterator[Check]:
    """A step that a load process did not live through; `lost_s`: when the first one died."""
    if lost_s is not None and step.window.end_s > lost_s:
        text = (
            f"{at(step)} a load process was dead from second {lost_s:.0f} of the run on, and the window ended in "
            f"second {step.window.end_s:.0f}: this is not the load that was asked for, and no goodput"
        )
        yield check("worker_lost", "error", text, "run it again")


def load_checks(kind: str, client: Mapping[str, Any]) -> Iterator[Check]:
    """Findings of the whole load: processes that died, and a ramp, whose load never settles."""
    if kind == "ramp":
        text = "the load of a ramp never settles: each slice's figures lag behind its load"
        yield check("not_steady", "warning", text, "confirm what it shows with a closed or open step at that load")
    yield from _search(client.get("search"))
    yield from _lost(client)
    yield from _clocks(client)


_UNFINISHED = {  # how a search ends whose goodput is not the most that the box serves
    "decided": "the decision is certain, but the box may serve more or less than the goodput shown",
    "high_passes": "the box may serve more than was tried",
    "max_probes": "the highest load that meets the limits lies between what passed and what failed",
    "too_short": "no load could be judged further",
    "refused": "requests were refused by others than the server",
}


def _search(ending: Mapping[str, str] | None) -> Iterator[Check]:
    """A search that ended before pass and fail were close: its goodput is no maximum."""
    if ending is not None and ending["reason"] in _UNFINISHED:
        text = f"the search stopped early: {_UNFINISHED[ending['reason']]} ({ending['text']})"
        yield check("search_stopped", "warning", text, "search.json has every probe and the bounds of the goodput")


def _lost(client: Mapping[str, Any]) -> Iterator[Check]:
    hosts = {worker.get("worker"): worker.get("host") for worker in client.get("remote_workers") or []}
    for lost in client.get("lost_workers") or []:
        host = hosts.get(lost["worker"])
        text = (
            f"load process {lost['worker'] + 1} of {client['workers']}{f' on {host}' if host else ''} died after "
            f"{lost['t_s']:.0f} s ({lost['how']}): its share of the load was not driven from then on"
        )
        hint = "figures of steps after that are of a smaller load than asked; run again"
        yield check("worker_lost", "error", text, hint)


def _clocks(client: Mapping[str, Any]) -> Iterator[Check]:
    """Workers of other machines whose clocks are not known well enough, or have moved away during the run."""
    for worker in client.get("remote_workers") or []:
        clock = worker.get("clock") or {}
        error_s, moved_s, moved_error_s = (clock.get(key) for key in ("error_s", "moved_s", "moved_error_s"))
        if error_s is None:
            continue
        off_s = error_s + max(abs(moved_s or 0.0) - (moved_error_s or 0.0), 0.0)
        if off_s > CLOCK_APART_S:
            who = f"worker {worker.get('worker', 0) + 1} ({worker.get('host')})"
            text = (
                f"the clock of {who} is off by up to {off_s * 1000:.0f} ms: "
                "its requests lie that much off in the steps' windows; latencies are not concerned"
            )
            hint = "put both machines into one network, and let NTP discipline their clocks"
            yield check("clock_apart", "warning", text, hint)
