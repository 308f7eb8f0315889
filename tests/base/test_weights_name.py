"""Which weights a name means, and which names mean none."""

import pytest

from harness.base.weights_name import (
    quantization_named,
    same_quantization,
    same_weights,
    shown_name,
    sizes_named,
    tells_weights,
    weights_key,
)

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


@pytest.mark.parametrize(
    "name",
    [
        LLAMA,
        "llama3.1:8b",
        "/models/Llama-3.1-8B-Instruct/",
        "SmolLM2-135M-Instruct.Q4_1",
        "deepseek-ai/DeepSeek-V3",
        "/srv/phi-4-Q4_K_M.gguf",
        "acme/support",
        "gpt-oss:20b",
        "acme/Llama-3.1-8B-support-lora",
        "acme/phi-4-lora",
    ],
)
def test_a_family_with_its_size_or_a_hubs_id_says_which_weights(name: str) -> None:
    assert tells_weights(name)


@pytest.mark.parametrize(
    "name",
    [
        "bench", "", "m", "llm", "/models/bench", "/data", "models/bench", "./bench", "../bench", "/weights/",
        "prod-llama", "llama3", "8b", "model-8b", "bench-70b", "bench:latest", "/srv/model-Q4_K_M.gguf", "unknown",
        "/root/.ollama/models/blobs/sha256-6a0746a1ec1a", "openai/bench", "hosted_vllm/default", "acme/my-model",
        "acme/support-lora", "acme/support_LoRA-v2", "acme/peft-agent", "acme/agent-qlora-adapter",
    ],
)  # fmt: skip
def test_an_alias_and_a_place_say_nothing(name: str) -> None:
    assert not tells_weights(name)


@pytest.mark.parametrize(
    ("name", "quantization"),
    [
        ("bartowski_Meta-Llama-3.1-8B-Instruct-GGUF_Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "q4_k_m"),
        ("/c/hub/models--x--Llama-3.1-8B-Instruct-GGUF/snapshots/ab/Llama-3.1-8B-Instruct-Q5_K_S.gguf", "q5_k_s"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", "w4a16"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", "fp8"),
        ("unsloth/Llama-3.1-8B-Instruct-bnb-4bit", "bnb"),
        ("Llama-3.1-8B-Instruct-UD-Q4_K_XL.gguf", "q4_k_xl"),
        ("Llama-3.1-8B-Instruct.i1-IQ4_XS.gguf", "iq4_xs"),
        ("org/Llama-3.1-8B-Instruct-GPTQ-Int8", "gptq-int8"),
        ("mlx-community/Llama-3.1-8B-Instruct-8bit", "8bit"),
        (LLAMA, None),
    ],
)
def test_quantised_copies_are_the_same_weights_and_say_their_quantisation(name: str, quantization: str | None) -> None:
    assert same_weights(name, LLAMA)
    assert quantization_named(name) == quantization


@pytest.mark.parametrize(
    ("name", "quantization"),
    [
        ("SmolLM2-135M-Instruct.Q8_0-from-Q4_1.gguf", "q8_0"),
        ("weights/SmolLM2-135M-Instruct.Q5_0+Q8_0-from-Q4_1.gguf", "q5_0"),
        ("SmolLM2-135M-Instruct.F16-from-Q4_K", "f16"),
        ("SmolLM2-135M-Instruct.Q4_K+Q6_K", "q4_k"),
    ],
)
def test_a_name_of_ours_says_what_most_weights_are_not_what_they_were(name: str, quantization: str) -> None:
    assert quantization_named(name) == quantization
    assert same_weights(name, "SmolLM2-135M-Instruct.Q4_1")


def test_names_without_a_size_are_the_same_only_letter_by_letter() -> None:
    assert same_weights("acme/support", "acme/support")
    assert not same_weights("acme/support", "other/support")
    assert not same_weights("acme/chat", "other/instruct")  # nothing is left of either


def test_an_ollama_tag_of_a_base_model_is_not_the_tuned_one() -> None:
    assert same_weights("llama3.1:8b", LLAMA)  # its publisher's usual one
    assert not same_weights("llama3.1:8b-text-q4_0", LLAMA)


def test_a_tag_that_says_a_size_is_a_part_of_the_name_and_a_hosts_is_not() -> None:
    assert weights_key("llama3.3:70b") == ("3.3", "70b", "llama")
    assert weights_key("meta-llama/llama-3.3-70b-instruct:free") == ("3.3", "70b", "llama")


def test_sizes_are_all_parameters_and_those_of_a_token() -> None:
    assert sizes_named("qwen3:30b-a3b") == (30e9, 3e9)
    assert sizes_named("/models/Llama-3.1-8B/") == (8e9, 8e9)
    assert sizes_named("frankenmix-8x7b") is None
    assert sizes_named("Llama-4-Scout-17B-16E-Instruct") is None


def test_a_path_is_shown_by_its_last_part() -> None:
    assert shown_name("/srv/secret-place/Llama-3.1-8B.gguf") == "Llama-3.1-8B"
    assert shown_name(LLAMA) == LLAMA


@pytest.mark.parametrize(
    "name",
    [
        "/root/.cache/modelscope/hub/models/LLM-Research/Meta-Llama-3___1-8B-Instruct",  # its cache writes no dot
        "meta-llama-3.1-8b-instruct@q4_k_m",  # LM Studio's, of several files
        "Llama-3.1-8B-Instruct@main",
    ],
)
def test_a_dot_written_otherwise_and_what_follows_an_at_sign_are_no_other_weights(name: str) -> None:
    assert same_weights(name, LLAMA)


def test_a_hash_is_no_size() -> None:
    assert sizes_named("/models/blobs/sha256-667b0c1932bc6ffc") is None
    assert sizes_named("snapshots/607b3c") is None
    assert sizes_named("Qwen/Qwen2___5-0___5B-Instruct") == (0.5e9, 0.5e9)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("awq", "int4", True), ("GPTQ", "4-bit", True), ("awq_marlin", "W4A16", True),
        ("Q4_K - Medium", "q4_k_m", True),
        ("awq", "fp8", False), ("gptq-int8", "int4", False), ("awq", "gptq", False), ("q4_k_m", "int4", False),
    ],
)  # fmt: skip
def test_a_method_and_the_width_that_it_stores_in_are_no_contradiction(one: str, other: str, same: bool) -> None:
    assert same_quantization(one, other) is same_quantization(other, one) is same
