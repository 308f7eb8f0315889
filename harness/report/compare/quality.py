"""Runs of the same tasks: who solves more, pair by pair, and that nobody wins by answering worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from harness.base.rounding import significant, whole
from harness.base.shares import Paired, paired
from harness.report.compare.parity import Difference
from harness.report.compare.routed import SolvedCost, routed_words, solved_cost, time_per_solved_s
from harness.report.measured.steps import percentile_cell
from harness.report.model import Cell, RunFiles, Section, Table, Text, section, table_of
from harness.report.money.solved import difference_words, short_difference
from harness.report.text import duration, per_task, percent
from harness.rundir.of_tasks import TasksOfRun

QUESTION = "solves most"
_MEASURED_BY_TASKS = (
    "quantisation", "input from the prefix cache", "mean input tokens", "mean output tokens",
    "prompts.constrained", "prompts.grammar", "prompts.on_failure", "prompts.escalate", "prompts.context",
    "prompts.max_round_s", "prompts.keep_text", "prompts.human_usd_per_task",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quality:
    """Two runs on the very same tasks."""

    one: str
    other: str
    paired: Paired

    @property
    def words(self) -> str:
        """How many more or fewer the second solves, and whether that is more than chance."""
        return difference_words(self.paired.turned, self.other, self.one)

    def worse(self) -> str | None:
        """Who solves fewer, by more than chance; None: nobody."""
        if not self.paired.differ:
            return None
        return self.other if self.paired.only_one > self.paired.only_other else self.one


def qualities(runs: Sequence[RunFiles], labels: Sequence[str]) -> tuple[Quality, ...]:
    """Every pair of runs, where all were asked the same tasks; else none."""
    if not asked_the_same(runs):
        return ()
    pairs = combinations(zip(labels, runs, strict=True), 2)
    return tuple(Quality(one, other, paired(mine.outcomes, its.outcomes)) for (one, mine), (other, its) in pairs)


def asked_the_same(runs: Sequence[RunFiles]) -> bool:
    """Whether all are task runs of the same tasks, by name and as far as their files are known."""
    if any(run.metrics.tasks is None for run in runs):
        return False
    digests = {run.run.tasks_digest for run in runs} - {None}
    return len(digests) <= 1 and len({frozenset(run.outcomes) for run in runs}) == 1


def weighed(found: Sequence[Difference], runs: Sequence[RunFiles]) -> list[Difference]:
    """What differs, with what the same tasks have measured as compared and no longer as unequal work; tasks that were
    not the same are unequal work themselves.
    """
    if asked_the_same(runs):
        return [replace(one, about="subject") if one.what.startswith(_MEASURED_BY_TASKS) else one for one in found]
    if not any(run.metrics.tasks for run in runs):
        return list(found)
    asked = tuple("none" if one is None else whole(one.n) for one in (run.metrics.tasks for run in runs))
    return [Difference("the tasks asked", asked, "work"), *found]


def one_load(runs: Sequence[RunFiles]) -> str:
    """The load that all were driven at, in words; empty where they were not."""
    loads = {step.load.words for run in runs for step in run.metrics.loads}
    return loads.pop() if len(loads) == 1 else ""


def why_no_winner(winner: str | None, question: str, found: Sequence[Quality]) -> str:
    """Why the run that is best at something is not called the winner; empty: it may be."""
    beaten = [
        short_difference(one.paired, one.one, one.other)
        if one.one == winner
        else short_difference(one.paired.turned, one.other, one.one)
        for one in found
        if winner is not None and one.worse() == winner
    ]
    return f"no winner: {winner} {question}, but answers worse: {'; '.join(beaten)}" if beaten else ""


def solves_most(found: Sequence[Quality], labels: Sequence[str]) -> tuple[str | None, str]:
    """Who solves more than every other by more than chance, if anybody; and how the others stand to the first."""
    best = [
        label
        for label in labels
        if all(one.worse() not in (None, label) for one in found if label in (one.one, one.other))
    ]
    return (best[0] if best else None), "; ".join(one.words for one in found if one.one == labels[0])


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    tasks: TasksOfRun
    cost: SolvedCost


def quality_sections(
    runs: Sequence[RunFiles], labels: Sequence[str], usd_at: Callable[[int], float | None], found: Sequence[Quality]
) -> Iterator[Section]:
    """The tasks side by side; nothing where they were not the same. `usd_at`: a run's USD per request."""
    if not found:
        return
    rows = [
        _Row(label, run.metrics.tasks, solved_cost(run, run.metrics.tasks, usd_at(i)))
        for i, (label, run) in enumerate(zip(labels, runs, strict=True))
        if run.metrics.tasks is not None
    ]
    words = [Text(f"{one.words}.", "warn" if one.worse() else "") for one in found]
    routed = [Text(said) for row in rows if (said := routed_words(row.label, row.tasks, row.cost))]
    yield section("tasks", "The same tasks, solved or not", _table(rows), *words, *routed)


def _table(rows: Sequence[_Row]) -> Table:
    first = rows[0].tasks
    return table_of(
        "The same tasks in every run, after the last attempt",
        rows,
        ("run", None, lambda row: Cell(row.label, note=_how(row.tasks))),
        ("solved", "share of tasks", lambda row: _solved(row.tasks)),
        ("first attempt", "solved", lambda row: percent(row.tasks.first_attempt.rate)),
        ("attempts", "a task", lambda row: significant(row.tasks.attempts_per_task)),
        ("input", "tokens a task", lambda row: _times(row.tasks.input_tokens_per_task, first.input_tokens_per_task)),
        ("output", "tokens a task", lambda row: _times(row.tasks.output_tokens_per_task, first.output_tokens_per_task)),
        ("time p50", "of a task", lambda row: percentile_cell(row.tasks.latency_s, "p50", duration)),
        ("time p95", "of a task", lambda row: percentile_cell(row.tasks.latency_s, "p95", duration)),
        *((("went on", "share of tasks", lambda row: _went_on(row.tasks)),) if any(map(_is_routed, rows)) else ()),
        ("time", "per successful task", lambda row: duration(time_per_solved_s(row.tasks))),
        ("cost", "USD per successful task", _cost),
        notes=(_NOTE,),
    )


_NOTE = (
    "Time and cost per successful task: of all attempts of all tasks, over those solved. Cost: of a box kept busy "
    "at its goodput, of an API what was spent on it; an escalation is at its own price. Tokens: against the first run."
)


def _is_routed(row: _Row) -> bool:
    return row.tasks.escalated is not None


def _went_on(tasks: TasksOfRun) -> Cell:
    went = tasks.escalated
    if went is None:
        return Cell("none", tone="muted")
    return Cell(percent(went.tasks / tasks.n), note=f"{whole(went.solved)} of {whole(went.tasks)} solved there")


def _how(tasks: TasksOfRun) -> str:
    constrained = "" if tasks.constrained == "none" else f"constrained: {tasks.constrained.replace('_', ' ')}"
    context = "" if tasks.context == "all" else f"context: {tasks.context}"
    return "; ".join(filter(None, (constrained, context)))


def _solved(tasks: TasksOfRun) -> Cell:
    share = tasks.success
    if share.rate is None:
        return Cell("none judged", tone="muted")
    return Cell(percent(share.rate), note=f"{percent(share.low)} to {percent(share.high)} of {whole(tasks.judged)}")


def _times(value: float | None, first: float | None) -> Cell:
    ratio = "" if not value or not first or value is first else f"{significant(value / first)}×"
    return Cell(significant(value), note=ratio)


def _cost(row: _Row) -> Cell:
    cost = row.cost
    if cost.usd is None:
        return Cell(cost.why_none, tone="bad" if not row.tasks.solved else "muted")
    note = f"{per_task(cost.elsewhere_usd)} of it the escalation's" if cost.elsewhere_usd else cost.note
    return Cell(per_task(cost.usd), note=note)
