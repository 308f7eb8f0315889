"""The audit of the article, second half: its self-hosting claims, its prices, and the arm it leaves out."""

from __future__ import annotations

from functools import partial

from harness.base.units import HOURS_PER_MONTH, SECONDS_PER_HOUR, usd_per_mtok
from harness.cost.api_rates import usd_per_mtok_blended
from harness.cost.article.article import (
    CALLS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    PRICES,
    PRINTED_INFERENCE_USD,
    Finding,
    claims,
    inference_usd,
    worked_example,
)
from harness.cost.box.plausible import ceiling_tokens_per_s, weights_gib
from harness.prices.catalog import find_instance
from harness.prices.record import Rates

HOURS_PER_DAY = 24
DAYS_PER_MONTH = HOURS_PER_MONTH / HOURS_PER_DAY
HALF_FTE_USD = 0.5 * 208_000 / 12
PARAMETERS = 70.6e9  # Llama 3.3 70B
BOX = "g5.12xlarge"
BOX_USD_PER_HOUR = 5.672

HOSTED = {
    "Llama 3.3 70B at 0.10/0.32": Rates(0.10, 0.32),
    "Llama 3.3 70B at 0.59/0.79": Rates(0.59, 0.79),
    "Llama 3.3 70B at 0.72/0.72": Rates(0.72, 0.72),
}


def audit() -> list[Finding]:
    """Every finding, in the article's order."""
    return [*worked_example(), *claims(), *self_hosting(), *parity(), *price_table(), *three_arms()]


def self_hosting() -> list[Finding]:
    """Section 3: 0.30 USD per Mtok for a 70B model on one g5.12xlarge."""
    box = find_instance(BOX)
    ceiling = ceiling_tokens_per_s(PARAMETERS, box) or 0.0
    needed = BOX_USD_PER_HOUR / 0.30 / SECONDS_PER_HOUR * 1e6
    out_per_s = 5e6 / (HOURS_PER_DAY * SECONDS_PER_HOUR)
    total_per_s = out_per_s * (1 + INPUT_TOKENS / OUTPUT_TOKENS)
    at_5m = usd_per_mtok(BOX_USD_PER_HOUR, total_per_s)
    memory = box.gpu_count * (box.gpu_memory_gib or 0)
    ratio = INPUT_TOKENS / OUTPUT_TOKENS

    def against(model: str) -> float:
        return 100 * (1 - 0.30 / usd_per_mtok_blended(PRICES[model][0], ratio))

    row = partial(Finding, "self-hosting")

    return [
        row("tokens/s for 0.30 USD per Mtok", None, needed, "tokens/s",
            "on demand, every hour of the month full"),
        row("the same at 30 % use", None, needed / 0.3, "tokens/s",
            "a price per token is divided by the use"),
        row("what four A10 can compute", None, ceiling, "tokens/s",
            "2 x 70.6e9 FLOP a token, 4 x 125 TFLOPS: 0.30 is above the ceiling"),
        row("weights in BF16", None, weights_gib(PARAMETERS, 16), "GiB",
            f"the box has {memory:.1f}: they do not fit"),
        row("USD per Mtok at 5M output a day", 0.30, at_5m, "USD/Mtok",
            f"the box costs {BOX_USD_PER_HOUR * HOURS_PER_DAY:.2f} a day whatever it serves"),
        row("use of the box at 5M a day, were 0.30 true", None, 100 * total_per_s / needed, "%",
            "the two statements differ by 21.6 times"),
        row("60-80 % cheaper than Sonnet, were 0.30 true", "60-80", against("Claude Sonnet 4.6"), "%",
            f"GPT-4.1 {against('GPT-4.1'):.1f}, GPT-4.1-mini {against('GPT-4.1-mini'):.1f}: they cannot all hold"),
    ]  # fmt: skip


def parity_mtok_per_day(usd_per_day: float, rates: Rates, *, input_per_output: float) -> float:
    """Million output tokens a day at which the API costs as much as a box; the box's capacity is ignored."""
    return usd_per_day / (rates.output_usd_per_mtok + input_per_output * rates.input_usd_per_mtok)


def parity() -> list[Finding]:
    """Section 4: "5M output tokens a day is parity", for each API at 800/250, with list prices."""
    day = BOX_USD_PER_HOUR * HOURS_PER_DAY
    ratio = INPUT_TOKENS / OUTPUT_TOKENS
    staffed = day + HALF_FTE_USD / DAYS_PER_MONTH
    rows = []
    for name, rates in {**{name: listed for name, (_, listed, _) in PRICES.items()}, **HOSTED}.items():
        mixed = parity_mtok_per_day(day, rates, input_per_output=ratio)
        alone = parity_mtok_per_day(day, rates, input_per_output=0)
        people = parity_mtok_per_day(staffed, rates, input_per_output=ratio)
        why = f"output alone {alone:,.2f}; with half a person {people:,.2f}; capacity ignored"
        rows.append(Finding("parity with one on-demand box", name, 5, mixed, "M output/day", why))
    return rows


def price_table() -> list[Finding]:
    """Section 5: the price list."""
    section = "prices, in/out per Mtok"
    return [
        Finding(section, name, _pair(printed), _pair(listed), "USD", f"the price of {whose}" if whose else "right")
        for name, (printed, listed, whose) in PRICES.items()
    ]


def _pair(rates: Rates) -> str:
    return f"{rates.input_usd_per_mtok:g}/{rates.output_usd_per_mtok:g}"


def three_arms() -> list[Finding]:
    """Section 6: its own 400,000 calls a month on every arm, the hosted weights it leaves out included."""
    haiku, haiku_list, _ = PRICES["Claude Haiku 4.5"]
    sonnet = PRICES["Claude Sonnet 4.6"][0]
    quotes = find_instance(BOX).quotes
    month = BOX_USD_PER_HOUR * HOURS_PER_MONTH
    arms: dict[str, tuple[float | None, float]] = {
        "Haiku and Sonnet, printed prices": (PRINTED_INFERENCE_USD, inference_usd(haiku, sonnet)),
        "Haiku and Sonnet, list prices": (None, inference_usd(haiku_list, sonnet)),
        **{name: (None, CALLS * rates.request_usd(INPUT_TOKENS, OUTPUT_TOKENS)) for name, rates in HOSTED.items()},
        f"one {BOX} on demand": (None, month),
        f"one {BOX} reserved for a year": (None, quotes["reserved_1y"].usd_per_hour * HOURS_PER_MONTH),
        f"one {BOX} on spot": (None, quotes["spot"].usd_per_hour * HOURS_PER_MONTH),
        f"one {BOX} on demand and half a person": (None, month + HALF_FTE_USD),
    }
    why = "the same weights hosted by someone else are the arm that it leaves out"
    section = "its workload on every arm, a month"
    return [
        Finding(section, name, was, usd, "USD", why if name.startswith("Llama") else "")
        for name, (was, usd) in arms.items()
    ]
