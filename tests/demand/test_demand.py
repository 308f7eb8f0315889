"""Demand files: shapes, histories, items, and what is wrong with a bad one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import UsageError
from harness.demand.demand import Demand, demand_from_dict, load_demand
from harness.demand.items import usd_per_month
from harness.scenario import bundled_scenarios_dir

SMALLEST: dict[str, Any] = {
    "name": "t",
    "tasks_per_month": 1000,
    "classes": [{"input_tokens": 800, "output_tokens": 250}],
}


def with_item(**item: Any) -> Demand:
    return demand_from_dict({**SMALLEST, "items": [{"name": "it", **item}]})


def test_every_bundled_demand_loads() -> None:
    paths = sorted((bundled_scenarios_dir() / "demand").glob("*.yaml"))

    assert [load_demand(path).name for path in paths] == [path.stem for path in paths]


def test_the_support_agent_is_the_articles_and_asks_for_half_a_person() -> None:
    demand = load_demand(Path("support-agent"))

    assert demand.tasks_per_month == 400000
    assert demand.mean_tokens() == (800, 250)
    assert demand.fixed_usd("self_host") == pytest.approx(8666.666666666666, rel=1e-12)  # 0.5 x 208,000 / 12
    assert demand.fixed_usd("api") == 0


def test_people_can_be_struck() -> None:
    assert load_demand(Path("support-agent")).without("people").fixed_usd("self_host") == 0
    assert load_demand(Path("support-agent")).without("operating the box").fixed_usd("self_host") == 0


def test_striking_people_leaves_what_both_arms_pay() -> None:
    names = [item.name for item in load_demand(Path("support-agent")).without("people").items]

    assert "prompt and quality work" in names


def test_a_demand_survives_being_stored() -> None:
    demand = load_demand(Path("support-agent"))

    assert demand_from_dict(demand.to_dict()) == demand


def test_a_growing_history_is_one_request_a_turn() -> None:
    history = {"turns": 10, "base_tokens": 300, "growth_tokens": 350}
    demand = demand_from_dict({**SMALLEST, "classes": [{"history": history, "output_tokens": 100}]})

    sizes = [row.input_tokens for row in demand.requests()]

    assert sum(sizes) == 18750  # AN-19: 10 x 300 + 350 x 45
    assert (sizes[0], sizes[-1]) == (300, 3450)
    assert demand.classes[0].history is not None
    assert demand.classes[0].history.total_input_tokens() == 18750
    assert demand.mean_tokens() == pytest.approx((1875, 100), rel=1e-12)


@pytest.mark.parametrize(
    ("item", "usd"),
    [
        ({"kind": "monthly", "usd": 140}, 140),
        ({"kind": "fte", "fraction": 0.5}, 8666.666666666666),
        ({"kind": "hours", "hours_per_week": 3, "usd_per_hour": 100}, 1300),  # 300 x 52/12; SEED-06
        ({"kind": "hours", "hours_per_week": 3, "usd_per_hour": 100, "weeks_per_month": 4}, 1200),
        # AN-20: 10M x 400 tokens x 0.02 / 1e6 = 80 a pass, twice a year
        (
            {
                "kind": "embeddings",
                "chunks": 10_000_000,
                "tokens_per_chunk": 400,
                "usd_per_mtok": 0.02,
                "passes_per_year": 2,
            },
            13.333333333333334,
        ),
        ({"kind": "per_task", "tokens_per_task": 30, "usd_per_mtok": 0.02}, 0.24),  # of 400,000; SEED-05
        ({"kind": "one_off", "usd": 5000}, 0),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else str(value),
)
def test_an_item_costs_so_much_a_month(item: dict[str, Any], usd: float) -> None:
    assert usd_per_month(with_item(**item).items[0], 400_000) == pytest.approx(usd, rel=1e-12)


def test_only_what_one_side_pays_alone_counts_in_its_fixed_costs() -> None:
    demand = demand_from_dict(
        {
            **SMALLEST,
            "self_fixed_usd_per_month": 5,
            "items": [
                {"name": "a", "kind": "monthly", "usd": 10, "arm": "self_host"},
                {"name": "b", "kind": "monthly", "usd": 20, "arm": "api"},
                {"name": "c", "kind": "monthly", "usd": 40, "arm": "both"},
            ],
        }
    )

    assert (demand.fixed_usd("self_host"), demand.fixed_usd("api")) == (15, 20)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"retry_failure_rate": 8}, "`retry_failure_rate`: must be a share, at least 0 and below 1, got 8"),
        ({"task_per_month": 1}, "unknown key `task_per_month`"),
        ({"classes": [{"output_tokens": 250}]}, "give either `input_tokens` or `history`"),
        ({"classes": [{"input_tokens": 1, "output_tokens": 1, "weight": 0}]}, "must not all be 0"),
        ({"peak_to_mean": 2, "hourly_profile": [1] * 24}, "not both"),
        ({"items": [{"name": "x", "kind": "salary", "usd": 1}]}, "items[0].kind"),
        ({"tasks_per_month": -1}, "`tasks_per_month`"),
        ({"tasks_per_month": True}, "`tasks_per_month`: must not be true or false, got True"),
        ({"max_retries": True}, "`max_retries`: must not be true or false, got True"),
        ({"hourly_profile": [True] * 24}, "`hourly_profile`: must not be true or false"),
        ({"ranges": {"usd_per_hour": [0, True]}}, "`ranges`: must not be true or false"),
        ({"growth_per_month": 10, "horizon_months": 600}, "ends above 1e+15 tasks a month"),
        (
            {"classes": [{"history": {"turns": 3, "base_tokens": 1, "growth_tokens": 6e11}, "output_tokens": 1}]},
            "the last turn's input tokens must be at most 1e+12",
        ),
        ({"ranges": {"rent": [1, 2]}}, "`ranges`: unknown input `rent`; known: tasks_per_month"),
        ({"ranges": {"usd_per_hour": [5, 2]}}, "`ranges`: the range of `usd_per_hour` must be [low, high], got [5, 2]"),
        (
            {"ranges": {"peak_to_mean": [0.5, 2]}},
            "`ranges`: the range of `peak_to_mean` must be [low, high], from 1 on, got [0.5, 2]",
        ),
    ],
    ids=str,
)
def test_a_bad_demand_names_file_and_key(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    import yaml

    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump({**SMALLEST, **changes}))

    with pytest.raises(UsageError) as caught:
        load_demand(path)

    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["retry_failure_rate", "response_cache_hit_rate", "max_load"])
def test_a_range_in_percent_is_answered_with_the_share(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        demand_from_dict({**SMALLEST, "ranges": {name: [0.01, 8]}})

    assert f"the range of `{name}` must be [low, high], " in str(caught.value)
    assert caught.value.hint == "is 8 meant as 0.08?"


@pytest.mark.parametrize(("share", "hint"), [(80, "is 80 meant as 0.8?"), (800, None)])
def test_a_share_of_one_that_is_a_percentage_is_answered_with_the_share(share: float, hint: str) -> None:
    with pytest.raises(UsageError, match="`batch_share`: must be less than or equal to 1") as caught:
        demand_from_dict({**SMALLEST, "batch_share": share})

    assert caught.value.hint == hint


def test_a_range_may_end_just_below_one() -> None:
    demand = demand_from_dict({**SMALLEST, "ranges": {"retry_failure_rate": [0, 0.995]}})

    assert demand.ranges == {"retry_failure_rate": (0, 0.995)}
