"""A task run: round after round, each a step of its own, judged by this process in between."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.base.errors import BreakevenError
from harness.engines.endpoint import endpoint_url
from harness.load.plan import LoadPlan, RoundPlan
from harness.load.protocol import Warned
from harness.load.run_events import RoundBegun, RunEvent
from harness.load.spending.purse import Spent
from harness.load.supervise import LoadOutcome
from harness.rundir.judged import Verdict, judged_part, write_judged, write_round
from harness.rundir.of_step import Role
from harness.rundir.read import read_answers
from harness.rundir.recorder import NewRows
from harness.scenario.asks import TaskAsk, asks_file, write_asks
from harness.scenario.task_file import Task
from harness.scenario.tasks import AskJudge, EscalateTo, TaskPrompts
from harness.tasks import Answered, NextRound, first_asks, judge, judge_asks, next_asks, read_judgement
from harness.tasks.constraint import outside_the_schema

CUT = "cut_at_end"  # error of an attempt whose last turn was never sent
Drive = Callable[[LoadPlan], LoadOutcome]


@dataclass(slots=True)
class TaskRun:
    """What is known of the run so far; `run` takes it to its end."""

    spec: TaskPrompts
    tasks: Sequence[Task]
    seed: int
    plan: LoadPlan  # of the endpoint under test
    drive: Drive
    on_event: Callable[[RunEvent], None]
    functions_from: Path | None = None  # the scenario's folder, where its functions may be called
    spent: Spent | None = None  # by all drives so far, where there is a limit
    answers: list[Answered] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    not_asked: int = 0  # tasks, for want of time
    outside: int = 0  # answers that do not fit the schema which the server was told to keep
    bound: int = 0  # whole answers that it was told so for
    _count: int = 0  # tasks in all
    _steps: int = 0
    _rounds: int = 0
    _known: dict[Role, LoadOutcome] = field(default_factory=dict)  # what a drive has learned of its endpoint
    _new_rows: NewRows = field(init=False)

    def __post_init__(self) -> None:
        self._new_rows = NewRows(self._run_dir)

    @property
    def _run_dir(self) -> Path:
        return Path(self.plan.run_dir)

    @property
    def _is_spent(self) -> bool:
        """Whether the spending limit lets nothing more be asked."""
        return self.spent is not None and self.spent.stopped is not None

    @property
    def solved(self) -> int:
        """Tasks that an attempt has solved."""
        return len({one.task for one in self.verdicts if one.task_success})

    def run(self) -> LoadOutcome:
        """All rounds, until nobody is left or the policy ends.

        Raises:
            BreakevenError: what ended it early; everything that was answered is judged.
        """
        asks = first_asks(self.spec, self.tasks, self.seed)
        self._count = len(asks)
        upcoming: NextRound | None = NextRound("attempts", asks)
        outcome = LoadOutcome(interrupted=False)
        try:
            while upcoming is not None and not outcome.interrupted and not self._is_spent:
                outcome = self._round(upcoming)
                upcoming = next_asks(self.spec, self.tasks, self.verdicts, self.answers)
        except KeyboardInterrupt:
            return LoadOutcome(interrupted=True)
        finally:
            self._close()
        return outcome

    def _round(self, upcoming: NextRound) -> LoadOutcome:
        """Ask, then judge what was answered, whatever has ended it."""
        self._rounds += 1
        asks = upcoming.asks
        self._tell(upcoming.role, len(asks))
        answered: list[Answered] = []
        outcome = None
        try:
            outcome = self._ask(upcoming.role, asks)
        finally:
            answered = self._answered(asks)
            self.answers += answered
            self._judge(answered, goes_on=outcome is not None and not outcome.interrupted and not self._is_spent)
        missing = len(asks) - len(answered)
        if missing and not outcome.interrupted and not self._is_spent:
            self.not_asked += missing
            self.on_event(
                Warned(
                    f"round {self._rounds}: {missing} of {len(asks)} tasks were not asked within `prompts.max_round_s` "
                    f"{self.spec.max_round_s:g}"
                )
            )
        return outcome

    def _tell(self, role: Role, asks: int) -> None:
        self.on_event(RoundBegun(self._rounds, self.spec.attempts, role, asks, self.solved, self._count))

    def _ask(self, role: Role, asks: Sequence[TaskAsk]) -> LoadOutcome:
        """One drive: a step at the endpoint of its role."""
        path = asks_file(self._run_dir, self._steps + 1)
        write_asks(path, asks)
        known = self._known.get(role, LoadOutcome(interrupted=False))
        round_plan = RoundPlan(
            asks=str(path),
            number=self._rounds,
            step=self._steps,
            role=role,
            max_s=self.spec.max_round_s,
            repeats=role == "attempts" and self.plan.spending is None,  # they would be paid for
            request_s=known.request_s,
        )
        plan = self._plan_of(role)
        self._steps += 1
        outcome = self._driven(
            replace(
                plan,
                spending=None if plan.spending is None else plan.spending.after(self.spent),
                run_id=f"{plan.run_id}-{round_plan.step}",
                round=round_plan,
                learned=known.learned,
                preflight=plan.preflight and known.learned is None,
            )
        )
        self._known[role] = outcome
        return outcome

    def _driven(self, plan: LoadPlan) -> LoadOutcome:
        """Where a load that is paid for ends without a word nobody knows what it has spent last: it is the last one."""
        self.spent = None if self.spent is None else replace(self.spent, is_final=False)
        try:
            return self.drive(plan)
        finally:
            if plan.spending is not None and (self.spent is None or not self.spent.is_final):
                why = "a load process ended without a word: what it has spent last is not known"
                self.spent = replace(self.spent or plan.spending.before, stopped=why)
                self.on_event(self.spent)

    def _plan_of(self, role: Role) -> LoadPlan:
        if role == "attempts":
            return self.plan
        other = self.spec.escalate if role == "escalation" else self.spec.judge
        assert other is not None  # the scenario was checked
        spending = None if self.plan.spending is None else self.plan.spending.of(role)
        return replace(elsewhere(self.plan, other), spending=spending)

    def _answered(self, asks: Sequence[TaskAsk]) -> list[Answered]:
        """What the drive that is over has answered, in the order of its asks."""
        texts = read_answers(self._run_dir)
        last = _last_rows(row for row in self._new_rows.take() if row["step"] == self._steps - 1)
        return [_answer(ask, last[ask.task], texts) for ask in asks if ask.task in last]

    def _judge(self, answered: Sequence[Answered], *, goes_on: bool) -> None:
        """The verdicts of a round; a model is asked only where the run goes on."""
        verdicts = judge(self.spec, self.tasks, answered, functions_from=self.functions_from)
        outside, bound = outside_the_schema(self.spec, self.tasks, answered)
        self.outside, self.bound = self.outside + outside, self.bound + bound
        questions = judge_asks(self.spec, self.tasks, answered)
        if questions:
            verdicts += self._judged_by_model(answered, questions, goes_on=goes_on)
        self.verdicts += verdicts
        write_round(self._run_dir, self._rounds, verdicts)

    def _judged_by_model(
        self, answered: Sequence[Answered], questions: Sequence[TaskAsk], *, goes_on: bool
    ) -> list[Verdict]:
        """A model's verdicts; where it cannot be asked nobody has judged, and the run goes on."""
        why = "the run ended before the judge was asked"
        judgements: list[Answered] = []
        if goes_on:
            why = "the judge was not asked in time"
            self._tell("judging", len(questions))
            try:
                self._ask("judging", questions)
            except BreakevenError as error:
                why = f"the judge could not be asked: {error}"
                self.on_event(Warned(why))
            judgements = self._answered(questions)
        verdicts = read_judgement(answered, judgements)
        told = {one.request_id for one in verdicts}
        asked = {(ask.task, ask.attempt) for ask in questions}
        left = [one for one in answered if (one.task, one.attempt) in asked and one.request_id not in told]
        return verdicts + [Verdict(one.request_id, one.task, one.attempt, None, why, "judge") for one in left]

    def _close(self) -> None:
        """All verdicts in one file; what the rounds were told and have said goes."""
        write_judged(self._run_dir, self.verdicts)
        for number in range(1, self._rounds + 1):
            judged_part(self._run_dir, number).unlink(missing_ok=True)
        for number in range(1, self._steps + 1):
            asks_file(self._run_dir, number).unlink(missing_ok=True)


def elsewhere(plan: LoadPlan, other: EscalateTo | AskJudge) -> LoadPlan:
    """The same load at another endpoint, which is told nothing that was meant for the first."""
    return replace(
        plan,
        urls=[endpoint_url(other.url)],
        model=other.model,
        api_key_env=other.api_key_env,
        backend=None,
        headers={},
        extra_body={},
        gpu_urls=[],
        spending=None,
        known_engine=None,
        preflight=False,
    )


def _last_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The last turn's row of each task."""
    last: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        task = row["task"]
        if task is None or row["repeat"] or row["retried"]:
            continue
        if task not in last or (row["turn"] or 0) >= (last[task]["turn"] or 0):
            last[task] = row
    return last


def _answer(ask: TaskAsk, row: Mapping[str, Any], texts: Mapping[str, str]) -> Answered:
    is_whole = (row["turn"] or 0) == len(ask.turns) and not row["summary"]
    request_id = row["request_id"]
    return Answered(
        request_id=request_id,
        task=ask.task,
        attempt=ask.attempt,
        text=texts.get(request_id),
        error=row["error"] if is_whole or row["error"] is not None else CUT,
        finish_reason=row["finish_reason"],
    )
