"""Findings on how a step ran: its hold, its users, its window."""

from collections.abc import Iterator, Sequence

import pandas as pd

from harness.checks.finding import at, check, longer
from harness.rundir.of_step import Phases
from harness.rundir.records import NOT_FAILURES
from harness.rundir.result import Check, Level
from harness.rundir.results import Step
from harness.rundir.timeline import Stall
from harness.scenario import ClosedLoad, RampLoad, Scenario, SearchLoad

LITTLE_TOLERANCE = 0.05
CROSSING_TOLERANCE = 0.05


def phase_checks(
    step: Step, rows: pd.DataFrame, scenario: Scenario, *, is_rate_limited: bool = False
) -> Iterator[Check]:
    """Of one step; `rows` are those due in its window. `is_rate_limited`: users waited outside a request, by plan."""
    yield from _hold(step)
    yield from _window(step, rows, scenario)
    is_closed = isinstance(scenario.load, ClosedLoad | SearchLoad) and not scenario.load.is_open
    if is_closed and not is_rate_limited:
        yield from _little(step, rows, scenario.think_time_s)
    if isinstance(scenario.load, RampLoad):
        yield from _crossing(step, rows)


def _hold(step: Step) -> Iterator[Check]:
    phases = step.phases
    if phases is None or phases.hold is None:
        return
    held_s = phases.hold.length_s
    if phases.bound:
        text = f"{at(step)} the load was held for {held_s:.0f} s, as long as it may, and {phases.cut} requests were cut"
        hint = "the server did not answer them: fewer users, a longer `request.timeout_s`, or see its log"
        yield check("hold_at_its_bound", "error", text, hint)
    elif held_s > step.window.end_s - phases.enter.start_s:
        text = f"{at(step)} the load was held for {held_s:.0f} s until the last request had ended, longer than the step"
        yield check("hold_longer_than_step", "warning", text, longer(step, f" than {held_s:.0f}"))


def _window(step: Step, rows: pd.DataFrame, scenario: Scenario) -> Iterator[Check]:
    """A window that has room for no request: whatever was counted is the beat of those who began before."""
    if not len(rows) or step.window.length_s <= 0 or step.over_saturated or step.inherited_queue:
        return  # of a queue the window is not to blame
    took_s = (rows["finished_s"] - rows["sent_s"])[rows["error"].isna()].median()
    if took_s > step.window.length_s:
        text = f"{at(step)} a request took {took_s:.1f} s, longer than the window of {step.window.length_s:.1f} s"
        hint = longer(step, f": {8 * took_s:.0f} s or more behind the warm-up")
        if isinstance(scenario.load, RampLoad):
            hint = f"make slices of {8 * took_s:.0f} s or more: fewer of them, or a longer ramp_s"
        # few tasks are asked in less than one takes: their success is measured, and no goodput was told
        level: Level = "warning" if step.round is not None and step.verdict == "not_judged" else "error"
        yield check("window_too_short", level, text, hint)


def _little(step: Step, rows: pd.DataFrame, think_time_s: float) -> Iterator[Check]:
    """Little's law: users = rate x (service + think time)."""
    served = rows[rows["error"].isna()]
    failed = rows["error"].notna() & ~rows["error"].isin(NOT_FAILURES)
    if step.phases is None or step.phases.hold is None:
        return  # an older version's, whose requests were cut short by the next step's load
    if not step.load.users or not step.requests_per_s or step.goodput_low is None or failed.any():
        return
    ended_s = served["answered_s"].fillna(served["finished_s"])  # until then its user asks nothing else
    mean_s = float((ended_s - served["scheduled_s"]).mean()) + think_time_s
    users = step.requests_per_s * mean_s
    if abs(users / step.load.users - 1) <= LITTLE_TOLERANCE:
        return
    text = (
        f"{at(step)} {step.requests_per_s:.3g} requests/s of {mean_s:.3g} s each are {users:.3g} users at work: "
        "rate, times and load do not fit together"
    )
    yield check("little_s_law", "warning", text, f"{longer(step)}, or look for users that wait outside a request")


def _crossing(step: Step, rows: pd.DataFrame) -> Iterator[Check]:
    served = rows[rows["error"].isna()]
    if not len(served):
        return
    share = float((served["finished_s"] > step.window.end_s).mean())
    if share > CROSSING_TOLERANCE:
        text = f"{at(step)} {share:.0%} of the slice's requests ended under the next slice's load"
        yield check("crossing_requests", "warning", text, "make ramp_s longer, or confirm it with a step")


def stall_checks(step: Step, stalls: Sequence[Stall]) -> Iterator[Check]:
    """The server's stalls that began in the step, in one finding: each is told by `harness.metrics.stalls`."""
    mine = [stall for stall in stalls if stall.step == step.step]
    if not mine:
        return
    longest = max(mine, key=lambda stall: stall.length_s)
    text = f"{at(step)} the server stalled for {longest.length_s:.1f} s {_place(longest)}{_phase(step.phases, longest)}"
    text += f": no token came for anyone, with {longest.in_flight} requests in flight"
    if len(mine) > 1:
        others = len(mine) - 1
        text += f"; and {others} more time{'' if others == 1 else 's'}, {sum(s.length_s for s in mine):.1f} s together"
    hint = "look in the server's log at that second: a restart, swapping, a compilation, a long prefill, the network"
    yield check("server_stalled", "warning", text, hint)


def _place(stall: Stall) -> str:
    if stall.end_s - stall.start_s > 1.5 * stall.length_s:
        return f"between seconds {stall.start_s:.1f} and {stall.end_s:.1f} of the run"
    return f"from second {stall.start_s:.1f} of the run on"


def _phase(phases: Phases | None, stall: Stall) -> str:
    """The phase that it began in, where that is not the window."""
    if phases is None:
        return ""
    before = ((phases.enter, "enter"), (phases.warmup, "warm-up"))
    name = next((name for phase, name in before if phase.start_s <= stall.start_s < phase.end_s), None)
    if name is None:
        name = "hold" if stall.start_s >= phases.window.end_s else None
    return "" if name is None else f", in its {name}"
