"""`breakeven schema`: the published schemas hold for every file that comes with Breakeven or was kept."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cost_cases import given

from harness.cli import invoke
from harness.cli.schema import SCHEMAS, json_schema

ROOT = Path(__file__).parents[2]
RUNS = sorted((ROOT / "results" / "kept").glob("*/*.json"))
FILES = [
    *((path, path.stem) for path in RUNS),
    *((path.with_name("steps.jsonl"), "steps") for path in RUNS if path.name == "run.json"),
    *((path, "scenario") for path in sorted((ROOT / "scenarios").glob("*.yaml"))),
    *((path, "demand") for path in sorted((ROOT / "scenarios" / "demand").glob("*.yaml"))),
    (ROOT / "harness" / "prices" / "instances.yaml", "prices"),
]


def read(path: Path) -> Any:
    """A file's object; dates as text, as JSON has them. Of steps, all that is said of the first."""
    if path.suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return {key: value for line in lines if line["step"] == 0 for key, value in line.items()}
    data = yaml.safe_load(path.read_text()) if path.suffix == ".yaml" else json.loads(path.read_text())
    return json.loads(json.dumps(data, default=str))


def name_of(value: Any) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_printed_and_is_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["schema", name]) == 0

    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(("path", "name"), FILES, ids=name_of)
def test_every_file_holds_to_its_schema(path: Path, name: str) -> None:
    jsonschema.validate(read(path), json_schema(name), format_checker=jsonschema.FormatChecker())


def test_there_is_a_file_of_every_kind_but_decides_input() -> None:
    assert {name for _, name in FILES} == set(SCHEMAS) - {"decide"}
    jsonschema.validate(given(), json_schema("decide"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("decide", {"self_host": {"usd_per_hour": 1, "goodput_rps": 1}}),
        ("decide", {"workload": {"classes": [], "retry_failure_rate": 8}}),
        ("demand", {"classes": "none"}),
        ("prices", {"api": [{"provider": "a"}]}),
        ("scenario", {"name": "a", "load": {"kind": "closed", "usrs": [1]}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_reader_refuses_the_schema_refuses(name: str, change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**given(), **change} if name == "decide" else change, json_schema(name))


def test_without_a_name_each_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["schema"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SCHEMAS)


def test_an_unknown_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["schema", "metric"]) == 2

    assert "'metric' is not one of 'scenario'" in capsys.readouterr().err
