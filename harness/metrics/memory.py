"""How far a series with a memory lies from its long run: the interval of its mean, and what memory was seen.

An engine that gets slower and faster again over tens of seconds looks steady inside each short batch, so batch means
that are taken as independent hold the truth far too seldom. What decides is how long the engine remembers, and a
window of a few memories tells that badly: any single estimate of it is too short too often (the bias of an estimated
correlation, Kendall 1954, Biometrika 41:403). So none is picked: each memory from next to nothing up to the
window and half counts with the weight that the series itself gives it, and the interval is that of the mixture.
Beforehand any memory up to a minute is equally likely and a longer one ever less, and a drift under noise is the less
likely the larger it would be: a large one would show, and where there is only noise the interval should be noise's.
These two weights were chosen by `benchmarks/coverage.py`; so much of its coverage under drift is by construction.

The model: bins = mean + s * (white noise + drift with correlation exp(-lag/memory)), the drift smoothed as the share
of service smooths it (a request's own share is even over its service, so a speed is seen through a triangle of two
service times' width). For each hypothesis (memory, odds of drift to noise) the mean and s are integrated out in closed
form, as in any regression with known correlations; see Harville 1974 (Biometrika 61:383) for that likelihood.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.base.stats import Floats, t_975

BINS = 40
MEMORIES = tuple(float(x) for x in np.geomspace(1 / 80, 1.5, 12))  # in windows
ODDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)  # variance of the drift to the noise's
USUAL_S = 60.0  # memories up to this are equally likely beforehand
LONG = 0.1  # windows: a memory that leaves too few of itself in the window
SMOOTHED = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)  # service times, in windows
FINE = 9  # steps of a bin that correlations are worked out on; odd, so that each box has a middle
Z_975 = 1.9599639845


@dataclass(frozen=True, slots=True)
class Spread:
    """What a series says about its mean."""

    half: float  # of the mean's 95 % interval, in the series' own unit
    memory: float  # in windows: the median of what is likely
    drifts: float  # how likely it is that a drift of long memory is more than the noise


@dataclass(frozen=True, slots=True)
class _Hypotheses:
    """All pairs of memory and share for one number of bins and one smoothing; the first axis counts them."""

    residual: Floats  # (k, bins, bins): the quadratic form of the deviations from the mean
    log_weight: Floats  # of the series' likelihood but for its deviations, and of the odds beforehand
    mean_sd: Floats  # of the plain mean, for s = 1
    memory: Floats
    odds: Floats


def spread_of_mean(series: Floats, window_s: float, smoothed: float) -> Spread:
    """What a window's equal bins (`BINS` of them) say about their mean; `smoothed`: a service time, in windows."""
    nearest = min(SMOOTHED, key=lambda width: abs(math.log((width + 0.005) / (smoothed + 0.005))))
    known = _hypotheses(len(series), nearest)
    deviations = series - series.mean()
    free = len(series) - 1
    squares = np.einsum("kij,i,j->k", known.residual, deviations, deviations)
    squares = np.maximum(squares, 1e-24)  # a series without any spread
    memory_s = known.memory * window_s
    beforehand = np.log(memory_s) - np.log1p((memory_s / USUAL_S) ** 2)  # the grid is even in the logarithm
    log_weight = known.log_weight + beforehand - free / 2 * np.log(squares)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    sd = known.mean_sd * np.sqrt(squares / free)
    half = _quantile_975(weight, sd) * t_975(free) / Z_975
    by_memory = np.cumsum(weight)  # hypotheses are in order of memory
    median = float(known.memory[int(np.searchsorted(by_memory, 0.5))])
    return Spread(half, median, float(weight[(known.memory >= LONG) & (known.odds > 1)].sum()))


def _quantile_975(weight: Floats, sd: Floats) -> float:
    """Where a mixture of normal distributions about 0 has 97.5 % below it."""
    heavy = weight > 1e-5
    parts = [(float(w), float(s)) for w, s in zip(weight[heavy], sd[heavy], strict=True)]
    total = sum(w for w, _ in parts)
    low, high = 0.0, 4 * max(s for _, s in parts)
    for _ in range(30):
        middle = (low + high) / 2
        below = sum(w * (1 + math.erf(middle / (s * math.sqrt(2)))) / 2 for w, s in parts)
        low, high = (middle, high) if below < 0.975 * total else (low, middle)
    return high


@lru_cache(maxsize=32)
def _hypotheses(bins: int, smoothed: float) -> _Hypotheses:
    lag = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins)))
    ones = np.ones(bins)
    residual, log_weight, mean_sd = [], [], []
    for memory in MEMORIES:
        drift = _correlations(bins, smoothed, memory)[lag]
        for odds in ODDS:
            covariance = (odds * drift + np.eye(bins)) / (1 + odds)
            inverse = np.linalg.inv(covariance)
            pull = inverse @ ones
            precision = float(ones @ pull)
            residual.append(inverse - np.outer(pull, pull) / precision)
            log_det = float(np.linalg.slogdet(covariance)[1])
            log_weight.append(-(math.log(odds) + log_det + math.log(precision)) / 2)
            mean_sd.append(math.sqrt(float(covariance.sum())) / bins)
    memory_of, odds_of = np.repeat(MEMORIES, len(ODDS)), np.tile(ODDS, len(MEMORIES))
    return _Hypotheses(np.array(residual), np.array(log_weight), np.array(mean_sd), memory_of, odds_of)


def _correlations(bins: int, smoothed: float, memory: float) -> Floats:
    """Correlations of the means of bins 0, 1, 2 ... apart, of a drift seen through a triangle of +- `smoothed`."""
    steps = bins * FINE
    reach = math.ceil((1 + 2 * smoothed + 2 / bins) * steps)  # what lags up to one window are smoothed from
    lags = np.arange(-reach, reach + 1) / steps
    seen = np.exp(-np.abs(lags) / memory)
    for width, times in ((1 / bins, 2), (smoothed, 4)):  # a bin twice; a triangle, two boxes, twice
        box = np.ones(2 * round(width * steps / 2 - 0.5) + 1)
        for _ in range(times):
            seen = np.convolve(seen, box / len(box), mode="same")
    of_bins = seen[reach : reach + steps : FINE]
    correlations: Floats = of_bins / of_bins[0]
    return correlations
