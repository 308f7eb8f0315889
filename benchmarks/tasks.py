"""The sets of tasks that ship, all of them, on an engine; or how fast answers are judged.

    python benchmarks/tasks.py --engine llama_server            # what `breakeven run` takes: --url, --model, ...
    python benchmarks/tasks.py --judging                        # 100,000 answers by a schema; exit code 1 above 30 s

Each set is a run of its own, `breakeven run tasks-SET ...`, under results/tasks/. The table says how many tasks were
solved in the end and at once, and what that took; below it stands why the others were not, by how many they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from harness.rundir.judged import Verdict, read_judged
from harness.scenario import TaskPrompts
from harness.scenario.checkers import JsonSchemaChecker
from harness.tasks import Answered, Task, judge

SETS = ("tasks-json", "tasks-classification", "tasks-arithmetic", "tasks-support")
PLACE = ROOT / "results" / "tasks"
ANSWERS, TASKS = 100_000, 1_000
MOST_S = 30.0
REASONS_SHOWN = 4


def main(arguments: list[str]) -> int:
    if arguments == ["--judging"]:
        return judging()
    failed = [name for name in SETS if not run_set(name, arguments)]
    return 1 if failed else 0


def run_set(name: str, arguments: list[str]) -> bool:
    """Run one set and print its line; False where the run left no verdicts."""
    place = PLACE / name
    command = [sys.executable, "-m", "harness", "run", name, *arguments, "--out", str(place)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    runs = sorted(place.glob("*/metrics.json"), key=lambda path: path.stat().st_mtime)
    tasks = json.loads(runs[-1].read_text()).get("tasks") if runs else None
    if not tasks:
        print(f"{name:22} left no verdicts (exit code {done.returncode})", flush=True)
        return False
    print_set(name, tasks, read_judged(runs[-1].parent))
    return True


def print_set(name: str, tasks: dict[str, Any], verdicts: list[Verdict]) -> None:
    """A line of figures, and why tasks were not solved."""
    last = {one.task: one for one in sorted(verdicts, key=lambda one: one.attempt)}
    success, first = tasks["success"], tasks["first_attempt"]
    print(
        f"{name:22} {tasks['n']} tasks, solved {tasks['solved']} ({success['rate']:.0%}, {success['low']:.0%} to "
        f"{success['high']:.0%}; {first['rate']:.0%} at once), {tasks['not_judged']} not judged, "
        f"{tasks['attempts_per_task']:.2f} attempts and {tasks['output_tokens_per_task']:.0f} output tokens a task"
    )
    why = Counter(one.why.split(":")[0] for one in last.values() if not one.task_success)
    for reason, count in why.most_common(REASONS_SHOWN):
        print(f"    {count:3} {reason}", flush=True)


def judging() -> int:
    """How long it takes to judge so many answers by a schema."""
    rows = [json.loads(line) for line in (ROOT / "scenarios/tasks/extraction.jsonl").read_text().splitlines()]
    checkers = [JsonSchemaChecker.model_validate(row["checker"]) for row in rows]
    tasks = [Task(f"t{n}", (), (), checkers[n % len(rows)], rows[n % len(rows)]["expected"], 1) for n in range(TASKS)]
    texts = [json.dumps(row["expected"]) for row in rows]
    answers = [
        Answered(f"r{n}", f"t{n % TASKS}", 1, texts[n % TASKS % len(rows)] if n % 2 else "no", None, "stop")
        for n in range(ANSWERS)
    ]
    began = time.monotonic()
    verdicts = judge(TaskPrompts(kind="tasks", file="extraction"), tasks, answers)
    took_s = time.monotonic() - began
    solved = sum(one.task_success is True for one in verdicts)
    print(f"{ANSWERS:,} answers by {len(rows)} schemas in {took_s:.1f} s (limit {MOST_S:g} s), {solved:,} solved")
    return 0 if took_s < MOST_S and solved == ANSWERS // 2 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
