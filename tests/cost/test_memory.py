"""Weights and KV cache against GPU memory: figures worked by hand from the models' and GPUs' own sizes."""

from typing import Any

import pytest
from cost_cases import manifest, smallest, step

from harness.cost.box.engine_memory import memory_of
from harness.cost.box.plausible import kv_room_tokens
from harness.cost.box.weights import kv_values_per_token, weights_named, weights_of
from harness.cost.verdict import build_decision
from harness.prices.catalog import find_instance
from harness.rundir.identity import Identity, SaidCount, SaidText
from harness.rundir.results import Metrics

G5 = find_instance("g5.12xlarge", None)  # 4 x A10G of 22,888 MiB


@pytest.mark.parametrize(
    ("model", "values_per_token"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", 163_840),  # 2 x 80 x 8 x 128
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", 65_536),  # 2 x 32 x 8 x 128
        ("llama-2-13b-chat", 409_600),  # no grouped heads: 2 x 40 x 40 x 128
        ("openai/gpt-oss-120b", 36_864),  # 2 x 36 x 8 x 64
        ("Qwen/Qwen3-30B-A3B", 49_152),  # 2 x 48 x 4 x 128
        ("Qwen3-32B-AWQ", 131_072),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 98_304),
    ],
)
def test_a_tokens_cache_comes_from_layers_heads_and_dimension(model: str, values_per_token: int) -> None:
    assert kv_values_per_token(model) == values_per_token


def test_a_model_that_is_not_listed_is_unknown() -> None:
    assert kv_values_per_token("SmolLM2-135M-Instruct.Q4_1.gguf") is None
    assert kv_room_tokens(weights_named("SmolLM2-135M-Instruct.Q4_1.gguf", None), G5) is None


def test_a_70b_at_4_bits_leaves_room_on_four_a10gs() -> None:
    # 0.92 x 91,552 MiB - 4 x 2,048 = 76,035.8 MiB = 79.73e9 B; weights 70e9 / 2 = 35e9; 44.73e9 / 327,680
    room = kv_room_tokens(weights_named("Llama-3.3-70B-Instruct-AWQ", "awq"), G5)

    assert room == pytest.approx(136_500, rel=1e-3)


def test_a_70b_in_16_bits_leaves_less_than_nothing() -> None:
    assert (kv_room_tokens(weights_named("Llama-3.3-70B-Instruct", "bf16"), G5) or 0) < 0


def test_four_replicas_hold_the_weights_four_times() -> None:
    one = kv_room_tokens(weights_named("Llama-3.1-8B-Instruct", "bf16"), G5)
    four = kv_room_tokens(weights_named("Llama-3.1-8B-Instruct", "bf16"), G5, replicas=4)

    # three times 8e9 x 2 B more weights, at 131,072 B a token
    assert one is not None
    assert four is not None
    assert one - four == pytest.approx(3 * 16e9 / 131_072)


def test_a_t4_has_15_gib_and_8_bits_of_8b_leave_less_of_them() -> None:
    # (0.92 x 15 - 2) GiB = 12.670e9 B; less 8e9 B; / 131,072
    room = kv_room_tokens(weights_named("Llama-3.1-8B-Instruct", "int8"), find_instance("g4dn.xlarge"))

    assert room == pytest.approx(35_631, rel=1e-3)


def test_a_cache_in_8_bits_holds_twice_as_many_tokens() -> None:
    weights, box = weights_named("Llama-3.1-70B-Instruct", "fp8"), find_instance("p5.4xlarge")

    room = kv_room_tokens(weights, box)

    # one H100: (0.92 x 80 - 2) GiB = 76.880e9 B; less 70e9 B; / 327,680
    assert room == pytest.approx(20_995, rel=1e-3)
    assert kv_room_tokens(weights, box, kv_bits=8) == pytest.approx(2 * room)


@pytest.mark.parametrize(
    ("flags", "share", "bits"),
    [
        (["--gpu-memory-utilization", "0.85", "--kv-cache-dtype", "fp8_e4m3"], 0.85, 8),
        (["--gpu_memory_utilization=0.8", "--kv-cache-dtype=auto"], 0.8, 16),
        ({"kv_cache_dtype": "fp8", "mem_fraction_static": 0.7}, 0.7, 8),
        (["--cache-type-k", "q4_0"], 0.92, 4),
        (["--kv-cache-dtype", "nvfp4"], 0.92, 4),
        (["--gpu-memory-utilization"], 0.92, 16),
        (["--gpu-mem", "0.5", "--kv_cache_dtype=fp8"], 0.5, 8),
        (["--gpu-memory-utilization", "0.8", "--device", "cuda"], 0.8, 16),
        (["--device-memory-utilization=0.7"], 0.7, 16),
        (None, 0.92, 16),
    ],
)
def test_an_engines_flags_say_how_it_shares_memory_out(flags: Any, share: float, bits: float) -> None:
    run = manifest()
    run.engine = {"name": "vllm", "flags": flags}

    said = memory_of(run)

    assert (said.share, said.kv_bits, said.is_said) == (share, bits, flags is not None)


def test_what_the_engine_counts_wins_over_a_name() -> None:
    run = manifest("prod-7b")
    assert weights_of(run) == weights_named("prod-7b")

    run.identity = Identity(
        weights=SaidText(value="openai/gpt-oss-20b", said_by="/v1/models"),
        parameters=SaidCount(value=20_914_757_184, said_by="/v1/models"),
    )

    said = weights_of(run)
    assert said is not None
    assert said.size is not None
    assert said.size.total == 20_914_757_184
    assert said.size.active == pytest.approx(20_914_757_184 * 3.6 / 21)
    assert said.kv_values == 2 * 24 * 8 * 64


@pytest.mark.parametrize(("users", "codes"), [((16, 48), []), ((16, 64), ["kv_cache_full"])])
def test_more_requests_than_the_cache_holds_are_a_warning(users: tuple[int, ...], codes: list[str]) -> None:
    # room for 136,500 tokens: 53 requests of 2,560
    lengths = {"mean_input_tokens": 2048.0, "mean_output_tokens": 512.0}
    loads = [{"kind": "closed", "users": n} for n in users]
    steps = tuple(step(i, 480, 150, load=load, **lengths) for i, load in enumerate(loads))
    demand = smallest(classes=[{"input_tokens": 2048, "output_tokens": 512}])

    got = build_decision(manifest("Llama-3.3-70B-Instruct-AWQ"), Metrics(steps=steps), demand, [])

    found = [check for check in got.checks if check.code == "kv_cache_full"]
    assert [one.code for one in found] == codes
    assert all("64 requests of 2,560 tokens" in one.message for one in found)
