"""Modules that lie where the user stands run in none of our processes, which know no secret but the one they need."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.base import children
from harness.calibration.oracle.process import running_oracle
from harness.load.ends import CHILD, start

ROOT = str(Path(children.__file__).resolve().parents[2])
TRAPS = ("orjson", "secrets", "locust", "harness", "sitecustomize", "uvicorn")


@pytest.fixture(params=["", os.pathsep, ".", os.pathsep + ROOT], ids=["none", "empty", "dot", "before ours"])
def trapped(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory full of traps that we stand in, and a PYTHONPATH that means it; the file that a trap writes."""
    sprung = tmp_path / "sprung"
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text(f"open({str(sprung)!r}, 'a').write({name!r})")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([ROOT, request.param]))
    return sprung


def test_a_load_process_springs_no_trap(trapped: Path) -> None:
    child = start(*CHILD, "1", log=subprocess.PIPE)
    said, _ = child.communicate(b"", timeout=60)

    assert not trapped.exists()
    assert child.returncode == 0, said


def test_the_server_of_a_calibration_springs_no_trap(trapped: Path, tmp_path: Path) -> None:
    with running_oracle(tmp_path / "ledger.jsonl") as oracle:
        assert oracle.port

    assert not trapped.exists()


def environment_of_a_child(needs: Sequence[str]) -> dict[str, str]:
    child = start("-c", "import json, os; print(json.dumps(dict(os.environ)))", log=subprocess.PIPE, needs=needs)
    said, _ = child.communicate(b"", timeout=60)
    known: dict[str, str] = json.loads(said)
    return known


def test_a_child_knows_the_key_that_it_needs_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MY_KEY", "OTHER_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "BREAKEVEN_TOKEN", "DATABASE_URL"):
        monkeypatch.setenv(name, f"value of {name}")

    known = environment_of_a_child(["MY_KEY", "NOT_THERE"])

    assert known["MY_KEY"] == "value of MY_KEY"
    assert known["PATH"] == os.environ["PATH"]
    assert {"OTHER_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "BREAKEVEN_TOKEN", "DATABASE_URL"}.isdisjoint(known)


def test_without_a_key_a_child_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "x")

    assert "MY_KEY" not in environment_of_a_child([])


def test_the_main_process_springs_no_trap_either(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    for name in ("click", "orjson", "secrets", "yaml"):
        (tmp_path / f"{name}.py").write_text(f"open({str(sprung)!r}, 'a').write({name!r})")

    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "--help"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": ROOT + os.pathsep}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip

    assert not sprung.exists()
    assert done.returncode == 0, done.stderr
