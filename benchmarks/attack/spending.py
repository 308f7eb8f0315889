"""Random prices, lengths, failures, rate limits and loads against an API that bills: is a spending limit ever passed?

Each is a run of the real load engine. What the API has billed, in its own exact arithmetic, must be within the limit,
and within what the run says it spent and reserved.
"""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml
from billing_api import FAULTS, Behaviour, BillingApi, Limits, Prices
from result import Result

from harness.base.errors import BreakevenError, UsageError
from harness.cli.spending import budget_of, check_payable
from harness.cost.own_prices import load_prices
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions
from harness.rundir.files import read_manifest
from harness.scenario import Scenario

DEFAULT_COUNT = 200
AT_ONCE = 4
ROUNDING_USD = Fraction(1, 10**9)  # run.json has floats
STYLES = ("openai", "plain", "anthropic", "retry_after", "retry_date", "silent")


@dataclass(frozen=True)
class Case:
    """One random scenario."""

    prices: Prices
    behaviour: Behaviour
    limits: Limits
    scenario: dict[str, Any]
    extra_body: dict[str, Any]
    max_usd: str
    preflight: bool
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What came of it: how it ended, the share of the limit that was billed, and what did not hold."""

    ended: str
    share: float
    requests: int
    bad: str | None = None


def case(seed: int) -> Case:
    """The scenario of a seed."""
    draw = random.Random(f"spending/{seed}")
    prices = _prices(draw)
    output, choices = draw.choice((1, 5, 20, 60)), draw.choice((1, 1, 1, 2, 3))
    prompts: dict[str, Any] = {"kind": "synthetic", "input_tokens": draw.choice((5, 50, 400)), "output_tokens": output}
    if draw.random() < 0.2:
        prompts = {
            "kind": "sessions",
            "turns": 3,
            "base_tokens": 40,
            "growth_tokens": output + 20,
            "output_tokens": output,
        }
    is_chat = prompts["kind"] == "sessions" or draw.random() < 0.6
    request = {"api": "chat" if is_chat else "completions", "stream": draw.random() < 0.8, "timeout_s": 3}
    if draw.random() < 0.3:
        request["rename"] = {"max_tokens": "max_completion_tokens"}
    load = _load(draw, is_open=draw.random() < 0.25 and prompts["kind"] == "synthetic")
    scenario = {
        "name": "s", "load": load, "prompts": prompts, "request": request, "seed": seed, "slo": {"e2e_p50_s": 5},
    }  # fmt: skip
    worst = prices.usd(2500 * choices, 0, 0, output * choices) * Fraction(draw.choice(("1", "1.5")))
    most = worst * Fraction(draw.uniform(0.2, 3) ** 3).limit_denominator(1000)
    return Case(
        prices=prices,
        behaviour=_behaviour(draw),
        limits=_limits(draw),
        scenario=scenario,
        extra_body={"n": choices} if choices > 1 else {},
        max_usd=f"{float(most):.9f}",
        preflight=draw.random() < 0.7,
        seed=seed,
    )


def _prices(draw: random.Random) -> Prices:
    def some(low: float, high: float) -> str:
        return f"{draw.uniform(low, high):.{draw.choice((0, 2, 4))}f}"

    plain = some(1, 20)
    return Prices(
        input=plain,
        output=some(1, 100),
        cached=draw.choice((None, str(Decimal(plain) / 10))),
        written=draw.choice((None, None, str(Decimal(plain) * Decimal("1.25")))),
        a_request=draw.choice(("0", "0", "0.005", "0.0123")),
        surcharge=draw.choice(("0", "0", "0.055")),
        tiers=draw.choice(((), (), ((60, 2),), ((30, 2), (300, 4)))),
    )


def _behaviour(draw: random.Random) -> Behaviour:
    faults = {name: draw.choice((0.02, 0.1)) for name in FAULTS if draw.random() < 0.25}
    return Behaviour(
        ttft_s=draw.choice((0.001, 0.02, 0.2)),
        itl_s=draw.choice((0, 0.002)),
        faults=faults,
        template_tokens=draw.choice((0, 12, 200)),
        byte_tokens=draw.random() < 0.4,
        answers=draw.choice(("full", "any")),
        hides_reasoning=draw.random() < 0.3,
        tells_total_alone=draw.random() < 0.3,
        cached_share=draw.choice((0, 0.5, 1)),
        written_share=draw.choice((0, 0.5, 1)),
        tells_written=draw.random() < 0.5,
    )


def _limits(draw: random.Random) -> Limits:
    style = draw.choice(STYLES)
    kind = draw.choice(("none", "none", "requests", "tokens", "both"))
    requests, tokens = (40.0, 10), (20_000.0, 5_000)
    none = (0.0, 0)
    by_requests, by_tokens = (
        (requests if kind in ("requests", "both") else none),
        (tokens if kind in ("tokens", "both") else none),
    )
    return Limits(*by_requests, *by_tokens, style)


def _load(draw: random.Random, *, is_open: bool) -> dict[str, Any]:
    if is_open:
        return {"kind": "open", "requests_per_s": [draw.choice((10, 60))], "step_s": 2, "warmup_s": 0}
    return {"kind": "closed", "users": [draw.choice((1, 4, 16, 64)), 64], "step_s": 1, "warmup_s": 0}


def tried(one: Case, out_dir: Path) -> Outcome:
    """One run, and whether it held."""
    place = out_dir / f"s{one.seed}"
    place.mkdir(parents=True)
    (place / "prices.yaml").write_text(yaml.safe_dump({"api": [_row(one.prices)]}))
    with BillingApi(one.prices, one.behaviour, one.limits, seed=one.seed) as api:
        ended, driven = _driven(one, api.url, place)
        bill, requests = api.bill_usd(), len(api.calls)
    limit = Fraction(one.max_usd)
    share = float(bill / limit)
    bad = None
    if bill > limit:
        bad = f"{float(bill)} USD were billed, the limit was {one.max_usd}"
    elif ended.startswith("error"):
        bad = ended
    elif driven is not None and bill > driven + ROUNDING_USD:
        bad = f"{float(bill)} USD were billed, the run knows of {float(driven)}"
    elif driven is not None and driven > limit + ROUNDING_USD:
        bad = f"{float(driven)} USD spent and reserved, the limit was {one.max_usd}"
    elif driven is None and bill:
        bad = f"{float(bill)} USD were billed by a run that could not begin"
    return Outcome(ended, share, requests, None if bad is None else f"seed {one.seed}: {bad}")


def _row(prices: Prices) -> dict[str, Any]:
    """As a price file has them."""
    rates = {
        "input_usd_per_mtok": float(prices.input),
        "output_usd_per_mtok": float(prices.output),
        "cached_input_usd_per_mtok": None if prices.cached is None else float(prices.cached),
        "cache_write_usd_per_mtok": None if prices.written is None else float(prices.written),
    }
    tiers = []
    for above, factor in prices.tiers:
        dearer = {key: None if usd is None else float(Decimal(repr(usd)) * factor) for key, usd in rates.items()}
        tiers.append({"above_input_tokens": above, **dearer})
    terms = {"usd_per_request": float(prices.a_request), "surcharge": float(prices.surcharge)}
    return {"provider": "x", "model": "m", **rates, **terms, "tiers": tiers}


def _driven(one: Case, url: str, place: Path) -> tuple[str, Fraction | None]:
    """How the run ended, and what it says is spent and reserved; None where it could not begin."""
    given = {"max_usd": one.max_usd, "apis": ["x:m"], "urls": [url], "remote_workers": 0, "workers": None, "times": 1}
    scenario = Scenario.model_validate(one.scenario)
    try:
        budget = budget_of(given, load_prices(place / "prices.yaml"), scenario)
        assert budget is not None
        check_payable(budget.spending, scenario, None, one.extra_body)
        options = RunOptions(
            scenario=scenario, base_dir=place, backend="openai", out_dir=place / "out", urls=[url], model="m",
            extra_body=one.extra_body, preflight=one.preflight, budget=budget,
        )  # fmt: skip
        measured = measure(options, lambda _: None)
    except UsageError as error:
        return ("below one request" if "--max-usd" in str(error) else f"error: {error}"), None
    except BreakevenError as error:
        return f"refused: {type(error).__name__}", None if "refuses" not in str(error) else Fraction(0)
    manifest = read_manifest(measured.run_dir)
    assert manifest.driven is not None
    known = Fraction(manifest.driven.spent_usd) + Fraction(manifest.driven.reserved_usd)
    if measured.failure is not None:
        return f"ended early: {str(measured.failure)[:60]}", known
    return ("limit reached" if manifest.driven.stopped else "whole"), known


def attack(count: int, seed: int, out_dir: Path) -> Result:
    """`count` scenarios from `seed` on."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda n: tried(case(seed * 1000 + n), out_dir), range(count)))
    ends = Counter(outcome.ended for outcome in outcomes)
    reached = [outcome.share for outcome in outcomes if outcome.ended == "limit reached"]
    said = ", ".join(f"{n} {how}" for how, n in ends.most_common())
    most = max((outcome.share for outcome in outcomes), default=0)
    mean = sum(reached) / len(reached) if reached else 0
    requests = sum(outcome.requests for outcome in outcomes)
    note = (
        f"{requests:,} requests; {said}; billed at most {most:.1%} of a limit, {mean:.0%} in the mean of those reached"
    )
    return Result(count, [outcome.bad for outcome in outcomes if outcome.bad is not None], note)
