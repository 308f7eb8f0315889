"""Prices per token: API arms request by request, and the conventions of splitting a box's hour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cost_cases import ARMS, VECTORS
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.base.errors import UsageError
from harness.base.units import usd_per_mtok
from harness.cost import decide
from harness.cost.api_rates import effective_rates, usd_per_call, usd_per_mtok_blended
from harness.cost.arms import choose_arms
from harness.cost.box.splits import BusyRun, measured_output_weight, splits
from harness.demand.demand import Demand, load_demand
from harness.prices.record import ApiPrice, Rates, Tier
from harness.rundir.arm_price import MixPrice
from harness.rundir.decision import MeasuredWeight
from harness.scenario import bundled_scenarios_dir

FLAT = ApiPrice("a", "flat", Rates(3, 15, 0.3, 3.75), "test", batch=Rates(1.5, 7.5, 0.15))
TIERED = ApiPrice("a", "tiered", Rates(1.25, 10, 0.125), "test", tiers=(Tier(200_000, Rates(2.5, 15, 0.25)),))


def demand(**changes: object) -> Demand:
    base = {"name": "t", "tasks_per_month": 1000, "classes": [{"input_tokens": 800, "output_tokens": 250}]}
    return Demand.model_validate({**base, **changes})


def per_task(parts: list[tuple[float, ApiPrice]], wanted: Demand) -> float:
    """What `decide` makes of the effective rates."""
    rates = effective_rates(parts, wanted.requests(), wanted.tokens_ratio)
    api = {
        "input_usd_per_mtok": rates.input_usd_per_mtok,
        "cached_input_usd_per_mtok": rates.cached_input_usd_per_mtok,
        "output_usd_per_mtok": rates.output_usd_per_mtok,
    }
    box = {"usd_per_hour": 1, "goodput_requests_per_s": 1}
    usd: float = decide({"workload": wanted.workload().model_dump(), "self_host": box, "api": api})["api_usd_per_task"]
    return usd


def test_one_model_in_one_tier_keeps_its_listed_rates() -> None:
    assert effective_rates([(1, FLAT)], demand().requests()) == FLAT.rates


@pytest.mark.parametrize(
    "classes",
    [
        [{"input_tokens": 800, "output_tokens": 250}],
        [{"input_tokens": 800, "cached_input_tokens": 600, "output_tokens": 250}],
        [{"input_tokens": 800, "cache_write_tokens": 500, "output_tokens": 250}],
        [
            {"weight": 9, "input_tokens": 800, "output_tokens": 250},
            {"weight": 1, "input_tokens": 300_000, "cached_input_tokens": 1000, "output_tokens": 900},
        ],
        [{"history": {"turns": 10, "base_tokens": 100_000, "growth_tokens": 50_000}, "output_tokens": 100}],
    ],
    ids=["plain", "cached", "cache writes", "two tiers", "history across a tier"],
)
@pytest.mark.parametrize("price", [FLAT, TIERED], ids=["flat", "tiered"])
def test_one_price_per_token_costs_what_the_requests_cost_one_by_one(
    price: ApiPrice, classes: list[dict[str, object]]
) -> None:
    wanted = demand(classes=classes)

    assert per_task([(1, price)], wanted) == pytest.approx(usd_per_call(price, wanted.requests()), rel=1e-12)


def test_routing_up_front_and_a_cascade_are_priced_by_their_calls() -> None:
    haiku, sonnet = ApiPrice("a", "haiku", Rates(1, 5), "t"), ApiPrice("a", "sonnet", Rates(3, 15), "t")

    routed = per_task([(0.7, haiku), (0.3, sonnet)], demand())
    cascade = per_task([(1, haiku), (0.3, sonnet)], demand())

    assert 400_000 * routed == pytest.approx(1312)  # AN-28: 574 + 738
    assert 400_000 * cascade == pytest.approx(1558)  # 820 + 738


def test_another_tokenizer_makes_other_counts() -> None:
    assert per_task([(1, FLAT)], demand(tokens_ratio=1.2)) == pytest.approx(1.2 * 0.00615)


def test_a_share_of_the_tasks_may_wait_for_the_batch_price() -> None:
    wanted = demand(batch_share=0.5)
    arm = choose_arms(ARMS, None, wanted)[0]  # claude-sonnet-4-6: 3/15, in a batch 1.5/7.5

    rates = arm.rates(wanted)

    assert (rates.input_usd_per_mtok, rates.output_usd_per_mtok) == pytest.approx((2.25, 11.25))


def test_the_demands_mixes_are_arms() -> None:
    wanted = load_demand(bundled_scenarios_dir() / "demand" / "support-agent-routed.yaml")

    arms = {arm.name: arm for arm in choose_arms([], None, wanted)}

    rates = arms["routed 70/30"].rates(wanted)
    assert 400_000 * rates.request_usd(800, 250) == pytest.approx(1312)
    assert "0.7 x anthropic:claude-haiku-4-5" in arms["routed 70/30"].label
    price = arms["routed 70/30"].price(wanted)
    assert isinstance(price, MixPrice)
    assert len(price.parts) == 2


def test_an_api_asked_for_twice_is_one_arm() -> None:
    names = [
        arm.name for arm in choose_arms(["openai:gpt-4.1,openai:gpt-4.1"], None, load_demand(Path("support-agent")))
    ]

    assert names.count("openai:gpt-4.1") == 1


@pytest.mark.parametrize("entry", ["", " ", ","])
def test_an_api_without_a_name_is_refused(entry: str) -> None:
    with pytest.raises(UsageError, match=f"--api '{entry}' names no API"):
        choose_arms([entry], None, load_demand(Path("support-agent")))


@pytest.mark.parametrize(("ratio", "usd"), [(3.2, 5.8571428571), (3, 6), (1, 9)])
def test_a_blended_price(ratio: float, usd: float) -> None:
    assert usd_per_mtok_blended(Rates(3, 15), ratio) == pytest.approx(usd)  # AN-05


def test_a_million_tokens_on_a_box() -> None:
    assert usd_per_mtok(5.672, 1000) == pytest.approx(VECTORS["AN-01"]["expected"]["usd_mtok"])
    assert usd_per_mtok(5.672, 0.3 * 1000) == pytest.approx(VECTORS["AN-02"]["expected"]["usd_mtok"])


@pytest.mark.parametrize("weight", [1, 4, 5])
def test_every_convention_adds_up_to_the_hour(weight: int) -> None:
    expected = VECTORS["AN-04"]["expected"]

    fit = {"seconds_per_input_token": 1, "seconds_per_output_token": weight, "runs": 2, "largest_misfit": 0}

    output_only, total, weighted = splits(5.672, 480, 150, MeasuredWeight(output_weight=weight, **fit))

    assert output_only.output_usd_per_mtok == pytest.approx(expected["output_only"])
    assert total.input_usd_per_mtok == pytest.approx(expected["total"])
    assert weighted.input_usd_per_mtok == pytest.approx(expected["weighted"][str(weight)]["c_in"])
    assert weighted.output_usd_per_mtok == pytest.approx(expected["weighted"][str(weight)]["c_out"])
    for row in (output_only, total, weighted):
        tokens = {"input": 480 * 3600 / 1e6, "output": 150 * 3600 / 1e6}
        hour = row.input_usd_per_mtok * tokens["input"] + row.output_usd_per_mtok * tokens["output"]
        assert hour == pytest.approx(5.672)


def test_the_weight_of_an_output_token_is_measured_over_shapes() -> None:
    # busy seconds = 0.001 t_in + 0.005 t_out
    runs = [BusyRun(0.001 * i + 0.005 * o, i, o) for i, o in ((1000, 100), (200, 800), (500, 500))]

    got = measured_output_weight(runs)

    assert got is not None
    assert got.output_weight == pytest.approx(5)
    assert got.largest_misfit == pytest.approx(0, abs=1e-9)


def test_one_shape_measures_no_weight() -> None:
    assert measured_output_weight([BusyRun(1.0, 800, 250), BusyRun(2.0, 1600, 500)]) is None
    assert measured_output_weight([BusyRun(1.0, 800, 250)]) is None


def test_a_weight_is_never_negative() -> None:
    # a run with more of both kinds of tokens for its seconds: output tokens come out for free, not below
    got = measured_output_weight([BusyRun(1.0, 1000, 10), BusyRun(0.5, 800, 500)])

    assert got is not None
    assert got.output_weight == 0


@given(st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_the_weights_fit_best_of_all_that_are_not_negative(seed: int) -> None:
    random = np.random.default_rng(seed)
    tokens = random.uniform(1, 1000, (6, 2))

    got = measured_output_weight([BusyRun(1.0, given, output) for given, output in tokens])

    assume(got is not None)
    assert got is not None
    best = np.array([got.seconds_per_input_token, got.seconds_per_output_token])
    assert np.all(best >= 0)
    least = np.sum((tokens @ best - 1) ** 2)
    for _ in range(50):
        other = np.maximum(best + random.normal(0, 3e-4, 2), 0)
        assert least <= np.sum((tokens @ other - 1) ** 2) + 1e-12
