"""Which times and counts of requests cannot be, whoever measured them: one definition for records and for imports."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from harness.base.stats import Floats
from harness.rundir.records import LATEST_S

MOST_TOKENS = 10**9  # of one request
Marks = npt.NDArray[np.bool_]
_TIMES = ("scheduled_s", "sent_s", "headers_s", "first_token_s", "finished_s", "answered_s")
_COUNTS = ("prompt_tokens", "cached_tokens", "output_tokens", "requested_output_tokens")
_DURATIONS = (
    "max_gap_s", "server_queue_s", "server_prefill_s", "server_decode_s", "server_total_s", "tpot_share",
)  # fmt: skip


def cannot_be(column: Callable[[str], Floats | None]) -> dict[str, Marks]:
    """Of each column that there is (NaN: unknown), the rows whose value no request can have.

    A time before the run began or 31 years after, a wait of as long; an answer before its request, a last token before
    the first; a count below 0 or above a billion.
    """
    found: dict[str, Marks] = {}
    for names, highest in ((_TIMES + _DURATIONS, LATEST_S), (_COUNTS, MOST_TOKENS)):
        for name in names:
            if (values := column(name)) is not None:
                found[name] = (values < 0) | (values > highest)
    sent, first, last = (column(name) for name in ("sent_s", "first_token_s", "finished_s"))
    if first is not None and last is not None:
        found["first_token_s"] |= last < first
        found["finished_s"] |= last < first
    for name, values in (("first_token_s", first), ("finished_s", last)):
        if values is not None and sent is not None:
            found[name] |= values < sent
    return found


def in_words(found: dict[str, Marks], of: int) -> str:
    """`1 of 48 requests have times or counts that cannot be (1x first_token_s): taken as unknown`."""
    rows = int(np.any(list(found.values()), axis=0).sum())
    said = ", ".join(f"{int(bad.sum())}x {name}" for name, bad in found.items() if bad.any())
    return f"{rows} of {of} requests have times or counts that cannot be ({said}): taken as unknown"
