"""`breakeven run` from the outside: files, exit codes, what is said."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from faulty_server import FaultyServer

from harness import __version__, cli
from harness.calibration.oracle.process import RunningOracle, running_oracle
from harness.rundir import files
from harness.rundir.read import read_records

SCENARIO = """\
name: short
load: {kind: closed, users: [2], step_s: %s, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 800, output_tokens: 250}
request: {timeout_s: 10}
slo: {ttft_p50_s: 2}
"""
FILES = {
    "run.json", "records.parquet", "client.parquet", "metrics.json", "decision.json", "report.html", "report.md",
    "steps.jsonl", "focus.csv", "server_metrics.parquet",
}  # fmt: skip


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOracle]:
    with running_oracle(tmp_path_factory.mktemp("o") / "ledger.jsonl", ttft_s=0.01, itl_s=0.0005) as running:
        yield running


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.yaml"
    path.write_text(SCENARIO % 2)
    return path


def only_run(out_dir: Path) -> Path:
    (run_dir,) = out_dir.iterdir()
    return run_dir


def breakeven(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness", *arguments]


@dataclass(frozen=True)
class Finished:
    """A run that went well: exit code, directory, and what was printed."""

    code: int
    run_dir: Path
    said: str


@pytest.fixture(scope="module")
def finished(oracle: RunningOracle, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    place = tmp_path_factory.mktemp("finished")
    (place / "short.yaml").write_text(SCENARIO % 2)
    box = ["--backend", "vllm", "--instance", "g5.12xlarge"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = cli.invoke(["run", str(place / "short.yaml"), "--url", oracle.url, *box, "--out", str(place / "out")])
    return Finished(code, only_run(place / "out"), said.getvalue())


def test_a_run_leaves_every_file_and_a_verdict(finished: Finished) -> None:
    run_dir = finished.run_dir
    assert finished.code == 0
    assert {p.name for p in run_dir.iterdir()} == FILES
    assert run_dir.name.endswith("-short-vllm-g5.12xlarge")
    decision = json.loads((run_dir / "decision.json").read_text())
    assert len(decision["arms"]) == 3
    for arm in decision["arms"]:
        assert arm["decided"] is (arm["decision"]["verdict"] in {"never", "window", "yes"})
    metrics = json.loads((run_dir / "metrics.json").read_text())
    assert metrics["goodput"]["requests_per_s"] > 0
    assert str(run_dir / "report.html") in finished.said.replace("\n", "")


def test_a_report_can_be_made_again_and_says_the_same(finished: Finished, tmp_path: Path) -> None:
    run_dir = shutil.copytree(finished.run_dir, tmp_path / finished.run_dir.name)
    before = {name: (run_dir / name).read_bytes() for name in ("metrics.json", "decision.json")}
    (run_dir / "metrics.json").unlink()

    assert cli.invoke(["report", str(run_dir)]) == 0

    assert {name: (run_dir / name).read_bytes() for name in before} == before


def test_without_an_instance_there_is_no_decision_and_it_is_said(
    oracle: RunningOracle, short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.invoke(["run", str(short), "--url", oracle.url, "--backend", "vllm", "--out", str(tmp_path / "out")])

    assert code == 0
    assert not (only_run(tmp_path / "out") / "decision.json").exists()
    assert "--instance" in capsys.readouterr().err


def test_when_every_request_fails_all_files_are_there_and_the_exit_code_is_3(short: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    with FaultyServer() as server:
        code = cli.invoke(
            ["run", str(short), "--url", server.url("status=500"), "--instance", "g5.12xlarge", "--out", str(out)]
        )

    assert code == 3
    assert {p.name for p in only_run(out).iterdir()} == FILES - {"server_metrics.parquet"}  # it has no /metrics
    assert "errors_over_limit" in (only_run(out) / "metrics.json").read_text()


def test_an_endpoint_that_never_answers_ends_in_time_and_exits_3(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nload: {users: [1], step_s: 1, warmup_s: 0}\nrequest: {timeout_s: 0.5}\n")

    with FaultyServer() as server:
        code = cli.invoke(["run", str(path), "--url", server.url("never-answers"), "--out", str(tmp_path / "out")])

    rows = read_records(only_run(tmp_path / "out"))
    assert code == 3
    assert "timeout" in set(rows["error"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch.yaml"], "no such scenario file: nosuch.yaml"),
        (["--instance", "g5.12xlrge"], "unknown instance `g5.12xlrge`"),
        (["--api", "openai:gpt-99"], "gpt-99"),
        (["--api", "gpt-4.1"], "gpt-4.1"),
        (["--url", "127.0.0.1:8000"], "is not an http:// or https:// URL"),
        (["--url", "http://user:pw@127.0.0.1:1"], "user, password"),
        (["--url", "http://127.0.0.1:99999"], "Port out of range"),
        (["--url", "http://user:pw@127.0.0.1:99999"], "Port out of range"),
        (["--url", "http://[::1"], "--url `http://[::1`: Invalid IPv6 URL"),
        (["--header", "novalue"], "is no `Name: value`"),
        (["--api-key-env", "NO_SUCH_KEY_HERE"], "no such environment variable"),
        (["--extra-body", "{not json"], "--extra-body is not JSON"),
        (["--extra-body", "[1]"], "expected an object"),
        (["--ca-file", "/nonexistent.pem"], "no such file: /nonexistent.pem"),
        (["--demand", "/nonexistent.yaml"], "no such demand file"),
        (["--prices", "/nonexistent.yaml"], "/nonexistent.yaml"),
        (["--backend", "vlm"], "vlm"),
        (["--engine", "nosuch"], "nosuch"),
        (["--usd-per-hour", "-1"], "-1"),
        (["--usd-per-hour", "nan"], "--usd-per-hour must be a finite number, got nan"),
        (["--nosuch-option"], "--nosuch-option"),
        (["--boxes", "0"], "0"),
        (["--url", "http://a", "--url", "http://a/"], "is given twice"),
        (["--url", "http://a", "--replicas-per-instance", "2", "--boxes", "1"], "are not the 1 URL driven"),
        (["--url", "http://a", "--url", "http://b", "--replicas-per-instance", "1", "--boxes", "1"], "2 were driven"),
        (["--url", "http://127.0.0.1:1", "--engine", "llama_cpp_python"], "exclude each other"),
        (["--backend", "vllm", "--engine", "llama_cpp_python"], "does not fit"),
        (["--backend", "all", "--url", "http://127.0.0.1:1"], "starts every engine itself"),
    ],
)
def test_bad_input_gets_one_line_and_exit_2_and_starts_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.invoke(["run", *arguments, "--out", str(tmp_path / "out")])

    said = capsys.readouterr()
    first = said.err.splitlines()[0]
    assert code == 2
    assert first.startswith("error: ")
    assert message in first
    assert said.out == ""
    assert not (tmp_path / "out").exists()
    assert "pw@" not in said.err


@pytest.mark.parametrize("group", [[], ["engine"], ["demand"], ["explain"]])
def test_a_command_without_its_part_shows_the_help_and_exits_2(
    group: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.invoke(group)

    said = capsys.readouterr()
    assert code == 2
    assert said.err.startswith(f"Usage: {' '.join(['breakeven', *group])} [OPTIONS]")
    assert said.out == ""


def test_an_unwritable_out_directory_is_refused_before_anything_starts(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")

    code = cli.invoke(["run", str(short), "--url", "http://127.0.0.1:9", "--out", str(tmp_path / "file" / "out")])

    assert code == 2
    assert "cannot write" in capsys.readouterr().err


def test_nobody_listening_exits_1_with_the_url(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.invoke(["run", str(short), "--url", "http://127.0.0.1:9", "--out", str(tmp_path / "out")])

    assert code == 1
    assert "nobody can be reached at http://127.0.0.1:9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_it_takes_and_sends_nothing(
    short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FaultyServer() as server:
        code = cli.invoke(
            ["run", str(short), "--url", server.url(), "--instance", "g5.12xlarge", "--dry-run", "--json"]
        )
        assert server.requests == []

    plan = json.loads(capsys.readouterr().out)
    assert code == 0
    assert plan["seconds"] == 2
    assert plan["instance_usd"] == pytest.approx(5.672 * (2 + plan["hold_seconds"][1]) / 3600, rel=1e-3)
    # slowest: 5 + 250 x 0.2 = 55 s a request, so one each; fastest: 0.1 + 250 x 0.005 = 1.35 s in 2 s, 2 users
    assert plan["requests"] == [2, round(2 * 2 / 1.35)]


def start(short: Path, oracle: RunningOracle, out: Path) -> subprocess.Popen[bytes]:
    """A run whose first row is the load's: it is what the tests wait for."""
    command = breakeven("run", str(short), "--url", oracle.url, "--backend", "vllm", "--instance", "g5.12xlarge")
    command.append("--no-preflight")
    return subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_rows(out: Path, within_s: float = 30) -> Path:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if out.exists() and any(path.stat().st_size for path in out.glob("*/records-*.jsonl")):
            return only_run(out)
        time.sleep(0.05)
    raise AssertionError("no row was written in time")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_reports_what_it_had(oracle: RunningOracle, tmp_path: Path, number: signal.Signals) -> None:
    path, out = tmp_path / "long.yaml", tmp_path / "out"
    path.write_text(SCENARIO % 60)
    process = start(path, oracle, out)
    run_dir = wait_for_rows(out)

    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert files.read_manifest(run_dir).partial is True
    assert len(read_records(run_dir)) > 0
    assert (run_dir / "report.html").exists()
    assert b"cut short" in stdout
    assert b"Traceback" not in stderr


def test_a_killed_run_can_still_be_reported(oracle: RunningOracle, tmp_path: Path) -> None:
    path, out = tmp_path / "long.yaml", tmp_path / "out"
    path.write_text(SCENARIO % 60)
    process = start(path, oracle, out)
    run_dir = wait_for_rows(out)

    process.kill()
    process.communicate(timeout=30)

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _load_children(run_dir):
        time.sleep(0.05)
    assert not _load_children(run_dir)  # it does not outlive its parent
    assert cli.invoke(["report", str(run_dir)]) in {0, 3}
    assert (run_dir / "report.html").exists()
    assert len(read_records(run_dir)) > 0


def _load_children(run_dir: Path) -> list[int]:
    pids = [int(path.stem.split("-")[1]) for path in run_dir.glob("records-*.jsonl")]
    return [pid for pid in pids if _is_load(pid)]


def _is_load(pid: int) -> bool:
    try:
        return b"harness.load.process.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_full_disk_ends_the_run_and_keeps_the_rows(oracle: RunningOracle, tmp_path: Path) -> None:
    path, out = tmp_path / "long.yaml", tmp_path / "out"
    path.write_text(SCENARIO % 60)
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000));"  # a file may grow to 8 kB
        "from harness import cli; sys.exit(cli.invoke(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", limited, *breakeven("run", str(path), "--url", oracle.url)[3:]]

    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, timeout=90, check=False)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot write" in done.stderr
    assert len(read_records(only_run(out))) > 5


def test_init_writes_a_scenario_that_is_valid_and_a_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.scenario import load_scenario

    path = tmp_path / "mine.yaml"

    assert cli.invoke(["init", str(path)]) == 0
    assert load_scenario(path).name == "mine"
    assert "$schema" in json.loads(path.with_suffix(".schema.json").read_text())
    assert cli.invoke(["init", str(path)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_the_version_and_help_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["--version"]) == 0
    assert capsys.readouterr().out == f"breakeven, version {__version__}\n"
    assert cli.invoke(["run", "--help"]) == 0
    assert "Examples:" in capsys.readouterr().out


def test_an_unknown_command_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.invoke(["rnu"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["prices", "list"]], ids=" ".join)
def test_output_that_nobody_reads_is_no_error(arguments: list[str]) -> None:
    nobody, output = os.pipe()
    os.close(nobody)

    done = subprocess.run(breakeven(*arguments), stdout=output, stderr=subprocess.PIPE, check=False)

    os.close(output)
    assert (done.returncode, done.stderr) == (0, b"")


def test_any_other_pipe_that_breaks_is_not_passed_over() -> None:
    with pytest.raises(RuntimeError, match="Broken pipe"), cli.readers_may_leave():
        raise BrokenPipeError(32, "Broken pipe")
