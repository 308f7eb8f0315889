"""Tasks: what is asked in each round, and whether the answers solved them."""

from harness.scenario.task_file import Task
from harness.tasks.answered import Answered
from harness.tasks.attempts import NextRound, first_asks, next_asks
from harness.tasks.by_model import judge_asks, read_judgement
from harness.tasks.judge import judge
from harness.tasks.reading import read_tasks

__all__ = [
    "Answered", "NextRound", "Task", "first_asks", "judge", "judge_asks", "next_asks", "read_judgement", "read_tasks",
]  # fmt: skip
