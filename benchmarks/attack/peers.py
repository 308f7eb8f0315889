"""Strangers at the port of a run that has workers elsewhere, and at a worker that looks for its run.

    python benchmarks/attack peers [--count N] [--seed S]

Held by a run of two workers: whoever has not the token, or has it and was not taken on, changes nothing: exit code 0 (3
where a busy machine spoils the figures), not partial, a row for each answer, both workers there to the end. Who was
taken on and goes bad costs what is his: the run ends, everybody else's rows are whole, and its report can be made. Held
by a worker: it goes on to serve its run, or says whose token it is not; it writes nowhere. By both: no traceback, no
"this is a bug", no letters that a terminal obeys.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from double import noted
from gone_bad import BAD, OUTSIDE
from knocks import WITHOUT
from masters import MASTERS, WITH_TOKEN
from result import Result
from runs import BUG, ROOT, TOKEN, Run, Shape, Stage, invoked, stage

from harness.base.errors import BreakevenError
from harness.base.token import TOKEN_ENV
from harness.load.conduct.crew import REMOTE_PROCESSES
from harness.rundir.files import read_manifest
from harness.rundir.read import read_rows

KINDS = (*WITHOUT, *OUTSIDE, *BAD, *MASTERS)
DEFAULT_COUNT = len(KINDS)
AT_ONCE = 3
LONGEST_S = 150.0  # of a run, on a busy machine
GONE_S = 60.0
MASTER_S = 6.0  # that a worker has with a false one
MASTER_GONE_BAD_S = 40.0
FALSE_MASTERS_WORD = "has another token than this worker"


@contextmanager
def peer(program: str, kind: str, address: str, seed: int, said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A hostile one, in a process of its own."""
    place = os.pathsep.join((str(ROOT), str(Path(__file__).parent)))
    command = [sys.executable, str(Path(__file__).parent / program), kind, address, str(seed)]
    environment = os.environ | {TOKEN_ENV: TOKEN, "PYTHONPATH": place}
    with said.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def tried(kind: str, seed: int, name: str, where: Stage) -> list[str]:
    """What did not hold against one of them."""
    said = where.out_dir / f"{name}-peer.txt"
    if kind in MASTERS:
        return _worker_met(kind, seed, name, where, said)
    shape = Shape(here=1, there=2, lent=1) if kind in BAD else Shape(here=0, there=2)
    run = where.started(shape, name)
    while kind in OUTSIDE and not run.begun_steps() and run.main.poll() is None:
        time.sleep(0.05)
    with peer("strangers.py", kind, run.listen, seed, said):
        bad = _ended(run)
    return bad + _judged(run, None if kind in BAD else (1, 2))


def _ended(run: Run) -> list[str]:
    with suppress(subprocess.TimeoutExpired):
        run.main.wait(LONGEST_S)
    left = run.ended(GONE_S if run.main.poll() is not None else 0)
    run.close()
    return [f"left behind: {process}" for process in left]


def _judged(run: Run, workers: tuple[int, ...] | None) -> list[str]:
    """What does not hold of a run; `workers`: who have rows where it should notice nothing, None where one goes bad."""
    bad = [f"`{word}` in {file}" for file, text in run.printed() for word in BUG if word in text]
    bad += [f"an escape in {file}" for file, text in run.printed() if "\x1b" in text and file != "load.log"]
    if run.run_dir is None:
        return [*bad, f"no run directory: {run.said()[-300:]}"]
    try:
        answered, rows = noted(run.log, "answered"), read_rows(run.run_dir)
        manifest = read_manifest(run.run_dir)
    except BreakevenError as error:
        return [*bad, f"its directory cannot be read: {error}"]
    missing = answered.keys() - set(rows["request_id"])
    bad += [f"{len(missing)} of {len(answered)} rows lost"] if missing else []
    code, said = invoked("report", str(run.run_dir))
    bad += [f"its report ended with {code}: {said[-300:]}"] if code not in (0, 3) else []
    if workers is None:
        return bad
    if run.main.returncode not in (0, 3) or manifest.partial:
        bad.append(f"exit code {run.main.returncode}, partial: {manifest.partial}: {run.said()[-300:]}")
    there = {int(process) // REMOTE_PROCESSES for process in rows["process"]}
    return bad + ([] if there == set(workers) else [f"rows of workers {sorted(there)} alone"])


def _worker_met(kind: str, seed: int, name: str, where: Stage, said: Path) -> list[str]:
    """A worker meets a false master, and then its run at the same place."""
    run = where.prepared(Shape(here=0, there=1), name)
    worker_said = run.place / "worker.txt"
    with peer("masters.py", kind, run.listen, seed, said):
        worker = run.lend(1)
        with suppress(subprocess.TimeoutExpired):
            worker.wait(MASTER_GONE_BAD_S if kind == WITH_TOKEN else MASTER_S)
    with suppress(subprocess.TimeoutExpired):  # it may have understood only now
        worker.wait(2)
    if worker.poll() is None and kind != WITH_TOKEN:
        run.begin()
        return _ended(run) + _judged(run, (1,))
    left = run.ended(GONE_S)
    bad = [f"left behind: {process}" for process in left]
    bad += [f"{worker_said.name}: {word}" for word in (*BUG, "\x1b") if word in worker_said.read_text(errors="replace")]
    bad += [f"it left {path}" for path in run.place.rglob("*") if path.name not in ("attacked.yaml", "worker.txt")]
    if kind == WITH_TOKEN:
        return bad + ([] if "answers still: True" in said.read_text() else ["it answers no more"])
    told = FALSE_MASTERS_WORD in worker_said.read_text()
    return bad + ([] if told else [f"the worker ended with {worker.wait()}: {worker_said.read_text()[-300:]}"])


def attack(count: int, seed: int, out_dir: Path) -> Result:
    """Each kind in turn, in an order of the seed's, a few at once."""
    chance = random.Random(seed)
    order = [kind for _ in range(-(-count // len(KINDS))) for kind in chance.sample(KINDS, len(KINDS))][:count]
    seeds = [chance.getrandbits(32) for _ in order]
    with stage(out_dir) as where, ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda kind, seed, n: tried(kind, seed, str(n), where), order, seeds, range(count)))
    bad = [
        f"{n}: {kind}: {'; '.join(lines)}" for n, (kind, lines) in enumerate(zip(order, found, strict=True)) if lines
    ]
    parts = {"strangers": WITHOUT, "with the token": OUTSIDE, "workers gone bad": BAD, "false masters": MASTERS}
    return Result(count, bad, ", ".join(f"{sum(kind in of for kind in order)} {name}" for name, of in parts.items()))
