"""The scripts that bring bundled prices up to date, on small copies of their sources."""

import pytest

from benchmarks.refresh_instances import TARGET, read_table, refreshed
from benchmarks.refresh_second_list import rows_of

COPY = """// generated at 2027-01-05T10:00:00Z for us-east-1
var InitialOnDemandPricesAWS = map[string]map[string]float64{
	"us-east-1": {
		"g5.12xlarge": 5.100000, "g4dn.xlarge": 0.526000, "p9.huge": 400.5,
	},
}
"""


def test_a_row_gets_the_tables_price_and_day_and_no_other_row_moves() -> None:
    day, usd = read_table(COPY)

    text, said = refreshed(TARGET.read_text(), day, usd)

    before, after = TARGET.read_text().splitlines(), text.splitlines()
    moved = [new.strip() for old, new in zip(before, after, strict=True) if old != new]
    assert said == ["g5.12xlarge: 5.672 to 5.1"]
    # of g4dn.xlarge its day alone; the five other regions are of another source
    assert moved == [
        "checked_on: 2027-01-05",
        "usd_per_hour: {on_demand: 5.1, reserved_1y: 3.57336, spot: 2.588}",
        "checked_on: 2027-01-05",
    ]


def test_a_copy_of_another_region_is_refused() -> None:
    with pytest.raises(SystemExit, match="generated for us-east-1"):
        read_table(COPY.replace("us-east-1", "eu-west-1"))


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
