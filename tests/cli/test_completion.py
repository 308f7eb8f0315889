"""`breakeven completion`, and what a real bash completes with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import invoke

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was installed for bash, below a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert invoke(["completion"]) == 0
    return tmp_path / ".local" / "share" / "bash-completion" / "completions" / "breakeven"


def completed(script: Path, *words: str) -> list[str]:
    """What bash offers after these words and Tab."""
    command = script.parent / "bin" / "breakeven"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m harness "$@"\n')
    command.chmod(0o755)
    line = f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
    done = subprocess.run(
        ["bash", "-c", line + '_breakeven_completion breakeven; printf "%s\\n" "${COMPREPLY[@]}"'],
        env={"PATH": f"{command.parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_bash_completes_a_command(script: Path) -> None:
    assert completed(script, "breakeven", "comp") == ["compare", "completion"]


def test_bash_completes_the_options_of_a_command(script: Path) -> None:
    assert completed(script, "breakeven", "run", "--pu") == ["--purchase"]


def test_bash_completes_the_values_of_an_option(script: Path) -> None:
    assert completed(script, "breakeven", "run", "--purchase", "s") == ["spot"]


@pytest.mark.parametrize(
    ("shell", "place"), [("zsh", ".zfunc/_breakeven"), ("fish", ".config/fish/completions/breakeven.fish")]
)
def test_other_shells_get_theirs_where_they_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str, place: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    assert invoke(["completion", shell]) == 0

    assert "breakeven" in (tmp_path / place).read_text()
    assert capsys.readouterr().out.startswith(f"{tmp_path / place}: read by every new {shell}")


def test_a_shell_that_is_not_known_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHELL", "/bin/dash")

    assert invoke(["completion"]) == 2
    assert capsys.readouterr().err.startswith("error: which shell? $SHELL is dash\n")
