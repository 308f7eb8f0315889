"""What the load processes say of themselves each second, as one line for the display."""

from __future__ import annotations

from typing import Any


def merged(lives: list[dict[str, Any]]) -> dict[str, Any]:
    """The samples of several processes as one: sums, and of lags and times the worst; p50 is their mean."""
    first = lives[0]
    if len(lives) == 1:
        return first
    sums = (
        "in_flight", "connections", "sent", "finished", "failed", "not_sent", "refused", "unreachable",
        "output_tokens",
    )  # fmt: skip
    worst = ("cpu", "loop_lag_p50_s", "loop_lag_max_s", "ttft_max_s", "clock_steps")
    medians = [live["ttft_p50_s"] for live in lives if live["ttft_p50_s"] is not None]
    return (
        first
        | {key: sum(live[key] for live in lives) for key in sums}
        | {key: max((live[key] for live in lives if live[key] is not None), default=None) for key in worst}
        | {
            "ttft_p50_s": sum(medians) / len(medians) if medians else None,
            "unreachable_s": min(live["unreachable_s"] for live in lives),
            "waiting": [pair for live in lives for pair in live["waiting"]],
            "last_error": next((live["last_error"] for live in lives if live["last_error"]), None),
        }
    )
