"""The scripts below infra/: one folder an engine, four scripts each, all alike."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from engine_helpers import ROOT

from harness.engines import ENGINES

VERBS = ("start", "check", "stop", "version")
CALL = '"$(dirname "$0")/../breakeven" engine'


def lines(name: str, script: str) -> list[str]:
    """What a script runs."""
    path: Path = ROOT / "infra" / name / script
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_has_the_four_scripts(name: str) -> None:
    folder = ROOT / "infra" / name

    assert {path.name for path in folder.iterdir()} == set(VERBS)
    assert all(os.access(folder / verb, os.X_OK) for verb in VERBS)
    for verb in ("start", "stop", "version"):
        assert lines(name, verb) == [f'exec {CALL} {verb} {name} "$@"']


@pytest.mark.parametrize("name", ENGINES)
def test_check_asks_whether_it_serves_and_then_one_real_question_on_stderr(name: str) -> None:
    assert lines(name, "check") == [f'{CALL} status {name} "$@" || exit', f"exec {CALL} check {name} >&2"]


def test_check_of_an_engine_that_does_not_run_ends_with_1_and_asks_nothing(tmp_path: Path) -> None:
    here = Path(sys.executable).parent  # the environment that runs the tests has the command too
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "PATH": f"{here}:{os.environ['PATH']}"}

    done = subprocess.run(
        [str(ROOT / "infra" / "llama_server" / "check")],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stdout.split()[:2] == ["llama_server", "stopped"]
    assert done.stderr == ""
