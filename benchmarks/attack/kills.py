"""Runs of which a process is killed, whichever, however and whenever: nobody is left, no row is lost, none looks whole.

    python benchmarks/attack kills [--count N] [--seed S]

Held after each kill: every process that came of the run is gone; every answer that the endpoint had given a second
before it has its row on disk; a run that was cut says so in `report` and in `compare` and in its exit code; one that
was over is whole; its directory can be read; nobody said "this is a bug" or printed a traceback.
"""

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from double import noted
from result import Result
from runs import BUG, STEPS, Run, Stage, invoked, stage
from victims import STOP_THEN_KILL, Kill, strike, wait_for_moment

from harness.base.errors import BreakevenError
from harness.rundir.files import read_json, read_manifest
from harness.rundir.read import read_rows

DEFAULT_COUNT = 100
AT_ONCE = 4
ROW_AGE_S = 1.0  # of the youngest row that may not be lost
GONE_S = 60.0  # within which every process is
TRIES = 3  # to meet a victim before it ends by itself
HOW = ("KILL", "TERM", "INT", "HUP", STOP_THEN_KILL)
HOW_OF = {"terminal": ("INT", "HUP")}
VICTIMS = (
    "main", "first load", "group", "last load", "terminal", "agent", "engine", "main", "load elsewhere", "lender",
    "leash", "muster", "first load",
)  # fmt: skip
MOMENTS = ("preflight", "first step", "between steps", "last step", "probe", "analysis")
ALONE_IN_ANALYSIS = ("main", "group", "terminal")  # the others have ended by then
WORKERS = (1, 2, 4)


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


def _dealt(cards: tuple[Any, ...], chance: random.Random) -> Iterator[Any]:
    while True:
        yield from chance.sample(cards, len(cards))


@dataclass(frozen=True)
class Struck:
    """What became of one kill."""

    kill: Kill
    bad: list[str]
    had_victim: bool
    was_cut: bool
    gone_s: float  # until the last process was


def struck(kill: Kill, name: str, where: Stage, row_age_s: float = ROW_AGE_S) -> Struck:
    """One run, its kill, and whatever did not hold."""
    run = where.started(kill.shape, name)
    wait_for_moment(run, kill)
    killed_s = strike(run, kill)
    began_s = time.monotonic()
    bad = [f"left behind: {process}" for process in run.ended(GONE_S)]
    gone_s = time.monotonic() - began_s
    run.close()
    told = [(file, text) for file, text in run.printed() if not _asked(kill, text)]
    bad += [f"`{word}` in {file}" for file, text in told for word in BUG if word in text]
    if run.run_dir is None:  # it was ended before it had begun
        bad += [] if kill.moment == "preflight" else ["no run directory is left"]
        return Struck(kill, bad, killed_s is not None, True, gone_s)
    before_s = (began_s if killed_s is None else killed_s) - row_age_s
    try:
        was_cut, found = _judged(run, run.run_dir, where, before_s)
    except BreakevenError as error:
        was_cut, found = True, [f"its directory cannot be read: {error}"]
    return Struck(kill, bad + found, killed_s is not None, was_cut, gone_s)


def _asked(kill: Kill, text: str) -> bool:
    """Whether a traceback is Python's own answer to an interrupt, of a process that no Ctrl-C reaches."""
    return kill.how == "INT" and "KeyboardInterrupt" in text and kill.victim not in ("main", "group", "terminal")


def _judged(run: Run, run_dir: Path, where: Stage, before_s: float) -> tuple[bool, list[str]]:
    """Whether the run is cut, and what of its directory does not hold; the kill was a little after `before_s`."""
    answered = noted(run.log, "answered")
    kept = set(read_rows(run_dir)["request_id"])
    there = {orjson.loads(line)["request_id"] for line in _lines_there(run.place)}
    lost = [one for one, t_s in answered.items() if t_s < before_s and one not in kept | there]
    bad = [f"{len(lost)} of {len(answered)} rows lost"] if lost else []
    was_cut = not _is_complete(run, run_dir) or not answered.keys() <= kept
    says_so = read_manifest(run_dir).partial
    if was_cut and not says_so:
        bad.append("cut, and `partial` is false")
    return was_cut, bad + (_read_as_partial if says_so else _read_as_whole)(run, run_dir, where)


def _lines_there(place: Path) -> Iterator[bytes]:
    """Rows that a worker of another machine still has."""
    for path in place.glob("there/*/records-*.jsonl"):
        yield from (line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n"))


def _is_complete(run: Run, run_dir: Path) -> bool:
    """Whether its load came to its end, by what the steps themselves say."""
    if run.shape.load == "search":
        return (run_dir / "search.json").exists() and read_json(run_dir, "search.json")["stop"] is not None
    return len(run.ended_steps()) == STEPS


def _read_as_partial(run: Run, run_dir: Path, where: Stage) -> list[str]:
    """What `report`, `compare` and the run's own exit code should not make of a run that is partial."""
    code, said = invoked("report", str(run_dir))
    bad = [f"its report ended with {code}: {said[-300:]}"] if code not in (0, 2, 3) else []
    if code != 2 and "[partial]" not in said and "[ended_early]" not in said:
        bad.append(f"partial, and its report ({code}) does not say so")
    code, said = invoked("compare", str(where.whole), str(run_dir), "--fail-over", "5%")
    if code not in (2, 3):
        bad.append(f"partial, and compare ended with {code}: {said[-300:]}")
    return bad + (["partial, and the run ended with 0"] if run.main.returncode == 0 else [])


def _read_as_whole(_run: Run, run_dir: Path, _where: Stage) -> list[str]:
    code, said = invoked("report", str(run_dir))
    bad = [f"whole, and its report ended with {code}: {said[-300:]}"] if code not in (0, 3) else []
    return bad + (["whole, and its report calls it partial"] if "[partial]" in said else [])


def _met(kill: Kill, number: int, where: Stage) -> Struck:
    """The kill, once more where its victim had ended by itself before the moment came."""
    for n in range(TRIES):
        one = struck(replace(kill, seed=kill.seed + 2 * n), f"{number}-{n}", where)
        if one.had_victim or one.bad:
            break
    return one


def attack(count: int, seed: int, out_dir: Path) -> Result:
    """So many kills, a few at once."""
    chosen = list(itertools.islice(kills(seed), count))
    with stage(out_dir) as where, ThreadPoolExecutor(AT_ONCE) as pool:
        all_of = list(pool.map(lambda pair: _met(pair[1], pair[0], where), enumerate(chosen)))
    bad = [f"{n}: {one.kill}: {'; '.join(one.bad)}" for n, one in enumerate(all_of) if one.bad]
    victims = Counter(one.kill.victim for one in all_of if one.had_victim)
    slowest = max(all_of, key=lambda one: one.gone_s)
    note = (
        f"{victims.total()} met their victim ({', '.join(f'{n} {name}' for name, n in victims.items())}), "
        f"{sum(one.was_cut for one in all_of)} runs were cut; all gone within {slowest.gone_s:.1f} s ({slowest.kill})"
    )
    return Result(count, bad, note)
