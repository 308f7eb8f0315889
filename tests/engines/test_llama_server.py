"""llama-server, built from source and really started."""

import threading
import urllib.request
from pathlib import Path

import pytest
from engine_helpers import complete, listening_on, post

from harness.base.errors import EngineError
from harness.cli import invoke
from harness.engines.life.running import Engine, running_engine
from harness.engines.weights.models import bundled_model_path

pytestmark = pytest.mark.engine


def metric(engine: Engine, name: str) -> float:
    with urllib.request.urlopen(f"{engine.base_url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"llamacpp:{name} ")))


def test_llama_server_answers_paris(llama_server_engine: Engine) -> None:
    assert complete(llama_server_engine.base_url, "The capital of France is", 1) == " Paris"


def test_llama_server_is_identified_by_what_it_says(llama_server_engine: Engine) -> None:
    assert llama_server_engine.version == "b0-llama-cpp-python-0.3.36"
    assert llama_server_engine.model == "SmolLM2-135M-Instruct.Q4_1"
    assert llama_server_engine.quantization == "Q4_1"


def test_each_slot_has_the_whole_context(llama_server_engine: Engine) -> None:
    assert llama_server_engine.slots == 4
    assert llama_server_engine.context_tokens == 2048


def test_llama_server_listens_on_loopback_only(llama_server_engine: Engine) -> None:
    assert listening_on(llama_server_engine.process.pid) == {"127.0.0.1"}


def test_the_prompt_cache_is_off(llama_server_engine: Engine) -> None:
    body = {"prompt": "Once upon a time there was a fox that " * 5, "n_predict": 1, "temperature": 0}

    first, second = (post(f"{llama_server_engine.base_url}/completion", body)["timings"] for _ in range(2))

    assert (first["cache_n"], second["cache_n"]) == (0, 0)
    assert first["prompt_n"] == second["prompt_n"] > 40


def test_requests_are_served_at_once(llama_server_engine: Engine) -> None:
    body = {"prompt": "Once upon a time", "n_predict": 128, "ignore_eos": True, "temperature": 0}
    url = f"{llama_server_engine.base_url}/completion"
    before = metric(llama_server_engine, "n_decode_total")

    threads = [threading.Thread(target=post, args=(url, body)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # one after the other, 4 x 128 tokens take at least 4 x 127 decode calls; four at once take 127 and a few
    assert metric(llama_server_engine, "n_decode_total") - before < 2 * 127


def test_a_broken_model_is_shown_with_the_end_of_llama_servers_log(llama_server_engine: Engine, tmp_path: Path) -> None:
    assert llama_server_engine.process.poll() is None  # and so it is built
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(bundled_model_path().read_bytes()[:-64])

    with (
        pytest.raises(EngineError, match="llama-server did not come up: it ended with exit code 1") as caught,
        running_engine("llama_server", model=broken, log_path=tmp_path / "log", progress=print),
    ):
        pass

    assert "corrupted or incomplete" in (caught.value.detail or "")


def test_engine_check_asks_llama_server_for_the_capital(
    llama_server_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["engine", "check", "llama_server", "--url", llama_server_engine.base_url]) == 0

    checked = capsys.readouterr().out
    assert 'answer  " Paris' in checked
    assert f"model   {llama_server_engine.model}\n" in checked
    assert "tokens  5 in, " in checked  # as vLLM counts them
    assert "(normal)" in checked
