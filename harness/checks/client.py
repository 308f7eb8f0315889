"""Checks of the client: was it the client that was measured, and do its stamps tell single tokens apart?"""

from collections.abc import Iterator, Sequence

import pandas as pd

from harness.checks.finding import UNBUFFERED, at, check
from harness.metrics.client_stalls import ClientStall, in_step, voids
from harness.rundir.result import Check, Level
from harness.rundir.results import Step

LAG_WARNING_S = 0.010
LAG_ERROR_S = 0.050
CPU_LIMIT = 0.80  # of one core; a Python process has no more
IN_FLIGHT_FLOOR = 0.9
SHARED_READS = 0.1  # of the token events


def client_checks(step: Step, client: pd.DataFrame, *, users_wait: bool) -> Iterator[Check]:
    """Findings of a step, from the samples of client.parquet inside its window. `users_wait`: they were not meant to
    have a request under way all the time, for they think, or wait for a rate limit.
    """
    yield from _late(step, step.schedule_lag_s.p99, "requests left {} late (p99 of sent - scheduled)")
    yield from _late(step, _worst(client, "loop_lag_p50_s"), "the client's loop came round {} late (median)")
    if client.empty:
        return
    busiest = _worst(client, "cpu")
    if busiest is not None and busiest > CPU_LIMIT:
        text = f"{at(step)} the load generator used {busiest:.0%} of its core"
        yield check("client_bound", "error", text, "the client, not the server, may be the limit")
    reached = float(client.groupby("process")["in_flight"].mean().sum())
    asked = _asked(step, client)
    if asked and not users_wait and not step.failed and reached < IN_FLIGHT_FLOOR * asked:
        text = f"{at(step)} only {reached:.1f} requests were in flight on average"
        yield check("client_bound", "warning", text, "the client could not keep up the load asked for")
    yield from _shared(step, client)


def client_stall_checks(step: Step, stalls: Sequence[ClientStall]) -> Iterator[Check]:
    """A load process that stood still in the step's window or hold: an error where the step is void for it."""
    mine = in_step(step, stalls)
    if not mine:
        return
    longest = max(mine, key=lambda stall: stall.length_s)
    text = (
        f"{at(step)} a load process stood still for {longest.length_s:.1f} s between seconds {longest.start_s:.1f} and "
        f"{longest.end_s:.1f} of the run: it sent and read nothing, and that is not the server's"
    )
    if len(mine) > 1:
        text += f"; {len(mine)} times in all, {sum(stall.length_s for stall in mine):.1f} s together"
    level: Level = "error" if voids(step, stalls) else "warning"
    hint = "it was stopped, or had no CPU: give the client a core of its own, and run again"
    yield check("client_stalled", level, text, hint)


def _asked(step: Step, client: pd.DataFrame) -> float | None:
    """The users at the instants at which those in flight were counted: those of a ramp change between two. A round of
    tasks busies no more of them than it has tasks.
    """
    if step.load.users is not None and step.round is not None and step.requests < step.load.users:
        return step.requests
    if step.load.users is None or "asked" not in client or client["asked"].isna().any():
        return step.load.users
    return float(client.groupby("process")["asked"].mean().sum())


def _worst(client: pd.DataFrame, column: str) -> float | None:
    """The mean of a column in the process where it is highest; None where nobody sampled it."""
    if column not in client or client[column].isna().all():
        return None
    return float(client.groupby("process")[column].mean().max())


def _late(step: Step, lag_s: float | None, words: str) -> Iterator[Check]:
    if lag_s is not None and lag_s > LAG_WARNING_S:
        level: Level = "error" if lag_s > LAG_ERROR_S else "warning"
        text = f"{at(step)} {words.format(f'{lag_s * 1000:.0f} ms')}"
        yield check("client_bound", level, text, "give the client a core of its own or more workers")


def _shared(step: Step, client: pd.DataFrame) -> Iterator[Check]:
    """Events that came out of one read have one stamp: the gaps between them are not the server's."""
    if not {"events", "shared_events"} <= set(client) or not client["events"].sum():
        return
    share = float(client["shared_events"].sum() / client["events"].sum())
    if share > SHARED_READS:
        text = (
            f"{at(step)} {share:.0%} of the token events came out of one read with others and share "
            "its stamp: gaps between tokens (ITL, max_gap_s) are coarser than they look"
        )
        hint = (
            f"the server or a proxy before it sends several at once ({UNBUFFERED}), or the client is busy: look at "
            "its CPU and loop lag"
        )
        yield check("shared_reads", "warning", text, hint)
