"""An old decision.json as a price file: years later, with other lists installed, the same prices, sources and dates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cost_cases import manifest, metrics

from harness.base.errors import UsageError
from harness.cost.own_prices import load_prices
from harness.cost.verdict import build_decision
from harness.demand.demand import Demand, load_demand
from harness.prices.catalog import resolve_api
from harness.rundir.arm_price import MixPrice
from harness.rundir.decision import Decision
from harness.scenario import bundled_scenarios_dir

ROUTED = load_demand(bundled_scenarios_dir() / "demand" / "support-agent-routed.yaml")


def decided(demand: Demand, prices_file: Path | None = None) -> Decision:
    return build_decision(manifest(), metrics(), demand, [], prices_file=prices_file)


def written(tmp_path: Path, change: Callable[[dict[str, Any]], object], demand: Demand | None = None) -> Path:
    data = decided(demand or load_demand(Path("support-agent"))).to_dict()
    change(data)
    path = tmp_path / "decision.json"
    path.write_text(json.dumps(data))
    return path


def test_the_same_arms_are_priced_as_then(tmp_path: Path) -> None:
    def dearer(data: dict[str, Any]) -> None:
        data["arms"][0]["price"]["input_usd_per_mtok"] = 7.0
        data["self_host"]["instance"]["usd_per_hour"] = 1.5

    now = decided(load_demand(Path("support-agent")))

    again = decided(load_demand(Path("support-agent")), written(tmp_path, dearer))

    assert again.arms[0].price.input_usd_per_mtok == 7.0
    assert again.arms[0].price.digest == now.arms[0].price.digest
    assert again.self_host.instance.usd_per_hour == 1.5
    assert [arm.name for arm in again.arms] == [arm.name for arm in now.arms]


def test_the_models_of_a_mix_keep_their_prices(tmp_path: Path) -> None:
    path = written(tmp_path, lambda _: None, ROUTED)

    now, again = decided(ROUTED), decided(ROUTED, path)

    assert [(arm.price, arm.decision) for arm in again.arms] == [(arm.price, arm.decision) for arm in now.arms]
    mixes = [arm.price for arm in again.arms if isinstance(arm.price, MixPrice)]
    assert [part.calls_per_task for part in mixes[0].parts] == [0.7, 0.3]


def test_a_listed_price_survives_being_decided_on(tmp_path: Path) -> None:
    """Tiers, batch and cache prices too."""
    asked = "google:gemini-2.5-pro"
    path = tmp_path / "decision.json"
    path.write_text(
        json.dumps(build_decision(manifest(), metrics(), load_demand(Path("support-agent")), [asked]).to_dict())
    )

    assert load_prices(path).api[asked] == resolve_api(asked)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["self_host"].update(instance=5), "`self_host.instance`"),
        (lambda d: d["arms"][0]["price"].update(input_usd_per_mtok="x"), "`arms[0].price.input_usd_per_mtok`"),
        (lambda d: d["arms"][0]["price"].update(output_usd_per_mtok=-1), "`output_usd_per_mtok`: must be 0, or from"),
        (lambda d: d["self_host"]["instance"].update(usd_per_hour=1e300), "`usd_per_hour.on_demand`: must be 0, or"),
        (lambda d: d["self_host"]["instance"].update(purchase="lease"), "unknown purchase option `lease`"),
    ],
    ids=["no instance", "text", "negative", "huge", "purchase"],
)
def test_a_decision_without_usable_prices_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    path = written(tmp_path, change)

    with pytest.raises(UsageError) as caught:
        load_prices(path)

    assert str(path) in str(caught.value)
    assert said in str(caught.value)
