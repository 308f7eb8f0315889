"""A place that cannot be written is one line and ends with 2, whichever command was to write there."""

import os
from pathlib import Path

import pytest
from report_cases import write_case

from harness.cli import invoke

_COMMANDS = {
    "run": (["run", "open", "--dry-run"], "--out"),
    "import": (["import", "x.json"], "--out"),
    "compare": (["compare", "a", "b"], "--out"),
    "compare --junit": (["compare", "a", "b"], "--junit"),
    "report --junit": (["report", "a"], "--junit"),
    "decide": (["decide", "input.yaml"], "--out"),
    "rent run": (["rent", "run", "plan.yaml"], "--out"),
    "demand from-trace": (["demand", "from-trace", "log.csv"], "--out"),
    "engine quantize": (["engine", "quantize", "Q8_0"], "--out"),
    "worker": (["worker", "--master", "127.0.0.1"], "--out"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a file and a link to nothing in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize("command", list(_COMMANDS))
@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("file/below/it", "file is no directory"),
        ("x" * 300, "File name too long"),
        ("y" * 90 + "/" + "x/" * 2100, "File name too long"),
        ("dangling", "a link to what is not there"),
    ],
)
@pytest.mark.usefixtures("place")
def test_what_cannot_be_made_is_refused_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], command: str, out: str, said: str
) -> None:
    arguments, option = _COMMANDS[command]

    assert invoke([*arguments, option, out]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: cannot write {out[:100]}")
    assert said in error.splitlines()[0]
    assert option in error.splitlines()[-1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", list(_COMMANDS))
def test_a_directory_that_is_not_ours_is_refused(place: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (place / "theirs").mkdir(mode=0o555)
    arguments, option = _COMMANDS[command]

    assert invoke([*arguments, option, "theirs/new"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_what_turns_out_only_when_it_is_written_ends_with_2_too(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("first", "second"):
        write_case("two_windows", place / name)
    (place / "out" / "comparison.html").mkdir(parents=True)

    assert invoke(["compare", "first", "second", "--out", "out"]) == 2
    assert capsys.readouterr().err.startswith("error: cannot write out/comparison.html: ")


def test_a_default_place_is_asked_for_only_when_it_is_used(place: Path) -> None:
    (place / "results").write_text("mine")

    assert invoke(["run", "open", "--dry-run"]) == 0
