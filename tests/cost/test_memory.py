"""Weights and KV cache against GPU memory: figures worked by hand from the models' and GPUs' own sizes."""

import pytest
from cost_cases import manifest, smallest, step

from harness.cost.box.plausible import kv_bytes_per_token, kv_room_tokens
from harness.cost.verdict import build_decision
from harness.prices.catalog import find_instance
from harness.rundir.results import Metrics

G5 = find_instance("g5.12xlarge", None)  # 4 x A10G of 22,888 MiB


@pytest.mark.parametrize(
    ("model", "bytes_per_token"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", 327_680),  # 2 x 80 x 8 x 128 x 2
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", 131_072),  # 2 x 32 x 8 x 128 x 2
        ("llama-2-13b-chat", 819_200),  # no grouped heads: 2 x 40 x 40 x 128 x 2
    ],
)
def test_a_tokens_cache_comes_from_layers_heads_and_dimension(model: str, bytes_per_token: int) -> None:
    assert kv_bytes_per_token(model) == bytes_per_token


def test_a_model_that_is_not_listed_is_unknown() -> None:
    assert kv_bytes_per_token("SmolLM2-135M-Instruct.Q4_1.gguf") is None
    assert kv_room_tokens("SmolLM2-135M-Instruct.Q4_1.gguf", None, G5) is None


def test_a_70b_at_4_bits_leaves_room_on_four_a10gs() -> None:
    # 0.9 x 91,552 MiB - 4 x 2,048 = 74,204.8 MiB = 77.81e9 B; weights 70e9 / 2 = 35e9; 42.81e9 / 327,680
    room = kv_room_tokens("Llama-3.3-70B-Instruct-AWQ", "awq", G5)

    assert room == pytest.approx(130_646, rel=1e-3)


def test_a_70b_in_16_bits_leaves_less_than_nothing() -> None:
    assert (kv_room_tokens("Llama-3.3-70B-Instruct", "bf16", G5) or 0) < 0


def test_four_replicas_hold_the_weights_four_times() -> None:
    one = kv_room_tokens("Llama-3.1-8B-Instruct", "bf16", G5)
    four = kv_room_tokens("Llama-3.1-8B-Instruct", "bf16", G5, replicas=4)

    # three times 8e9 x 2 B more weights, at 131,072 B a token
    assert one is not None
    assert four is not None
    assert one - four == pytest.approx(3 * 16e9 / 131_072)


@pytest.mark.parametrize(("users", "codes"), [((16, 48), []), ((16, 64), ["kv_cache_full"])])
def test_more_requests_than_the_cache_holds_are_a_warning(users: tuple[int, ...], codes: list[str]) -> None:
    # room for 130,646 tokens: 51 requests of 2,560
    lengths = {"mean_input_tokens": 2048.0, "mean_output_tokens": 512.0}
    loads = [{"kind": "closed", "users": n} for n in users]
    steps = tuple(step(i, 480, 150, load=load, **lengths) for i, load in enumerate(loads))
    demand = smallest(classes=[{"input_tokens": 2048, "output_tokens": 512}])

    got = build_decision(manifest("Llama-3.3-70B-Instruct-AWQ"), Metrics(steps=steps), demand, [])

    found = [check for check in got.checks if check.code == "kv_cache_full"]
    assert [one.code for one in found] == codes
    assert all("64 requests of 2,560 tokens" in one.message for one in found)
