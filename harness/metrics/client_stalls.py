"""Where a load process stood still: what it did not send, read or stamp in time is the client's, not the server's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.rundir.results import Step

SAMPLE_S = 1.02  # from a load process's sample to its next one, where nothing holds it up
LEAST_S = 0.25  # a shorter one is a busy machine's
VOID_S = 1.0  # so much of a step is no measurement of the server
VOID_SHARE = 0.05  # of a long window, where several come together


@dataclass(frozen=True, slots=True)
class ClientStall:
    """A load process did nothing for so long, some time between two of its samples."""

    start_s: float
    end_s: float
    length_s: float


def client_stalls(client: pd.DataFrame) -> tuple[ClientStall, ...]:
    """By each process's longest loop lag, and by the gaps between its samples, from client.parquet."""
    if client.empty:
        return ()
    found = []
    for _, mine in client.sort_values("t_s").groupby("process"):
        at_s = mine["t_s"].to_numpy(np.float64)
        gaps_s = np.diff(at_s, prepend=np.nan)
        lags_s = mine["loop_lag_max_s"].to_numpy(np.float64) if "loop_lag_max_s" in mine else np.zeros(len(mine))
        lengths_s = np.fmax(np.fmax(gaps_s - SAMPLE_S, lags_s), 0.0)
        for k in np.flatnonzero(lengths_s >= LEAST_S):
            start_s = at_s[k] - np.fmax(gaps_s[k], lengths_s[k])
            found.append(ClientStall(float(start_s), float(at_s[k]), float(lengths_s[k])))
    return tuple(sorted(found, key=lambda stall: stall.start_s))


def in_step(step: Step, stalls: Sequence[ClientStall]) -> list[ClientStall]:
    """Those that may have touched a step's window, or its hold, in which requests of the window end."""
    hold = step.phases.hold if step.phases is not None else None
    end_s = step.window.end_s if hold is None else max(hold.end_s, step.window.end_s)
    return [stall for stall in stalls if stall.end_s > step.window.start_s and stall.start_s < end_s]


def voids(step: Step, stalls: Sequence[ClientStall]) -> bool:
    """Whether the client stood still for too long for the step's figures to be the server's."""
    lengths_s = [stall.length_s for stall in in_step(step, stalls)]
    longest_s, together_s = max(lengths_s, default=0.0), sum(lengths_s)
    return longest_s >= VOID_S or together_s >= max(VOID_S, VOID_SHARE * step.window.length_s)
