"""Files of users as no user should have them: done, or one clear line."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from files import GIVENS, Given, run, tried

from harness.base.errors import UsageError
from harness.cli import complain, invoke


@pytest.mark.parametrize("seed", range(3))
def test_changed_files_end_in_a_result_or_one_clear_line(seed: int, tmp_path: Path) -> None:
    bad, ends, _ = tried(seed * 1000, 100, tmp_path)

    assert bad == []
    assert {"exit 0", "exit 2"} <= set(ends)


@pytest.mark.parametrize("given", GIVENS, ids=lambda given: given.kind)
def test_the_files_that_are_changed_are_good_ones(given: Given, tmp_path: Path) -> None:
    outcome = run(given, given.content, tmp_path / "x")

    assert (outcome.wrong, outcome.code in (0, 3)) == (None, True)


@pytest.mark.parametrize("cell", ["x" * 80_000, "[" * 5000, "\\n1,2,3" * 300, "\x1b[2J" * 100])
def test_a_log_says_in_short_what_is_no_number(cell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f'arrival_s,input_tokens,output_tokens\n0,5,3\n"{cell}",5,3\n')

    assert invoke(["demand", "from-trace", str(path)]) == 2
    said = capsys.readouterr().err
    assert len(said) < 300 + len(str(path))
    assert f"error: {path}:3: not a row of trace layout `ours`" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("words", ["x" * 80_000, "\x1b[2J" * 10_000, "a\nb" * 1000])
def test_an_error_and_its_hint_are_a_line_each_however_long_what_they_quote(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    complain(UsageError(words, hint=words))
    said = capsys.readouterr().err.splitlines()

    assert [line[:6] for line in said] == ["error:", "", "hint: "]
    assert all(len(line) < 500 and line.isprintable() for line in said)


def test_an_argument_that_a_terminal_would_obey_is_quoted_visibly(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["report", "--\x1b[2Jx"]) == 2
    assert invoke(["compare", "a", "b", "--fail-over", "\x1b[2J" * 1000]) == 2

    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert all(len(line) < 500 for line in said.splitlines())


@pytest.mark.parametrize("what", ["gpu", "id", "source", "region"])
def test_a_name_in_a_users_prices_is_shown_and_never_obeyed(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = {"id": "rack", "region": "r", "gpu": "G", "gpu_count": 1, "usd_per_hour": {"on_demand": 1}, "source": "s"}
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"instances": [{**box, what: "a\x1b[2Jb"}]}))

    assert [invoke(["prices", command, "--prices", str(path)]) for command in ("list", "check")] == [0, 0]
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "a\\x1b[2Jb" in said.out
