"""`breakeven compare` on run directories."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_cases import write_case

from harness.cli import invoke


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs: `first`, `worse` (16.7 % less goodput, intervals apart) and `other` (another model)."""
    for name, source in (("first", "two_windows"), ("worse", "two_windows"), ("other", "twelve_steps")):
        write_case(source, tmp_path / name)
    for file, path in (("metrics.json", ["goodput"]), ("decision.json", ["self_host", "goodput"])):
        data = json.loads((tmp_path / "worse" / file).read_text())
        place = data
        for key in path:
            place = place[key]
        place.update(requests_per_s=0.5, low=0.47, high=0.53)
        (tmp_path / "worse" / file).write_text(json.dumps(data))
    return tmp_path


def test_a_loss_beyond_the_limit_ends_with_1(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(["compare", str(runs / "first"), str(runs / "worse"), "--fail-over", "5%"])

    assert code == 1
    assert capsys.readouterr().out.startswith("error: worse is worse: 16.7 % less goodput")


def test_a_loss_within_the_limit_ends_with_0(runs: Path) -> None:
    assert invoke(["compare", str(runs / "first"), str(runs / "worse"), "--fail-over", "0.2"]) == 0


def test_without_a_limit_nothing_fails(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["compare", str(runs / "first"), str(runs / "worse")]) == 0
    assert "first serves most, 0.583 to 0.617 req/s, against worse 0.470 to 0.530 req/s" in " ".join(
        capsys.readouterr().out.split()
    )


def test_what_cannot_be_judged_ends_with_3(runs: Path) -> None:
    assert invoke(["compare", str(runs / "first"), str(runs / "other"), "--fail-over", "5%"]) == 3


def test_json_carries_the_whole_comparison(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    invoke(["compare", str(runs / "first"), str(runs / "worse"), "--fail-over", "5%", "--json"])

    said = json.loads(capsys.readouterr().out)
    assert [r["goodput"] for r in said["runs"]] == [0.6, 0.5]
    assert said["regressions"][0]["change"] == "worse"
    assert said["regressions"][0]["drop"] == pytest.approx(1 / 6)
    assert [o["winner"] for o in said["outcomes"]] == ["first", "first"]


def test_out_writes_the_comparison(runs: Path) -> None:
    invoke(["compare", str(runs / "first"), str(runs / "other"), "--out", str(runs / "out")])

    assert sorted(p.name for p in (runs / "out").iterdir()) == ["comparison.html", "comparison.md"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["first"], "error: compare needs at least two runs, got 1"),
        (["first", "nowhere"], "no such run directory: nowhere"),
        (["first", "worse", "--fail-over", "much"], "'much' is no share; write 5% or 0.05"),
        (["first", "worse", "--fail-over", "500%"], "'500%' must be from 0% to below 100%"),
    ],
)
def test_bad_input_is_one_line_and_ends_with_2(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(runs)

    assert invoke(["compare", *arguments]) == 2

    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said.splitlines()[0]


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("metrics.json", {"schema": None}, "`schema` is None, this version of breakeven reads up to 1"),
        ("metrics.json", {"schema": 99}, "`schema` is 99, this version of breakeven reads up to 1"),
        ("metrics.json", {"steps": "abc"}, "`steps`: must be a valid list, got 'abc'"),
        ("metrics.json", {"goodput": {"requests_per_s": "many"}}, "`goodput.requests_per_s`: must be a valid number"),
        ("decision.json", {"schema": 99}, "`schema` is 99"),
        ("decision.json", {"self_host": {}}, "`self_host.instance` is missing"),
        ("decision.json", {"arms": None}, "`arms`: must be a valid list"),
    ],
)  # fmt: skip
def test_a_file_of_an_analysis_that_cannot_be_used_is_named(
    runs: Path, file: str, change: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = runs / "worse" / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    code = invoke(["compare", str(runs / "first"), str(runs / "worse")])

    first, _, hint = capsys.readouterr().err.splitlines()
    assert code == 2
    assert first.startswith(f"error: {path}: ")
    assert said in first
    assert hint == "hint: `breakeven report RUN` makes it again from the records"


def test_a_comparison_among_the_runs_is_left_out(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, worse, out = (str(runs / name) for name in ("first", "worse", "out"))
    invoke(["compare", first, worse, "--out", out])
    capsys.readouterr()

    code = invoke(["compare", out, first, worse, "--json"])

    said = capsys.readouterr()
    assert code == 0
    assert said.err == f"{out} is a comparison, no run: left out\n"
    assert [run["run_dir"] for run in json.loads(said.out)["runs"]] == [first, worse]


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_comparison_alone_is_no_run(runs: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "out").mkdir()
    (runs / "out" / "comparison.html").touch()

    code = invoke([command, str(runs / "out")])

    assert code == 2
    assert f"error: {runs / 'out'} is a comparison, no run\n" in capsys.readouterr().err


def test_a_gate_is_a_case_of_the_junit_file(runs: Path) -> None:
    file = runs / "gate.xml"

    invoke(["compare", str(runs / "first"), str(runs / "worse"), "--fail-over", "5%", "--junit", str(file)])

    failure = ElementTree.parse(file).find("testsuite[@name='compare']/testcase/failure")
    assert failure is not None
    assert failure.attrib["type"] == "worse"
    assert "16.7 % less goodput" in failure.attrib["message"]


def test_a_junit_file_that_cannot_be_written_is_one_line(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["compare", str(runs / "first"), str(runs / "worse"), "--junit", str(runs / "no" / "x.xml")]) == 2
    assert f"cannot write {runs / 'no' / 'x.xml'}" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--trend"], ["--fail-over", "5%"]])
@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("first", "first is given twice"),
        ("other/../first", "first and other/../first are the same run"),
        ("linked", "first and linked are the same run"),
        ("folder", "first and folder/repeat are the same run"),
    ],
)
def test_a_run_is_not_compared_with_itself(
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    second: str,
    said: str,
) -> None:
    monkeypatch.chdir(runs)
    (runs / "linked").symlink_to("first")
    (runs / "folder").mkdir()
    (runs / "folder" / "repeat").symlink_to(runs / "first")

    assert invoke(["compare", "first", second, *more]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}\n")


def test_a_run_is_no_repeat_of_itself(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["report", str(runs / "first"), str(runs / "first"), "--pool"]) == 2
    assert "first is given twice" in capsys.readouterr().err


def test_a_copied_run_is_the_same_run(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "first" / "records.parquet").write_bytes(b"rows")
    shutil.copytree(runs / "first", runs / "copy")

    assert invoke(["compare", str(runs / "first"), str(runs / "copy")]) == 2
    assert f"first and {runs / 'copy'} are the same run" in capsys.readouterr().err
