"""Boxes that are not sold by the hour, and prices in another currency."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UsageError
from harness.prices.catalog import find_instance, quote_for, resolve_api
from harness.prices.own_box import Owned
from harness.prices.price_file import UserPrices, user_prices

RACK = {"price_usd": 12_000, "months": 36, "residual_usd": 2_000, "power_kw": 1.2, "pue": 1.3, "usd_per_kwh": 0.15}
RATE = {"EUR": {"usd": 1.08, "checked_on": "2026-11-02", "source": "the bank"}}


def prices(**parts: Any) -> UserPrices:
    return user_prices(parts, Path("prices.yaml"))


@pytest.mark.parametrize(
    ("given", "month"),
    [
        # 10,000/36 = 277.78; 1.2 x 1.3 x 0.15 x 730 x 0.5 = 85.41
        ({**RACK, "load_share": 0.5}, 277.777777778 + 85.41),
        ({**RACK}, 277.777777778 + 170.82),  # at full load all month
        ({**RACK, "colocation_usd_per_month": 250}, 277.777777778 + 170.82 + 250),
        ({"price_usd": 0, "months": 1, "power_kw": 0.5, "usd_per_kwh": 0.4}, 146),  # written off: power alone
        ({"price_usd": 7_300, "months": 10, "residual_usd": 7_300}, 0),
    ],
)
def test_hardware_of_ones_own_costs_what_is_written_off_and_its_power(given: dict[str, Any], month: float) -> None:
    assert Owned(**given).usd_per_hour() * 730 == pytest.approx(month)


def test_an_owned_box_is_an_instance_whose_provenance_is_the_users() -> None:
    row = {"id": "rack-7", "gpu": "L40S", "gpu_count": 2, "owned": {**RACK, "load_share": 0.5}}

    quote = quote_for(find_instance("rack-7", prices(instances=[row])), "owned")

    assert quote.usd_per_hour == pytest.approx(0.4975, abs=5e-5)
    assert quote.source == (
        "the user's own; owned: 12,000 over 36 months, 2,000 left; 1.2 kW x PUE 1.3 x 0.15 a kWh x 50% load"
    )


def test_a_month_and_a_year_paid_at_once_become_hours() -> None:
    row = {"id": "g5.12xlarge", "usd_per_month": {"reserved_1m": 3650}, "usd_per_year": {"reserved_1y": 26_280}}

    known = find_instance("g5.12xlarge", prices(instances=[row]))

    assert quote_for(known, "reserved_1m").usd_per_hour == 5
    assert quote_for(known, "reserved_1y").usd_per_hour == 3
    assert quote_for(known, "on_demand").usd_per_hour == 5.672  # as listed


def test_a_price_in_another_currency_says_at_which_rate_and_of_which_day() -> None:
    row = {
        "id": "box",
        "currency": "EUR",
        "usd_per_hour": {"on_demand": 2},
        "source": "offer 7",
        "checked_on": "2026-11-01",
    }

    quote = quote_for(find_instance("box", prices(instances=[row], currencies=RATE)), "on_demand")

    assert quote.usd_per_hour == pytest.approx(2.16)
    assert quote.source == "offer 7, at 1.08 USD per EUR of 2026-11-02, the bank"
    assert quote.checked_on == date(2026, 11, 1)


def test_every_amount_of_a_row_is_converted_and_nothing_else() -> None:
    api = {
        "provider": "p", "model": "m", "currency": "EUR", "input_usd_per_mtok": 1, "output_usd_per_mtok": 2,
        "tiers": [{"above_input_tokens": 1000, "input_usd_per_mtok": 3, "output_usd_per_mtok": 4}],
        "batch": {"input_usd_per_mtok": 0.5, "output_usd_per_mtok": 1}, "usd_per_request": 0.01, "surcharge": 0.1,
        "units_usd_per_month": 100, "unit_tasks_per_month": 5000,
    }  # fmt: skip
    owned = {"id": "rack", "currency": "EUR", "owned": RACK, "gpu_count": 2}

    got = prices(api=[api], instances=[owned], currencies=RATE)

    price = resolve_api("p:m", got)
    assert (price.rates.input_usd_per_mtok, price.rates.output_usd_per_mtok) == pytest.approx((1.08, 2.16))
    assert (price.tiers[0].above_input_tokens, price.tiers[0].rates.output_usd_per_mtok) == (1000, pytest.approx(4.32))
    assert price.batch is not None
    assert price.batch.output_usd_per_mtok == pytest.approx(1.08)
    assert price.kind == "assumed"  # nobody named a source
    assert price.terms.usd_per_request == pytest.approx(0.0108)
    assert price.terms.units_usd_per_month == pytest.approx(108)
    assert (price.terms.surcharge, price.terms.unit_tasks_per_month) == (0.1, 5000)
    rack = find_instance("rack", got)
    assert rack.gpu_count == 2
    assert quote_for(rack, "owned").usd_per_hour == pytest.approx(1.08 * Owned(**RACK).usd_per_hour())


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"instances": [{"id": "a", "currency": "EUR", "usd_per_hour": {"on_demand": 1}}]},
            "`instances[0].currency`: only USD is understood, got 'EUR', and `currencies` gives no rate of it",
        ),
        ({"currencies": {"EUR": {"usd": 1.08}}}, "prices.yaml: `currencies.EUR.checked_on` is missing"),
        (
            {"currencies": {"EUR": {"usd": 1.08, "checked_on": "2999-01-01"}}},
            "`currencies.EUR.checked_on`: 2999-01-01 is in the future",
        ),
        ({"currencies": {"EUR": {"usd": 0, "checked_on": "2026-11-01"}}}, "`currencies.EUR.usd`"),
        ({"instances": [{"id": "a", "owned": {"price_usd": 1, "months": 0}}]}, "`instances[0].owned.months`"),
        ({"instances": [{"id": "a", "owned": {"price_usd": 1, "months": 9, "residual_usd": 2}}]}, "must not be above"),
        (
            {"instances": [{"id": "a", "usd_per_year": {"forever": 1}}]},
            "usd_per_year`: unknown purchase option `forever`",
        ),
    ],
)
def test_a_price_that_cannot_be_is_one_line(parts: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        prices(**parts)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
