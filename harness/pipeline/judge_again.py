"""Judge a task run's answers again, with its own tasks, without asking anybody."""

from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.base.yamlfile import validate
from harness.rundir import files
from harness.rundir.judged import Verdict, read_judged, write_judged
from harness.rundir.read import read_answers, read_rows
from harness.scenario import Scenario, TaskPrompts
from harness.scenario.task_file import Task, task_path
from harness.tasks import Answered, judge, read_tasks

TASKS = "tasks"  # a copy of the run's own file of tasks, beside the texts that it kept


@dataclass(frozen=True, slots=True)
class JudgedAgain:
    """What came of it."""

    judged: int  # answers
    changed: int  # of them, whose verdict is another now
    left: int  # verdicts that stand: no text, or a model's


def keep_tasks(spec: TaskPrompts, base_dir: Path, run_dir: Path) -> None:
    """Keep the tasks beside the texts that are judged by them."""
    path = task_path(spec, base_dir)
    (run_dir / f"{TASKS}{path.suffix}").write_bytes(path.read_bytes())


def judge_again(run_dir: Path) -> JudgedAgain:
    """Write judged.parquet anew. Verdicts of a judging model stand: nobody is asked here.

    Raises:
        UsageError: no task run, one that kept no texts, or tasks that only a function of the user's can judge.
    """
    spec = _spec_of(run_dir)
    texts = read_answers(run_dir)
    if not texts:
        raise UsageError(
            f"{run_dir} kept no text that could be judged again", hint="`prompts: {keep_text: true}` in the scenario"
        )
    before = read_judged(run_dir)
    new = {one.request_id: one for one in judge(spec, _tasks_of(spec, run_dir), _answers(run_dir, before, texts))}
    after = [new.get(one.request_id, one) for one in before]
    write_judged(run_dir, after)
    changed = sum(a.task_success != b.task_success for a, b in zip(before, after, strict=True))
    return JudgedAgain(len(new), changed, len(before) - len(new))


def _spec_of(run_dir: Path) -> TaskPrompts:
    manifest = files.read_manifest(run_dir)
    scenario = validate(Scenario, manifest.scenario, where=f"{run_dir / files.MANIFEST}: scenario")
    if not isinstance(scenario.prompts, TaskPrompts):
        raise UsageError(f"{run_dir} is no task run: there is nothing to judge again")
    return scenario.prompts


def _tasks_of(spec: TaskPrompts, run_dir: Path) -> tuple[Task, ...]:
    """Of the run's own copy; functions are never called out of a run directory."""
    for suffix in (".jsonl", ".yaml", ".yml"):
        if (run_dir / f"{TASKS}{suffix}").exists():
            return read_tasks(spec.model_copy(update={"file": f"{TASKS}{suffix}"}), run_dir)
    raise UsageError(
        f"{run_dir} has no copy of its tasks", hint="fetch the run directory again if there is a whole one"
    )


def _answers(run_dir: Path, verdicts: list[Verdict], texts: dict[str, str]) -> list[Answered]:
    rows = read_rows(run_dir).drop_duplicates("request_id").set_index("request_id")
    finished = rows["finish_reason"].astype(object).where(rows["finish_reason"].notna(), None)
    return [
        Answered(one.request_id, one.task, one.attempt, texts[one.request_id], None, finished.loc[one.request_id])
        for one in verdicts
        if one.request_id in texts and one.request_id in rows.index
    ]
