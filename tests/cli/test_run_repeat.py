"""`breakeven run --repeat N` from the outside."""

import json
from pathlib import Path

import pytest

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
        code = cli.invoke(["run", *arguments, "--repeat", "2", "--json"])

    assert code in {0, 3}
    first, second, pooled = map(json.loads, capsys.readouterr().out.splitlines())
    assert sorted(row["run_dir"] for row in pooled["runs"]) == sorted(str(p) for p in out.iterdir())
    goodputs = [run["metrics"]["goodput"]["requests_per_s"] for run in (first, second)]
    assert pooled["goodput"]["requests_per_s"] == pytest.approx(sum(goodputs) / 2)
    assert [files.read_json(Path(row["run_dir"]), "run.json")["partial"] for row in pooled["runs"]] == [False] * 2


def test_repeat_needs_one_engine(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["run", str(short), "--backend", "all", "--repeat", "2"]) == 2

    assert "--repeat and --backend all exclude each other" in capsys.readouterr().err
