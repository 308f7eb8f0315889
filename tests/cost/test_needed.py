from pathlib import Path

import pytest

from harness.cost.needed import needed_goodput
from harness.demand.demand import demand_from_dict

# A box of 5.672 USD/h is 4,140.56 USD a month (730 h). An API of 3 and 15 USD per Mtok takes
# 800 * 3e-6 + 250 * 15e-6 = 0.00615 USD for a request.
BOX = {"id": None, "usd_per_hour": 5.672, "purchase": "on_demand"}
PRICES = "api:\n  - {provider: mine, model: m, input_usd_per_mtok: 3, output_usd_per_mtok: 15}\n"


def needed(tmp_path: Path, tasks_per_month: float | None, **box: object) -> dict[str, float | None]:
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)
    demand = demand_from_dict(
        {"name": "d", "tasks_per_month": tasks_per_month, "classes": [{"input_tokens": 800, "output_tokens": 250}]}
    )
    found = needed_goodput(BOX | box, ["mine:m"], demand, prices_file=prices)
    return {name: value for name, value in found.items() if name.startswith("mine:m")}


def test_a_full_instance_must_earn_its_hour(tmp_path: Path) -> None:
    # 5.672 / 3600 / 0.00615 requests per second
    assert needed(tmp_path, None) == {"mine:m": pytest.approx(5.672 / 3600 / 0.00615)}


def test_at_a_volume_as_many_tasks_must_fit_on_the_instances_that_the_api_would_pay(tmp_path: Path) -> None:
    # a million requests are 6,150 USD, the price of one instance: it must serve all of them in 730 h
    found = needed(tmp_path, 1_000_000)

    assert found["mine:m at 1,000,000 a month"] == pytest.approx(1e6 / (730 * 3600), rel=1e-6)


def test_at_a_volume_too_small_for_one_instance_no_goodput_is_enough(tmp_path: Path) -> None:
    # 400,000 requests are 2,460 USD
    assert needed(tmp_path, 400_000)["mine:m at 400,000 a month"] is None


def test_one_of_two_replicas_needs_half(tmp_path: Path) -> None:
    assert needed(tmp_path, None, replicas=2) == {"mine:m": pytest.approx(5.672 / 3600 / 0.00615 / 2)}
