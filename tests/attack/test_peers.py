"""Strangers at a run's port and at a worker's: a seeded part of `python benchmarks/attack peers`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from peers import KINDS, tried
from runs import Stage, stage


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("peers")) as set_up:
        yield set_up


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["what a worker once said", "messages with other values", "events with other values", "a web server"]
)
def test_a_run_and_a_worker_survive(kind: str, where: Stage) -> None:
    assert tried(kind, 7, f"{KINDS.index(kind)}", where) == []
