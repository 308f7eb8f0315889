"""What a solved task costs in each of several runs: on a box, at an API, or on a box that hands on what it fails."""

from __future__ import annotations

from dataclasses import dataclass

from harness.base.rounding import whole
from harness.report.model import RunFiles
from harness.report.text import clean, duration, per_task, percent
from harness.rundir.of_tasks import TasksOfRun


@dataclass(frozen=True, slots=True)
class SolvedCost:
    """USD per solved task, and how much of it is the escalation's; None: `why_none`."""

    usd: float | None
    elsewhere_usd: float = 0.0
    why_none: str = ""
    note: str = ""


def solved_cost(run: RunFiles, tasks: TasksOfRun, usd_per_request: float | None) -> SolvedCost:
    """What all attempts took over the tasks solved. An API that was driven costs what was spent on it; an escalation
    without a price costs nobody knows what, so neither it nor what it solved counts.
    """
    if not tasks.solved:
        return SolvedCost(None, why_none="none was solved")
    driven = run.run.driven
    if driven is not None:
        return SolvedCost(driven.spent_usd / tasks.solved, note="as it was spent")
    requests = tasks.calls_per_task
    if usd_per_request is None or requests is None:
        return SolvedCost(None, why_none="no price or no goodput")
    solved, elsewhere_usd, note = _solved_and_elsewhere(run, tasks)
    if not solved:
        return SolvedCost(None, why_none="none was solved here, and the escalation has no price")
    return SolvedCost((usd_per_request * requests + elsewhere_usd) / solved, elsewhere_usd / solved, note=note)


def _solved_and_elsewhere(run: RunFiles, tasks: TasksOfRun) -> tuple[float | None, float, str]:
    """(share solved, the escalation's USD of a task, what is to be said of it): as the run was priced."""
    if tasks.escalated is None:
        return tasks.success.rate, 0.0, ""
    side = run.decision.arms[0].success.self_tries if run.decision is not None and run.decision.arms else None
    if side is not None and side.elsewhere_usd_per_task:
        return side.solved_share, side.elsewhere_usd_per_task, ""
    return tasks.own_success.rate, 0.0, "without the escalation, which has no price"


def time_per_solved_s(tasks: TasksOfRun) -> float | None:
    """Seconds of all attempts of all tasks, those in vain too, over the tasks solved."""
    mean = tasks.latency_s.mean
    return None if mean is None or not tasks.solved else mean * tasks.n / tasks.solved


def routed_words(label: str, tasks: TasksOfRun, cost: SolvedCost) -> str:
    """`A handed on 25 % of its tasks ...`; empty where nothing went on."""
    went = tasks.escalated
    if went is None:
        return ""
    to = clean(went.api) if went.api else "the other endpoint"
    usd = f"{per_task(cost.usd)} USD" if cost.usd is not None else cost.why_none
    solved = f"with them {percent(tasks.success.rate)} are solved, without {percent(tasks.own_success.rate)}"
    return (
        f"{label} handed {percent(went.tasks / tasks.n)} of its tasks on to {to}, which solved {whole(went.solved)} of "
        f"{whole(went.tasks)}; {solved}. Per successful task: {duration(time_per_solved_s(tasks))}, {usd}."
    )
