"""`breakeven list` and `breakeven open` on run directories."""

import json
from pathlib import Path

import pytest
from report_cases import write_case

from harness.cli import invoke


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """results/ below the working directory: an older run that never pays, a newer one that does, a broken one."""
    results = tmp_path / "results"
    results.mkdir()
    for name, source, started in (
        ("old", "never", "2026-01-02T03:04:05+00:00"),
        ("new", "two_windows", "2026-02-03T04:05:06+00:00"),
    ):
        write_case(source, results / name)
        manifest = json.loads((results / name / "run.json").read_text())
        (results / name / "run.json").write_text(json.dumps({**manifest, "started_at": started}))
        (results / name / "report.html").write_text("a report")
    (results / "broken").mkdir()
    (results / "broken" / "run.json").write_text("{")
    (results / "comparison").mkdir()
    monkeypatch.chdir(tmp_path)
    return results


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert invoke(["list", *arguments, "--json"]) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


def test_the_newest_run_comes_first(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(capsys)

    assert [row["run_dir"] for row in rows] == ["results/new", "results/old"]


def test_a_row_says_whether_self_hosting_pays_and_from_where(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, old = listed(capsys)

    assert str(new["pays"]).split(" from ")[1]
    assert str(old["pays"]).startswith("never")


def test_a_run_that_cannot_be_read_is_named_and_hides_no_other(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["list"]) == 0

    out, err = capsys.readouterr()
    assert "2026-02-03" in out
    assert err.startswith("warning: left out: results/broken/run.json:1:")


def test_a_run_named_itself_is_listed(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["run_dir"] for row in listed(capsys, "results/old")] == ["results/old"]


def test_a_run_with_an_error_is_not_to_be_trusted_by_its_name(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_case("errors", results / "wrong")

    wrong = next(row for row in listed(capsys) if row["run_dir"] == "results/wrong")
    assert str(wrong["trust"]).startswith("no: ")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "no such folder: nowhere"),
        ("results/old/run.json", "no folder: results/old/run.json"),
        (".", "no run under ."),
    ],
)
def test_a_place_without_runs_is_one_line(
    results: Path, capsys: pytest.CaptureFixture[str], place: str, said: str
) -> None:
    assert invoke(["list", place]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}\n")


@pytest.mark.parametrize(("arguments", "run"), [([], "new"), (["2"], "old"), (["results/old"], "old")])
def test_open_takes_the_newest_run_a_row_or_a_directory(
    results: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], run: str
) -> None:
    assert invoke(["open", "--print", *arguments]) == 0
    assert capsys.readouterr().out == f"{results / run / 'report.html'}\n"


def test_open_hands_the_page_to_the_browser(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    browser.chmod(0o755)
    monkeypatch.setattr("webbrowser._tryorder", None)
    monkeypatch.setenv("BROWSER", f"{browser} %s")

    assert invoke(["open", "1"]) == 0
    assert seen.read_text() == f"{(results / 'new' / 'report.html').as_uri()}\n"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("3", "no run 3: results/ has 2 that can be read"),
        ("0", "no run 0: results/ has 2 that can be read"),
        ("results/gone", "no such run directory: results/gone"),
        ("results/comparison", "no run in results/comparison: it has no run.json"),
        ("results", "no run in results: it has no run.json"),
        ("", "no run in .: it has no run.json"),
    ],
)
def test_what_cannot_be_opened_is_one_line(
    results: Path, capsys: pytest.CaptureFixture[str], run: str, said: str
) -> None:
    assert invoke(["open", run]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}\n")


def test_open_shows_a_trend_as_it_shows_a_comparison(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "trend").mkdir()
    (results / "trend" / "trend.html").write_text("a trend")

    assert invoke(["open", "--print", "results/trend"]) == 0
    assert capsys.readouterr().out == f"{results / 'trend' / 'trend.html'}\n"
