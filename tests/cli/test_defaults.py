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
        ('[run]\nquantization = "auto"\n', "breakeven.toml: [run] quantization: 'auto' does not say how"),
        ("[run]\npeople = -2\n", "breakeven.toml: [run] people: -2 must be from 0"),
        ('[run]\nout = "breakeven.toml/x"\n', "breakeven.toml: [run] out: cannot write breakeven.toml/x: "),
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


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("[compare]\nfail_over = '5%'\n", ["compare", "a", "b", "--trend"], "no such run directory: a"),
        ("[compare]\njson = true\npeople = 1\n", ["compare", "a", "b", "--trend"], "no such run directory: a"),
        ("[report]\njson = true\npool = true\n", ["report", "a", "--summary"], "no such run directory: a"),
        ("[decide]\ngoodput = 2\ninstance = 'x'\n", ["decide", "in.yaml"], "in.yaml"),
        ("[decide]\ntokens-per-s = 2\n", ["decide", "--demand", "none.yaml", "--goodput", "1"], "none.yaml"),
        ("[run]\nengine = 'vllm'\nreplicas = 2\n", ["run", "no.yaml", "--url", "http://127.0.0.1:9"], "no.yaml"),
    ],
)
def test_a_default_of_another_mode_refuses_nothing(
    toml: Path, capsys: pytest.CaptureFixture[str], text: str, arguments: list[str], said: str
) -> None:
    toml.write_text(text)

    assert invoke(arguments) == 2
    err = capsys.readouterr().err
    assert "given elsewhere" not in err
    assert said in err


def test_an_engine_of_the_command_line_takes_the_place_of_a_url_elsewhere(
    toml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml.write_text("[run]\nurl = ['http://127.0.0.1:9']\nbackend = 'vllm'\n")

    assert invoke(["run", "open", "--engine", "llama_server", "--dry-run", "--json"]) == 0
    assert capsys.readouterr().err == ""


def test_what_kubernetes_says_of_services_is_no_option(
    toml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for service in ("BREAKEVEN_RUN", "BREAKEVEN_RUN_METRICS"):
        for name, value in {
            "SERVICE_HOST": "10.0.0.1",
            "SERVICE_PORT": "9400",
            "SERVICE_PORT_METRICS": "9400",
            "PORT": "tcp://10.0.0.1:9400",
            "PORT_9400_TCP": "tcp://10.0.0.1:9400",
            "PORT_9400_TCP_PROTO": "tcp",
            "PORT_9400_TCP_PORT": "9400",
            "PORT_9400_TCP_ADDR": "10.0.0.1",
        }.items():
            monkeypatch.setenv(f"{service}_{name}", value)

    assert invoke(["run", "open", "--dry-run"]) == 0
    assert "given elsewhere" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["METRIC_PORT", "PORT_9400", "PORTS", "SERVICE_HOSTS", "URL_SERVICE_PORT"])
def test_what_only_looks_like_a_service_is_a_mistake(
    toml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(f"BREAKEVEN_RUN_{name}", "9400")

    assert invoke(["run", "open", "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith(f"error: BREAKEVEN_RUN_{name}: no such option\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max-usd = -1", "--max-usd must be above 0 and at most 1,000,000, got -1 (breakeven.toml: [run] max-usd)"),
        ("workers = 0", "--workers 0 leaves nobody to drive the load (breakeven.toml: [run] workers)"),
        ("extra-body = '['", "(breakeven.toml: [run] extra-body)"),
    ],
)
def test_a_mistake_that_the_command_itself_finds_names_the_key_too(
    toml: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    toml.write_text(f"[run]\n{text}\n")

    assert invoke(["run", "open", "--dry-run"]) == 2
    assert said in capsys.readouterr().err
