"""Checks of the client: was it the client that was measured, and do its stamps tell single tokens apart?"""

from __future__ import annotations

import pandas as pd

from harness.checks.finding import at, check
from harness.rundir.results import Check, Level, Step

LAG_WARNING_S = 0.010
LAG_ERROR_S = 0.050
CPU_LIMIT = 0.80  # of one core; a Python process has no more
IN_FLIGHT_FLOOR = 0.9
SHARED_READS = 0.1  # of the token events


def client_checks(step: Step, client: pd.DataFrame, think_time_s: float) -> list[Check]:
    """Findings of a step, from the samples of client.parquet inside its window."""
    late = [
        *_late(step, step.schedule_lag_s.p99, "requests left {} late (p99 of sent - scheduled)"),
        *_late(step, _worst(client, "loop_lag_p50_s"), "the client's loop came round {} late (median)"),
    ]
    if client.empty:
        return late
    return [*late, *_busy(step, client), *_in_flight(step, client, think_time_s), *_shared(step, client)]


def _worst(client: pd.DataFrame, column: str) -> float | None:
    """The mean of a column in the process where it is highest; None where nobody sampled it."""
    if column not in client or client[column].isna().all():
        return None
    return float(client.groupby("process")[column].mean().max())


def _late(step: Step, lag_s: float | None, words: str) -> list[Check]:
    if lag_s is None or lag_s <= LAG_WARNING_S:
        return []
    level: Level = "error" if lag_s > LAG_ERROR_S else "warning"
    text = f"{at(step)} {words.format(f'{lag_s * 1000:.0f} ms')}"
    return [_bound(level, text, "give the client a core of its own or more workers")]


def _busy(step: Step, client: pd.DataFrame) -> list[Check]:
    busiest = _worst(client, "cpu")
    if busiest is None or busiest <= CPU_LIMIT:
        return []
    text = f"{at(step)} the load generator used {busiest:.0%} of its core"
    return [_bound("error", text, "the client, not the server, may be the limit")]


def _in_flight(step: Step, client: pd.DataFrame, think_time_s: float) -> list[Check]:
    asked = step.load.users
    reached = float(client.groupby("process")["in_flight"].mean().sum())
    if not asked or think_time_s or step.failed or reached >= IN_FLIGHT_FLOOR * asked:
        return []
    text = f"{at(step)} only {reached:.1f} requests were in flight on average"
    return [_bound("warning", text, "the client could not keep up the load asked for")]


def _shared(step: Step, client: pd.DataFrame) -> list[Check]:
    """Events that came out of one read have one stamp: the gaps between them are not the server's."""
    if "shared_events" not in client or not client["events"].sum():
        return []
    share = float(client["shared_events"].sum() / client["events"].sum())
    if share <= SHARED_READS:
        return []
    text = (
        f"{at(step)} {share:.0%} of the token events came out of one read with others and share "
        "its stamp: gaps between tokens (ITL, max_gap_s) are coarser than they look"
    )
    hint = "the server sends several at once, or the client is busy: look at its CPU and loop lag"
    return [check("shared_reads", "warning", text, hint)]


def _bound(level: Level, message: str, hint: str) -> Check:
    return check("client_bound", level, message, hint)
