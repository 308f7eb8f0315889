"""Strangers at a run's port and at a worker's: a seeded part of `python benchmarks/attack peers`."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from peers import KINDS, tried
from runs import stage

SOME = ("what a worker once said", "messages with other values", "events with other values", "a web server")


@pytest.mark.slow
def test_a_run_and_a_worker_survive_them(tmp_path: Path) -> None:
    with stage(tmp_path) as where, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda kind: tried(kind, 7, f"{KINDS.index(kind)}", where), SOME))

    assert dict(zip(SOME, found, strict=True)) == {kind: [] for kind in SOME}
