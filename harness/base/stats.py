"""Percentiles, intervals and sample floors. Pure functions over NumPy arrays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PERCENTILES = (50, 90, 95, 99)
SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)  # of a kept distribution
SAMPLE_FLOORS = {"p90": 64, "p95": 130, "p99": 662}  # MLPerf's early-stopping minimum of good samples

# Student's t, two-sided 95 %, by degrees of freedom 1, 2, 3 ...
_T_975 = (
    12.7062047364, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818366, 2.4469118511, 2.3646242516,
    2.3060041352, 2.2621571628, 2.2281388520, 2.2009851601, 2.1788128297, 2.1603686565, 2.1447866879,
    2.1314495456, 2.1199052992, 2.1098155778, 2.1009220402, 2.0930240544, 2.0859634473,
)  # fmt: skip
Z_975 = 1.9599639845


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its two-sided interval; `low` and `high` None where there are too few values for one."""

    mean: float
    low: float | None
    high: float | None
    n: int
    confidence: float = 0.95


def t_975(degrees: int) -> float:
    """Student's t for a two-sided 95 % interval; above 20 degrees by the usual series in 1/degrees."""
    if degrees <= len(_T_975):
        return _T_975[degrees - 1]
    z = Z_975
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def t_interval(values: Sequence[float] | Floats) -> Interval:
    """Mean and 95 % t-interval: mean ± t(n-1) · sd / √n.

    Example: 148, 151, 150, 153, 148 -> 150, 147.366 .. 152.634.
    """
    array = np.asarray(values, dtype=float)
    n = len(array)
    mean = float(array.mean())
    if n < 2:
        return Interval(mean, None, None, n)
    half = t_975(n - 1) * float(array.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def known(values: Floats) -> Floats:
    """Those that are no NaN."""
    return values[~np.isnan(values)]


def summary(values: Floats) -> dict[str, Any]:
    """`{n, mean, p50, p90, p95, p99}`, percentiles by linear interpolation; None where there is no value."""
    if len(values) == 0:
        return {"n": 0, "mean": None} | {f"p{p}": None for p in PERCENTILES}
    points = np.percentile(values, PERCENTILES)
    return {"n": len(values), "mean": float(values.mean())} | {
        f"p{p}": float(point) for p, point in zip(PERCENTILES, points, strict=True)
    }


def quantiles(values: Floats) -> tuple[float, ...] | None:
    """The values at SHARES, by linear interpolation as percentiles are; None below two values."""
    return tuple(map(float, np.quantile(values, SHARES))) if len(values) > 1 else None
