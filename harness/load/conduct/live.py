"""What the load processes say of themselves each second, as one sample for the display."""

from collections import Counter
from dataclasses import replace
from typing import Any

from harness.load.protocol import Live

_SUMS = (
    "in_flight", "connections", "sent", "finished", "failed", "not_sent", "refused", "unreachable",
    "output_tokens", "found_closed",
)  # fmt: skip
_WORST = ("cpu", "loop_lag_p50_s", "loop_lag_max_s", "ttft_max_s", "ttft_p99_s", "tpot_p99_s", "clock_steps")


def merged(lives: list[Live]) -> Live:
    """The samples of several processes as one: sums, and of lags and times the worst; p50 is their mean."""
    first = lives[0]
    if len(lives) == 1:
        return first
    sums: dict[str, Any] = {name: sum(getattr(live, name) for live in lives) for name in _SUMS}
    worst: dict[str, Any] = {name: _worst([getattr(live, name) for live in lives]) for name in _WORST}
    return replace(
        first,
        **sums,
        **worst,
        ttft_p50_s=_mean([live.ttft_p50_s for live in lives]),
        tpot_p50_s=_mean([live.tpot_p50_s for live in lives]),
        errors=dict(sum((Counter(live.errors) for live in lives), Counter())),
        e2e_p50_s=_mean([live.e2e_p50_s for live in lives]),
        unreachable_s=min(live.unreachable_s for live in lives),
        waiting=[one for live in lives for one in live.waiting],
        last_error=next((live.last_error for live in lives if live.last_error), None),
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _worst(values: list[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
