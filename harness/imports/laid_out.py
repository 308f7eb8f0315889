"""Requests whose lengths are told and whose beginnings are not, laid out as the load must have sent them."""

from __future__ import annotations

import heapq

import numpy as np

from harness.base.stats import Floats

LAID_OUT = (
    "when requests began: they are laid out in the file's order as its load must have sent them, over the time that it "
    "took; rates rest on that, latencies do not"
)


def by_users(took_s: Floats, users: int, duration_s: float | None) -> Floats:
    """When each begins, where each of so many users sends the next one when he is answered.

    What is left of `duration_s` at the end is shared out as pauses before requests. What took an unknown time is laid
    out as if it took none.
    """
    took_s = np.nan_to_num(took_s)
    starts_s = _one_after_another(took_s, users, 0.0)
    ends_s = float((starts_s + took_s).max(initial=0.0))
    if duration_s is None or duration_s <= ends_s:
        return starts_s
    return _one_after_another(took_s, users, (duration_s - ends_s) * users / max(len(took_s), 1))


def at_rate(count: int, requests_per_s: float) -> Floats:
    """When each begins, evenly at a rate."""
    starts_s: Floats = np.arange(count) / requests_per_s
    return starts_s


def _one_after_another(took_s: Floats, users: int, pause_s: float) -> Floats:
    free_s = [0.0] * min(users, max(len(took_s), 1))
    starts_s = np.empty(len(took_s))
    for i, took in enumerate(took_s):
        starts_s[i] = free_s[0] + (pause_s if i >= len(free_s) else 0.0)
        heapq.heapreplace(free_s, starts_s[i] + took)
    return starts_s
