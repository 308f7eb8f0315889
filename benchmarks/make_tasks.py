"""Write the sets of tasks that ship: scenarios/tasks/*.jsonl, the same from the same seed.

python benchmarks/make_tasks.py
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from task_sets import arithmetic, classification, extraction, support

SEED = 17
SETS = {
    "extraction": extraction.tasks,
    "classification": classification.tasks,
    "arithmetic": arithmetic.tasks,
    "support": support.tasks,
}
FOLDER = Path(__file__).parent.parent / "scenarios" / "tasks"


def lines_of(name: str) -> str:
    """The file of a set."""
    made = SETS[name](random.Random(f"{SEED}/{name}"))
    return "".join(json.dumps(task, ensure_ascii=False) + "\n" for task in made)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in SETS:
        text = lines_of(name)
        (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8")
        print(f"{name}: {len(text.splitlines())} tasks, {len(text):,} bytes")


if __name__ == "__main__":
    main()
