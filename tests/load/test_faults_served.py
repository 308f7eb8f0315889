"""Endpoints and engines that fail: one clear line, the right error in the rows, the exit code, a check."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faulty_server import FaultyServer
from load_helpers import A_LIVE, records_of, run_load, scenario
from tiny_gguf import model_bytes

from harness import cli
from harness.backends.faults import hint_for
from harness.base.errors import EngineError
from harness.engines.kinds import llama_cpp_python
from harness.load.conduct import hopeless as hopeless_module
from harness.load.conduct.hopeless import hopeless
from harness.load.protocol import Live
from harness.load.run_events import RunEvent
from harness.pipeline.analyse import analyse_run
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions
from harness.rundir.read import read_records

LONG = """\
name: long
load: {kind: closed, users: [%d, 1], step_s: 60, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 20, output_tokens: 5}
request: {timeout_s: 10}
"""
MANY_USERS = {"kind": "closed", "users": [12], "step_s": 0.5, "warmup_s": 0}


def only_run(out_dir: Path) -> Path:
    (run_dir,) = out_dir.iterdir()
    return run_dir


def findings(run_dir: Path) -> dict[str, dict[str, str]]:
    """code -> check, of all steps and of the run."""
    metrics = json.loads((run_dir / "metrics.json").read_text())
    return {c["code"]: c for c in [c for s in metrics["steps"] for c in s["checks"]] + metrics["checks"]}


def findings_of(run_dir: Path) -> dict[str, dict[str, str]]:
    analyse_run(run_dir)
    return findings(run_dir)


@pytest.mark.parametrize(
    ("error", "detail", "way_out"),
    [  # what servers were seen to say
        ("http_401", "Unauthorized", "--api-key-env"),
        ("http_404", "The model `x` does not exist.", "--model"),
        ("http_404", "Not Found", "base URL"),
        ("http_400", "Unrecognized request argument supplied: ignore_eos", "--backend openai"),
        ("http_422", "[{'loc': ['body', 'min_tokens'], 'msg': 'Extra inputs are not permitted'}]", "--backend"),
        ("http_400", "request (3001 tokens) exceeds the available context size (2048 tokens)", "context"),
        ("http_400", "This model's maximum context length is 2048 tokens.", "context"),
        ("http_422", "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 3000", "context"),
        ("error_event", "Model is overloaded", "--max-concurrent-requests"),
        ("http_429", "Model is overloaded", "--max-concurrent-requests"),
        ("truncated", "the answer ended without a finish reason", "--interrupt_requests false"),
        ("connect", "Connection refused", "server's own log"),
        ("http_502", "502 Bad Gateway; nginx", "could not reach it"),
        ("http_503", "503 Service Temporarily Unavailable; nginx", "limit_req"),
        ("http_503", "503 Service Unavailable; No server is available to handle this request.", "own log"),
        ("http_504", "stream timeout", "timeout server"),
        ("http_408", "litellm.Timeout: APITimeoutError - Request timed out.", "LiteLLM: timeout"),
        ("error_event", "Timeout on reading data from socket", "proxy_read_timeout"),
        ("truncated", "the answer broke off, HTTP: Incomplete response.", "proxy_read_timeout"),
        ("http_400", "No connected db.", "--api-key-env"),  # LiteLLM
        ("http_400", "API key not valid. Please pass a valid API key.", "--api-key-env"),  # Gemini
        ("http_400", "Incorrect API key provided: ...", "--api-key-env"),  # xAI
        ("http_401", "litellm.AuthenticationError: OpenAIException - no", "`api_key` of the model"),
        ("http_403", "litellm.PermissionDeniedError: OpenAIException - no", "`api_key` of the model"),
        ("http_401", "Authentication Error, No api key passed in.", "--api-key-env"),
        ("http_429", "litellm.RateLimitError: OpenAIException - Model is overloaded", "--max-concurrent-requests"),
        ("http_429", "No deployments available for selected model, Try again in 5 seconds.", "those it has failed"),
        ("http_500", "litellm.InternalServerError: OpenAIException - Connection error..", "`api_base`"),
        ("error_event", "litellm.APIConnectionError: OpenAIException - Connection error.", "broke the answer off"),
    ],
)  # fmt: skip
def test_what_a_server_says_points_to_the_way_out(error: str, detail: str, way_out: str) -> None:
    assert way_out in (hint_for(error, detail) or "")


@pytest.mark.parametrize(
    ("error", "detail"),
    [("http_500", "boom"), ("timeout", "no whole answer in 1 s"), ("error_event", "CUDA error"), ("reset", None)],
)
def test_words_that_point_at_nothing_get_no_hint(error: str, detail: str | None) -> None:
    assert hint_for(error, detail) is None


def live(**more: Any) -> Live:
    return replace(A_LIVE, last_error="http_401: no", **more)


@pytest.mark.parametrize(
    ("sample", "ends"),
    [
        (live(refused=10, failed=10), True),
        (live(refused=9, failed=9), False),  # too few
        (live(refused=10, failed=11), False),  # another failure among them
        (live(refused=10, failed=10, finished=1), False),  # it serves some
        (live(unreachable=5, unreachable_s=15.0, failed=5, finished=100), True),
        (live(unreachable=50, unreachable_s=14.9, failed=50), False),  # it may be starting again
        (live(unreachable=4, unreachable_s=20.0, failed=4), False),
    ],
)
def test_a_load_ends_early_only_where_no_request_can_succeed(sample: Live, ends: bool) -> None:
    assert (hopeless(sample, ["http://127.0.0.1:1"]) is not None) == ends


def test_a_refused_key_ends_the_run_at_once_with_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "long.yaml", tmp_path / "out"
    path.write_text(LONG % 12)
    began = time.monotonic()

    with FaultyServer() as server:
        code = cli.invoke(["run", str(path), "--url", server.url("status=401"), "--out", str(out), "--no-preflight"])

    said = capsys.readouterr().err
    assert code == 3
    assert time.monotonic() - began < 30  # of 120 s
    assert "refuses every request, the run ends here: http_401: no luck: 401" in said
    assert "hint: the endpoint refuses the key: --api-key-env NAME" in said
    assert "--api-key-env" in findings(only_run(out))["errors_over_limit"]["hint"]
    assert findings(only_run(out))["ended_early"]["level"] == "error"
    assert (only_run(out) / "report.html").exists()
    assert set(read_records(only_run(out))["error"]) == {"http_401"}


def test_a_refused_ignore_eos_names_the_key_and_the_dialect_without_it(tmp_path: Path) -> None:
    with FaultyServer() as server:
        url = server.url("refuses-key=ignore_eos")
        refused = run_load(tmp_path / "a", url, backend="vllm")
        served = run_load(tmp_path / "b", url, backend="openai")

    assert set(records_of(refused)["error"]) == {"http_400"}
    check = findings_of(refused.run_dir)["errors_over_limit"]
    assert "Unrecognized request argument: ignore_eos" in check["message"]
    assert "--backend openai" in check["hint"]
    assert records_of(served)["error"].isna().any()


def test_tgi_overload_in_a_stream_is_counted_and_explained(tmp_path: Path) -> None:
    with FaultyServer() as server:
        measured = run_load(tmp_path, server.url("tgi-error=2"), backend="tgi", work=scenario(
            request={"timeout_s": 1.0, "api": "native"}
        ))  # fmt: skip

    rows = records_of(measured)
    assert set(rows["error"]) == {"error_event"}
    assert set(rows["http_status"]) == {200}
    check = findings_of(measured.run_dir)["errors_over_limit"]
    assert "Model is overloaded" in check["message"]
    assert "--max-concurrent-requests" in check["hint"]


def test_an_endpoint_of_another_model_is_said_before_the_load_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "s.yaml", tmp_path / "out"
    path.write_text("name: s\nload: {users: [1], step_s: 0.5, warmup_s: 0}\nprompts: {input_tokens: 7}\n")

    with FaultyServer() as server:
        cli.invoke(["run", str(path), "--url", server.url(), "--model", "llama-70b", "--out", str(out)])

    said = capsys.readouterr().err
    assert "warning: http://127.0.0.1" in said
    assert said.index("does not list the model `llama-70b`, it serves: faulty") < said.index("step 1")
    check = findings(only_run(out))["other_model"]
    assert "answered for `llama-70b`, which it does not list: it serves faulty" in check["message"]
    assert "--model faulty" in check["hint"]


def test_the_model_that_is_served_raises_no_doubt(tmp_path: Path) -> None:
    with FaultyServer() as server:
        measured = run_load(tmp_path, server.url(), model="faulty")

    assert "other_model" not in findings_of(measured.run_dir)


def test_an_endpoint_that_goes_away_ends_the_run_and_keeps_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hopeless_module, "GONE_S", 1.0)
    server = FaultyServer().__enter__()
    stop = [server]

    def end_the_server(event: RunEvent) -> None:
        if isinstance(event, Live) and event.finished and stop:
            stop.pop().__exit__()

    work = scenario(load={"kind": "closed", "users": [2, 1], "step_s": 60, "warmup_s": 0})
    options = RunOptions(scenario=work, base_dir=tmp_path, backend="vllm", out_dir=tmp_path, urls=[server.url()])

    measured = measure(options, end_the_server)

    assert measured.failure is not None
    assert measured.failure.exit_code == 1
    assert "cannot be reached any more" in str(measured.failure)
    rows = records_of(measured)
    assert rows["error"].isna().any()
    assert "connect" in set(rows["error"].dropna())
    assert rows["finished_s"].max() < 60
    assert "cannot be reached" in findings_of(measured.run_dir)["ended_early"]["message"]


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("llama_server", "llama-server is not built yet\n\nhint: breakeven engine install llama_server"),
        ("vllm", "vLLM is not installed yet\n\nhint: breakeven engine install vllm"),
    ],
)
def test_an_engine_that_is_not_installed_is_one_line_with_the_command(
    engine: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))

    model = tmp_path / "tiny.gguf"
    model.write_bytes(model_bytes())

    code = cli.invoke(["run", "--engine", engine, "--model", str(model), "--out", str(tmp_path / "out")])

    assert code == 1
    assert f"error: {said}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_engine_of_a_wrong_version_is_refused_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "llama_cpp_python-0.2.90.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.2.90\n")
    for module in llama_cpp_python._NEEDED:
        (tmp_path / f"{module}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(EngineError, match=r"llama-cpp-python 0\.2\.90 is too old, 0\.3\.36 is needed"):
        llama_cpp_python.install(lambda _: None)
