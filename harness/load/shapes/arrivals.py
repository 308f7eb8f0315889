"""When requests of an open load are due: a pure plan from the seed, no clock and no I/O.

One stream of gaps at a rate of one a second is drawn from the seed and stretched over the rate wanted: with
L(t) the integral of the rate up to t, arrival i is due where L reaches the sum of the first i gaps. The plan
is therefore unbroken through warm-up, across a step and along a ramp, and the same whoever sends it.
"""

import math
import random
from collections.abc import Callable

from harness.scenario.load import Arrivals


class ArrivalPlan:
    """Draws one step after another; what is left of a gap at a step's end goes on at the next step's rate."""

    def __init__(self, seed: int, arrivals: Arrivals, burstiness: float = 1.0) -> None:
        self._gap = _gaps(random.Random(f"{seed}/arrivals"), arrivals, burstiness)
        # evenly spaced requests begin at once, so that a step of T seconds at rate r has r T of them
        self._left = 0.0 if arrivals == "constant" else self._gap()

    def step(self, length_s: float, start_per_s: float, end_per_s: float | None = None) -> list[float]:
        """Due instants in seconds from the step's start, ascending, all below `length_s`.

        The rate goes linearly from `start_per_s` to `end_per_s` (none: it stays), both in requests per second.
        """
        end_per_s = start_per_s if end_per_s is None else end_per_s
        slope = (end_per_s - start_per_s) / length_s
        total = (start_per_s + end_per_s) / 2 * length_s  # expected arrivals in the step
        due: list[float] = []
        reached = self._left
        # a whole number of even gaps must not lose its last to rounding
        while reached < total * (1 - 1e-12):
            due.append(min(_when(reached, start_per_s, slope), math.nextafter(length_s, 0)))
            reached += self._gap()
        self._left = max(reached - total, 0.0)
        return due


def _when(area: float, rate: float, slope: float) -> float:
    """t with rate t + slope t^2 / 2 = area, in the form that is exact for a slope of 0."""
    return 2 * area / (rate + math.sqrt(max(rate * rate + 2 * slope * area, 0.0)))


def _gaps(rng: random.Random, arrivals: Arrivals, burstiness: float) -> Callable[[], float]:
    """Draws gaps of mean 1: all 1, exponential, or gamma of shape `burstiness` (variance 1/burstiness)."""
    match arrivals:
        case "constant":
            return lambda: 1.0
        case "poisson":
            return lambda: -math.log(1.0 - rng.random())
        case "gamma":
            return lambda: rng.gammavariate(burstiness, 1 / burstiness)
