"""A run directory of somebody else: whatever was done to it, `report` ends with a report or one clear line."""

import json
import os
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli import invoke

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from run_dirs import KEPT, tried

SMALL = tuple(sorted(path for path in KEPT.iterdir() if path.name.endswith("c7i.large")))
PRICED = SMALL[0]


@pytest.mark.parametrize("seed", range(6))
def test_damaged_run_directories_end_in_a_report_a_comparison_or_one_clear_line(seed: int) -> None:
    bad, ends, _ = tried(1000 + seed, 10, SMALL)

    assert bad == []
    assert {"exit 0", "exit 2"} & set(ends)


def test_links_in_place_of_what_a_report_writes_are_replaced_and_never_followed(tmp_path: Path) -> None:
    run_dir, mine = tmp_path / "run", tmp_path / "mine"
    shutil.copytree(PRICED, run_dir)
    mine.mkdir()
    names = ("metrics.json", "decision.json", "focus.csv", "report.html", "report.md")
    for name in names:
        (mine / name).write_text("mine")
        (run_dir / name).unlink(missing_ok=True)
        (run_dir / name).symlink_to(mine / name)

    code = invoke(["report", str(run_dir)])

    assert code == 0
    assert [(mine / name).read_text() for name in names] == ["mine"] * 5
    assert [(run_dir / name).is_symlink() for name in names] == [False] * 5
    assert all((run_dir / name).stat().st_size > 100 for name in names)


def test_links_in_place_of_a_comparison_are_replaced(tmp_path: Path) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    out.mkdir()
    mine.write_text("mine")
    (out / "comparison.html").symlink_to(mine)
    (out / "comparison.md").symlink_to(mine)

    invoke(["compare", *map(str, SMALL[1:3]), "--out", str(out)])

    assert mine.read_text() == "mine"
    assert not (out / "comparison.html").is_symlink()


def test_a_run_directory_may_itself_be_a_link(tmp_path: Path) -> None:
    shutil.copytree(PRICED, tmp_path / "there")
    (tmp_path / "run").symlink_to("there")

    assert invoke(["report", str(tmp_path / "run")]) == 0
    assert (tmp_path / "there" / "report.html").is_file()


@pytest.mark.parametrize("name", ["run.json", "steps.jsonl", "records.parquet", "client.parquet"])
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
def test_what_reading_would_never_end_is_refused(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(PRICED, run_dir)
    (run_dir / name).unlink()
    os.mkfifo(run_dir / name) if kind == "pipe" else (run_dir / name).symlink_to(kind)

    code = invoke(["report", str(run_dir)])

    assert code == 2
    assert f"error: cannot read {run_dir / name}: no regular file" in capsys.readouterr().err


def _with_column(path: Path, name: str, values: pa.Array | None) -> None:
    table = pq.read_table(path)
    place = table.column_names.index(name)
    pq.write_table(table.drop_columns([name]) if values is None else table.set_column(place, name, values), path)


@pytest.mark.parametrize("column", ["cpu", "asked", "clock_steps", "events", "shared_events", "loop_lag_p50_s"])
def test_a_column_of_the_clients_samples_that_holds_text_is_named(
    column: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(PRICED, run_dir)
    path = run_dir / "client.parquet"
    _with_column(path, column, pa.array(["x"] * pq.read_metadata(path).num_rows))

    assert invoke(["report", str(run_dir)]) == 2
    assert f"error: cannot read {path}: column `{column}` holds what is no number" in capsys.readouterr().err


@pytest.mark.parametrize("column", ["asked", "clock_steps", "events", "shared_events", "loop_lag_p50_s"])
def test_a_column_that_older_versions_did_not_write_may_be_gone(column: str, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(PRICED, run_dir)
    _with_column(run_dir / "client.parquet", column, None)

    assert invoke(["report", str(run_dir)]) == 0


@pytest.mark.parametrize("flags", [True, "--ctx-size", [["--ctx-size"]]])
def test_flags_that_are_none_are_named_before_they_are_compared(
    flags: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(PRICED, run_dir)
    manifest = json.loads((run_dir / "run.json").read_text())
    manifest["engine"]["flags"] = flags
    (run_dir / "run.json").write_text(json.dumps(manifest))

    assert invoke(["compare", str(run_dir), str(PRICED)]) == 2
    assert "run.json: `engine.flags" in capsys.readouterr().err


@pytest.mark.parametrize("load", [{"users": 1e308}, {"users": -1}, {"requests_per_s": 1e300}])
def test_a_load_that_nobody_asks_for_is_named(
    load: dict[str, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(PRICED, run_dir)
    rows = [json.loads(line) for line in (run_dir / "steps.jsonl").read_text().splitlines()]
    rows[0]["load"] = {"kind": "closed", **load}
    (run_dir / "steps.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert invoke(["report", str(run_dir)]) == 2
    assert f"`load.{next(iter(load))}" in capsys.readouterr().err
