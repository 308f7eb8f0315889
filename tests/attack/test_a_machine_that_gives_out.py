"""No files to open, and a place that goes away in the middle of a run: one line, and an exit code."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from engine_helpers import ROOT, until
from faulty_server import FaultyServer

SCENARIO = """\
name: t
load: {kind: closed, users: [1], step_s: 5, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 20, output_tokens: 5}
request: {timeout_s: 2}
"""


def begin(tmp_path: Path, url: str, shell: str = "true") -> subprocess.Popen[str]:
    """A run into `out`, after a command of the shell that starts it."""
    (tmp_path / "s.yaml").write_text(SCENARIO)
    run = [sys.executable, "-m", "harness", "run", str(tmp_path / "s.yaml"), "--url", url, "--backend", "vllm"]
    command = ["sh", "-c", f'{shell}; exec "$@"', "sh", *run, "--out", str(tmp_path / "out")]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("most", [8, 12, 20])
def test_too_few_files_to_open_are_bad_input_in_one_line(tmp_path: Path, most: int) -> None:
    with FaultyServer() as server:
        run = begin(tmp_path, server.url("ok"), f"ulimit -n {most}")
        _, said = run.communicate(timeout=60)

    assert run.returncode == 2
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert "open files" in errors[0]
    assert f"the limit is {most}" in errors[0]
    assert "bug" not in said


def test_a_directory_that_vanishes_while_the_load_runs_is_named_in_one_line(tmp_path: Path) -> None:
    with FaultyServer() as server:
        run = begin(tmp_path, server.url("ok"))
        until(lambda: any(p.stat().st_size for p in (tmp_path / "out").glob("*/records-*.jsonl")), "a row was there")
        (tmp_path / "out").rename(tmp_path / "gone")  # at once: the run goes on making files there
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)
        _, said = run.communicate(timeout=60)

    assert run.returncode == 1
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert str(tmp_path / "out") in errors[0]
    assert "bug" not in said
