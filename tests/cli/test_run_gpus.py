"""`breakeven run` on a box with GPUs, against doubles that say how many they use: what is priced, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from endpoint import Call, Endpoint, Reply, served
from gpu_boxes import a_box

from harness import cli
from harness.base.errors import EXIT_DONE, EXIT_USAGE

SCENARIO = """\
name: short
load: {kind: closed, users: [4], step_s: 2, warmup_s: 0}
prompts: {kind: synthetic, input_tokens: 50, output_tokens: 8}
request: {timeout_s: 10}
slo: {ttft_p50_s: 2}
"""
VLLM = {"/v1/models": {"data": [{"id": "m", "owned_by": "vllm", "root": "org/Llama-3.1-8B-Instruct"}]}}
SGLANG = {"version": "0.5.3", "model_path": "org/m", "max_total_num_tokens": 9000}


def fingerprinted(fingerprint: str) -> Any:
    """vLLM's last chunk says what it is built of."""

    def post(call: Call) -> Reply:
        reply = served(call)
        assert isinstance(reply.body, bytes)
        said = json.dumps({"system_fingerprint": fingerprint})[1:-1].encode()
        return Reply(
            reply.status, reply.body.replace(b'{"choices": []', b"{" + said + b', "choices": []'), reply.headers
        )

    return post


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.yaml"
    path.write_text(SCENARIO)
    return path


def run(short: Path, server: Endpoint, *options: str) -> int:
    return cli.invoke(
        [
            "run",
            str(short),
            "--url",
            server.url,
            "--instance",
            "g5.12xlarge",
            "--out",
            str(short.parent / "out"),
            *options,
        ]
    )


def files_of(short: Path) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    (place,) = (short.parent / "out").iterdir()
    run_json, decision = (json.loads((place / f"{name}.json").read_text()) for name in ("run", "decision"))
    return place, run_json, decision


def test_a_vllm_on_one_of_four_gpus_is_priced_once_somebody_says_how_many_fill_the_box(
    short: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Endpoint(VLLM, fingerprinted("vllm-0.32.0-1a2b3c4d")) as server:
        assert run(short, server) == EXIT_DONE

    place, manifest, decision = files_of(short)
    said = " ".join(capsys.readouterr().out.split())
    why = "1 of the 4 GPUs of a g5.12xlarge is used, and nobody said how many such engines fill it"
    assert f"Not decided: {why}" in said
    assert manifest["identity"]["gpus_used"] == {"value": 1, "said_by": "so says system_fingerprint"}
    assert {arm["why_not"] for arm in decision["arms"]} == {why}
    assert [check["code"] for check in decision["checks"] if "gpu" in check["code"]] == ["gpus_unused"]

    assert cli.invoke(["report", str(place), "--replicas-per-instance", "4"]) == EXIT_DONE
    _, _, decision = files_of(short)
    measured = json.loads((place / "metrics.json").read_text())["goodput"]["requests_per_s"]
    assert decision["self_host"]["goodput"]["requests_per_s"] == pytest.approx(4 * measured)
    assert decision["self_host"]["instance"]["gpus_used"] == 4
    assert any(arm["decided"] for arm in decision["arms"])  # against others four users are too few to tell


def test_an_engine_over_all_gpus_is_the_box_and_nothing_is_said(short: Path) -> None:
    with Endpoint(VLLM, fingerprinted("vllm-0.32.0-tp4-1a2b3c4d")) as server:
        assert run(short, server) == EXIT_DONE

    _, manifest, decision = files_of(short)
    assert manifest["identity"]["parallel"] == {"value": 4, "said_by": "system_fingerprint"}
    assert decision["self_host"]["instance"]["gpus_used"] == 4
    assert [check["code"] for check in decision["checks"] if "gpu" in check["code"]] == []


def test_more_gpus_than_the_named_instance_has_end_the_run_before_its_load(
    short: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Endpoint({"/get_server_info": SGLANG | {"tp_size": 8}}) as server:
        assert run(short, server) == EXIT_USAGE
        assert server.generations() == []

    said = " ".join(capsys.readouterr().err.split())
    assert "sglang: one engine uses 8 GPUs (so says /get_server_info), and a g5.12xlarge has 4" in said
    assert not (short.parent / "out").exists()


def test_an_endpoint_that_says_nothing_of_its_gpus_is_priced_and_that_is_said_once(
    short: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Endpoint() as server:
        assert run(short, server) == EXIT_DONE

    _, manifest, decision = files_of(short)
    assert manifest["identity"]["gpus_used"] is None
    assert any(arm["decided"] for arm in decision["arms"])
    assert capsys.readouterr().out.count("nobody says how many of the 4 GPUs") == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--engine", "llama_server", "--model", "/nowhere/m.gguf"), "cannot read the model file /nowhere/m.gguf"),
        (("--engine", "vllm", "--model", "meta-llama/Llama-3.1-8B-Instruct"), "is gated"),
        (("--engine", "vllm", "--gpus", "1-2"), "--gpus '1-2' is no number"),
    ],
)
def test_a_dry_run_refuses_what_the_engines_start_would(
    short: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], why: str
) -> None:
    monkeypatch.setenv("HF_HOME", str(short.parent))
    monkeypatch.delenv("HF_TOKEN", raising=False)

    assert cli.invoke(["run", str(short), "--dry-run", *options]) == EXIT_USAGE
    assert why in capsys.readouterr().err


def test_a_dry_run_says_what_the_engines_start_would(
    short: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.pipeline.before_start.gpus_here", lambda: a_box(2))

    assert cli.invoke(["run", str(short), "--engine", "vllm", "--model", "org/Some-8B", "--dry-run"]) == EXIT_DONE
    assert "note           1 of 2 GPUs stay idle (GPU 1)" in capsys.readouterr().out
