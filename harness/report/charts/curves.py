"""The two curves of the break-even chart, by the staircase that the decision itself was made with.

self-host  S(R) = N(R) * usd_per_hour * 730 + fixed      N(R) = max(min_instances, ceil(R / capacity))
API        A(R) = api_usd_per_task * R + fixed           R in tasks a month
"""

from __future__ import annotations

from harness.base.units import HOURS_PER_MONTH
from harness.cost.breakeven.staircase import Staircase
from harness.rundir.decision import Arm

MOST_STEPS = 300  # beyond so many instances a step is finer than the line that draws it


def stairs_of(arm: Arm) -> Staircase:
    """An arm's comparison, from what was decided; its capacity is None when no load step met the SLO."""
    own = arm.input.self_host
    return Staircase(
        usd_per_task=arm.decision.api_usd_per_task,
        usd_per_instance_month=own.usd_per_hour * HOURS_PER_MONTH,
        capacity=arm.decision.capacity_tasks_per_month,
        self_fixed_usd=own.fixed_usd_per_month,
        api_fixed_usd=arm.input.api.fixed_usd_per_month,
        min_instances=own.min_instances,
    )


def corners(stairs: Staircase, low: float, high: float) -> list[tuple[float, float]]:
    """The bill between two volumes as (tasks, USD) corners, level then upright; tasks rise.

    Beyond 300 steps it goes on as a slope.
    """
    assert stairs.capacity is not None
    first, last = stairs.instances(low), stairs.instances(high)
    points = [(low, stairs.self_usd(first))]
    for n in range(first, min(last, first + MOST_STEPS)):
        edge = n * stairs.capacity
        points += [(edge, stairs.self_usd(n)), (edge, stairs.self_usd(n + 1))]
    return [*points, (high, stairs.self_usd(last))]
