"""A run directory that something happened to: one line says which file, and no traceback."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from harness.cli import invoke
from harness.rundir import files
from harness.rundir.collect import collect
from harness.rundir.manifest import RunManifest
from harness.rundir.read import read_lines, read_records
from harness.rundir.records import RequestRecord
from harness.rundir.steps import read_steps

MANIFEST = {
    "schema": 1,
    "scenario": {"name": "chat", "load": {"kind": "closed", "users": [2]}},
    "scenario_digest": "0" * 64,
    "backend": "vllm",
    "engine": {"name": "vllm", "version": None, "flags": None},
    "model": "llama",
    "quantization": None,
    "instance": {},
    "client": {},
    "seed": 1,
    "started_at": "2026-11-20T09:14:03+00:00",
    "started_monotonic_ns": 0,
    "harness_version": "0.1.0",
    "git_revision": None,
}
STEP = {"step": 0, "load": {"kind": "closed", "users": 2}, "start_s": 0.0, "window_start_s": 1.0, "end_s": 30.0}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run of one request, as Parquet."""
    (tmp_path / "run.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "steps.jsonl").write_text(json.dumps(STEP) + "\n")
    row = RequestRecord("r0", 0, scheduled_s=2.0, sent_s=2.0, finished_s=3.0).to_dict()
    (tmp_path / "records-1.jsonl").write_text(json.dumps(row) + "\n")
    collect(tmp_path)
    return tmp_path


def overwrite(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda run_dir: (run_dir / name).write_bytes(content)


def manifest(**changed: object) -> Callable[[Path], object]:
    return overwrite("run.json", json.dumps({**MANIFEST, **changed}).encode())


def step(**changed: object) -> Callable[[Path], object]:
    return overwrite("steps.jsonl", json.dumps({**STEP, **changed}).encode() + b"\n")


def client(**changed: object) -> Callable[[Path], object]:
    """A sample of the load generator; a column set to None is left out."""
    row = {"t_s": 2.0, "process": 1, "cpu": 0.1, "in_flight": 1, **changed}
    kept = pd.DataFrame([{name: value for name, value in row.items() if value is not None}])
    return lambda run_dir: kept.to_parquet(run_dir / "client.parquet", index=False)


def server(**changed: object) -> Callable[[Path], object]:
    """A sample of the server's counters; a column set to None is left out."""
    row = {"t_s": 2.0, "name": "n", "labels": "{}", "value": 1.0, **changed}
    kept = pd.DataFrame([{name: value for name, value in row.items() if value is not None}])
    return lambda run_dir: kept.to_parquet(run_dir / "server_metrics.parquet", index=False)


def arrivals(stamps: object) -> Callable[[Path], object]:
    """The request's arrivals."""
    kept = pd.DataFrame([{"request_id": "r0", "arrival_us": stamps}])
    return lambda run_dir: kept.to_parquet(run_dir / "arrivals.parquet", index=False)


def records(**changed: object) -> Callable[[Path], object]:
    """The run's request with other values."""

    def damage(run_dir: Path) -> None:
        path = run_dir / "records.parquet"
        pd.read_parquet(path, partitioning=None).assign(**changed).to_parquet(path, index=False)

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (overwrite("run.json", b""), "run.json:1:1: not JSON"),
        (overwrite("run.json", b"[]"), "run.json holds a list, expected an object"),
        (overwrite("run.json", b"{}"), "run.json: `scenario` is missing"),
        (manifest(schema=2), "run.json: `schema` is 2, this version of breakeven reads up to 1"),
        (manifest(engine=None), "run.json: `engine`: must be a mapping of keys to values, got None"),
        (manifest(model=5), "run.json: `model`: must be a valid string, got 5"),
        (
            manifest(instance={"usd_per_hour": "x"}),
            "run.json: `instance.usd_per_hour`: must be a valid number, got 'x'",
        ),
        (manifest(scenario={}), "run.json: scenario: `name` is missing"),
        (overwrite("records.parquet", b""), "cannot read {}/records.parquet: Parquet file size is 0 bytes"),
        (overwrite("client.parquet", b"PAR1"), "cannot read {}/client.parquet: "),
        (overwrite("server_metrics.parquet", b"xx"), "cannot read {}/server_metrics.parquet: "),
        (overwrite("arrivals.parquet", b"xx"), "cannot read {}/arrivals.parquet: "),
        (overwrite("steps.jsonl", b"xx\n"), "steps.jsonl:1: not JSON"),
        (overwrite("steps.jsonl", b"[1]\n"), "steps.jsonl:1: no JSON object"),
        (overwrite("steps.jsonl", b"{}\n"), "steps.jsonl: a line has no step number"),
        (overwrite("steps.jsonl", b'{"step": 0}\n'), "steps.jsonl: step 0: `load` is missing"),
        (overwrite("steps.jsonl", b""), "steps.jsonl holds no step"),
        (step(load="x"), "steps.jsonl: step 0: `load`"),
        (step(start_s="a"), "steps.jsonl: step 0: `start_s`: must be a valid number"),
        (step(end_s=1e308), "steps.jsonl: step 0: `end_s`"),
        (client(process=None), "cannot read {}/client.parquet: it has no column `process`"),
        (client(cpu="x"), "cannot read {}/client.parquet: column `cpu` holds what is no number"),
        (server(labels=None), "cannot read {}/server_metrics.parquet: it has no column `labels`"),
        (server(value="x"), "cannot read {}/server_metrics.parquet: column `value` holds what is no number"),
        (server(labels="{{"), "cannot read {}/server_metrics.parquet: "),
        (server(labels="[]"), "cannot read {}/server_metrics.parquet: "),
        (arrivals("x"), "cannot read {}/arrivals.parquet: `arrival_us` holds no lists"),
        (arrivals(None), "cannot read {}/arrivals.parquet: `arrival_us` holds no lists"),
        (manifest(instance={"replicas": -2}), "`instance.replicas`: must be greater than or equal to 1, got -2"),
        (manifest(instance={"id": 7}), "run.json: `instance.id`: must be a valid string, got 7"),
        (manifest(arms=[5]), "run.json: `arms[0]`: must be a valid string, got 5"),
        (manifest(client={"served_models": 5}), "run.json: `client.served_models`: must be a valid list, got 5"),
        (manifest(client={"ended_early": {}}), "run.json: `client.ended_early.text` is missing (and 1 more)"),
        (manifest(instance={"usd_per_hour": 1e-320}), "`instance.usd_per_hour` must be 0, or from 1e-09"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(
    run_dir: Path, damage: Callable[[Path], object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(run_dir)

    code = invoke(["report", str(run_dir)])

    first, *rest = capsys.readouterr().err.splitlines()
    assert code == 2
    assert said.format(run_dir) in first
    assert first.startswith("error: ")
    assert all(line == "" or line.startswith("hint: ") for line in rest)


@pytest.mark.parametrize(
    "damage",
    [
        records(finished_s=-1.0),
        records(finished_s=1.0),
        records(finished_s=1e300),
        records(first_token_s=5.0),
        records(scheduled_s=None, sent_s=None, finished_s=None),
        records(output_tokens=-5),
        records(prompt_tokens=2**62),
    ],
    ids=["no end", "ends before it was sent", "ends in ages", "first after last", "no times", "no tokens", "tokens"],
)
@pytest.mark.parametrize("command", ["report", "compare"])
def test_values_that_cannot_be_are_unknown_and_end_with_3(
    run_dir: Path, tmp_path: Path, damage: Callable[[Path], object], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest(instance={"id": "c7i.large"})(run_dir)
    damage(run_dir)

    runs = [run_dir]
    if command == "compare":
        shutil.copytree(run_dir, tmp_path / "other")
        manifest(instance={"id": "c7i.large"}, seed=7)(tmp_path / "other")
        runs.append(tmp_path / "other")

    code = invoke([command, *map(str, runs)])

    said = capsys.readouterr()
    assert (code, said.err) == (3, "")
    assert "impossible_values" in said.out


def test_a_folder_named_like_a_partition_is_no_column(run_dir: Path, tmp_path: Path) -> None:
    parent = tmp_path / "process=x"
    shutil.copytree(run_dir, parent / "run", ignore=shutil.ignore_patterns("process=*"))

    assert read_records(parent / "run")["request_id"].to_list() == ["r0"]


def test_a_directory_where_a_file_should_be_is_named(run_dir: Path) -> None:
    (run_dir / "steps.jsonl").unlink()
    (run_dir / "steps.jsonl").mkdir()

    with pytest.raises(files.UsageError, match=r"cannot read .*steps\.jsonl: Is a directory"):
        read_steps(run_dir)


def test_a_last_line_cut_by_a_kill_is_left_out(run_dir: Path) -> None:
    path = run_dir / "rows-1.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2')

    assert list(read_lines(path)) == [{"a": 1}]


def test_compare_refuses_a_newer_run_as_report_does(
    run_dir: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = tmp_path_factory.mktemp("runs") / "newer"
    shutil.copytree(run_dir, newer)
    manifest(schema=2)(newer)

    code = invoke(["compare", str(newer), str(run_dir)])

    assert code == 2
    assert "`schema` is 2" in capsys.readouterr().err


def test_a_manifest_survives_its_way_through_json(run_dir: Path) -> None:
    read = files.read_manifest(run_dir)

    assert RunManifest.model_validate(json.loads(json.dumps(read.to_dict()))) == read


@pytest.mark.parametrize("is_collected", [False, True])
def test_what_an_older_version_called_attempt_is_how_often_a_request_was_written_again(
    tmp_path: Path, is_collected: bool
) -> None:
    rows = [RequestRecord(f"r{n}", 0, scheduled_s=n, attempt=n + 1).to_dict() for n in range(2)]
    for row in rows:
        for key in ("task", "repeat", "resent", "retried"):
            del row[key]
    if is_collected:
        pd.DataFrame(rows).to_parquet(tmp_path / "records.parquet")
    else:
        (tmp_path / "records-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    records = read_records(tmp_path)

    assert records["resent"].to_list() == [0, 1]
    assert records["attempt"].to_list() == [1, 1]


def test_a_tasks_attempts_stay_what_they_are(tmp_path: Path) -> None:
    rows = [RequestRecord(f"r{n}", n, task="t", scheduled_s=n, attempt=n + 1).to_dict() for n in range(3)]
    (tmp_path / "records-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    collect(tmp_path)

    assert read_records(tmp_path)["attempt"].to_list() == [1, 2, 3]
