"""The words of a command line, as the engines' own parsers take them."""

import pytest

from harness.base.engine_options import option_in, options_in


@pytest.mark.parametrize(
    ("engine", "word", "option"),
    [
        ("vllm", "-tp", ("tensor-parallel-size", None)),
        ("vllm", "-tp=4", ("tensor-parallel-size", "4")),
        ("vllm", "--tensor_parallel_size=4", ("tensor-parallel-size", "4")),
        ("vllm", "--tensor-parallel-siz=4", ("tensor-parallel-size", "4")),
        ("vllm", "--cpu-off", ("cpu-offload-gb", None)),
        ("vllm", "--gpu-mem=0.5", ("gpu-memory-utilization", "0.5")),
        ("vllm", "-n2", ("nnodes", "2")),
        ("vllm", "-qawq", ("quantization", "awq")),
        ("vllm", "--quantization", ("quantization", None)),  # a whole name, though another begins with it
        ("vllm", "--quant", ("quant", None)),  # fits two
        ("vllm", "--device", ("device", None)),
        ("vllm", "--max-model-len", ("max-model-len", None)),
        ("sglang", "--mem-frac", ("mem-fraction-static", None)),
        ("llama_server", "--gpu-lay", ("gpu-lay", None)),
        (None, "--tensor-par", ("tensor-par", None)),
        ("vllm", "4", None),
        ("vllm", "-1", None),
        ("vllm", "-0.5", None),
        ("vllm", "--", None),
        ("vllm", "model", None),
    ],
)
def test_an_option_goes_by_its_first_name(engine: str | None, word: str, option: tuple[str, str | None] | None) -> None:
    assert option_in(engine, word) == option


def test_the_last_of_equal_options_counts_by_whichever_name_it_was_given() -> None:
    said = options_in("vllm", ["-tp", "4", "--dtype", "half", "--tensor-par=2", "CUDA_VISIBLE_DEVICES=0,1"])

    assert said == {"dtype": ["half"], "tensor-parallel-size": ["2"]}


def test_an_option_may_have_several_values_and_negative_ones() -> None:
    assert options_in("llama_cpp_python", ["--tensor_split", "0.5", "0.5", "--n_gpu_layers", "-1"]) == {
        "tensor-split": ["0.5", "0.5"],
        "n-gpu-layers": ["-1"],
    }
