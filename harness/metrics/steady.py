"""Where the steady part of a step begins: the warm-up that the figures themselves show. Pure functions."""

import math

import numpy as np

from harness.base.stats import Floats

MIN_BATCHES = 20
MAX_BATCHES = 60
REQUESTS_A_BATCH = 5
SIGMAS = 4.0  # by which the warm-up differs from the rest; it was looked for, so three would find one too often
ROUNDING = 1e-9
LEAST_CHANGE = 0.05  # of the rest's mean: less is not worth a shorter window


def batch_means(values: Floats) -> tuple[Floats, int]:
    """Means of 20 to 60 consecutive batches of at least five values, and how many values are in one."""
    size = max(REQUESTS_A_BATCH, math.ceil(len(values) / MAX_BATCHES))
    count = len(values) // size
    return values[: count * size].reshape(count, size).mean(axis=1), size


def marginal_standard_error(series: Floats) -> Floats:
    """For each d up to half of the series: sum of squared deviations of what is left after d, by its length squared.

    The rule of the marginal standard error (White 1997): the d that makes this smallest is where the steady part
    begins, since dropping a warm-up shrinks the spread and dropping good values shrinks the length.
    """
    rest = [series[d:] for d in range(len(series) // 2 + 1)]
    return np.array([((x - x.mean()) ** 2).sum() / len(x) ** 2 for x in rest])


def warmup_length(values: Floats) -> int | None:
    """How many of a step's first values are warm-up; 0: none. None: the values settle nowhere in the first half,
    or there are fewer than 100 and nothing can be said (see `can_tell`).

    Example: 30 values about 3, then 90 about 1 -> 30.
    """
    if not can_tell(values):
        return None
    series, size = batch_means(values)
    error = marginal_standard_error(series)
    cut = int(np.argmax(error <= error.min() + ROUNDING * error[0]))  # the first of equals
    half = len(error) - 1
    if cut == half or (cut == 0 and _differ(series[:half], series[half:])):
        return None if _differ(series[:half], series[half:]) else 0
    return cut * size if cut and _differ(series[:cut], series[cut:]) else 0


def can_tell(values: Floats) -> bool:
    """Whether there are enough values to look for a warm-up in."""
    return len(values) >= MIN_BATCHES * REQUESTS_A_BATCH


def _differ(head: Floats, rest: Floats) -> bool:
    change = abs(float(head.mean()) - float(rest.mean()))
    spread = float(rest.std(ddof=1)) * math.sqrt(1 / len(head) + 1 / len(rest))
    return change > SIGMAS * spread and change > LEAST_CHANGE * abs(float(rest.mean()))


def settle(scheduled_s: Floats, e2e_s: Floats, output_tokens: Floats, start_s: float) -> tuple[float, bool | None]:
    """Where the steady part of a window begins that is planned to begin at `start_s`, by its good requests.

    Looked at is each request's time for one output token (its whole time where tokens are unknown), in the order
    in which the requests were due: for a given load it says how fast the server is, whatever the lengths.
    Gives where it begins, `start_s` or later, and whether it settled (None: too few requests to say).
    """
    order = np.argsort(scheduled_s, kind="stable")
    tokens = np.where(output_tokens > 0, output_tokens, 1.0)
    costs_s = (e2e_s / tokens)[order]
    if not can_tell(costs_s):
        return start_s, None
    length = warmup_length(costs_s)
    if not length:
        return start_s, length is not None
    return float(scheduled_s[order][length]), True
