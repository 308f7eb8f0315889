"""Are a run's tasks enough, and judged, to say anything of a success rate?"""

from collections.abc import Iterator

from harness.checks.finding import check
from harness.rundir.of_tasks import TasksOfRun
from harness.rundir.result import Check, Level

WIDE = 0.1  # half an interval: a success rate that is sure to ± 10 points is told
MANY_NOT_JUDGED = 0.1  # of the tasks


def task_checks(tasks: TasksOfRun | None) -> Iterator[Check]:
    """Tasks that nobody judged, and so few that only large differences can be told."""
    if tasks is None:
        return
    if tasks.not_judged:
        level: Level = "error" if tasks.not_judged > MANY_NOT_JUDGED * tasks.n else "warning"
        text = f"{tasks.not_judged} of {tasks.n} tasks were not judged: they are in no success rate, and may be either"
        yield check("tasks_not_judged", level, text, "judged.parquet says why, task by task")
    success = tasks.success
    if success.rate is None or success.low is None or success.high is None:
        return
    half = (success.high - success.low) / 2
    if half > WIDE:
        text = f"{tasks.judged} tasks were judged: {success.rate:.1%} solved is sure to ±{half:.0%} of the tasks only"
        hint = "about 100 tasks are sure to ±10 %, 400 to ±5 %; the same tasks asked of both tell smaller differences"
        yield check("few_tasks", "warning", text, hint)
