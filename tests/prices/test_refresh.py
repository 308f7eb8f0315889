"""The scripts that bring bundled prices up to date, on small copies of their sources."""

import json

import pytest

from benchmarks.refresh_instances import KARPENTER, TARGET, VANTAGE, read_karpenter, read_vantage, refreshed
from benchmarks.refresh_second_list import rows_of

COPY = """// generated at 2027-01-05T10:00:00Z for us-east-1
var InitialOnDemandPricesAWS = map[string]map[string]float64{
	"us-east-1": {
		"g5.12xlarge": 5.100000, "g4dn.xlarge": 0.526000, "p9.huge": 400.5,
	},
}
"""


def test_a_row_gets_the_tables_price_and_day_and_no_other_row_moves() -> None:
    day, prices = read_karpenter(COPY)

    text, said = refreshed(TARGET.read_text(), day, prices, KARPENTER)

    before, after = TARGET.read_text().splitlines(), text.splitlines()
    moved = [new.strip() for old, new in zip(before, after, strict=True) if old != new]
    assert said == ["g5.12xlarge us-east-1 on_demand: 5.672 to 5.1"]
    # of g4dn.xlarge its day alone; the five other regions are of another source
    assert moved == [
        "checked_on: 2027-01-05",
        "usd_per_hour: {on_demand: 5.1, reserved_1y: 3.57336, spot: 2.588}",
        "checked_on: 2027-01-05",
    ]


def test_a_copy_of_another_region_is_refused() -> None:
    with pytest.raises(SystemExit, match="generated for us-east-1"):
        read_karpenter(COPY.replace("us-east-1", "eu-west-1"))


def test_vantages_prices_go_to_the_regions_and_the_years_that_name_it() -> None:
    linux = {"ondemand": "6.1", "reserved": {"yrTerm1Standard.noUpfront": "3.5", "yrTerm3Standard.noUpfront": "2"}}
    copy = json.dumps([
        {"instance_type": "g5.12xlarge", "pricing": {
            "eu-west-1": {"linux": linux}, "us-east-1": {"linux": {**linux, "ondemand": "9"}, "mswin": {}},
            "eu-central-1": {"linux": {"ondemand": "0"}},
        }},
        {"instance_type": "p9.huge", "pricing": {"us-east-1": {"linux": linux}}},
    ])  # fmt: skip

    text, said = refreshed(TARGET.read_text(), "2027-01-05", read_vantage(copy), VANTAGE)

    # on demand in us-east-1 is of another source; a price of 0 is none
    assert sorted(said) == [
        "g5.12xlarge eu-west-1 on_demand: 6.33167 to 6.1",
        "g5.12xlarge us-east-1 reserved_1y: 3.57336 to 3.5",
    ]
    assert text.count("2027-01-05") == 2
    assert "{on_demand: 5.672, reserved_1y: 3.5, spot: 2.588}" in text


@pytest.mark.parametrize("copy", ["", "{}x", "[1]", '[{"instance_type": "a"}]', '[{"pricing": {"r": {"linux": 1}}}]'])
def test_a_copy_that_is_none_of_vantage_is_refused(copy: str) -> None:
    with pytest.raises(SystemExit, match=r"no instances\.json of Vantage"):
        read_vantage(copy)


def test_the_second_list_keeps_paid_chat_models_by_our_providers_names() -> None:
    chat = {"mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}
    table = {
        "xai/grok-9": chat | {"litellm_provider": "xai", "deprecation_date": "2027-01-01"},
        "fireworks_ai/accounts/fireworks/models/Big": chat | {"litellm_provider": "fireworks_ai"},
        "free": chat | {"litellm_provider": "openai", "input_cost_per_token": 0},
        "picture": chat | {"litellm_provider": "openai", "mode": "image_generation"},
        "elsewhere": chat | {"litellm_provider": "nobody"},
    }

    assert rows_of(table) == [
        ["fireworks", "big", "2.5", "10", "", "", ""],
        ["x-ai", "grok-9", "2.5", "10", "", "", "2027-01-01"],
    ]
