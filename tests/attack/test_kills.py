"""A process of a run is killed: nobody is left behind, no row is lost, and no run that was cut looks whole."""

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.rundir.files import read_manifest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from kills import MOMENTS, VICTIMS, kills, struck
from runs import Shape, stage
from victims import Kill

SEED = 5
ROW_AGE_S = 4.0  # a machine that runs the whole suite has pauses of its own


@pytest.mark.slow
def test_what_a_kill_leaves_is_all_that_was_measured_and_says_that_it_is_cut(tmp_path: Path) -> None:
    chosen = list(itertools.islice(kills(SEED), 4))

    with stage(tmp_path) as where, ThreadPoolExecutor(4) as pool:
        all_of = list(pool.map(lambda kill: struck(kill, f"{kill.seed}", where, ROW_AGE_S), chosen))

    assert [(str(one.kill), one.bad) for one in all_of if one.bad] == []
    assert read_manifest(where.whole).partial is False


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
