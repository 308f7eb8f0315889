"""Where each part of a measurement lies on the run's clock, and which of its seconds are counted.

A part's window goes from its first request to its last one being sent: until then the load was held, as in a run of
ours; what ended later is the hold. Where that is less than half of the part (all sent at once), the window is all of
it, its drain too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.stats import Floats
from harness.imports.told import Part, Rows
from harness.rundir.steps import RanStep

BETWEEN_S = 1.0  # from one part to the next, whatever lay between them
LEAST_SHARE = 0.5  # of a part that its window has
_ALSO_S = 1e-6  # so that the last request, whose sending ends the window, is due in it


@dataclass(frozen=True, slots=True)
class Placed:
    """A part's rows, what is to be taken off its times, and its step."""

    rows: Rows
    zero_s: float
    ran: RanStep


def placed(parts: Sequence[Part]) -> list[Placed]:
    """Parts with rows, one behind the other in their order."""
    out: list[Placed] = []
    start_s = 0.0
    for number, part in enumerate(parts):
        assert part.rows is not None
        due_s = part.rows.sent_s if part.rows.scheduled_s is None else part.rows.scheduled_s
        first_s, last_s = _ends(due_s)
        done_s = max(_ends(part.rows.finished_s)[1], last_s) if len(due_s) else last_s
        held_s, whole_s = last_s - first_s + _ALSO_S, done_s - first_s + _ALSO_S
        is_held = held_s >= LEAST_SHARE * whole_s
        ran = RanStep(
            step=number,
            load=part.load,
            start_s=start_s,
            window_start_s=start_s,
            end_s=start_s + (held_s if is_held else whole_s),
            held_s=start_s + whole_s,
        )
        out.append(Placed(part.rows, first_s - start_s, ran))
        start_s += whole_s + BETWEEN_S
    return out


def _ends(times_s: Floats) -> tuple[float, float]:
    known = times_s[~np.isnan(times_s)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
