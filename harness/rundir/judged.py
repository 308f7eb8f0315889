"""What was judged: a row for each attempt at a task; judged-<round>.jsonl during the run, then judged.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from harness.base.whole import written_whole
from harness.rundir.parquet_file import TEXT, read_frame, reading

JUDGED = "judged"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One attempt's; the field names are the columns of judged.parquet."""

    request_id: str  # of the attempt: the request whose answer was judged
    task: str
    attempt: int
    task_success: bool | None  # None: not judged
    why: str  # of a failure, or of one that was not judged; empty for a success
    judge: str  # the checker's kind; `json_schema, repaired` where the answer was repaired first


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Verdict))
_KINDS: dict[str, Any] = {
    "request_id": TEXT, "task": TEXT, "attempt": "int64", "task_success": "boolean", "why": TEXT, "judge": TEXT,
}  # fmt: skip


def judged_part(run_dir: Path, round_number: int) -> Path:
    """Where the verdicts of a round lie while the run lasts."""
    return run_dir / f"{JUDGED}-{round_number}.jsonl"


def write_round(run_dir: Path, round_number: int, verdicts: Sequence[Verdict]) -> None:
    """The verdicts of a round, whole or not at all."""
    with written_whole(judged_part(run_dir, round_number)) as place:
        place.write_bytes(b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in verdicts))


def read_rounds(run_dir: Path) -> list[Verdict]:
    """The verdicts of all rounds so far, in order."""
    parts = sorted(run_dir.glob(f"{JUDGED}-*.jsonl"), key=lambda path: int(path.stem.rsplit("-", 1)[1]))
    return [Verdict(**orjson.loads(line)) for path in parts for line in path.read_bytes().splitlines()]


def write_judged(run_dir: Path, verdicts: Sequence[Verdict]) -> Path:
    """judged.parquet, instead of what was there."""
    path = run_dir / f"{JUDGED}.parquet"
    frame = pd.DataFrame([asdict(one) for one in verdicts], columns=list(COLUMNS)).astype(_KINDS)
    with written_whole(path) as place:
        frame.to_parquet(place, index=False)
    return path


def read_judged(run_dir: Path) -> list[Verdict]:
    """The verdicts of a run, from judged.parquet or, where a run was killed before it, from its rounds.

    Raises:
        UsageError: a file that is damaged.
    """
    path = run_dir / f"{JUDGED}.parquet"
    if not path.exists():
        return read_rounds(run_dir)
    with reading(path):
        frame = read_frame(path, _KINDS)
        judged = [None if value is pd.NA else bool(value) for value in frame["task_success"]]
        columns = [judged if name == "task_success" else frame[name].tolist() for name in COLUMNS]
        return [Verdict(*row) for row in zip(*columns, strict=True)]
