"""Runs of APIs that were asked the very tasks of a run: read, checked to be the same, and paired task by task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.base.errors import UsageError
from harness.base.shares import paired
from harness.checks.finding import check
from harness.cost.tries import ApiTasks
from harness.report.model import RunFiles
from harness.rundir.result import Check
from harness.scenario import Scenario
from harness.scenario.tasks import TaskPrompts

DRIVES = "`breakeven run TASKS --url https://... --api-key-env KEY --api provider:model --max-usd 2` makes one"
_DOUBTS = ("partial", "ended_early", "errors_over_limit", "impossible_values", "token_source", "tasks_not_judged")
_SAME = ("checker", "output_tokens", "constrained")  # of the scenario's prompts
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Against:
    """What API runs say beside a run, and the findings on them."""

    apis: tuple[ApiTasks, ...]
    checks: tuple[Check, ...]


def against_of(own: RunFiles, apis: Sequence[RunFiles]) -> Against:
    """Each API's run as what it measured with the tasks of `own`.

    Raises:
        UsageError: a run that drove no API, or was not asked the very same tasks; names what differs.
    """
    if not apis:
        return Against((), ())
    if own.metrics.tasks is None:
        raise UsageError(f"{own.run_dir} is no task run: there is nothing to set against an API's", hint=_TASKS)
    found: dict[str, ApiTasks] = {}
    for api in apis:
        one = _of_api(own, api)
        if one.arm in found:
            raise UsageError(f"{api.run_dir} and {found[one.arm].run} both drove {one.arm}", hint="name one of them")
        found[one.arm] = one
    return Against(tuple(found.values()), tuple(found for api in apis for found in _checks(own, api)))


_TASKS = "`prompts: {kind: tasks, ...}` in the scenario, e.g. `breakeven run tasks-json`"


def _of_api(own: RunFiles, api: RunFiles) -> ApiTasks:
    driven, tasks = api.run.driven, api.metrics.tasks
    if driven is None:
        raise UsageError(f"{api.run_dir} drove no API: its run.json has no `driven`", hint=DRIVES)
    if tasks is None:
        raise UsageError(f"{api.run_dir} is no task run", hint=DRIVES)
    _check_same(own, api)
    step = api.metrics.decisive
    return ApiTasks(
        arm=driven.arm,
        run=api.run_dir.name,
        tasks=tasks,
        ttft_s=None if step is None else step.ttft_s,
        paired=paired(api.outcomes, own.outcomes),
    )


def _check_same(own: RunFiles, api: RunFiles) -> None:
    where = f"{own.run_dir.name} and {api.run_dir.name} were not asked the same tasks"
    here, there = own.outcomes, api.outcomes
    missing = [
        f"{len(names)} only in {run.run_dir.name} ({_named(names)})"
        for run, names in ((own, here.keys() - there.keys()), (api, there.keys() - here.keys()))
        if names
    ]
    if missing:
        cut = [run.run_dir.name for run in (own, api) if run.run.partial]
        hint = (
            f"{' and '.join(cut)} was cut short: run it again to its end"
            if cut
            else "the same file, seed and max_tasks"
        )
        raise UsageError(f"{where}: {' and '.join(missing)}", hint=hint)
    if own.run.tasks_digest and api.run.tasks_digest and own.run.tasks_digest != api.run.tasks_digest:
        raise UsageError(
            f"{where}: they have the same names and other contents (`tasks_digest` of run.json)",
            hint="the file was changed between the runs: run one of them again",
        )
    mine, others = _prompts(own.scenario), _prompts(api.scenario)
    for name in _SAME:
        if getattr(mine, name) != getattr(others, name):
            said = f"`prompts.{name}` is {getattr(mine, name)!r:.80} here and {getattr(others, name)!r:.80} there"
            raise UsageError(f"{where}: {said}", hint="run one of them again with the other's")


def _prompts(scenario: Scenario) -> TaskPrompts:
    assert isinstance(scenario.prompts, TaskPrompts)  # it has tasks
    return scenario.prompts


def _named(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:_SHOWN]) + (", ..." if len(ordered) > _SHOWN else "")


def _checks(own: RunFiles, api: RunFiles) -> Iterable[Check]:
    """What forbids to trust an API's run, and that its tasks were asked by another policy."""
    every = [found for step in api.metrics.steps for found in step.checks] + list(api.metrics.checks)
    for found in {one.code: one for one in every if one.level == "error" and one.code in _DOUBTS}.values():
        yield check(found.code, "error", f"{api.run_dir.name}: {found.message}", found.hint)
    mine, others = _prompts(own.scenario).on_failure, _prompts(api.scenario).on_failure
    if mine != others:
        said = f"a task that fails is followed by {_policy(others)} there and by {_policy(mine)} here"
        text = f"{api.run_dir.name} had another policy: {said}"
        yield check("other_retries", "warning", text, "each is priced as it was driven")


def _policy(actions: Sequence[str]) -> str:
    return ", ".join(actions) or "nothing"
