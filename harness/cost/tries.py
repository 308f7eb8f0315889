"""How often each side is asked for a task and how many it solves: measured by task runs, said, or assumed alike.

With a person's price every task that arrives gets done: C = a m + (1 - q) C_human, with m calls each. Without one only
solved tasks can be compared: m/q calls for each. `decide` takes either as calls until success, and a person's part as
USD per task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from harness.base.shares import Paired
from harness.base.terms import ArmTerms
from harness.cost.arms import ApiArm
from harness.cost.breakeven.decision import attempts_per_task, success_rate
from harness.cost.breakeven.success import OF_TERMS
from harness.demand.demand import Demand, DemandClass
from harness.prices.catalog import resolve_api
from harness.prices.price_file import UserPrices
from harness.rundir.of_step import Summary
from harness.rundir.of_tasks import ShareOf, TasksOfRun
from harness.rundir.result import Kind
from harness.rundir.results import Metrics

SAME = "assumed: the same as the box's"


@dataclass(frozen=True, slots=True)
class Tries:
    """One side's: calls a task (m) and the share of the tasks that they solve (q)."""

    attempts: float
    solved: float
    kind: Kind
    source: str
    tasks: TasksOfRun | None = None  # what measured it
    share: ShareOf = field(default_factory=ShareOf)  # `solved` with its interval
    ttft_s: Summary | None = None
    elsewhere_usd: float = 0.0  # of a task: its escalation, at another API's prices
    judging_usd: float | None = None  # of a task: the model that judged it; None: none did, or it has no price


@dataclass(frozen=True, slots=True)
class ApiTasks:
    """What a run against an API measured with the very tasks of this one; `paired`: the API first, then the box."""

    arm: str  # provider:model
    run: str
    tasks: TasksOfRun
    ttft_s: Summary | None
    paired: Paired


@dataclass(frozen=True, slots=True)
class Both:
    """Both sides of one comparison, and what the very same tasks say of their difference."""

    own: Tries
    api: Tries
    human_usd: float | None
    measured: ApiTasks | None = None  # the API's run

    @property
    def why_not(self) -> str | None:
        """Why no cost of a solved task can be compared; None: it can."""
        none = [name for name, side in (("the box", self.own), ("the API", self.api)) if not side.solved]
        if self.human_usd is not None or not none:
            return None
        return (
            f"{' and '.join(none)} solved no task, so that a solved one has no price there; "
            "`human_usd_per_task` would say what a person takes for it"
        )


def own_tries(metrics: Metrics, prices: UserPrices | None) -> Tries | None:
    """The box's, as its tasks showed; None where there were none, or none was judged.

    What an escalation solved counts, at its price; where nobody named the API that it went to, it does not.
    """
    tasks = metrics.tasks
    if tasks is None:
        return None
    elsewhere = _escalation_usd(tasks, prices)
    share = tasks.success if elsewhere is not None else tasks.own_success
    ttft = None if metrics.decisive is None else metrics.decisive.ttft_s
    found = _measured(tasks, share, "this run", ttft, elsewhere or 0.0)
    return None if found is None else replace(found, judging_usd=_judging_usd(tasks, prices))


def _measured(
    tasks: TasksOfRun, share: ShareOf, source: str, ttft_s: Summary | None, elsewhere: float = 0.0
) -> Tries | None:
    if share.rate is None or not tasks.calls_per_task:
        return None
    return Tries(tasks.calls_per_task, share.rate, "measured", source, tasks, share, ttft_s, elsewhere)


def _escalation_usd(tasks: TasksOfRun, prices: UserPrices | None) -> float | None:
    """USD a task of what went on elsewhere; None: it has no price."""
    went = tasks.escalated
    if went is None:
        return 0.0
    if went.api is None or went.input_tokens_per_task is None or went.output_tokens_per_task is None:
        return None
    rates = resolve_api(went.api, prices).rates_for(went.input_tokens_per_task)
    cached = went.cached_tokens_per_task or 0.0
    usd = rates.request_usd(went.input_tokens_per_task, went.output_tokens_per_task, cached_input_tokens=cached)
    return usd * went.tasks / tasks.n


def _judging_usd(tasks: TasksOfRun, prices: UserPrices | None) -> float | None:
    """USD a task of the model that judged; None: none did, or it has no price."""
    judging = tasks.judging
    if judging is None or judging.api is None or judging.input_tokens is None or judging.output_tokens is None:
        return None
    rates = resolve_api(judging.api, prices).rates_for(judging.input_tokens / judging.requests)
    return rates.request_usd(judging.input_tokens, judging.output_tokens) / tasks.n


def tries_of(
    own: Tries | None, arms: Sequence[ApiArm], demand: Demand, against: Sequence[ApiTasks], prices: UserPrices | None
) -> dict[str, Both]:
    """What each comparison rests on, by the arm's name; empty where nobody measured or said any of it, so that the
    demand's one rate holds for all.

    The API's: of its own run, else as its terms say, else assumed to be the box's.
    """
    if own is None and not any(map(_says_tries, arms)):
        return {}
    if own is None:
        work = demand.workload()
        own = Tries(attempts_per_task(work), success_rate(work), "assumed", f"demand {demand.name}")
    runs = {_name(one.arm, prices): one for one in against}
    return {arm.name: _both(own, arm, demand.human_usd_per_task, runs.get(arm.name)) for arm in arms}


def _both(own: Tries, arm: ApiArm, human_usd: float | None, run: ApiTasks | None) -> Both:
    measured = None if run is None else _measured(run.tasks, run.tasks.own_success, run.run, run.ttft_s)
    if measured is not None:
        return Both(own, measured, human_usd, run)
    return Both(own, _unmeasured(own, arm), human_usd)


def _says_tries(arm: ApiArm) -> bool:
    return arm.terms.attempts_per_task is not None or arm.terms.solved_share is not None


def _unmeasured(own: Tries, arm: ApiArm) -> Tries:
    terms = arm.terms
    if _says_tries(arm):
        attempts = own.attempts if terms.attempts_per_task is None else terms.attempts_per_task
        solved = own.solved if terms.solved_share is None else terms.solved_share
        return Tries(attempts, solved, "assumed", f"{OF_TERMS}{arm.name}")
    if terms.success_rate is not None:  # asked until as much is done
        attempts = max(own.solved / terms.success_rate, 1.0)
        return Tries(attempts, own.solved, "assumed", f"{OF_TERMS}{arm.name}")
    return Tries(own.attempts, own.solved, "assumed", SAME)


def _name(reference: str, prices: UserPrices | None) -> str:
    price = resolve_api(reference, prices)
    return f"{price.provider}:{price.model}"


def arm_as_tried(arm: ApiArm, both: Both | None) -> ApiArm:
    """The arm with the calls, the tokens and the person's part that its tries come to."""
    if both is None:
        return arm
    calls, person_usd = _until_done(both.api, both.human_usd)
    terms = {"success_rate": 1 / calls, "usd_per_task": arm.terms.usd_per_task + person_usd}
    if both.measured is not None:
        terms |= _tokens_measured(both.measured.tasks, both.own.tasks)
    return replace(arm, terms=arm.terms.and_then(ArmTerms(**terms), where=f"{arm.name} as it was measured"))


def demand_as_tried(demand: Demand, both: Both | None) -> Demand:
    """The demand with the calls and the person's part of the box, and requests as long as all attempts' mean."""
    if both is None:
        return demand
    calls, person_usd = _until_done(both.own, both.human_usd)
    running = demand.self_host.model_copy(update={"usd_per_task": demand.self_host.usd_per_task + person_usd})
    longer = _growth(both.own.tasks if both.measured is None else both.measured.tasks)
    return demand.model_copy(
        update={
            "retry_failure_rate": 1 - 1 / calls,
            "max_retries": None,
            "self_host": running,
            "classes": [_longer(kind, longer) for kind in demand.classes],
        }
    )


def _until_done(side: Tries, human_usd: float | None) -> tuple[float, float]:
    """Calls of a task, and what it takes beside them: of all that arrive, or where nobody takes over of the solved."""
    if human_usd is None:
        solved = side.solved or 1.0  # none: not decided
        return side.attempts / solved, side.elsewhere_usd / solved
    return side.attempts, side.elsewhere_usd + (1 - side.solved) * human_usd


def _growth(tasks: TasksOfRun | None) -> float:
    """Input tokens of the mean attempt over those of a first one: errors that are appended make later ones longer."""
    if tasks is None or not tasks.first_input_tokens or not tasks.attempts_per_task:
        return 1.0
    whole = tasks.input_tokens_per_task
    return 1.0 if whole is None else whole / tasks.attempts_per_task / tasks.first_input_tokens


def _longer(kind: DemandClass, factor: float) -> DemandClass:
    if kind.history is not None:
        history = kind.history
        grown = {"base_tokens": history.base_tokens * factor, "growth_tokens": history.growth_tokens * factor}
        return kind.model_copy(update={"history": history.model_copy(update=grown)})
    return kind.model_copy(update={"input_tokens": (kind.input_tokens or 0.0) * factor})


def tokenizer_ratio(api: TasksOfRun, own: TasksOfRun | None) -> float | None:
    """Its input tokens over ours, of the first attempts at the same tasks; None: one of them is unknown."""
    if own is None or not own.first_input_tokens or not api.first_input_tokens:
        return None
    return api.first_input_tokens / own.first_input_tokens


def _tokens_measured(api: TasksOfRun, own: TasksOfRun | None) -> dict[str, float]:
    """The arm's own lengths as terms: of the same text, how wordy it is, what its cache held."""
    terms = {"reasoning_tokens": 0.0}  # they are among its output tokens
    ratio = tokenizer_ratio(api, own)
    if ratio is not None:
        terms["tokenizer_ratio"] = ratio
    if own is not None and own.first_output_tokens and api.output_tokens_per_task and api.attempts_per_task:
        output = api.output_tokens_per_task / api.attempts_per_task
        terms["output_ratio"] = output / (own.first_output_tokens * (ratio or 1.0))
    if api.input_tokens_per_task and api.cached_tokens_per_task is not None:
        terms["cached_share"] = api.cached_tokens_per_task / api.input_tokens_per_task
    return terms
