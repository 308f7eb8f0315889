"""Times and counts that no request can have: a damaged file, a -1 for "unknown", a clock that was set."""

from typing import Any

import pandas as pd

from harness.checks.finding import check
from harness.rundir.records import LATEST_S
from harness.rundir.result import Check

MOST_TOKENS = 10**9  # of one request
_TIMES = ("scheduled_s", "sent_s", "headers_s", "first_token_s", "finished_s", "answered_s")
_COUNTS = ("prompt_tokens", "cached_tokens", "output_tokens", "requested_output_tokens")
_DURATIONS = (
    "max_gap_s", "server_queue_s", "server_prefill_s", "server_decode_s", "server_total_s", "tpot_share",
)  # fmt: skip
_MUST = ("scheduled_s", "sent_s", "finished_s")  # of a request that was answered


def without_impossible(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Check]]:
    """The records with what cannot be as unknown, and a finding of level error where there is such.

    Cannot be: a time before the run began or 31 years after, nor a wait of as long; an answer before its request, a
    last token before the first; a count below 0 or above a billion; an answer with no time of its own. One pass over
    `records` (`store.read_records`), which stays as it is.
    """
    wrong: dict[str, Any] = {}
    for names, highest in ((_TIMES + _DURATIONS, LATEST_S), (_COUNTS, MOST_TOKENS)):
        for name in names:
            values = records[name]
            wrong[name] = ((values < 0) | (values > highest)).fillna(False).astype(bool)
    sent, first, last = (records[name] for name in ("sent_s", "first_token_s", "finished_s"))
    wrong["first_token_s"] |= (first < sent) | (last < first)
    wrong["finished_s"] |= (last < sent) | (last < first)
    clean = records.assign(**{name: records[name].mask(bad) for name, bad in wrong.items() if bad.any()})
    answered = records["error"].isna()
    for name in _MUST:
        wrong[name] |= answered & records[name].isna()
    counts = {name: int(bad.sum()) for name, bad in wrong.items() if bad.any()}
    if not counts:
        return records, []
    rows = int(pd.concat(wrong, axis=1).any(axis=1).sum())
    said = ", ".join(f"{count}x {name}" for name, count in counts.items())
    text = f"{rows} of {len(records)} requests have times or counts that cannot be ({said}): taken as unknown"
    hint = "the records are damaged, were changed by hand, or the machine's clock was set during the run"
    return clean, [check("impossible_values", "error", text, hint)]
