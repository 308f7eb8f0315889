"""`--metrics-port`: what a scrape sees while a run lasts, by the parser and by a real Prometheus."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from live_events import LIVE
from prometheus_client.parser import text_string_to_metric_families

from harness.calibration.oracle.process import RunningOracle, running_oracle
from harness.cli import invoke
from harness.cli.metrics_port import RunMetrics, served
from harness.engines.process.process import choose_port
from harness.load.run_events import StepBegun

SCENARIO = """\
name: watched
load: {kind: closed, users: [2], step_s: 8, warmup_s: 1}
prompts: {kind: synthetic, input_tokens: 100, output_tokens: 50}
"""


def scraped(port: int) -> dict[str, float]:
    """Every sample without labels but a quantile, by name."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        sample.name + (f" {sample.labels['quantile']}" if "quantile" in sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_sees_the_step_the_load_and_the_sums() -> None:
    port = choose_port(None)
    with served(("127.0.0.1", port), {"scenario": "chat"}) as metrics:
        metrics.on_event(StepBegun(2, {"kind": "closed", "users": 8}, 0.0, 30.0))
        metrics.on_event(LIVE)
        metrics.on_event(replace(LIVE, finished=14, output_tokens=60))

        seen = scraped(port)

    assert (seen["breakeven_step"], seen["breakeven_step_users"]) == (3, 8)
    assert (seen["breakeven_requests_in_flight"], seen["breakeven_requests_failed_total"]) == (7, 1)
    assert (seen["breakeven_requests_finished_total"], seen["breakeven_output_tokens_total"]) == (14, 100)
    assert (seen["breakeven_ttft_seconds 0.5"], seen["breakeven_ttft_seconds 1"]) == (0.2, 0.5)


def test_what_is_not_known_is_absent_and_never_0() -> None:
    port = choose_port(None)
    with served(("127.0.0.1", port), {}) as metrics:
        before = scraped(port)
        metrics.on_event(LIVE)
        metrics.on_event(StepBegun(0, {"kind": "open", "requests_per_s": 1.5}, 0.0, 30.0))
        seen = scraped(port)

    assert set(before) == {"breakeven_run_info"}
    assert "breakeven_e2e_seconds" not in seen
    assert "breakeven_step_users" not in seen
    assert seen["breakeven_step_requests_per_second"] == 1.5


def test_the_port_is_free_again_when_the_run_has_ended_even_under_scrapes() -> None:
    port = choose_port(None)
    for _ in range(2):
        with served(("127.0.0.1", port), {}), socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(b"GET /metrics HTTP/1.1\r\n")  # and never ends

    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))


def test_a_taken_port_is_one_line_before_anything_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "watched.yaml").write_text(SCENARIO)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = ["run", str(tmp_path / "watched.yaml"), "--url", "http://127.0.0.1:9", "--out", str(tmp_path / "out")]

        assert invoke([*run, "--metrics-port", str(port)]) == 2

    assert f"error: --metrics-port 127.0.0.1:{port}: Address already in use" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["\u00b2", "a..b:9105", "9" * 40, "x", "0", "70000", "127.0.0.1:", "9105x"])
def test_what_is_no_port_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    assert invoke(["run", "--metrics-port", place]) == 2
    assert f"{place!r} is no port; write 9105, or 0.0.0.0:9105" in capsys.readouterr().err


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOracle]:
    with running_oracle(tmp_path_factory.mktemp("o") / "ledger.jsonl", ttft_s=0.01, itl_s=0.002) as running:
        yield running


def asked(port: int, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}", timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def test_a_real_prometheus_scrapes_a_real_run_until_it_has_ended(oracle: RunningOracle, tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    assert program is not None, "Debian: apt-get install prometheus"
    port, own = choose_port(None), choose_port(None)
    (tmp_path / "watched.yaml").write_text(SCENARIO)
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"
        f"scrape_configs: [{{job_name: breakeven, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )
    command = [program, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    prometheus = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{own}"], stderr=subprocess.DEVNULL)
    try:
        run = [sys.executable, "-m", "harness", "run", str(tmp_path / "watched.yaml"), "--url", oracle.url]
        done = subprocess.run(
            [*run, "--out", str(tmp_path / "out"), "--metrics-port", str(port)], capture_output=True, check=False
        )
        assert done.returncode in (0, 3), done.stderr
        seen = asked(own, "max_over_time(breakeven_requests_in_flight[1m])")
        tokens = asked(own, "max_over_time(breakeven_output_tokens_total[1m])")
        until = time.monotonic() + 10
        while asked(own, "up") and asked(own, "up")[0]["value"][1] != "0" and time.monotonic() < until:
            time.sleep(0.3)
        ups = asked(own, "up")
    finally:
        prometheus.terminate()
        prometheus.wait(20)

    assert [one["value"][1] for one in seen] == ["2"]
    assert float(tokens[0]["value"][1]) > 50
    assert ups[0]["value"][1] == "0"  # the run has ended, and nobody answers any more


def test_the_metrics_listen_to_every_event_of_a_run() -> None:
    metrics = RunMetrics({})
    metrics.on_event(LIVE)

    names = {family.name for family in metrics.collect()}

    assert {"breakeven_requests_sent", "breakeven_client_cpu_ratio"} <= names
