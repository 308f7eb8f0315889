"""`breakeven run --repeat N` from the outside."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from faulty_server import FaultyServer
from load_helpers import prompts_asked

from harness import cli
from harness.calibration.oracle.process import running_oracle
from harness.cli import run_repeat
from harness.rundir import files

pytestmark = pytest.mark.slow  # real loads of many seconds

SCENARIO = """\
name: short
load: {kind: closed, users: [2], step_s: 1, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 50, output_tokens: 20}
request: {timeout_s: 10}
slo: {ttft_p50_s: 2}
"""


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.yaml"
    path.write_text(SCENARIO)
    return path


def test_each_repeat_has_a_directory_and_the_mean_is_theirs(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_repeat, "COOL_DOWN_S", 0.0)
    out = tmp_path / "out"

    with running_oracle(tmp_path / "ledger.jsonl", ttft_s=0.01, itl_s=0.0005) as oracle:
        arguments = [str(short), "--url", oracle.url, "--backend", "vllm", "--out", str(out)]
        code = cli.invoke(["run", *arguments, "--repeat", "2", "--json", "--junit", str(tmp_path / "runs.xml")])

    assert code in {0, 3}
    suites = ElementTree.parse(tmp_path / "runs.xml").findall("testsuite")
    assert sorted(suite.attrib["name"] for suite in suites) == sorted(place.name for place in out.iterdir())
    first, second, pooled = map(json.loads, capsys.readouterr().out.splitlines())
    assert sorted(row["run_dir"] for row in pooled["runs"]) == sorted(str(p) for p in out.iterdir())
    goodputs = [run["metrics"]["goodput"]["requests_per_s"] for run in (first, second)]
    assert pooled["goodput"]["requests_per_s"] == pytest.approx(sum(goodputs) / 2)
    assert [files.read_json(Path(row["run_dir"]), "run.json")["partial"] for row in pooled["runs"]] == [False] * 2


def test_no_repeat_asks_what_the_server_has_seen_and_each_draws_its_own_lengths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_repeat, "COOL_DOWN_S", 0.0)
    path = tmp_path / "varied.yaml"
    path.write_text(SCENARIO.replace("output_tokens: 20", "output_tokens: {mean: 30, stdev: 10, min: 5}"))

    with FaultyServer() as server:
        url = server.url("slow-first-token=0.02")
        cli.invoke(["run", str(path), "--url", url, "--out", str(tmp_path / "out"), "--repeat", "3"])
        asked = [exchange.body for exchange in server.generations() if exchange.path.endswith("completions")]

    runs = [files.read_manifest(place) for place in sorted((tmp_path / "out").iterdir())]
    prompts = [body["prompt"] for body in asked]
    assert len(prompts) > 100
    assert len(set(prompts)) == len(prompts)
    assert len({run.salt for run in runs}) == 3
    assert [run.seed for run in runs] == [1, 2, 3]


def test_the_prompts_of_a_run_come_again_where_prompts_and_seed_are_the_same(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FaultyServer() as server:
        arguments = [str(short), "--url", server.url("slow-first-token=0.05"), "--out", str(tmp_path / "out")]
        cli.invoke(["run", *arguments])
        (first,) = (tmp_path / "out").iterdir()
        before = set(prompts_asked(server))
        cli.invoke(["run", *arguments, "--prompts-of", str(first)])
        again = len(prompts_asked(server)) - len(set(prompts_asked(server)))

    assert again >= len(before) / 2
    (second,) = set((tmp_path / "out").iterdir()) - {first}
    manifest = files.read_manifest(second)
    assert (manifest.salt, manifest.prompts_of) == (files.read_manifest(first).salt, first.name)
    assert any("The prompts are those of" in note for note in manifest.notes)

    short.write_text(SCENARIO.replace("input_tokens: 50", "input_tokens: 60"))
    assert cli.invoke(["run", *arguments, "--prompts-of", str(first)]) == 2
    assert "its `prompts` is" in capsys.readouterr().err


def test_repeat_needs_one_engine(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["run", str(short), "--backend", "all", "--repeat", "2"]) == 2

    assert "--repeat and --backend all exclude each other" in capsys.readouterr().err
