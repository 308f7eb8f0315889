"""What the GPUs did in each load step, by NVML on this machine or by DCGM-exporter on another. Analysis only."""

import numpy as np

from harness.base.stats import Floats
from harness.metrics.catalogue import MOST, Series
from harness.metrics.windows import Window
from harness.rundir.accounts import GpuAccount
from harness.rundir.scrapes import UP

PREFIX = "DCGM_FI_DEV_"
UTILIZATION = "DCGM_FI_DEV_GPU_UTIL"  # %
USED, FREE, TOTAL = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_FB_TOTAL"  # MiB
POWER = "DCGM_FI_DEV_POWER_USAGE"  # W
ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"  # mJ, since the driver was loaded
REASONS = ("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS")  # new and old name
MILLI = 1000.0
MIB_PER_GIB = 1024.0
THROTTLED = {  # nvml.h, nvmlClocksEventReason*; idle and user's own clocks are no throttling
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "power brake",
}

GpuSeries = dict[str, dict[str, Floats]]
"""Samples by name and GPU: rows of (t_s, value)."""


def gpus_apart(series: Series) -> tuple[Series, GpuSeries | None]:
    """The engines' series, and the GPUs'; None where no GPU was seen."""
    boxes = {labels["instance"] for name in series if name.startswith(PREFIX) for labels, _ in series[name]}
    engines: Series = {}
    gpus: GpuSeries = {}
    for name, found in series.items():
        for labels, rows in found:
            if labels["instance"] in boxes:
                gpu = f"{labels['instance']} {labels.get('gpu', labels.get('UUID', '?'))}"
                gpus.setdefault(name, {})[gpu] = rows
            else:
                engines.setdefault(name, []).append((labels, rows))
    return engines, gpus or None


def gpu_account(series: GpuSeries, window: Window, output_tokens_per_s: float | None) -> GpuAccount | None:
    """All GPUs over a window; None with fewer than two looks in it.

    utilization: mean share of time with work on it, over GPUs. memory: the sum, at its highest. energy: by the
    GPUs' own counters, else mean power x the window's length. throttled: share of samples by reason.
    """
    looks = [rows[:, 0] for rows in series.get(UP, {}).values()]
    times_s = np.sort(np.concatenate(looks)) if looks else np.empty(0)
    times_s = times_s[(times_s >= window.start_s) & (times_s <= window.end_s)]
    if len(times_s) < 2:
        return None

    def values(name: str) -> list[Floats]:
        """Per GPU that told it in the window, its value at each look."""
        held = [_held(rows, times_s) for rows in series.get(name, {}).values()]
        return [one for one in held if not np.isnan(one).all()]

    utilization, power, used = values(UTILIZATION), values(POWER), values(USED)
    total = values(TOTAL) or [a + b for a, b in zip(used, values(FREE), strict=False)]
    power_w = float(sum(np.nanmean(one) for one in power)) if power else None
    energy_j = _energy_j(series, times_s)
    if energy_j is None and power_w is not None:
        energy_j = power_w * float(times_s[-1] - times_s[0])
    tokens = (output_tokens_per_s or 0.0) * float(times_s[-1] - times_s[0])
    return GpuAccount(
        gpus=len(utilization) or len(used) or len(power),
        utilization=float(np.mean([np.nanmean(one) for one in utilization])) / 100 if utilization else None,
        memory_used_gib=_most_together(used) / MIB_PER_GIB if used else None,
        memory_total_gib=_most_together(total) / MIB_PER_GIB if total else None,
        power_w=power_w,
        energy_j=energy_j,
        joules_per_output_token=energy_j / tokens if energy_j is not None and tokens else None,
        throttled=_throttling(series, times_s),
    )


def _most_together(gpus: list[Floats]) -> float:
    """The highest sum over all GPUs; one that has not told yet counts as nothing."""
    return float(np.nansum(np.stack(gpus), axis=0).max())


def _held(rows: Floats, times_s: Floats) -> Floats:
    """The last value at or before each time, NaN before the first."""
    index = np.searchsorted(rows[:, 0], times_s, side="right") - 1
    return np.where(index >= 0, rows[np.maximum(index, 0), 1], np.nan)


def _energy_j(series: GpuSeries, times_s: Floats) -> float | None:
    counters = list(series.get(ENERGY, {}).values())
    if not counters:
        return None
    held = [_held(rows, times_s[[0, -1]]) for rows in counters]
    if any(np.isnan(one).any() or one[1] < one[0] for one in held):
        return None
    return float(sum(one[1] - one[0] for one in held)) / MILLI


def _throttling(series: GpuSeries, times_s: Floats) -> dict[str, float] | None:
    found = next((series[name] for name in REASONS if name in series), None)
    if found is None:
        return None
    bits = np.concatenate([_held(rows, times_s) for rows in found.values()])
    masks = bits[bits < MOST].astype(np.int64)
    shares = {words: float(np.mean((masks & bit) != 0)) for bit, words in THROTTLED.items()} if len(masks) else {}
    return {words: share for words, share in shares.items() if share > 0}
