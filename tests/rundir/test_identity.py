"""What the user says of the weights, beside what the engine says."""

import re

import pytest

from harness.base.errors import UsageError
from harness.rundir.identity import BY_USER, Identity, SaidText, with_users_word

AWQ = "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"


def said(weights: str, quantization: str | None = None) -> Identity:
    told = SaidText(value=quantization, said_by="/v1/models") if quantization is not None else None
    return Identity(weights=SaidText(value=weights, said_by="/v1/models"), quantization=told)


@pytest.mark.parametrize(
    ("weights", "quantization"),
    [
        ("unsloth/Llama-3.1-8B-Instruct-BF16", "fp8"),  # stored in fewer bits as it is loaded
        ("/m/Llama-3.1-8B-Instruct-F16.gguf", "bnb"),
        (AWQ, "int4"),
        ("org/Name-8B-GPTQ", "4-bit"),
        ("org/Name-8B-FP8", "compressed-tensors"),
    ],
)
def test_what_can_be_true_beside_the_name_is_the_users_word(weights: str, quantization: str) -> None:
    made = with_users_word(said(weights), None, quantization, "http://h")

    assert made.quantization == SaidText(value=quantization, said_by=BY_USER)


@pytest.mark.parametrize(
    ("identity", "weights", "quantization", "words"),
    [
        (said("/models/x"), AWQ, "fp8", f"--quantization fp8: --weights {AWQ} says awq"),
        (said("/m/model.gguf", "Q4_K - Medium"), AWQ, None, f"--weights {AWQ}: http://h says Q4_K - Medium"),
        (said("/m/x", "fp8"), "org/Name-8B-Q4_K_M.gguf", None, "--weights org/Name-8B-Q4_K_M.gguf: http://h says fp8"),
    ],
)
def test_a_quantisation_in_the_users_name_that_another_word_contradicts_is_an_error(
    identity: Identity, weights: str, quantization: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        with_users_word(identity, weights, quantization, "http://h")


def test_a_file_format_tells_no_width_and_the_users_word_does() -> None:
    made = with_users_word(said("/models/x", "compressed-tensors"), "org/Name-8B-FP8", "fp8", "http://h")

    assert made.quantization == SaidText(value="fp8", said_by=BY_USER)


def test_the_file_that_was_loaded_may_be_named_where_other_numbers_were_made_of_it() -> None:
    made = with_users_word(said("/m/x", "BF16 (from Q4_1)"), "SmolLM2-135M-Instruct.Q4_1", None, "vllm")

    assert made.weights == SaidText(value="SmolLM2-135M-Instruct.Q4_1", said_by=BY_USER)


def test_the_published_weights_may_be_named_for_what_was_quantised_here() -> None:
    made = with_users_word(said("/m/model.gguf", "Q4_K - Medium"), "unsloth/Name-8B-BF16", None, "http://h")

    assert made.weights == SaidText(value="unsloth/Name-8B-BF16", said_by=BY_USER)
