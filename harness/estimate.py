"""What a scenario will take, said before anything is sent."""

from __future__ import annotations

from typing import Any

from harness.scenario import FilePrompts, LengthSpread, Scenario
from harness.units import SECONDS_PER_HOUR

FAST_TTFT_S, FAST_TPOT_S = 0.1, 0.005  # a fast GPU server, one stream
SLOW_TTFT_S, SLOW_TPOT_S = 5.0, 0.2  # slower than any preset allows
FILE_PROMPT_TOKENS = 800.0  # no better guess without reading the file


def estimate(scenario: Scenario, usd_per_hour: float | None) -> dict[str, Any]:
    """Seconds exactly; requests and tokens as (low, high), because a closed load depends on the server's speed.

    Returns:
        `{seconds, steps, requests, input_tokens, output_tokens, instance_usd, basis}`.
    """
    load, prompts = scenario.load, scenario.prompts
    input_tokens = FILE_PROMPT_TOKENS if isinstance(prompts, FilePrompts) else _mean(prompts.input_tokens)
    output_tokens = _mean(prompts.output_tokens) if prompts.output_tokens is not None else 250.0
    seconds = load.step_s * len(load.users)
    requests = [
        sum(
            users * max(load.step_s / (ttft_s + output_tokens * tpot_s + load.think_time_s), 1)
            for users in load.users
        )
        for ttft_s, tpot_s in ((SLOW_TTFT_S, SLOW_TPOT_S), (FAST_TTFT_S, FAST_TPOT_S))
    ]
    return {
        "seconds": seconds,
        "steps": len(load.users),
        "requests": [round(r) for r in requests],
        "input_tokens": [round(r * input_tokens) for r in requests],
        "output_tokens": [round(r * output_tokens) for r in requests],
        "instance_usd": usd_per_hour * seconds / SECONDS_PER_HOUR if usd_per_hour is not None else None,
        "basis": f"from a server of {SLOW_TTFT_S:g} s + {SLOW_TPOT_S:g} s/token to one of {FAST_TTFT_S:g} s + "
        f"{FAST_TPOT_S:g} s/token",
    }


def _mean(length: int | LengthSpread) -> float:
    return float(length) if isinstance(length, int) else length.mean
