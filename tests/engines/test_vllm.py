"""vLLM on CPU, in its own environment and really started, with weights converted from the same GGUF."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from engine_helpers import listening_on, post

from harness.base.errors import UsageError
from harness.cli import invoke
from harness.engines import engine_kind
from harness.engines.kind import Settings
from harness.engines.life.running import Engine

pytestmark = pytest.mark.engine


def test_vllm_answers_paris(vllm_engine: Engine) -> None:
    body = {"model": vllm_engine.model, "prompt": "The capital of France is", "max_tokens": 1, "temperature": 0}

    answer = post(f"{vllm_engine.base_url}/v1/completions", body)

    assert answer["choices"][0]["text"] == " Paris"
    assert answer["usage"]["prompt_tokens"] == 5


def test_vllm_is_identified_by_what_it_says(vllm_engine: Engine) -> None:
    assert (vllm_engine.version or "").startswith("0.32.0")
    assert vllm_engine.model == "SmolLM2-135M-Instruct.Q4_1-bf16"
    assert vllm_engine.quantization == "BF16 (from Q4_1)"
    assert vllm_engine.context_tokens == 2048


def test_no_flag_of_vllm_holds_a_path(vllm_engine: Engine) -> None:
    assert [flag for flag in vllm_engine.flags if "/" in flag] == []


def test_vllm_listens_on_loopback_only(vllm_engine: Engine) -> None:
    assert listening_on(vllm_engine.process.pid) == {"127.0.0.1"}


def test_the_prefix_cache_is_off(vllm_engine: Engine) -> None:
    body = {"prompt": "Once upon a time there was a fox that " * 20, "max_tokens": 1, "temperature": 0}

    for _ in range(2):
        post(f"{vllm_engine.base_url}/v1/completions", {**body, "model": vllm_engine.model})

    with urllib.request.urlopen(f"{vllm_engine.base_url}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    hits = [line for line in page.splitlines() if line.startswith("vllm:prefix_cache_hits_total")]
    assert [float(line.split()[-1]) for line in hits] == [0.0] * len(hits)


def test_a_directory_without_weights_is_bad_input(vllm_engine: Engine, tmp_path: Path) -> None:
    assert vllm_engine.process.poll() is None  # and so it is installed

    with pytest.raises(UsageError, match=r"has no config\.json"):
        engine_kind("vllm").launch(str(tmp_path), Settings(), 8000, lambda _: None)


def test_engine_check_asks_vllm_for_the_capital(vllm_engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["engine", "check", "vllm", "--url", vllm_engine.base_url]) == 0

    checked = capsys.readouterr().out
    assert 'answer  " Paris' in checked
    assert f"model   {vllm_engine.model}\n" in checked
    assert "tokens  5 in, " in checked
    assert "(normal)" in checked
