"""What teams copy into their CI and cluster: schemas, and the script itself against an endpoint."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from harness.calibration.oracle.process import RunningOracle, running_oracle

ROOT = Path(__file__).parent.parent.parent
CI = ROOT / "infra" / "ci"
MEASURE = CI / "measure"
SCENARIO = """\
name: short
load: {kind: closed, users: [2], step_s: 4, warmup_s: 0.5}
prompts: {kind: synthetic, input_tokens: 100, output_tokens: 20}
slo: {e2e_p50_s: 5}
"""


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-actions", CI / "github" / "action.yml"),
        ("vendor.github-workflows", CI / "github" / "workflow.yml"),
        ("vendor.gitlab-ci", CI / "gitlab" / "gitlab-ci.yml"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_a_file_fits_the_schema_of_its_ci(schema: str, file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_gives_the_action_nothing_that_it_does_not_take() -> None:
    action = yaml.safe_load((CI / "github" / "action.yml").read_text())
    workflow = yaml.safe_load((CI / "github" / "workflow.yml").read_text())
    (step,) = [one for one in workflow["jobs"]["measure"]["steps"] if one.get("uses") == "./infra/ci/github"]

    assert set(step["with"]) <= set(action["inputs"])
    assert {name for name, one in action["inputs"].items() if one.get("required")} <= set(step["with"])


def test_no_input_of_the_action_is_pasted_into_a_script() -> None:
    action = yaml.safe_load((CI / "github" / "action.yml").read_text())

    assert not [step for step in action["runs"]["steps"] if "${{" in step["run"]]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOracle]:
    with running_oracle(tmp_path_factory.mktemp("o") / "ledger.jsonl", ttft_s=0.01, itl_s=0.0005) as running:
        yield running


def measured(place: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script in a checkout of its own, `breakeven` on its PATH."""
    programs = place / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "breakeven").write_text(f'#!/bin/sh\nexec {sys.executable} -m harness "$@"\n')
    (programs / "breakeven").chmod(0o755)
    weights = {"BREAKEVEN_RUN_WEIGHTS": "meta-llama/Llama-3.1-8B-Instruct", "BREAKEVEN_RUN_QUANTIZATION": "bf16"}
    environment = {
        **os.environ,
        **weights,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{programs}:{os.environ['PATH']}",
        **variables,
    }
    return subprocess.run([str(MEASURE)], cwd=place, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def place(oracle: RunningOracle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which it has measured once."""
    place = tmp_path_factory.mktemp("checkout")
    (place / "short.yaml").write_text(SCENARIO)
    done = measured(place, SCENARIO="short.yaml", BREAKEVEN_RUN_URL=oracle.url, BREAKEVEN_RUN_INSTANCE="g5.12xlarge")
    assert done.returncode == 0, done.stderr
    return place


def test_it_leaves_the_run_its_summary_and_its_cases(place: Path) -> None:
    (run,) = (place / "breakeven-results").iterdir()

    assert json.loads((run / "run.json").read_text())["instance"]["id"] == "g5.12xlarge"
    assert (place / "summary.md").read_text().startswith("**")
    assert ElementTree.parse(place / "run.xml").find("testsuite/testcase[@name='goodput']") is not None


def test_a_second_run_is_held_against_the_first(oracle: RunningOracle, place: Path) -> None:
    (first,) = (place / "breakeven-results").iterdir()
    first = first.rename(place / "baseline")

    done = measured(
        place,
        SCENARIO="short.yaml",
        BASELINE="baseline",
        FAIL_OVER="90%",
        BREAKEVEN_RUN_URL=oracle.url,
        BREAKEVEN_RUN_INSTANCE="g5.12xlarge",
    )

    assert done.returncode == 0, done.stdout + done.stderr
    suite = ElementTree.parse(place / "gate.xml").find("testsuite[@name='compare']")
    assert suite is not None
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("1", "0")
    assert "```" in (place / "summary.md").read_text()


def test_bad_input_ends_it_with_2_and_no_summary(tmp_path: Path) -> None:
    for name in ("summary.md", "run.xml", "gate.xml"):
        (tmp_path / name).write_text("an earlier job's")
    done = measured(tmp_path, SCENARIO="no-such-scenario")

    assert done.returncode == 2
    assert "\nerror: no scenario `no-such-scenario`" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_without_a_scenario_it_says_what_is_missing(tmp_path: Path) -> None:
    done = measured(tmp_path)

    assert done.returncode != 0
    assert "SCENARIO: a scenario file, or a bundled one by its name" in done.stderr


def test_repeats_are_held_against_the_baseline_together(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "breakeven"  # leaves what two repeats leave; what else it is asked for is written down
    program.write_text(
        '#!/bin/sh\n[ "$1" != run ] && { echo "$*" >> asked; exit 0; }\n'
        "for n in 1 2; do mkdir -p breakeven-results/$n; echo {} > breakeven-results/$n/run.json; done\n"
        "mkdir breakeven-results/3-comparison\n"
    )
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "SCENARIO": "s", "BASELINE": "before"}

    done = subprocess.run([str(MEASURE)], cwd=tmp_path, env=environment, check=False)

    assert done.returncode == 0
    assert (tmp_path / "asked").read_text().splitlines() == [
        "report breakeven-results/1 breakeven-results/2 --summary",
        "compare before repeats --fail-over 5% --junit gate.xml",
    ]
    assert sorted(one.parent.name for one in (tmp_path / "repeats").glob("*/run.json")) == ["1", "2"]
