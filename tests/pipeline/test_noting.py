"""What run.json keeps of who answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from cost_cases import manifest

from harness.base.errors import UsageError
from harness.cost.box.weights import bits_per_weight, weights_of
from harness.engines.life.running import Engine
from harness.load.protocol import Identified
from harness.pipeline.noting import STARTED, note_engine, note_event
from harness.rundir.identity import BY_USER, Identity, SaidCount, SaidText


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:8000", SaidCount(value=163_840, said_by="config.json")), ("http://10.0.0.7:8000", None)],
)
def test_weights_that_lie_here_tell_their_shape_where_the_endpoint_is_here_too(
    url: str, said: SaidCount | None, tmp_path: Path
) -> None:
    shape = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    run = manifest("bench")
    run.urls = [url]

    identity = Identity(engine="vllm", weights=SaidText(value=str(tmp_path), said_by="/v1/models"))
    note_event(run, Identified(identity, ["bench"], "bench"))

    assert run.identity is not None
    assert run.identity.kv_values == said
    weights = weights_of(run)
    assert weights is not None
    assert weights.kv_values == (163_840 if said is not None else None)


def test_weights_that_lie_here_say_how_they_are_quantised_where_nobody_else_does(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "gptq", "bits": 8}}))
    weights = SaidText(value=str(tmp_path), said_by="/v1/models")
    told = SaidText(value="fp8", said_by="/get_server_info")
    silent, telling = manifest("bench"), manifest("bench")
    silent.urls = telling.urls = ["http://127.0.0.1:8000"]

    note_event(silent, Identified(Identity(engine="vllm", weights=weights), ["bench"], "bench"))
    note_event(telling, Identified(Identity(engine="sglang", weights=weights, quantization=told), ["bench"], "bench"))

    assert silent.identity is not None
    assert silent.identity.quantization == SaidText(value="gptq-8bit", said_by="config.json")
    assert (silent.quantization, telling.quantization) == ("gptq-8bit", "fp8")


def started(name: str, model: str | None, quantization: str | None = None) -> Engine:
    nobody: Any = None
    return Engine(
        name=name, version="1", model=model, context_tokens=4096, slots=8, quantization=quantization, flags=[],
        base_url="http://127.0.0.1:8000", process=nobody,
    )  # fmt: skip


def test_an_engine_of_ours_has_the_weights_of_its_own_arguments(tmp_path: Path) -> None:
    here = tmp_path / "Llama-3.1-8B-Instruct"
    here.mkdir()
    shape = {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096}
    (here / "config.json").write_text(json.dumps({**shape, "quantization_config": {"quant_method": "fp8"}}))
    run = manifest(None)

    note_engine(run, started("tgi", "/weights"), str(here))  # where the container sees them

    assert run.identity == Identity(
        engine="tgi",
        version="1",
        weights=SaidText(value="Llama-3.1-8B-Instruct", said_by=STARTED),
        quantization=SaidText(value="fp8", said_by="config.json"),
        kv_values=SaidCount(value=2 * 32 * 8 * 128, said_by="config.json"),
        context=SaidCount(value=4096, said_by=STARTED),
        slots=SaidCount(value=8, said_by=STARTED),
    )
    assert (run.model, run.quantization) == ("/weights", "fp8")


def test_of_an_engine_of_ours_the_user_says_only_what_its_arguments_do_not() -> None:
    run = manifest(None)

    note_engine(run, started("llama_server", "bench", "Q4_1"), "/srv/bench.gguf", weights="org/Name-8B-Instruct")

    assert run.identity is not None
    assert run.identity.weights == SaidText(value="org/Name-8B-Instruct", said_by=BY_USER)
    with pytest.raises(UsageError, match=r"--quantization fp8: llama_server says Q4_1 \(the engine that was started\)"):
        note_engine(run, started("llama_server", "bench", "Q4_1"), quantization="fp8")


@pytest.mark.parametrize(("place", "is_known"), [("/models/70b", False), ("/models/8b", True), ("/models/x", True)])
def test_a_place_that_says_another_size_than_the_alias_leaves_nobody_to_believe(place: str, is_known: bool) -> None:
    run = manifest("llama-3.1-8b")
    run.identity = Identity(engine="vllm", weights=SaidText(value=place, said_by="/v1/models"))

    weights = weights_of(run)

    assert weights is not None
    assert weights.is_known is is_known
    assert (weights.size is not None) is is_known


@pytest.mark.parametrize(("said", "bits"), [("16-bit", 16.0), ("16bit", 16.0), ("4-bit", 4.0), ("8bit", 8.0)])
def test_bits_are_the_whole_number(said: str, bits: float) -> None:
    assert bits_per_weight("m", said) == bits
