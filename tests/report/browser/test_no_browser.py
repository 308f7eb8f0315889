"""A machine without the browser: its tests fail, each in one line that says what to install."""

import os
import subprocess
import sys
from pathlib import Path

from engine_helpers import ROOT

TEST = "tests/report/browser/test_report_page.py::test_it_opens_from_a_file_says_nothing_and_asks_nobody"
LINE = "no chromium and chromedriver on this machine: apt-get install chromium chromium-driver"


def test_a_test_that_needs_the_browser_names_the_packages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--maxfail", "1", TEST]

    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert LINE in lines
    assert "Traceback" not in done.stdout
    assert lines[lines.index(LINE) - 1].startswith("_ ERROR at setup of ")
