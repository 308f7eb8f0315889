"""Runs of which a process is killed, whichever, however and whenever: nobody is left, no row is lost, none looks whole.

    python benchmarks/attack kills [--count N] [--seed S]

Held after each kill: every process that came of the run is gone; every answer that the endpoint had given a second
before it has its row on disk; a run that was cut says so in `report` and in `compare` and in its exit code; one that
was over is whole; its directory can be read; nobody said "this is a bug" or printed a traceback.
"""

import contextlib
import io
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import orjson
from double import Double, noted
from result import Result
from tiny_gguf import model_bytes
from victims import STEPS, Kill, Run

from harness.base.errors import BreakevenError
from harness.cli import invoke
from harness.engines.kinds.llama_server import server_path
from harness.rundir.files import read_json, read_manifest
from harness.rundir.read import read_rows

DEFAULT_COUNT = 100
AT_ONCE = 4
ROW_AGE_S = 1.0  # of the youngest row that may not be lost
GONE_S = 60.0  # within which every process is
HOW = ("KILL", "TERM", "INT", "HUP", "STOP, then KILL")
HOW_OF = {"terminal": ("INT", "HUP")}
VICTIMS = (
    "main", "first load", "group", "last load", "terminal", "agent", "engine", "main", "load elsewhere", "lender",
    "leash", "muster", "first load",
)  # fmt: skip
MOMENTS = ("preflight", "first step", "between steps", "last step", "probe", "analysis")
ALONE_IN_ANALYSIS = ("main", "group", "terminal")  # the others have ended by then
WORKERS = (1, 2, 4)
BUG = ("this is a bug", "Traceback (most recent call last)")
_INVOKING = threading.Lock()  # it takes the process's stdout


@dataclass(frozen=True)
class Places:
    """What all the runs share."""

    double: Double
    engine_cache: Path
    whole: Path  # a run that nobody touched
    out_dir: Path


def kills(seed: int) -> Iterator[Kill]:
    """Endless: all victims, ways, moments and numbers of workers in turn, put together by chance."""
    chance = random.Random(seed)
    decks = [_dealt(cards, chance) for cards in (VICTIMS, MOMENTS, WORKERS)]
    ways = {cards: _dealt(cards, chance) for cards in (HOW, *HOW_OF.values())}
    while True:
        victim, moment, workers = (next(deck) for deck in decks)
        while moment == "analysis" and victim not in ALONE_IN_ANALYSIS:
            moment = next(decks[1])
        yield Kill(victim, next(ways[HOW_OF.get(victim, HOW)]), moment, workers, chance.getrandbits(32))


def _dealt(cards: tuple, chance: random.Random) -> Iterator:
    while True:
        yield from chance.sample(cards, len(cards))


@contextlib.contextmanager
def places(out_dir: Path) -> Iterator[Places]:
    """A server, an engine that can be started, and a run that was left alone."""
    logs, cache = out_dir / "answered", out_dir / "cache"
    logs.mkdir()
    _install_engine(cache)
    with Double(logs) as double:
        made = Places(double, cache, out_dir / "whole", out_dir)
        run = _started(Kill("nobody", "", "", 1, 0), "whole", made)
        run.main.wait()
        run.close()
        assert run.run_dir is not None, run.said()
        yield replace(made, whole=run.run_dir)


def _install_engine(cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.gguf").write_bytes(model_bytes())
    with mock.patch.dict("os.environ", XDG_CACHE_HOME=str(cache)):
        place = server_path()
    place.parent.mkdir(parents=True)
    double = Path(__file__).parent / "double.py"
    place.write_text(f'#!/bin/sh\nexec python3 -I {double} "$@"\n')
    place.chmod(0o755)


def _started(kill: Kill, name: str, where: Places) -> Run:
    place, logs = where.out_dir / name, where.out_dir / "answered"
    if not kill.has_engine:
        return Run(kill, place, where.double.url(f"to-{name}"), logs, where.engine_cache)
    own = logs / name
    own.mkdir()
    return Run(kill, place, None, own, where.engine_cache)


@dataclass(frozen=True)
class Struck:
    """What became of one kill."""

    kill: Kill
    bad: list[str]
    had_victim: bool
    was_cut: bool
    gone_s: float  # until the last process was


def struck(kill: Kill, number: int, where: Places, row_age_s: float = ROW_AGE_S) -> Struck:
    """One run, its kill, and whatever did not hold."""
    run = _started(kill, f"{number}", where)
    run.wait_for_moment()
    had_victim = run.strike()
    began_s = time.monotonic()
    left = run.ended(GONE_S)
    gone_s = time.monotonic() - began_s
    run.close()
    bad = [f"left behind: {name}" for name in left]
    bad += [f"`{word}` in {name}" for name, text in _printed(run) for word in BUG if word in text]
    try:
        was_cut, found = _judged(run, where, row_age_s)
    except BreakevenError as error:
        was_cut, found = True, [f"its directory cannot be read: {error}"]
    return Struck(kill, bad + found, had_victim, was_cut, gone_s)


def _printed(run: Run) -> list[tuple[str, str]]:
    paths = (*run.place.glob("*.txt"), *run.place.glob("**/load.log"))
    return [(path.name, path.read_text(errors="replace")) for path in paths]


def _judged(run: Run, where: Places, row_age_s: float) -> tuple[bool, list[str]]:
    """Whether the run is cut, and what of its directory does not hold."""
    answered = noted(run.log, "answered")
    if run.run_dir is None or not (run.run_dir / "run.json").exists():  # it was ended before it had begun
        was_early = run.killed_s is not None and run.kill.moment == "preflight"
        return True, [] if was_early else ["no run directory is left"]
    kept = set(read_rows(run.run_dir)["request_id"])
    there = {orjson.loads(line)["request_id"] for line in _lines_there(run.place)}
    before_s = (run.killed_s if run.killed_s is not None else time.monotonic()) - row_age_s
    lost = [one for one, t_s in answered.items() if t_s < before_s and one not in kept | there]
    bad = [f"{len(lost)} of {len(answered)} rows lost"] if lost else []
    was_cut = not _is_complete(run) or not answered.keys() <= kept
    says_so = read_manifest(run.run_dir).partial
    if was_cut and not says_so:
        bad.append("cut, and `partial` is false")
    return was_cut, bad + _read_again(run, run.run_dir, where, says_so=says_so)


def _lines_there(place: Path) -> Iterator[bytes]:
    """Rows that a worker of another machine still has."""
    for path in place.glob("there/*/records-*.jsonl"):
        yield from (line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n"))


def _is_complete(run: Run) -> bool:
    """Whether its load came to its end, by what the steps themselves say."""
    assert run.run_dir is not None
    if run.kill.load == "search":
        return (run.run_dir / "search.json").exists() and read_json(run.run_dir, "search.json")["stop"] is not None
    return len(run.ended_steps()) == STEPS


def _read_again(run: Run, run_dir: Path, where: Places, *, says_so: bool) -> list[str]:
    """What `report`, `compare` and the run's own exit code make of it."""
    code, said = _invoked("report", str(run_dir))
    bad = [f"report said `{word}`" for word in BUG if word in said]
    if code not in (0, 2, 3):
        bad.append(f"report ended with {code}: {said[-300:]}")
    if not says_so:
        bad += [f"whole, and its report ends with 2: {said[-300:]}"] if code == 2 else []
        bad += ["whole, and its report calls it partial"] if "[partial]" in said else []
        return bad
    if code != 2 and not any(word in said for word in ("[partial]", "[ended_early]")):
        bad.append(f"partial, and its report does not say so ({code})")
    compared, words = _invoked("compare", str(where.whole), str(run_dir), "--fail-over", "5%")
    if compared not in (2, 3):
        bad.append(f"partial, and compare ends with {compared}: {words[-300:]}")
    if run.main.returncode == 0 and run.killed_s is not None:
        bad.append("partial, and the run ended with 0")
    return bad


def _invoked(*arguments: str) -> tuple[int, str]:
    said = io.StringIO()
    with _INVOKING, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        return invoke(list(arguments)), said.getvalue()


def attack(count: int, seed: int, out_dir: Path) -> Result:
    """So many kills, a few at once."""
    chosen = list(itertools.islice(kills(seed), count))
    with places(out_dir) as where, ThreadPoolExecutor(AT_ONCE) as pool:
        all_of = list(pool.map(lambda pair: struck(pair[1], pair[0], where), enumerate(chosen)))
    bad = [f"{n}: {one.kill}: {'; '.join(one.bad)}" for n, one in enumerate(all_of) if one.bad]
    victims = Counter(one.kill.victim for one in all_of if one.had_victim)
    slowest = max(all_of, key=lambda one: one.gone_s)
    note = (
        f"{victims.total()} met their victim ({', '.join(f'{n} {name}' for name, n in victims.items())}), "
        f"{sum(one.was_cut for one in all_of)} runs were cut; all gone within {slowest.gone_s:.1f} s ({slowest.kill})"
    )
    return Result(count, bad, note)
