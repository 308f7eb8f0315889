"""Checks of how answers came and ended: in one piece, without a reason, given up, with what nobody can read."""

from collections.abc import Iterator

import pandas as pd

from harness.checks.finding import UNBUFFERED, at, check
from harness.rundir.result import Check
from harness.rundir.results import Step

ONE_PIECE = 0.1  # of the streams
HELD_BACK = 0.5  # of the streams
HOLDS_BACK = (
    "a proxy or gateway in between buffers the stream, or the server itself sends several tokens at once: turn that "
    f"off ({UNBUFFERED}) or go around it"
)
CUT_SHORT = ("aborted", "filtered", "short")


def stream_checks(step: Step, rows: pd.DataFrame) -> Iterator[Check]:
    """Findings of a step: streams of several tokens that came all at once, or began with several."""
    streams = rows[rows["error"].isna() & rows["first_token_s"].notna() & ~(rows["output_tokens"] <= 1).fillna(False)]
    share, at_once = streams["tpot_share"], streams["first_token_s"] >= streams["finished_s"]
    together = int((share == 0).fillna(at_once).sum())
    if together > ONE_PIECE * len(streams):
        text = (
            f"{at(step)} {together} of {len(streams)} streamed answers came in one piece, all tokens or most at once: "
            "they have no TPOT, and their TTFT is the time of that piece"
        )
        yield check("one_piece", "warning", text, HOLDS_BACK)
    elif (streams["first_events"] > 1).fillna(False).sum() > HELD_BACK * len(streams):
        first, events = streams["first_events"].median(), streams["events"].median()
        text = (
            f"{at(step)} streamed answers came in a few pieces, {first:.0f} of {events:.0f} events at once in the "
            "first (medians): their TTFT is the time of that piece, not of the first token"
        )
        yield check("one_piece", "warning", text, HOLDS_BACK)


def answer_checks(records: pd.DataFrame) -> Iterator[Check]:
    """Findings of the whole run."""
    served = records[records["error"].isna() & records["http_status"].notna()]  # of an imported run nobody knows
    unsaid = int(served["finish_reason"].isna().sum())
    if unsaid:
        text = f"{unsaid} of {len(served)} answers never said why they ended (finish_reason null): counted as served"
        hint = "they had text, usage and an end mark; an answer that was given up would look the same"
        yield check("no_finish_reason", "warning", text, hint)
    yield from _cut_short(records)
    yield from _unreadable(records)


def _cut_short(records: pd.DataFrame) -> Iterator[Check]:
    cut = records[records["error"].isin(CUT_SHORT)]
    if len(cut):
        ends = cut["finish_reason"].fillna("unknown").value_counts()
        said = ", ".join(f"{count}x `{end}`" for end, count in ends.head(3).items())
        text = f"{len(cut)} of {len(records)} answers came with HTTP 200 but were not served to their end ({said})"
        yield check("ended_early_by_server", "warning", text, f"for example: {cut['error_detail'].iloc[0]}")


def _unreadable(records: pd.DataFrame) -> Iterator[Check]:
    odd = records[records["unreadable_events"].fillna(0) > 0]
    if len(odd):
        count = int(odd["unreadable_events"].sum())
        text = f"{count} events in {len(odd)} of {len(records)} answers could not be read, the first: "
        hint = "what they held is missing from times and texts; the server or a gateway writes what is no JSON"
        yield check("unreadable_events", "warning", text + str(odd["unreadable_example"].iloc[0]), hint)
