"""Who answers, by what it says of itself: one name an engine, whoever started it, and each fact with its source."""

import json
from typing import Any

import pytest

from harness.backends import dialect_of
from harness.base.errors import UsageError
from harness.load.process.answers import Found, read_answers
from harness.load.process.identify import one_model
from harness.rundir.identity import SaidCount, SaidText
from harness.rundir.manifest import RunManifest

OLLAMA_SHOW = {  # the keys of a real answer that are read
    "details": {"format": "gguf", "quantization_level": "Q4_1"},
    "parameters": 'num_ctx                        4096\nstop                           "<|im_end|>"',
    "model_info": {"general.parameter_count": 134515008, "llama.context_length": 8192},
}
SGLANG = {
    "version": "0.5.3", "model_path": "org/model", "tp_size": 2, "context_length": 8192, "quantization": None,
    "max_req_input_len": 8186, "max_total_num_tokens": 400000, "max_running_requests": 48, "api_key": "sk-secret",
}  # fmt: skip
TGI_INFO = {
    "model_id": "org/small", "router": "text-generation-router", "version": "3.3.6-dev0", "max_input_tokens": 1024,
    "max_total_tokens": 2048, "max_concurrent_requests": 32, "sha": None,
}  # fmt: skip
LLAMA_PROPS = {
    "build_info": "b11434-abc", "total_slots": 4, "model_path": "/m.gguf",
    "default_generation_settings": {"n_ctx": 512, "params": {}},
}  # fmt: skip


def listing(*owners: str, **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": f"m{n}", "owned_by": owner, **more} for n, owner in enumerate(owners)]}


def read(answers: dict[str, Any], model: str | None = None) -> Found:
    bodies = {path: body if isinstance(body, bytes) else json.dumps(body).encode() for path, body in answers.items()}
    return read_answers(bodies, model)


@pytest.mark.parametrize(
    ("answers", "engine", "dialect"),
    [
        ({"/props": LLAMA_PROPS}, "llama_server", "llama_cpp"),
        ({"/v1/models": listing("me")}, "llama_cpp_python", "llama_cpp"),
        ({"/v1/models": listing("vllm")}, "vllm", "vllm"),
        ({"/metrics": b"# TYPE vllm:num_requests_running gauge"}, "vllm", "vllm"),
        ({"/info": TGI_INFO}, "tgi", "tgi"),
        ({"/get_server_info": SGLANG}, "sglang", "sglang"),
        ({"/server_info": SGLANG}, "sglang", "sglang"),
        ({"/server_info": {"vllm_config": {}}, "/v1/models": listing("vllm")}, "vllm", "vllm"),
        ({"/v1/models": listing("sglang")}, "sglang", "sglang"),
        ({"/api/version": {"version": "0.0.0"}, "/v1/models": listing("library")}, "ollama", "openai"),
        ({"/v1/models": listing("somebody")}, None, "openai"),
        ({"/version": {"version": "1.2"}}, None, "openai"),
        (dict.fromkeys(("/v1/models", "/info", "/props", "/api/version"), b"<html>"), None, "openai"),
        ({key: {"status": "ok"} for key in ("/v1/models", "/info", "/props", "/server_info")}, None, "openai"),
        ({}, None, "openai"),
    ],
    ids=["llama-server", "llama-cpp-python", "vllm by its list", "vllm by its metrics", "tgi", "sglang before 0.5.6",
         "sglang", "vllm in development mode", "sglang by its list", "ollama", "a gateway", "a version alone",
         "a web page", "one answer to all", "silence"],
)  # fmt: skip
def test_an_engine_by_url_has_the_name_that_it_has_when_we_start_it_and_is_spoken_to_in_its_dialect(
    answers: dict[str, Any], engine: str | None, dialect: str
) -> None:
    found = read(answers).identity.engine

    assert (found, dialect_of(found)) == (engine, dialect)


def test_each_fact_is_kept_with_the_route_that_said_it() -> None:
    tgi = read({"/info": TGI_INFO}).identity
    llama = read({"/props": LLAMA_PROPS}).identity
    ollama = read({"/api/version": {"version": "0.9"}, "/api/show": OLLAMA_SHOW}).identity
    sglang = read({"/get_server_info": SGLANG, "/v1/models": listing("sglang", max_model_len=9999)}).identity
    vllm = read({"/v1/models": listing("vllm", max_model_len=4096, root="org/weights")}).identity

    assert tgi.weights == SaidText(value="org/small", said_by="/info")
    assert tgi.context == SaidCount(value=2048, said_by="/info")
    assert tgi.max_input_tokens == SaidCount(value=1024, said_by="/info")
    assert tgi.max_concurrent_requests == SaidCount(value=32, said_by="/info")
    assert (llama.context, llama.slots) == (
        SaidCount(value=512, said_by="/props"),
        SaidCount(value=4, said_by="/props"),
    )
    assert ollama.context == SaidCount(value=4096, said_by="/api/show")  # as the model file sets it
    assert ollama.parameters == SaidCount(value=134515008, said_by="/api/show")
    assert ollama.quantization == SaidText(value="Q4_1", said_by="/api/show")
    assert sglang.context == SaidCount(value=8192, said_by="/get_server_info")
    assert sglang.parallel == sglang.gpus_used == SaidCount(value=2, said_by="/get_server_info")
    assert vllm.context == SaidCount(value=4096, said_by="/v1/models")
    assert vllm.weights == SaidText(value="org/weights", said_by="/v1/models")


def test_sglangs_weights_are_what_it_has_now_never_the_name_that_it_is_served_under() -> None:
    alias = listing("sglang", root="bench", max_model_len=8192)  # as it fills both

    only_listed = read({"/v1/models": alias}).identity
    started = read({"/v1/models": alias, "/get_server_info": SGLANG}).identity
    new = {"model_path": "org/new"}
    swapped = read({"/v1/models": alias, "/server_info": SGLANG, "/model_info": new}).identity
    older = read({"/v1/models": alias, "/get_server_info": SGLANG, "/get_model_info": new}).identity

    assert only_listed.weights is None
    assert only_listed.context == SaidCount(value=8192, said_by="/v1/models")
    assert started.weights == SaidText(value="org/model", said_by="/get_server_info")
    assert swapped.weights == SaidText(value="org/new", said_by="/model_info")
    assert older.weights == SaidText(value="org/new", said_by="/get_model_info")


@pytest.mark.parametrize(
    ("told", "slots", "gpus"),
    [
        ({}, 48, 2),
        ({"pp_size": 2}, 48, 4),  # a pipeline of two, two GPUs each
        ({"dp_size": 4}, 192, 2),  # four copies, each with the number that was asked for
        ({"tp_size": 8, "dp_size": 8, "enable_dp_attention": True}, 48, 8),  # one copy, its attention shared out
        ({"max_running_requests": None}, None, 2),
        ({"max_running_requests": None, "internal_states": [{"effective_max_running_requests_per_dp": 31}] * 2}, 62, 2),
        ({"internal_states": [{"effective_max_running_requests_per_dp": 31}, {"last_gen_throughput": 0.0}]}, 48, 2),
    ],
)
def test_sglangs_slots_are_those_of_all_its_copies_and_its_gpus_those_of_one(
    told: dict[str, Any], slots: int | None, gpus: int
) -> None:
    identity = read({"/server_info": SGLANG | told}).identity

    assert identity.slots == (SaidCount(value=slots, said_by="/server_info") if slots else None)
    assert identity.parallel == SaidCount(value=gpus, said_by="/server_info")


def test_of_sglangs_arguments_no_key_is_kept() -> None:
    flags = read({"/server_info": SGLANG | {"admin_api_key": "sk-other", "mem_fraction_static": 0.88}}).flags

    assert "sk-" not in json.dumps(flags)
    assert isinstance(flags, dict)
    assert (flags["mem_fraction_static"], flags["tp_size"], "quantization" in flags) == (0.88, 2, False)


def test_a_value_of_another_type_costs_itself_alone() -> None:
    info = {**TGI_INFO, "max_input_tokens": "many", "version": 3}
    entries = [{"id": "a", "max_model_len": [1]}, 5, {"id": None}, {"id": "b", "max_model_len": 100}]

    tgi, listed = read({"/info": info}).identity, read({"/v1/models": {"data": entries}}, "b")

    assert (tgi.max_input_tokens, tgi.version) == (None, None)
    assert tgi.context == SaidCount(value=2048, said_by="/info")
    assert listed.models == ("a", "b")
    assert listed.identity.context == SaidCount(value=100, said_by="/v1/models")


@pytest.mark.parametrize(
    ("entries", "asked", "model"),
    [
        ([{"id": "a"}], None, "a"),
        ([{"id": "a", "root": "w"}, {"id": "b", "root": "w"}], None, "a"),  # two names of the same weights
        ([{"id": "embed"}, {"id": "chat"}], "chat", "chat"),
        ([], None, None),
        ([{"id": "a"}], "mine", "mine"),
    ],
)
def test_the_model_is_the_one_named_or_the_only_one(
    entries: list[dict[str, Any]], asked: str | None, model: str | None
) -> None:
    assert one_model(asked, read({"/v1/models": {"data": entries}}, asked), "http://h") == model


@pytest.mark.parametrize(
    "entries",
    [
        [{"id": "embed"}, {"id": "chat"}],
        [{"id": "gpt-large"}, {"id": "gpt-small"}, {"id": "gpt-large-alias"}],  # a gateway's
        [{"id": "base", "root": "w"}, {"id": "adapter", "root": "lora"}],  # vLLM with an adapter
    ],
)
def test_of_several_models_one_must_be_named(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match=f"lists {len(entries)} models, and none was named") as caught:
        one_model(None, read({"/v1/models": {"data": entries}}), "http://h")

    assert "--model" in (caught.value.hint or "")


def test_an_older_run_of_llama_server_by_url_reads_under_the_one_name() -> None:
    data: dict[str, Any] = {
        "scenario": {}, "scenario_digest": "", "backend": "llama_cpp", "model": None, "quantization": None,
        "engine": {"name": "llama-server", "version": "b1", "flags": None}, "instance": {}, "client": {}, "seed": 1,
        "started_at": "", "started_monotonic_ns": 0, "harness_version": "0.1.0", "git_revision": None,
    }  # fmt: skip

    manifest = RunManifest.model_validate(data)

    assert manifest.engine == {"name": "llama_server", "version": "b1", "flags": None}
    assert (manifest.identity, manifest.via) == (None, None)


def test_of_a_model_that_is_not_listed_beside_others_nothing_is_said() -> None:
    several = [
        {"id": "small", "owned_by": "vllm", "root": "org/Name-8B", "max_model_len": 8192},
        {"id": "big", "owned_by": "vllm", "root": "org/Name-70B", "max_model_len": 4096},
    ]

    unlisted = read({"/v1/models": {"data": several}}, "bench").identity
    big = read({"/v1/models": {"data": several}}, "big").identity
    alone = read({"/v1/models": {"data": several[:1]}}, "bench").identity

    assert (unlisted.engine, unlisted.weights, unlisted.context) == ("vllm", None, None)
    assert big.weights is not None
    assert big.weights.value == "org/Name-70B"
    assert alone.weights is not None  # a server of one model answers with it
    assert alone.weights.value == "org/Name-8B"


@pytest.mark.parametrize(
    ("adapter", "weights"),
    [
        ("acme/support-lora", "org/Name-8B"),
        ("acme/support", "org/Name-8B"),
        ("/adapters/support", "org/Name-8B"),
        ("acme/Other-8B-support-lora", "acme/Other-8B-support-lora"),
    ],
)
def test_an_adapter_is_served_with_its_bases_weights_unless_its_own_name_says_them(adapter: str, weights: str) -> None:
    base = {"id": "base", "owned_by": "vllm", "root": "org/Name-8B", "max_model_len": 8192}
    entry = {"id": "tuned", "owned_by": "vllm", "root": adapter, "parent": "base"}

    on_its_base = read({"/v1/models": {"data": [base, entry]}}, "tuned").identity
    alone = read({"/v1/models": {"data": [entry | {"root": "acme/support-lora"}]}}, "tuned").identity

    assert on_its_base.weights == SaidText(value=weights, said_by="/v1/models")
    assert alone.weights is None  # nobody says what it is an adapter of
