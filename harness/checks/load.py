"""Checks of the load itself: was what was planned really sent, did the server keep up, was every process there?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.checks.finding import at, check
from harness.rundir.results import Check, Level, Step

RATE_WARNING = 0.01
RATE_ERROR = 0.05
CLOCK_APART_S = 0.01  # what a worker's clock may be off by before it is said
EDGE_REQUESTS = 2  # that may be planned inside a window and leave after its end


def open_checks(step: Step, *, is_goodput: bool) -> list[Check]:
    """Findings of a step whose requests leave by a plan; none for closed loads. `is_goodput`: some step passes.

    A step that overloads the server is what a ladder looks for: an error only where no step passes.
    """
    if step.offered_requests_per_s is None or step.sent_requests_per_s is None:
        return []
    level: Level = "warning" if is_goodput else "error"
    dropped = step.not_sent or 0
    late = _late(step, step.offered_requests_per_s, step.sent_requests_per_s, dropped)
    return [*_not_sent(step, dropped, level), *late, *_saturated(step, level)]


def _not_sent(step: Step, dropped: int, level: Level) -> list[Check]:
    if not dropped:
        return []
    text = f"{at(step)} {dropped} arrivals were dropped: `load.max_in_flight` requests were in flight"
    return [check("not_sent", level, text, "the server could not keep up; a higher cap only makes the queue longer")]


def _late(step: Step, offered_per_s: float, sent_per_s: float, dropped: int) -> list[Check]:
    planned = offered_per_s * step.window.length_s
    missing = (offered_per_s - sent_per_s) * step.window.length_s - dropped
    if not planned or missing <= max(EDGE_REQUESTS, RATE_WARNING * planned):
        return []
    text = f"{at(step)} {missing:.0f} of {planned:.0f} planned requests left after their step's end"
    hint = "the client is too slow: more --workers, or a machine of its own"
    return [check("rate_missed", "error" if missing > RATE_ERROR * planned else "warning", text, hint)]


def _saturated(step: Step, level: Level) -> list[Check]:
    if not step.over_saturated:
        return []
    text = (
        f"{at(step)} the queue was still growing: the server answers fewer than arrive, so no latency "
        "of this step would last"
    )
    hint = "the step does not count as passed; a server that only fills up needs a longer warmup_s"
    return [check("over_saturated", level, text, hint)]


def load_checks(kind: str, client: Mapping[str, Any]) -> list[Check]:
    """Findings of the whole load: processes that died, and a ramp, whose load never settles."""
    ramp = check(
        "not_steady",
        "warning",
        "the load of a ramp never settles: each slice's figures lag behind its load",
        "confirm what it shows with a closed or open step at that load",
    )
    return [*([ramp] if kind == "ramp" else []), *_search(client.get("search")), *_lost(client), *_clocks(client)]


_UNFINISHED = {  # how a search ends whose goodput is not the most that the box serves
    "decided": "the decision is certain, but the box may serve more or less than the goodput shown",
    "high_passes": "the box may serve more than was tried",
    "max_probes": "the highest load that meets the limits lies between what passed and what failed",
    "too_short": "no load could be judged further",
}


def _search(ending: Mapping[str, str] | None) -> list[Check]:
    """A search that ended before pass and fail were close: its goodput is no maximum."""
    if ending is None or ending["reason"] not in _UNFINISHED:
        return []
    text = f"the search stopped early: {_UNFINISHED[ending['reason']]} ({ending['text']})"
    return [check("search_stopped", "warning", text, "search.json has every probe and the bounds of the goodput")]


def _where(lost: Mapping[str, Any], client: Mapping[str, Any]) -> str:
    hosts = {worker.get("worker"): worker.get("host") for worker in client.get("remote_workers") or []}
    return f" on {hosts[lost['worker']]}" if hosts.get(lost["worker"]) else ""


def _lost(client: Mapping[str, Any]) -> list[Check]:
    return [
        check(
            "worker_lost",
            "error",
            f"load process {lost['worker'] + 1} of {client['workers']}{_where(lost, client)} died after "
            f"{lost['t_s']:.0f} s ({lost['how']}): its share of the load was not driven from then on",
            "figures of steps after that are of a smaller load than asked; run again",
        )
        for lost in client.get("lost_workers") or []
    ]


def _clocks(client: Mapping[str, Any]) -> list[Check]:
    """Workers of other machines whose clocks are not known well enough, or have moved away during the run."""
    found: list[Check] = []
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
            found.append(check("clock_apart", "warning", text, hint))
    return found
