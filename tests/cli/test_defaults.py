"""Options from breakeven.toml and from the environment."""

import json
from pathlib import Path

import pytest

from harness.cli import invoke


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """breakeven.toml of the working directory, not yet there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "breakeven.toml"


def usd_of_dry_run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[float | None, str]:
    """What the instance of a dry run costs, and what stderr said."""
    assert invoke(["run", "open", "--dry-run", "--json", *arguments]) == 0
    out, err = capsys.readouterr()
    usd: float | None = json.loads(out)["instance_usd"]
    return usd, err


def test_the_file_stands_for_the_option_and_that_is_said(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, _ = usd_of_dry_run(capsys, "--usd-per-hour", "2")
    toml.write_text("[run]\nusd-per-hour = 2\n")

    assert usd_of_dry_run(capsys) == (given, "given elsewhere: breakeven.toml: [run] usd-per-hour\n")


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    toml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hour = {usd: usd_of_dry_run(capsys, "--usd-per-hour", usd)[0] for usd in ("2", "3", "4")}
    toml.write_text("[run]\nusd_per_hour = 2\n")
    monkeypatch.setenv("BREAKEVEN_RUN_USD_PER_HOUR", "3")

    assert usd_of_dry_run(capsys) == (by_hour["3"], "given elsewhere: BREAKEVEN_RUN_USD_PER_HOUR\n")
    assert usd_of_dry_run(capsys, "--usd-per-hour", "4") == (by_hour["4"], "")


def test_what_may_be_said_often_is_a_list(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml.write_text('[run]\napi = ["openai:gpt-4.1", "no-such:model"]\n')

    assert invoke(["run", "open", "--dry-run"]) == 2
    assert "no-such" in capsys.readouterr().err


def test_a_subcommand_has_a_section_of_its_own(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml.write_text("[prices.list]\njson = true\n")

    assert invoke(["prices", "list"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_no_value_from_elsewhere_is_printed(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml.write_text('[run]\nheader = ["Authorization: Bearer abc123"]\n')

    _, err = usd_of_dry_run(capsys)

    assert err == "given elsewhere: breakeven.toml: [run] header\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\narivals = true\n", "breakeven.toml: [run] arivals: no such option"),
        ("[rum]\nx = 1\n", "breakeven.toml: [rum] is no command"),
        ("[run.api]\nx = 1\n", "breakeven.toml: [run.api] is no command"),
        ('instance = "x"\n', "breakeven.toml: `instance` stands in no section"),
        ("[run\n", "breakeven.toml: not TOML: "),
        ('[run]\ninstance = ["a"]\n', "breakeven.toml: [run] instance: a list, --instance takes one value"),
        ("[run]\nworkers = true\n", "breakeven.toml: [run] workers: true and false are of flags"),
        ("[run]\nworkers = 500\n", "breakeven.toml: [run] workers: 500 is not in the range"),
        ('[run]\njson = "maybe"\n', "breakeven.toml: [run] json: 'maybe' is not a valid boolean"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_the_key(
    toml: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    toml.write_text(text)

    assert invoke(["run", "open", "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")


def test_a_mistake_in_the_environment_names_the_variable(
    toml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BREAKEVEN_RUN_WORKERS", "many")

    assert invoke(["run", "open", "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith("error: BREAKEVEN_RUN_WORKERS: 'many' is not a valid integer")


def test_a_section_of_no_subcommand_names_those_there_are(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml.write_text("[prices.lst]\njson = true\n")

    assert invoke(["prices", "list"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: breakeven.toml: [prices.lst] is no command\n")
    assert "\nhint: known: " in err


def test_a_variable_of_no_option_is_named(
    toml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BREAKEVEN_RUN_INSTANCES", "g5.12xlarge")

    assert invoke(["run", "open", "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith("error: BREAKEVEN_RUN_INSTANCES: no such option\n")


def test_a_byte_order_mark_of_an_editor_is_no_mistake(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml.write_text("\ufeff[run]\nusd-per-hour = 2\n")

    _, err = usd_of_dry_run(capsys)

    assert err == "given elsewhere: breakeven.toml: [run] usd-per-hour\n"


def test_a_group_alone_takes_the_variables_of_its_commands(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKEVEN_PRICES_LIST_JSON", "1")

    assert invoke(["prices", "--help"]) == 0
