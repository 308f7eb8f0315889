"""The scripts below infra/: one folder an engine, four scripts each, all alike."""

import os
from pathlib import Path

import pytest
from engine_helpers import ROOT

from harness.engines import ENGINES

VERBS = {"start": "start", "check": "status", "stop": "stop", "version": "version"}


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_has_the_four_scripts(name: str) -> None:
    folder = ROOT / "infra" / name

    assert {path.name for path in folder.iterdir()} == set(VERBS)
    for script, verb in VERBS.items():
        path: Path = folder / script
        assert os.access(path, os.X_OK)
        assert (
            path.read_text().splitlines()[-1]
            == f'exec "$(dirname "$0")/../breakeven" engine {verb} {name} "$@"'
        )
