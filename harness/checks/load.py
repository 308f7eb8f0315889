"""Checks of the load itself: was what was planned really sent, did the server keep up, was every process there?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.checks.finding import step_name

Check = dict[str, str | None]  # code, level (warning | error), message, hint

RATE_WARNING = 0.01
RATE_ERROR = 0.05
CLOCK_APART_S = 0.01  # what a worker's clock may be off by before it is said
EDGE_REQUESTS = 2  # that may be planned inside a window and leave after its end


def open_checks(step: Mapping[str, Any], goodput: Mapping[str, Any] | None) -> list[Check]:
    """Findings of a step whose requests leave by a plan; none for closed loads.

    A step that overloads the server is what a ladder looks for: an error only where no step passes.
    """
    if step.get("offered_requests_per_s") is None:
        return []
    level = "error" if goodput is None else "warning"
    name = step_name(step)
    return [*_not_sent(step, name, level), *_rate(step, name), *_saturated(step, name, level)]


def _not_sent(step: Mapping[str, Any], name: str, level: str) -> list[Check]:
    dropped = step["not_sent"]
    if not dropped:
        return []
    return [
        {
            "code": "not_sent",
            "level": level,
            "message": f"{name} {dropped} arrivals were dropped: `load.max_in_flight` requests were in flight",
            "hint": "the server could not keep up; a higher cap only makes the queue longer",
        }
    ]


def _rate(step: Mapping[str, Any], name: str) -> list[Check]:
    window_s = step["window"]["end_s"] - step["window"]["start_s"]
    offered, sent = step["offered_requests_per_s"], step["sent_requests_per_s"]
    missing = (offered - sent) * window_s - step["not_sent"]
    if not offered or missing <= max(EDGE_REQUESTS, RATE_WARNING * offered * window_s):
        return []
    level = "error" if missing > RATE_ERROR * offered * window_s else "warning"
    return [
        {
            "code": "rate_missed",
            "level": level,
            "message": f"{name} {missing:.0f} of {offered * window_s:.0f} planned requests left after their step's end",
            "hint": "the client is too slow: more --workers, or a machine of its own",
        }
    ]


def _saturated(step: Mapping[str, Any], name: str, level: str) -> list[Check]:
    if not step["over_saturated"]:
        return []
    return [
        {
            "code": "over_saturated",
            "level": level,
            "message": f"{name} the queue was still growing: the server answers fewer than arrive, so no latency "
            "of this step would last",
            "hint": "the step does not count as passed; a server that only fills up needs a longer warmup_s",
        }
    ]


def load_checks(kind: str, client: Mapping[str, Any]) -> list[Check]:
    """Findings of the whole load: processes that died, and a ramp, whose load never settles."""
    ramp: Check = {
        "code": "not_steady",
        "level": "warning",
        "message": "the load of a ramp never settles: each slice's figures lag behind its load",
        "hint": "confirm what it shows with a closed or open step at that load",
    }
    return [
        *([ramp] if kind == "ramp" else []),
        *_search(client.get("search")),
        *_lost(client),
        *_clocks(client),
    ]


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
    return [
        {
            "code": "search_stopped",
            "level": "warning",
            "message": f"the search stopped early: {_UNFINISHED[ending['reason']]} ({ending['text']})",
            "hint": "search.json has every probe and the bounds of the goodput",
        }
    ]


def _where(lost: Mapping[str, Any], client: Mapping[str, Any]) -> str:
    hosts = {worker.get("worker"): worker.get("host") for worker in client.get("remote_workers") or []}
    return f" on {hosts[lost['worker']]}" if hosts.get(lost["worker"]) else ""


def _lost(client: Mapping[str, Any]) -> list[Check]:
    return [
        {
            "code": "worker_lost",
            "level": "error",
            "message": f"load process {lost['worker'] + 1} of {client['workers']}{_where(lost, client)} died after "
            f"{lost['t_s']:.0f} s "
            f"({lost['how']}): its share of the load was not driven from then on",
            "hint": "figures of steps after that are of a smaller load than asked; run again",
        }
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
            found.append({"code": "clock_apart", "level": "warning", "message": text, "hint": hint})
    return found
