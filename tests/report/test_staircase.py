"""The curves of the chart: the decision's own staircase, drawn."""

from __future__ import annotations

from typing import Any

import pytest
from cost_cases import comparisons
from hypothesis import given, settings
from report_cases import decision_of

from harness.cost import decide
from harness.cost.breakeven.decision import decide_parsed, parse
from harness.cost.breakeven.staircase import Staircase
from harness.report.charts.cost import api_points, corners, stairs_of
from harness.rundir.decision import Arm

# AN-12: K 1,576,800 tasks an instance, one box 5.672 * 730 = 4,140.56 USD a month
BOX = Staircase(0.00615, 4140.56, 1_576_800, 0.0, 0.0, 1)


def arm_of(inputs: dict[str, Any]) -> Arm:
    """An arm as decision.json has it, for these inputs."""
    parsed = parse(inputs)
    changed = {"input": parsed, "decision": decide_parsed(parsed)}
    return decision_of("two_windows").arms[0].model_copy(update=changed)


@given(comparisons())
@settings(max_examples=300, deadline=None)
def test_at_every_edge_of_a_window_the_chart_has_the_decisions_number_of_boxes(inputs: dict[str, Any]) -> None:
    arm = arm_of(inputs)
    stairs = stairs_of(arm)
    edges = [edge for window in arm.decision.winning_windows for edge in window if edge]

    for edge in edges[:20]:
        inputs["workload"]["tasks_per_month"] = edge
        at = decide(inputs)["at_volume"]
        assert stairs.instances(edge) == at["instances"]
        assert stairs.self_usd(at["instances"]) == at["self_usd"]
        assert corners(stairs, edge, edge)[0][1] == at["self_usd"]


def test_the_staircase_is_level_then_upright() -> None:
    # from 1M to 4M: one box up to 1,576,800, two up to 3,153,600, three from there
    assert corners(BOX, 1e6, 4e6) == [
        (1e6, 4140.56),
        (1_576_800, 4140.56),
        (1_576_800, 8281.12),
        (3_153_600, 8281.12),
        (3_153_600, 4140.56 * 3),
        (4e6, 4140.56 * 3),
    ]


def test_a_staircase_too_fine_to_draw_ends_in_a_slope() -> None:
    drawn = corners(BOX, 1e6, 1e12)

    assert len(drawn) == 602  # the start, two corners for each of 300 steps, the end
    assert drawn[-1] == (1e12, BOX.self_usd(BOX.instances(1e12)))


def test_fewer_instances_than_the_least_asked_for_are_never_drawn() -> None:
    box = Staircase(1.0, 100.0, 1000, 50.0, 0.0, 2)

    assert corners(box, 1, 2500) == [(1, 250.0), (2000, 250.0), (2000, 350.0), (2500, 350.0)]


def test_the_curves_are_of_what_was_decided() -> None:
    arm = decision_of("two_windows").arms[0]

    assert stairs_of(arm) == Staircase(0.00615, 5.672 * 730, 1_576_800, 8666.666666666666, 0.0, 1)


def test_a_box_without_goodput_has_no_capacity_to_draw() -> None:
    assert [stairs_of(arm).capacity for arm in decision_of("infeasible").arms] == [None, None, None]


def drawn_of(box: dict[str, Any], api: dict[str, Any], work: dict[str, Any]) -> Staircase:
    """1 USD/h at 2 requests/s against an API without a price per token, unless changed."""
    classes = [{"input_tokens": 1, "output_tokens": 1}]
    inputs = {
        "workload": {"classes": classes, **work},
        "self_host": {"usd_per_hour": 1, "goodput_requests_per_s": 2, **box},
        "api": {"input_usd_per_mtok": 0, "output_usd_per_mtok": 0, **api},
    }
    return stairs_of(arm_of(inputs))


def test_hours_with_arrivals_are_drawn_as_the_steps_of_those_hours() -> None:
    # eight hours a day: 243.33, and as much again from 1.752M on
    stairs = drawn_of({"min_instances": 0}, {}, {"hourly_profile": [0] * 16 + [1] * 8})

    month = 8 * 730 / 24
    assert corners(stairs, 1e6, 2e6) == [
        (1e6, pytest.approx(month)),
        (pytest.approx(1_752_000), pytest.approx(month)),
        (pytest.approx(1_752_000), pytest.approx(2 * month)),
        (2e6, pytest.approx(2 * month)),
    ]


def test_units_of_capacity_are_drawn_as_steps() -> None:
    stairs = drawn_of({}, {"units_usd_per_month": 500, "unit_tasks_per_month": 1_000_000}, {})

    assert api_points(stairs, 5e5, 2.5e6) == [
        (5e5, 500), (1e6, 500), (1e6, 1000), (2e6, 1000), (2e6, 1500), (2.5e6, 1500),
    ]  # fmt: skip


def test_a_box_paid_by_the_second_is_drawn_as_a_line() -> None:
    stairs = drawn_of({"billing": "per_second", "usd_per_second": 0.001}, {}, {})  # half a second, billed as one

    assert all(usd == pytest.approx(0.001 * tasks) for tasks, usd in corners(stairs, 1e3, 1e6))
