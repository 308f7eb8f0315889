"""The box's bill where every task takes something beside the instances: levels that rise are no straight lines."""

import pytest

from harness.cost.breakeven.staircase import Staircase
from harness.report.charts.cost import corners


def bill(own_usd_per_task: float) -> Staircase:
    return Staircase(
        usd_per_task=0.01, usd_per_instance_month=730.0, capacity=100_000.0, self_fixed_usd=0.0, api_fixed_usd=0.0,
        min_instances=1, own_usd_per_task=own_usd_per_task,
    )  # fmt: skip


def test_a_level_that_rises_is_drawn_through_its_true_points() -> None:
    points = corners(bill(0.02), 1_000, 150_000)

    # 730 a box up to 100,000 tasks, 1,460 above, and 0.02 a task
    assert all(usd == pytest.approx((730 if tasks <= 100_000 else 1_460) + 0.02 * tasks) for tasks, usd in points
               if tasks != 100_000)  # fmt: skip
    assert [usd for tasks, usd in points if tasks == 100_000] == pytest.approx([2_730, 3_460])
    assert [tasks for tasks, _ in points] == sorted(tasks for tasks, _ in points)
    assert len(points) > 40


def test_a_level_that_does_not_has_its_corners_alone() -> None:
    assert corners(bill(0.0), 1_000, 150_000) == [
        (1_000, 730), (100_000, 730), (100_000, 1_460), (150_000, 1_460),
    ]  # fmt: skip
