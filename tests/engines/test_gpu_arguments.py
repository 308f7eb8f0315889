"""How many GPUs an engine uses, by the command lines that people start it with."""

import pytest

from harness.engines.gpus.arguments import GpusAsked, gpus_asked, shown_gpus


@pytest.mark.parametrize(
    ("engine", "flags", "shown", "parallel", "gpus"),
    [
        ("vllm", "--model m", 4, 1, 1),
        ("vllm", "-tp 2", None, 2, 2),
        ("vllm", "--tensor_parallel_size=4", 4, 4, 4),
        ("vllm", "-tp 2 -pp 2 -dp 2", None, 4, 8),
        ("vllm", "-tp 4 --tensor-parallel-size 2", 4, 2, 2),  # the last word counts
        ("vllm", "--tensor-parallel 4", None, 4, 4),  # argparse takes what fits one option alone
        ("vllm", "--tensor-parallel-siz=4", None, 4, 4),
        ("vllm", "--tensor_par 4 --pipe 2", None, 8, 8),
        ("vllm", "-t 4", None, 4, 4),
        ("vllm", "-tp=4 --tensor 2", None, 2, 2),
        ("vllm", "--data-parallel-size 2 --data-parallel-size-l 1", None, 1, 2),
        ("vllm", "--data-parallel 2", None, 1, 1),  # fits several: vLLM itself refuses it
        ("sglang", "--tensor 2 --data-parallel-s=2", None, 2, 4),
        ("sglang", "--tp 4 --dp 4 --enable-dp", None, 4, 4),
        ("llama_cpp_python", "--n_gpu 0", 2, 0, 0),
        ("llama_server", "-ngl 99 --devic none", 4, 4, 4),  # llama.cpp's own parser takes whole names alone
        ("llama_server", "-ngl 99 -t 4", 2, 2, 2),  # threads
        ("vllm", "-tp 1", 0, 0, 0),  # none is shown to it: it runs on the CPU
        ("sglang", "--tp 2 --dp 2", None, 2, 4),
        ("sglang", "--tp-size 4 --dp-size 4 --enable-dp-attention", None, 4, 4),  # copies of the attention alone
        ("tgi", "image PREFIX_CACHING=0 --model-id m", 4, 4, 4),  # all that it sees
        ("tgi", "--model-id m", None, None, None),
        ("tgi", "--num-shard 2", 4, 2, 2),
        ("tgi", "--sharded false", 4, 1, 1),
        ("llama_server", "--n-gpu-layers all", 4, 4, 4),
        ("llama_server", "--n-gpu-layers all", None, None, None),
        ("llama_server", "--n-gpu-layers all -ngl 0", 4, 0, 0),
        ("llama_server", "-ngl 99 -sm none -mg 2", None, 1, 1),
        ("llama_server", "-ngl 99 --tensor-split 3,0,1", 4, 2, 2),
        ("llama_server", "-ngl 99 --device CUDA0,CUDA3", None, 2, 2),
        ("llama_server", "-ngl 99 -dev none", 4, 0, 0),
        ("llama_cpp_python", "--n_gpu_layers -1 --verbose false", 2, 2, 2),
        ("llama_cpp_python", "--n_gpu_layers 0", 2, 0, 0),
        ("llama_cpp_python", "--n_gpu_layers -1 --split_mode 0", 2, 1, 1),
        ("llama_cpp_python", "--n_gpu_layers -1 --tensor_split 0.5 0.5 --n_ctx 512", 4, 2, 2),
    ],
)
def test_the_gpus_of_an_engine_follow_from_its_command_line(
    engine: str, flags: str, shown: int | None, parallel: int | None, gpus: int | None
) -> None:
    assert gpus_asked(engine, flags.split(), shown) == GpusAsked(parallel, gpus)


@pytest.mark.parametrize(
    ("flags", "environment", "here", "shown"),
    [
        ([], {}, 4, 4),
        ([], {}, None, None),
        ([], {"CUDA_VISIBLE_DEVICES": "0,1"}, 4, 2),
        ([], {"CUDA_VISIBLE_DEVICES": "GPU-1a,GPU-2b"}, None, 2),
        ([], {"CUDA_VISIBLE_DEVICES": ""}, 4, 0),
        ([], {"CUDA_VISIBLE_DEVICES": "-1"}, 4, 0),
        ([], {"CUDA_VISIBLE_DEVICES": "2,-1,3"}, 4, 1),
        ([], {"CUDA_VISIBLE_DEVICES": "0,7,1"}, 4, 1),  # there is no GPU 7, and what follows is not seen
        ([], {"CUDA_VISIBLE_DEVICES": "7"}, 4, 0),
        ([], {"CUDA_VISIBLE_DEVICES": "0,7"}, None, 2),
        ([], {"CUDA_VISIBLE_DEVICES": "none"}, 4, 0),
        ([], {"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, None, 0),
        ([], {"CUDA_VISIBLE_DEVICES": "0;1"}, 4, 0),
        ([], {"CUDA_VISIBLE_DEVICES": "MIG-1a,MIG-2b"}, 4, 1),  # a process sees one part at most
        (["--model", "m", "CUDA_VISIBLE_DEVICES=3"], {"CUDA_VISIBLE_DEVICES": "0,1"}, 4, 1),  # its own
    ],
)
def test_an_engine_sees_the_gpus_that_its_own_variable_shows_it_or_else_ours(
    flags: list[str], environment: dict[str, str], here: int | None, shown: int | None
) -> None:
    assert shown_gpus(flags, environment, here) == shown
