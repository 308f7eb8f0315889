"""A server's own counters beside a real load: scraped while it runs, kept, and held against our counts."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from faulty_server import FaultyServer
from load_helpers import run_load, scenario
from tgi_double import TgiDouble
from tgi_job import Behaviour

from harness.calibration.oracle.process import running_oracle
from harness.metrics.catalogue import readings_of, series_of
from harness.pipeline.analyse import analyse_run
from harness.rundir.read import read_server_metrics
from harness.rundir.results import Metrics

pytestmark = pytest.mark.slow  # real loads of many seconds

LOAD = {"kind": "closed", "users": [2], "step_s": 5.0, "warmup_s": 0.5}
PROMPTS = {"kind": "synthetic", "input_tokens": 20, "output_tokens": 20}


def work(**request: Any) -> Any:
    return scenario(load=LOAD, prompts=PROMPTS, request={"timeout_s": 5.0, **request})


def codes(metrics: Metrics) -> list[str]:
    return [check.code for check in (*metrics.steps[0].checks, *metrics.checks)]


def test_the_oracles_counter_agrees_with_what_was_received(tmp_path: Path) -> None:
    with running_oracle(tmp_path / "ledger.jsonl", ttft_s=0.02, itl_s=0.01) as oracle:
        measured = run_load(tmp_path / "runs", oracle.url, work=work())

    metrics = analyse_run(measured.run_dir).metrics

    server = metrics.steps[0].server
    assert server.scrapes >= 3
    assert server.generation_tokens > 100
    assert abs(server.generation_tokens - server.client_generation_tokens) <= 12  # 2 streams, both edges
    assert server.requests_running.max == 2
    assert "counts_differ" not in codes(metrics)
    frame = read_server_metrics(measured.run_dir)
    assert frame is not None
    assert list(frame.columns) == ["t_s", "name", "labels", "value"]
    pages = readings_of(series_of(frame))
    assert pages is not None
    assert len(pages.scrape_times()) >= 5  # one each second, one before and one after
    assert not list(measured.run_dir.glob("server_metrics-*.jsonl"))


def test_somebody_else_on_the_server_is_found(tmp_path: Path) -> None:
    stop = threading.Event()
    with running_oracle(tmp_path / "ledger.jsonl", ttft_s=0.0, itl_s=0.01) as oracle:

        def others() -> None:
            body = json.dumps({"prompt": "x", "max_tokens": 20}).encode()
            while not stop.is_set():
                urllib.request.urlopen(f"{oracle.url}/v1/completions", body, timeout=5).close()

        thread = threading.Thread(target=others)
        thread.start()
        try:
            measured = run_load(tmp_path / "runs", oracle.url, work=work())
        finally:
            stop.set()
            thread.join()

    analysis = analyse_run(measured.run_dir)

    assert "counts_differ" in codes(analysis.metrics)
    assert analysis.exit_code == 3


def test_tgis_counters_at_requests_ends_agree(tmp_path: Path) -> None:
    with TgiDouble() as tgi:
        tgi.behaviour = Behaviour(first_token_s=0.7)  # no multiple of the scrapes' second
        measured = run_load(tmp_path, tgi.url, backend="tgi", work=work(api="native"))

    metrics = analyse_run(measured.run_dir).metrics

    server = metrics.steps[0].server
    assert server is not None
    assert server.generation_tokens == server.client_generation_tokens > 0
    assert server.kv_cache_usage is None
    assert metrics.server.engine == "tgi"


def test_a_server_without_the_page_is_asked_once_and_leaves_no_file(tmp_path: Path) -> None:
    with FaultyServer() as faulty:
        measured = run_load(tmp_path, faulty.url("ok"))
        asked = [x.path for x in faulty.requests if x.path == "/metrics"]

    assert len(asked) == 2  # by who asks who it is, and by the scraper
    assert read_server_metrics(measured.run_dir) is None
    assert "no /metrics" in analyse_run(measured.run_dir).metrics.server.note


@contextmanager
def exporter(page: str) -> Iterator[str]:
    """A page at /metrics, as DCGM-exporter has one; gives its base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_gpus_of_another_box_are_read_from_their_exporter(tmp_path: Path) -> None:
    page = '# TYPE DCGM_FI_DEV_POWER_USAGE gauge\nDCGM_FI_DEV_POWER_USAGE{gpu="0"} 150\n'
    with exporter(page) as url, running_oracle(tmp_path / "ledger.jsonl", itl_s=0.01) as oracle:
        measured = run_load(tmp_path / "runs", oracle.url, work=work(), gpu_urls=[url])

    step = analyse_run(measured.run_dir).metrics.steps[0]

    assert step.gpu.power_w == 150
    assert step.gpu.joules_per_output_token > 0
    assert step.server.generation_tokens > 100
