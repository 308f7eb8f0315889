"""The verdict in three conditions, written once for a single comparison and for arrays of them.

`worth` is what the API takes for the tasks of one full instance, `cost` what those cost on the box, `fixed` is F
(self-hosting's fixed USD a month minus the API's), `step` the most that an instance costs before it is full.
"""

from __future__ import annotations

from typing import Any

from harness.cost.breakeven.exact import Numbers, settle

HUGE = 1e300  # instances or tasks: no volume that a float still tells from others


def gain_of(worth: Numbers, cost: Numbers) -> Numbers:
    """g, what one full instance saves a month; 0 when the two differ by rounding only."""
    return settle(worth - cost, worth)


def wins_for_good(gain: Numbers, fixed: Numbers, step: Numbers) -> Any:
    """Whether self-hosting wins at every volume from some volume on: each full instance pays for the next one."""
    settled = settle(fixed + step, abs(fixed) + abs(step))
    return (gain > 0) & (settled <= HUGE * gain) | (gain == 0) & (settled <= 0)


def wins_at_first(gain: Numbers, fixed: Numbers, fewest: Numbers) -> Any:
    """Whether the fewest instances win when full, where a further one is no gain: they stand on the API's own fee."""
    return (fixed <= 0) & (settle(fewest * gain - fixed, fixed) >= 0)
