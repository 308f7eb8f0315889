"""`report` and `compare` on damaged copies of kept runs: a report, a comparison or one clear line, and soon.

    python benchmarks/attack run_dirs [--count N] [--seed S]

Every copy has one file truncated, flipped, emptied, taken away, or one of its values or columns replaced. Bad is a
report that ended in a traceback, in "this is a bug", or took longer than 10 s.
"""

import contextlib
import io
import itertools
import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from result import Result

from harness.cli import invoke

DEFAULT_COUNT = 10_000
KEPT = Path(__file__).parents[2] / "results" / "kept"
LONGEST_S = 10.0
CHUNK = 60
PROCESSES = 2
READ = (
    "run.json", "steps.jsonl", "records.parquet", "client.parquet", "server_metrics.parquet", "arrivals.parquet",
    "metrics.json", "decision.json",
)  # fmt: skip
REPORT = "report"
COMMANDS: dict[str, tuple[str, ...]] = {  # of a damaged RUN, and its GOOD original
    REPORT: ("report", "RUN"),
    "compare": ("compare", "GOOD", "RUN"),
    "compare with": ("compare", "RUN", "GOOD", "--json"),
    "compare --fail-over": ("compare", "GOOD", "RUN", "--fail-over", "5%"),
}
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, -1e308, float("nan"), float("inf"), 10**30, 2**62, "", "x", "x" * 100_000, "\ud800",
    "\x00", [], {}, [None], [[]], {"": None}, "=1+1", "../../x",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code, what it said on stderr, how long it took, whether it found a run worse."""

    code: int
    said: str
    took_s: float
    is_worse: bool = False

    @property
    def is_clear(self) -> bool:
        """A report, a comparison, or one line that says what is wrong."""
        if "this is a bug" in self.said or "Traceback" in self.said:
            return False
        first = next((line for line in self.said.splitlines() if line.startswith("error: ")), "")
        if self.code in (0, 3) or (self.code == 1 and self.is_worse):
            return True
        return self.code in (1, 2) and 0 < len(first) < 500


def mutations(seed: int, sources: tuple[Path, ...]) -> Iterator[tuple[str, Path, Callable[[Path], object]]]:
    """Endless: what is done, to a copy of which run, and the doing of it."""
    chance = random.Random(seed)
    while True:
        source = chance.choice(sources)
        name = chance.choice([one for one in READ if (source / one).exists()])
        change, do = chance.choice([*_BYTES, *(_OF_KIND[Path(name).suffix] * 3)])
        yield f"{change} {name}", source, _bound(do, name, chance.getrandbits(32))


def _bound(do: Callable[[Path, random.Random], object], name: str, seed: int) -> Callable[[Path], object]:
    return lambda run_dir: do(run_dir / name, random.Random(seed))


def _truncate(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def _flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 5, 50))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)


def _empty(path: Path, chance: random.Random) -> None:  # noqa: ARG001
    path.write_bytes(b"")


def _directory(path: Path, chance: random.Random) -> None:  # noqa: ARG001
    path.unlink()
    path.mkdir()


def _endless(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.symlink_to(chance.choice(("/dev/zero", "/dev/null", path.name, "/nowhere")))


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        _places(value[key], found)
    return found


def _change_value(data: Any, chance: random.Random) -> Any:
    inside, key = chance.choice(_places([data], []))
    if isinstance(inside, dict) and chance.random() < 0.2:
        del inside[key]
        return data
    inside[key] = chance.choice(VALUES)
    return data


def _json_value(path: Path, chance: random.Random) -> None:
    path.write_text(json.dumps(_change_value(json.loads(path.read_text()), chance)))


def _deep(path: Path, chance: random.Random) -> None:
    text = path.read_text()
    places = [i for i, c in enumerate(text) if c == ":"]
    place = chance.choice(places) + 1
    depth = chance.choice((200, 1100, 100_000))
    path.write_text(f'{text[:place]} {"[" * depth}{"]" * depth}, "x": {text[place:]}')


def _line_value(path: Path, chance: random.Random) -> None:
    lines = path.read_text().splitlines()
    at = chance.randrange(len(lines))
    lines[at] = json.dumps(_change_value(json.loads(lines[at]), chance))
    path.write_text("\n".join(lines) + "\n")


def _column_gone(path: Path, chance: random.Random) -> None:
    table = pq.read_table(path)
    pq.write_table(table.drop_columns([chance.choice(table.column_names)]), path)


def _column_of_another_type(path: Path, chance: random.Random) -> None:
    table = pq.read_table(path)
    name = chance.choice(table.column_names)
    n = len(table)
    other = chance.choice((
        pa.array(["x"] * n), pa.array([None] * n), pa.array([[1]] * n), pa.array([{"a": 1}] * n),
        pa.array([b"\xff"] * n),
        pa.array([True] * n), pa.array([float("nan")] * n), pa.array([float("inf")] * n), pa.array([-1e308] * n),
        pa.array([1e308] * n), pa.array([2**62] * n), pa.array([-(2**62)] * n), pa.array(["x" * 10_000] * n),
        pa.array([0] * n), pa.array([0.5] * n), pa.array(["7"] * n), pa.array([1] * n, pa.timestamp("ns")),
        pa.array(["1"] * n).dictionary_encode(), pa.array([2**63] * n, pa.uint64()),
    ))  # fmt: skip
    pq.write_table(table.set_column(table.column_names.index(name), name, other), path)


def _cell(path: Path, chance: random.Random) -> None:
    table = pq.read_table(path)
    name = chance.choice(table.column_names)
    values = table[name].to_pylist()
    if not values:
        return
    odd = {"int64": (-1, 2**62, None, 0), "double": (float("nan"), float("inf"), -1.0, 1e308, 1e18, None)}
    values[chance.randrange(len(values))] = chance.choice(odd.get(str(table[name].type), (None,)))
    pq.write_table(table.set_column(table.column_names.index(name), name, pa.array(values, table[name].type)), path)


def _no_rows(path: Path, chance: random.Random) -> None:  # noqa: ARG001
    pq.write_table(pq.read_table(path).slice(0, 0), path)


def _named_twice(path: Path, chance: random.Random) -> None:
    table = pq.read_table(path)
    name = chance.choice(table.column_names)
    pq.write_table(table.append_column(name, table[name]), path)


def _pipe(path: Path, chance: random.Random) -> None:  # noqa: ARG001
    path.unlink()
    os.mkfifo(path)


Change = tuple[str, Callable[[Path, random.Random], object]]
_BYTES: list[Change] = [
    ("truncated", _truncate), ("flipped", _flip), ("emptied", _empty), ("a folder for", _directory),
    ("a link for", _endless),
    ("a pipe for", _pipe),
]  # fmt: skip
_OF_KIND: dict[str, list[Change]] = {
    ".json": [("value of", _json_value)] * 3 + [("nested", _deep)],
    ".jsonl": [("value of", _line_value)] * 3 + [("nested", _deep)],
    ".parquet": [
        ("column gone from", _column_gone), ("another type in", _column_of_another_type), ("cell of", _cell),
        ("no rows in", _no_rows), ("column twice in", _named_twice),
    ],
}  # fmt: skip


def ended(source: Path, change: Callable[[Path], object], command: str = REPORT) -> Outcome:
    """A command, in this process, on a copy of a run with this change."""
    with tempfile.TemporaryDirectory() as place:
        run_dir = Path(place) / "run"
        shutil.copytree(source, run_dir)
        change(run_dir)
        where = {"RUN": str(run_dir), "GOOD": str(source)}
        said, out = io.StringIO(), io.StringIO()
        began = time.monotonic()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
            code = invoke([where.get(word, word) for word in COMMANDS[command]])
        return Outcome(code, said.getvalue(), time.monotonic() - began, "worse" in out.getvalue())


def tried(seed: int, count: int, sources: tuple[Path, ...]) -> tuple[list[str], Counter[str], float]:
    """So many damaged copies, every second one reported: what did not hold, how they ended, the slowest."""
    bad, ends, slowest_s = [], Counter[str](), 0.0
    turns = itertools.cycle(part for command in COMMANDS if command != REPORT for part in (REPORT, command))
    for (what, source, change), command in zip(itertools.islice(mutations(seed, sources), count), turns, strict=False):
        outcome = ended(source, change, command)
        slowest_s = max(slowest_s, outcome.took_s)
        ends[f"exit {outcome.code}"] += 1
        if not outcome.is_clear or outcome.took_s > LONGEST_S:
            how = f"{outcome.took_s:.1f} s, {outcome.code}: {outcome.said[:300]}"
            bad.append(f"{seed}: {command}, {what}, {source.name}: {how}")
    return bad, ends, slowest_s


def attack(count: int, seed: int, out_dir: Path) -> Result:  # noqa: ARG001
    """So many, on two processes."""
    bad, ends, slowest_s = [], Counter[str](), 0.0
    starts, sources = range(0, count, CHUNK), tuple(sorted(KEPT.iterdir()))
    seeds, counts = [(seed << 32) + at for at in starts], [min(CHUNK, count - at) for at in starts]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        for more, ended_so, took_s in pool.map(tried, seeds, counts, [sources] * len(seeds)):
            bad += more
            ends += ended_so
            slowest_s = max(slowest_s, took_s)
    return Result(count, bad, f"{dict(sorted(ends.items()))}, the slowest {slowest_s:.1f} s")
