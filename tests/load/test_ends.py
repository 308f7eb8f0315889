"""A load process as it is started."""

import subprocess
from pathlib import Path

from harness.load.ends import CHILD


def test_a_folder_of_the_users_own_that_is_called_harness_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise SystemExit('somebody else's harness')")

    done = subprocess.run([*CHILD, "1"], cwd=tmp_path, input=b"", capture_output=True, check=False, timeout=60)

    assert b"somebody else" not in done.stderr
    assert done.returncode == 0  # nobody told it what to do
