"""A run in real terminals of 80 and of 140 columns, as tmux shows them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.calibration.oracle.process import running_oracle

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux")

SCENARIO = """\
name: short
load: {kind: closed, users: [1, 2], step_s: 4, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 80, output_tokens: 40}
request: {timeout_s: 10}
slo: {ttft_p95_s: 2}
"""
WAIT_S = 90
DONE = "command ended"


@dataclass(frozen=True)
class Terminal:
    """A tmux server of its own, with one window."""

    socket: Path

    def tmux(self, *arguments: str) -> str:
        asked = ["tmux", "-u", "-f", "/dev/null", "-S", str(self.socket), *arguments]
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20).stdout

    def screen(self) -> list[str]:
        return [line.rstrip() for line in self.tmux("capture-pane", "-p", "-S", "-200").splitlines()]

    def wait_for(self, seen: Callable[[list[str]], bool]) -> list[str]:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            lines = self.screen()
            if seen(lines):
                return lines
            time.sleep(0.2)
        raise AssertionError("\n".join(self.screen()))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_oracle(tmp_path_factory.mktemp("o") / "ledger.jsonl", ttft_s=0.1, itl_s=0.02) as oracle:
        yield oracle.url


@pytest.mark.parametrize("width", [80, 140])
def test_a_run_fits_its_terminal_while_it_lasts_and_at_its_end(width: int, url: str, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(SCENARIO)
    command = (
        f"env -u COLUMNS -u LINES PYTHONPATH={os.environ.get('PYTHONPATH', Path.cwd())} LANG=C.UTF-8 "
        f"{sys.executable} -m harness run {tmp_path}/short.yaml --url {url} --backend openai --usd-per-hour 1 "
        f"--out {tmp_path}/out; "
        f"echo {DONE}; sleep 60"
    )
    terminal = Terminal(tmp_path / "tmux")
    terminal.tmux("new-session", "-d", "-x", str(width), "-y", "50", command)
    try:
        during = terminal.wait_for(lambda lines: any("TTFT" in line and "p50 " in line for line in lines))
        end = terminal.wait_for(lambda lines: DONE in lines)
    finally:
        terminal.tmux("kill-server")

    live = [line.split()[0] for line in during if line.strip()]
    assert live.index("failed") < live.index("TTFT") < live.index("output")
    assert not any(line.endswith("…") for line in during + end)
    assert not any(line.startswith("  TTFT") for line in end)  # the screen is gone
    titles = next(line for line in end if line.startswith("step  load"))
    assert ("in SLO" in titles) == (width == 140)
    assert [line for line in end if line.startswith(("   1  1 user ", "   2  2 users "))][1:]
    assert any(line.startswith("Requests per second, req/s") for line in end)
    assert any("Time to first token" in line and "Requests per second" in line for line in end) == (width == 140)


@pytest.mark.parametrize("command", ["prices list", "prices check", "explain article"])
def test_a_table_of_figures_fits_eighty_columns(command: str, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "tmux")
    # what tmux wrapped is joined again: a line that did not fit is longer than the terminal
    told = f"env -u COLUMNS -u LINES PYTHONPATH={os.environ.get('PYTHONPATH', Path.cwd())} {sys.executable}"
    terminal.tmux("new-session", "-d", "-x", "80", "-y", "400", f"{told} -m harness {command}; echo {DONE}; sleep 60")
    try:
        terminal.wait_for(lambda lines: DONE in lines)
        lines = terminal.tmux("capture-pane", "-p", "-J", "-S", "-400").splitlines()
    finally:
        terminal.tmux("kill-server")

    assert [line.rstrip() for line in lines if len(line.rstrip()) > 80] == []
