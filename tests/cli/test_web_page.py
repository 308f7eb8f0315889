"""`--web`: Locust's own page of a real run, which can be looked at and nothing else."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.calibration.oracle.process import RunningOracle, running_oracle
from harness.cli import invoke
from harness.engines.process.process import choose_port
from harness.rundir.read import read_records

SCENARIO = """\
name: shown
load: {kind: closed, users: [3], step_s: 6, warmup_s: 1}
prompts: {kind: synthetic, input_tokens: 100, output_tokens: 20}
"""
MOST_S = 30.0  # until the page is there


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOracle]:
    with running_oracle(tmp_path_factory.mktemp("o") / "ledger.jsonl", ttft_s=0.05, itl_s=0.005) as running:
        yield running


def stats(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/requests", timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def refusal(port: int, path: str, body: bytes | None = None) -> int:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=body, timeout=5)
    refused.value.close()
    return refused.value.code


def test_the_page_shows_the_run_and_refuses_to_conduct_it(oracle: RunningOracle, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(SCENARIO)
    port = choose_port(None)
    command = [sys.executable, "-m", "harness", "run", str(tmp_path / "shown.yaml"), "--url", oracle.url]
    run = subprocess.Popen([*command, "--out", str(tmp_path / "out"), "--web", str(port)], stdout=subprocess.DEVNULL)
    try:
        seen, until = {}, time.monotonic() + MOST_S
        while not seen.get("stats") or seen["stats"][-1]["num_requests"] < 20:
            assert time.monotonic() < until
            time.sleep(0.2)
            try:
                seen = stats(port)
            except OSError:
                continue
        codes = [refusal(port, "/swarm", b"user_count=9"), refusal(port, "/stop"), refusal(port, "/stats/reset")]
    finally:
        code = run.wait(60)

    by_name = {entry["name"]: entry for entry in seen["stats"]}
    assert (seen["state"], seen["user_count"]) == ("running", 3)
    assert 50 <= by_name["first token"]["median_response_time"] <= 100
    assert by_name["whole request"]["num_requests"] == by_name["Aggregated"]["num_requests"]
    assert codes == [405, 405, 405]
    assert code in (0, 3)
    (run_dir,) = (tmp_path / "out").iterdir()
    assert len(read_records(run_dir)) > 20
    with pytest.raises(OSError):
        stats(port)


def test_a_taken_port_is_one_line_before_anything_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shown.yaml").write_text(SCENARIO)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = ["run", str(tmp_path / "shown.yaml"), "--url", "http://127.0.0.1:9", "--out", str(tmp_path / "out")]

        assert invoke([*run, "--web", str(port)]) == 2

    assert f"error: --web: port {port}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_address_of_another_machine_is_one_line_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--web", "192.0.2.1:9000", "--out", str(out)]

    assert invoke(["run", "open", "--url", "http://127.0.0.1:9", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: --web: port 9000 of 192.0.2.1 cannot be used: ")
    assert not out.exists()
