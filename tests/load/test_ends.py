"""A load process as it is started."""

import subprocess
from pathlib import Path

import pytest

from harness.load.ends import CHILD, start


def test_a_folder_of_the_users_own_that_is_called_harness_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise SystemExit('somebody else's harness')")

    monkeypatch.chdir(tmp_path)

    child = start(*CHILD, "1", log=subprocess.PIPE)
    said, _ = child.communicate(b"", timeout=60)

    assert b"somebody else" not in said
    assert child.returncode == 0  # nobody told it what to do
