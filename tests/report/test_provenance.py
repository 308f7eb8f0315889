import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from report_cases import HOSTILE, case

from harness.report.model import RunFiles, Table, Text
from harness.report.trust.provenance import provenance_blocks, reproduce
from harness.rundir.box import BoxFacts
from harness.rundir.manifest import RunManifest
from harness.rundir.results import Metrics
from harness.scenario import Scenario

RUN_DIR = Path("results/20261120T091403Z-chat-vllm-g5.12xlarge")


def client_facts(run: RunManifest, metrics: Metrics) -> dict[str, str]:
    tables = [b for b in provenance_blocks(RunFiles(RUN_DIR, run, metrics, None)) if isinstance(b, Table)]
    (table,) = [t for t in tables if t.caption == "The client and the run"]
    return {row.cells[0].text: row.cells[1].text for row in table.rows}


def test_a_run_against_an_endpoint_is_repeated_against_it() -> None:
    command = reproduce(case("two_windows").under(RUN_DIR))[1]

    assert shlex.split(command) == [
        "breakeven", "run", "chat.json", "--backend", "vllm", "--url", "http://127.0.0.1:8000",
        "--model", "example/Tern-70B-Instruct", "--instance", "g5.12xlarge", "--purchase", "on_demand",
        "--api", "anthropic:claude-sonnet-5-5", "--api", "openai:gpt-6-luna",
    ]  # fmt: skip


def test_an_engine_that_was_started_for_the_run_is_started_again() -> None:
    given = case("two_windows")
    given.run.engine = {"name": "llama_server", "version": "b6989", "flags": {}, "slots": 4, "context_tokens": 4096}

    command = shlex.split(reproduce(given.under(RUN_DIR))[1])

    assert command[3:5] == ["--engine", "llama_server"]
    assert "--url" not in command


def test_headers_are_named_and_their_secrets_are_not() -> None:
    given = case("two_windows")
    given.run.client = {"header_names": ["x-team"], "extra_body": {"top_k": 1}}

    command = shlex.split(reproduce(given.under(RUN_DIR))[1])

    assert command[command.index("--header") + 1] == "x-team=..."
    assert json.loads(command[command.index("--extra-body") + 1]) == {"top_k": 1}


def test_hostile_names_stay_one_word_of_the_command() -> None:
    given = case("two_windows")
    given.run.model = HOSTILE + "; rm -rf /; $(reboot)"

    command = shlex.split(reproduce(given.under(RUN_DIR))[1])

    assert command[command.index("--model") + 1].endswith("; rm -rf /; $(reboot)")


def test_the_first_line_takes_the_scenario_out_of_the_run(tmp_path: Path) -> None:
    given = case("two_windows")
    run_dir = tmp_path / "a-run"
    run_dir.mkdir()
    (run_dir / "run.json").write_text(json.dumps(given.run.to_dict()))
    words = shlex.split(reproduce(given.under(run_dir))[0])

    subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, check=True)

    taken = json.loads((tmp_path / "chat.json").read_text())
    assert Scenario.model_validate(taken).digest() == given.under(run_dir).scenario.digest()


def test_the_clients_own_error_is_quoted_from_its_calibration() -> None:
    run, metrics, _ = case("two_windows")
    error = {"p99_s": 0.0014}
    level = {"streams": 64, "tokens_per_s": 3200, "void": None, "ttft": error, "itl": error}
    run.client["calibration"] = {"taken_at": "2026-11-20T08:00:00Z", "levels": [level]}

    said = client_facts(run, metrics)["client error"]

    # at most 8 in flight and 225 tok/s: inside 64 streams and 3,200 tok/s
    assert said.startswith("this client adds at most 1.40 ms to 99 % of first tokens")


def test_without_a_calibration_that_is_said() -> None:
    run, metrics, _ = case("two_windows")

    assert client_facts(run, metrics)["client error"].startswith("not calibrated")


def test_workers_of_other_machines_are_named_with_their_clock_and_their_own_error() -> None:
    level = {"streams": 8, "tokens_per_s": 200.0, "void": None, "ttft": {"p99_s": 0.002}, "itl": {"p99_s": 0.001}}
    run, metrics, _ = case("two_windows")
    run.client |= {
        "workers": 2,
        "calibration": {"taken_at": "2026-11-20T08:00:00Z", "levels": []},
        "remote_workers": [
            {"worker": 0, "host": "load-1", "cores": 4, "calibration": {"taken_at": "2026-11-21", "levels": [level]},
             "clock": {"error_s": 0.0002, "moved_s": -0.0001, "moved_error_s": 0.0004, "echoes": 60}},
            {"worker": 1, "host": "load-2", "cores": 8, "calibration": None,
             "clock": {"error_s": 0.0003, "moved_s": None, "moved_error_s": None, "echoes": 1}},
        ],
    }  # fmt: skip

    facts = client_facts(run, metrics)

    # at most 16 in flight and 223 tok/s, by two processes: 8 and 112 each
    assert "client error" not in facts  # this machine drove nothing
    assert facts["client worker 1"].startswith("load-1, 4 cores; its clock is known to 0.20 ms and moved -0.10 ms")
    assert "adds at most 2.00 ms to 99 % of first tokens" in facts["client worker 1"]
    assert "moved n/a" in facts["client worker 2"]
    assert "not calibrated" in facts["client worker 2"]


@pytest.mark.parametrize(
    ("load", "loop", "begin"),
    [
        ({"kind": "closed", "users": [1]}, "Closed loop", "from the first byte sent"),
        ({"kind": "open", "requests_per_s": [1]}, "Open loop", "from the instant the request was due"),
        ({"kind": "trace", "file": "t.csv"}, "Open loop", "from the instant the request was due"),
        ({"kind": "ramp", "over": "users", "start": 1, "end": 4}, "Closed loop", "from the first byte sent"),
        ({"kind": "search", "over": "requests_per_s", "low": 1}, "Open loop", "from the instant the request was due"),
    ],
)
def test_the_method_says_from_which_instant_latencies_run(load: dict[str, object], loop: str, begin: str) -> None:
    run, metrics, _ = case("two_windows")
    run.scenario["load"] = load

    first = provenance_blocks(RunFiles(RUN_DIR, run, metrics, None))[0]

    assert isinstance(first, Text)
    assert first.text.startswith(loop)
    assert begin in first.text


def test_what_a_rented_box_said_of_itself_is_one_line() -> None:
    given = case("two_windows")
    told = {
        "instance": {"cloud": "aws", "id": "i-0", "image": HOSTILE},
        "gpus": [{"driver": "580.65.06"}],
        "cuda": "13.0",
    }
    given.run.box = BoxFacts.model_validate(told)

    tables = [b for b in provenance_blocks(given.under(RUN_DIR)) if isinstance(b, Table)]
    (table,) = [t for t in tables if t.caption == "The engine, as it reports itself"]
    (line,) = [row.cells[1].text for row in table.rows if row.cells[0].text == "box, as it says itself"]

    assert line.startswith("aws i-0; image ")
    assert line.endswith("; 1 x GPU; driver 580.65.06 (CUDA 13.0)")
    assert line.isprintable()
