"""Classes cost what the requests cost one by one, whatever tier each falls into."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from harness.base.stats import Floats
from harness.cost.api_rates import usd_per_call
from harness.demand.classes import MOST_CLASSES, cuts, money_of, sized
from harness.demand.demand import demand_from_dict
from harness.demand.from_log import demand_of
from harness.prices.catalog import resolve_api, tier_edges
from harness.prices.price_file import UserPrices
from harness.prices.record import ApiPrice, Rates, Tier
from harness.scenario.logs.request_log import RequestLog
from harness.scenario.logs.values import Names

LISTED = [32_000, 100_000, 128_000, 200_000, 256_000, 272_000, 512_000]


def log_of(given: Sequence[float] | Floats, out: Sequence[float] | Floats, models: Sequence[str] = ()) -> RequestLog:
    n = len(given)
    names = tuple(dict.fromkeys(models))
    codes = np.array([names.index(model) for model in models], dtype=np.int32)
    return RequestLog(
        file="log.csv", layout="ours", unit="s", arrival_s=60.0 * np.arange(n), input_tokens=np.array(given, float),
        output_tokens=np.array(out, float), cached_tokens=None, cache_write_tokens=None, reasoning_tokens=None,
        images=None, served=np.ones(n), failed=np.zeros(n), from_cache=None,
        model=Names(codes, names) if names else None, session=None, blocks=None,
        block_tokens=512, bucket_s=0.0, end_s=60.0 * (n - 1), starts_at_s=None,
        is_dated=False, left_out={}, notes=(),
    )  # fmt: skip


def tiered(edge: int, input_usd: float = 1.25, output_usd: float = 10, factor: float = 2) -> ApiPrice:
    above = Rates(factor * input_usd, 1.5 * output_usd)
    return ApiPrice("p", "m", Rates(input_usd, output_usd), "test", (Tier(edge, above),), checked_on=date(2026, 11, 1))


def usd_of_classes(log: RequestLog, price: ApiPrice, tiers: Sequence[int]) -> float:
    return usd_per_call(price, demand_from_dict(demand_of(log, name="d", tiers=tiers)).requests())


def usd_row_by_row(log: RequestLog, price: ApiPrice) -> float:
    rows = zip(log.input_tokens.tolist(), log.output_tokens.tolist(), strict=True)
    return sum(price.rates_for(given).request_usd(given, out) for given, out in rows) / len(log.served)


def test_a_long_tail_is_priced_in_its_own_tier() -> None:
    # 90 % of 10k/500 and 10 % of 250k/3k, one a minute: at gemini-2.5-pro, 1.25/10 up to 200k and 2.50/15 above,
    # 0.9 * (0.0125 + 0.005) + 0.1 * (0.625 + 0.045) = 0.08275 a request, 43,800 requests a month
    log = log_of([10_000] * 900 + [250_000] * 100, [500] * 900 + [3_000] * 100)
    demand = demand_of(log, name="d", tiers=tier_edges(UserPrices()))

    usd = usd_per_call(resolve_api("google:gemini-2.5-pro"), demand_from_dict(demand).requests())

    assert demand["tasks_per_month"] == 43_800
    assert demand["tasks_per_month"] * usd == pytest.approx(3_624.45, abs=0.01)
    assert [one["name"] for one in demand["classes"]] == ["10000 tokens in", "250000 tokens in"]


@pytest.mark.parametrize(("median", "sigma"), [(8_000, 1.2), (20_000, 1.5), (120_000, 0.5)])
@pytest.mark.parametrize("edge", [128_000, 200_000])
def test_lognormal_lengths_cost_at_a_listed_tier_what_their_rows_do(median: int, sigma: float, edge: int) -> None:
    random = np.random.default_rng(1)
    given = np.ceil(random.lognormal(np.log(median), sigma, 5_000)).clip(1, 2e6)
    log = log_of(given, np.ceil(random.lognormal(6, 1, 5_000)))

    demand = demand_of(log, name="d", tiers=LISTED)

    assert usd_of_classes(log, tiered(edge), LISTED) == pytest.approx(usd_row_by_row(log, tiered(edge)), rel=1e-5)
    assert len(demand["classes"]) <= MOST_CLASSES
    assert sum(one["weight"] for one in demand["classes"]) == 5_000


@pytest.mark.parametrize("edge", [50_000, 64_000, 150_000, 230_000, 400_000])
def test_an_edge_that_no_one_listed_moves_little_money(edge: int) -> None:
    random = np.random.default_rng(2)
    log = log_of(np.ceil(random.lognormal(10, 1.3, 5_000)), np.ceil(random.lognormal(6, 1, 5_000)))

    assert usd_of_classes(log, tiered(edge), LISTED) == pytest.approx(usd_row_by_row(log, tiered(edge)), rel=0.01)


def test_an_edge_of_the_users_own_price_is_never_straddled() -> None:
    random = np.random.default_rng(3)
    log = log_of(np.ceil(random.lognormal(7, 1, 2_000)), np.full(2_000, 100.0))
    own = tiered(1_500, factor=4)

    edges = tier_edges(UserPrices(api={"p:m": own}))

    assert usd_of_classes(log, own, edges) == pytest.approx(usd_row_by_row(log, own), rel=1e-4)


def test_what_is_far_below_any_tier_is_one_class() -> None:
    random = np.random.default_rng(4)
    given = random.integers(1, 8_000, 1_000).astype(float)

    assert cuts([sized(given, given, np.ones(1_000), money_of(given, given, np.ones(1_000)))], LISTED) == [
        [given.min()]
    ]


def test_classes_go_by_model_where_that_is_asked_for() -> None:
    log = log_of([100, 200, 100_000, 300], [10, 10, 20, 30], ["small", "small", "large", "large"])

    rows = demand_of(log, name="d", tiers=LISTED, per_model=True)["classes"]

    assert rows == [
        {"name": "small", "weight": 2, "input_tokens": 150, "output_tokens": 10},
        {"name": "large: 300 tokens in", "weight": 1, "input_tokens": 300, "output_tokens": 30},
        {"name": "large: 100000 tokens in", "weight": 1, "input_tokens": 100_000, "output_tokens": 20},
    ]


def test_rare_models_share_their_classes() -> None:
    models = [f"m{n:02}" for n in range(20) for _ in range(20 - n)]

    rows = demand_of(log_of([100] * 210, [10] * 210, models), name="d", tiers=LISTED, per_model=True)["classes"]

    assert [row["name"] for row in rows] == [*(f"m{n:02}" for n in range(15)), "other models"]
    assert rows[-1]["weight"] == 5 + 4 + 3 + 2 + 1
