"""A process of a run is killed: nobody is left behind, no row is lost, and no run that was cut looks whole."""

import itertools
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from kills import MOMENTS, VICTIMS, kills, struck
from runs import Shape, Stage, stage
from victims import Kill

SEED = 20261128
ROW_AGE_S = 4.0  # a machine that runs the whole suite has pauses of its own


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("kills")) as set_up:
        yield set_up


@pytest.mark.slow
def test_what_a_kill_leaves_is_all_that_was_measured_and_says_that_it_is_cut(where: Stage) -> None:
    chosen = list(itertools.islice(kills(SEED), 8))

    with ThreadPoolExecutor(4) as pool:
        all_of = list(pool.map(lambda kill: struck(kill, f"{kill.seed}", where, ROW_AGE_S), chosen))

    assert [(str(one.kill), one.bad) for one in all_of if one.bad] == []


@pytest.mark.slow
def test_a_run_that_nobody_touches_is_whole(where: Stage) -> None:
    untouched = struck(Kill("nobody", "KILL", "analysis", 2, 1), "untouched", where, ROW_AGE_S)

    assert (untouched.bad, untouched.had_victim, untouched.was_cut) == ([], False, False)


def test_the_kills_are_the_seeds_and_meet_all_victims_at_all_moments() -> None:
    some = list(itertools.islice(kills(SEED), 100))

    assert some == list(itertools.islice(kills(SEED), 100))
    assert {kill.victim for kill in some} == set(VICTIMS)
    assert {kill.moment for kill in some} == set(MOMENTS)


def test_a_run_has_as_many_load_processes_as_its_kill_says() -> None:
    assert Kill("main", "KILL", "probe", 4, 1).shape == Shape("search", 4)
    assert Kill("agent", "KILL", "first step", 4, 1).shape == Shape("ladder", 2, 2)
    assert Kill("agent", "KILL", "first step", 1, 1).shape == Shape("ladder", 0, 1)
    assert Kill("leash", "KILL", "first step", 2, 1).shape == Shape("ladder", 2, has_engine=True)
