"""What cannot come up is refused in one line before anything is started; what will disappoint is said."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_helpers import ROOT
from gpu_boxes import a_box, compiled_nvml
from tiny_gguf import U32, model_bytes, pair

from harness.base.errors import UsageError
from harness.engines.gpus.layout import Asked
from harness.engines.gpus.nvml import GpuBox
from harness.engines.kind import Settings
from harness.pipeline.before_start import Plan, plan_start

LLAMA_70B = "casperhansen/llama-3.3-70b-instruct-awq"
CONFIG_70B = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no model and no token on it."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_TOKEN", "VLLM_ENABLE_CUDA_COMPATIBILITY", "BREAKEVEN_TGI_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "hf"


def weights(folder: Path, size: int = 1000, **config: Any) -> str:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG_70B, **config}))
    with (folder / "model-00001-of-00001.safetensors").open("wb") as file:
        file.truncate(size)  # takes no room on the disk
    return str(folder)


def planned(model: str | None, box: GpuBox, asked: Asked | None = None, name: str = "vllm", **settings: Any) -> Plan:
    return plan_start(name, model, Settings(**settings), asked or Asked(), box)


def refused(model: str | None, box: GpuBox, asked: Asked | None = None, **more: Any) -> str:
    with pytest.raises(UsageError) as caught:
        planned(model, box, asked, **more)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return f"{caught.value} ({caught.value.hint})"


@pytest.mark.parametrize(
    ("model", "gpus", "take", "have"),
    [
        # 70e9 x 16 bits / 8 / 2^30 = 130.4 GiB; 22.35 GiB x 0.92 = 20.56
        ("org/Llama-3.3-70B-Instruct", 4, "130.4 GiB (70B parameters in 16 bits)", "4 x NVIDIA A10G have 82.3 GiB"),
        (LLAMA_70B, 1, "32.6 GiB (70B parameters in 4 bits)", "NVIDIA A10G has 20.6 GiB"),
        ("org/model-32b-fp8", 1, "29.8 GiB (32B parameters in 8 bits)", "NVIDIA A10G has 20.6 GiB"),
        ("openai/gpt-oss-120b", 2, "57.9 GiB (117B parameters in 4.25 bits)", "2 x NVIDIA A10G have 41.1 GiB"),
    ],
)
def test_weights_that_do_not_fit_by_their_name_are_refused_with_the_arithmetic(
    model: str, gpus: int, take: str, have: str
) -> None:
    said = refused(model, a_box(gpus), Asked(tensor_parallel=gpus))

    assert f"the weights of {model} do not fit: they take {take}" in said
    assert f"{have} for them" in said


def test_where_more_gpus_of_the_machine_would_hold_them_their_number_is_the_hint() -> None:
    assert "--tensor-parallel 2 spreads them over 2 GPUs" in refused(LLAMA_70B, a_box(4))
    assert planned(LLAMA_70B, a_box(4), Asked(tensor_parallel=2)).copies[0].gpus == (0, 1)
    assert "spreads" not in refused("org/Llama-3.3-70B-Instruct", a_box(4))


def test_weights_that_lie_here_are_as_large_as_their_files(tmp_path: Path, home: Path) -> None:
    snapshot = home / "hub" / "models--org--some-model" / "snapshots" / "abc"
    weights(snapshot, 30 * 2**30)

    said = refused("org/some-model", a_box(1))

    assert "they take 30.0 GiB (by their files), NVIDIA A10G has 20.6 GiB for them" in said
    assert planned("org/some-model", a_box(2), Asked(tensor_parallel=2)).copies[0].gpus == (0, 1)
    # the flag says what share of the memory is taken: 2 x 22.35 x 0.5
    half = ("--gpu-memory-utilization", "0.5")
    assert "have 22.4 GiB" in refused("org/some-model", a_box(2), Asked(tensor_parallel=2), extra_flags=half)


def test_a_gguf_file_may_fill_the_whole_memory_but_no_more(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(model_bytes())
    with path.open("r+b") as file:
        file.truncate(22 * 2**30)

    assert planned(str(path), a_box(1), name="llama_server").copies[0].gpus == (0,)
    with path.open("r+b") as file:
        file.truncate(23 * 2**30)
    said = refused(str(path), a_box(1), name="llama_server")
    assert "the weights of m.gguf do not fit: they take 23.0 GiB (by its size), NVIDIA A10G has 22.4 GiB" in said
    for elsewhere in (("-ngl", "20"), ("--cpu-moe",), ("--fit", "on")):
        assert planned(str(path), a_box(1), name="llama_server", extra_flags=elsewhere)


@pytest.mark.parametrize("flags", [("--cpu-offload-gb", "100"), ("--cpu_offload_gb=100",)])
def test_weights_that_a_flag_puts_elsewhere_are_not_held_against_the_gpus(flags: tuple[str, ...]) -> None:
    assert planned("org/Llama-3.3-70B-Instruct", a_box(1), extra_flags=flags)


def test_a_flag_that_says_how_the_weights_are_stored_counts_their_bits() -> None:
    model, four = "org/Llama-3.3-70B-Instruct", Asked(tensor_parallel=4)

    assert planned(model, a_box(4), four, extra_flags=("--quantization", "fp8"))  # 65.2 GiB
    assert planned(model, a_box(4), four, name="tgi", extra_flags=("--quantize=bitsandbytes-nf4",))
    assert plan_start("vllm", model, Settings(), four, a_box(4), quantization="fp8")


def test_what_nobody_knows_is_not_refused(tmp_path: Path) -> None:
    assert planned("org/secret", a_box(1)).notes == []
    assert planned("org/secret", a_box(8), Asked(tensor_parallel=7)).notes
    assert planned("org/Llama-3.3-70B-Instruct", GpuBox()).copies[0].gpus == ()
    assert planned(None, GpuBox(), name="llama_server").notes == []


@pytest.mark.parametrize(
    ("name", "config", "shards", "complaint"),
    [
        ("vllm", {}, 3, "--tensor-parallel 3 does not divide the 64 attention heads of m"),
        ("vllm", {"num_attention_heads": 28, "num_key_value_heads": 4}, 8, "does not divide the 28 attention heads"),
        ("vllm", {"num_attention_heads": 12, "num_key_value_heads": 6}, 4, "vLLM cannot share the 6 KV heads of m"),
        ("tgi", {"num_key_value_heads": 2}, 4, "TGI cannot share the 2 KV heads of m among 4 GPUs"),
        ("tgi", {"text_config": {**CONFIG_70B, "num_attention_heads": 20}, "num_attention_heads": None}, 8, "20 att"),
    ],
    ids=str,
)
def test_gpus_that_cannot_share_the_heads_are_refused_and_those_that_can_are_named(
    name: str, config: dict[str, Any], shards: int, complaint: str, tmp_path: Path
) -> None:
    said = refused(weights(tmp_path / "m", **config), a_box(8), Asked(tensor_parallel=shards), name=name)

    assert complaint in said
    assert "what divides them: 1, 2" in said


def test_vllm_copies_kv_heads_that_are_fewer_than_gpus_and_that_is_said(tmp_path: Path) -> None:
    model = weights(tmp_path / "m", num_key_value_heads=2)

    plan = planned(model, a_box(8), Asked(tensor_parallel=8))

    assert "m has 2 KV heads for 8 GPUs: vLLM keeps each 4 times" in plan.notes[0]


def test_a_gguf_file_tells_its_heads_too_and_llama_cpp_shares_out_layers_instead(tmp_path: Path) -> None:
    heads = [("llama.attention.head_count", 9), ("llama.attention.head_count_kv", 3)]
    path = tmp_path / "m.gguf"
    path.write_bytes(model_bytes(*(pair(key, U32, struct.pack("<I", count)) for key, count in heads)))

    assert "does not divide the 9 attention heads" in refused(str(path), a_box(2), Asked(tensor_parallel=2))
    assert planned(str(path), a_box(3), Asked(tensor_parallel=3)).copies[0].gpus == (0, 1, 2)
    notes = planned(str(path), a_box(2), Asked(tensor_parallel=2), name="llama_server").notes
    assert notes == ["llama-server puts whole layers on each of the 2 GPUs, and they work one after the other"]


@pytest.mark.parametrize(
    ("name", "driver", "complaint"),
    [
        (
            "vllm",
            "570.133.20",
            "vLLM is built for CUDA 13, which needs driver 580 or newer: this machine's is 570.133.20",
        ),
        ("vllm", "535.183.01", "VLLM_ENABLE_CUDA_COMPATIBILITY=1"),
        ("tgi", "470.256.02", "TGI is built for CUDA 12, which needs driver 525 or newer"),
        ("vllm", "580.65.06", None),
        ("vllm", None, None),
        ("vllm", "R570", None),
        ("tgi", "570.133.20", None),
        ("llama_server", "470.256.02", None),  # built here, for whatever is here
    ],
)
def test_a_driver_too_old_for_what_the_engine_is_built_for_is_refused(
    name: str, driver: str | None, complaint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = a_box(1, driver=driver)
    model = None if name == "llama_server" else "org/secret"
    if complaint is None:
        assert planned(model, box, name=name)
        return

    assert complaint in refused(model, box, name=name)

    if name == "vllm":
        monkeypatch.setenv("VLLM_ENABLE_CUDA_COMPATIBILITY", "1")
    else:
        monkeypatch.setenv("BREAKEVEN_TGI_IMAGE", "my/own:1")
    assert planned(model, box, name=name)


@pytest.mark.parametrize("model", ["meta-llama/Llama-3.1-8B-Instruct", "google/gemma-3-4b-it", "google/gemma-7b"])
def test_a_gated_model_without_a_token_is_refused_on_any_machine(
    model: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for box in (GpuBox(), a_box(1)):
        said = refused(model, box)
        assert f"{model} is gated" in said
        assert "export HF_TOKEN=" in said

    monkeypatch.setenv("HF_TOKEN", " ")
    assert "is gated" in refused(model, a_box(1))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert planned(model, a_box(1))
    monkeypatch.delenv("HF_TOKEN")
    home.mkdir()
    (home / "token").write_text("hf_secret\n")
    assert planned(model, a_box(1))


def test_a_gated_model_that_lies_here_needs_no_token(home: Path) -> None:
    weights(home / "hub" / "models--meta-llama--Llama-3.1-8B-Instruct" / "snapshots" / "abc")

    assert planned("meta-llama/Llama-3.1-8B-Instruct", a_box(1))


@pytest.mark.parametrize("model", ["google/gemma-4-31b-it", "Qwen/Qwen3-8B", "someone/meta-llama-8b"])
def test_a_model_that_is_not_known_to_be_gated_is_not_refused(model: str) -> None:
    assert planned(model, a_box(8), Asked(tensor_parallel=8))


@pytest.mark.parametrize(
    ("model", "capability", "said"),
    [
        ("org/model-8b-fp8", (8, 6), "has no FP8 arithmetic"),
        ("org/model-8b-fp8", (8, 9), None),
        ("org/model-8b-NVFP4", (9, 0), "has no FP4 arithmetic"),
        ("org/model-8b-NVFP4", (10, 0), None),
        ("openai/gpt-oss-20b", (8, 6), "has no FP4 arithmetic"),
        ("org/model-8b-awq", (8, 6), None),
        ("org/model-8b", (7, 5), None),
    ],
)
def test_numbers_that_the_gpu_does_not_compute_in_are_said_and_not_refused(
    model: str, capability: tuple[int, int], said: str | None
) -> None:
    notes = planned(model, a_box(1, "GPU", capability=capability)).notes

    assert [said in note and "weight-only" in note for note in notes if said] == ([True] if said else [])
    if said:
        assert f"GPU (compute capability {capability[0]}.{capability[1]}) {said}" in notes[0]


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"quant_method": "compressed-tensors", "format": "float-quantized"}, "has no FP8 arithmetic"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "has no FP4 arithmetic"),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized"}, None),
        ({"quant_method": 7}, None),
    ],
    ids=str,
)
def test_a_config_tells_in_which_numbers_weights_are_stored(
    config: dict[str, Any], complaint: str | None, tmp_path: Path
) -> None:
    notes = planned(weights(tmp_path / "m", quantization_config=config), a_box(1)).notes

    assert [complaint in note for note in notes if complaint] == ([True] if complaint else [])


def test_weights_that_vllm_does_not_run_on_that_gpu_are_refused() -> None:
    t4 = a_box(1, "Tesla T4", 15_360, (7, 5))
    v100 = a_box(1, "Tesla V100", 16_384, (7, 0))

    said = refused("openai/gpt-oss-20b", t4)
    assert "vLLM runs mxfp4 weights from compute capability 8.0 on: not on Tesla T4 (compute capability 7.5)" in said
    assert "vLLM runs awq weights from compute capability 7.5 on" in refused("org/model-8b-awq", v100)
    assert planned("org/model-8b-awq", t4)


def test_gpus_that_nobody_uses_are_said() -> None:
    assert planned("org/secret", a_box(4), Asked(tensor_parallel=2)).notes == [
        "2 of 4 GPUs stay idle (GPU 2, 3): --replicas N or --tensor-parallel N use more of them"
    ]


def test_a_cache_without_room_for_what_is_asked_is_said_with_both_figures() -> None:
    """70e9 x 4 bits are 32.6 GiB of 2 x 20.56 - 2 x 2: 4.52 GiB, of 327,680 bytes a token 14,846 tokens."""
    (note,) = planned(LLAMA_70B, a_box(2), Asked(tensor_parallel=2), context_tokens=32_768).notes

    assert note.startswith("about 14,846 tokens of KV cache are left beside the weights of ")
    assert note.endswith(", 32,768 are asked for")
    assert planned(LLAMA_70B, a_box(2), Asked(tensor_parallel=2), context_tokens=8192).notes == []


STARTS = """if True:
    import json, os, sys
    from harness.cli import invoke

    for environment, arguments in json.loads(sys.argv[1]):
        os.environ.update(environment)
        print(invoke(["engine", "start", "vllm", *arguments]), file=sys.stderr)
"""


def test_the_drivers_own_library_is_asked_and_nothing_is_started(tmp_path: Path) -> None:
    compiled_nvml(tmp_path)
    model = ["--model", "org/Llama-3.3-70B-Instruct"]
    box = {"TEST_GPUS": "4", "CUDA_VISIBLE_DEVICES": "1,2,3"}
    starts: list[tuple[dict[str, str], list[str]]] = [
        (box, ["--tensor-parallel", "4"]),
        ({}, [*model, "--gpus", "2"]),
        ({"TEST_DRIVER": "550.54.15"}, [*model, "--gpus", "all"]),
        ({"TEST_GPUS": "0"}, ["--gpus", "all"]),
        ({"TEST_GPUS": "-1"}, ["--gpus", "all"]),  # a library whose driver does not answer
    ]

    places = f"{tmp_path}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    done = subprocess.run(
        [sys.executable, "-c", STARTS, json.dumps(starts)],
        cwd=ROOT, env={**os.environ, "LD_LIBRARY_PATH": places, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    said = [line for line in done.stderr.splitlines() if line and not line.startswith("hint: ")]
    assert said[1::2] == ["2"] * 5
    too_many, too_large, too_old, no_gpu, no_driver = said[::2]
    assert too_many == "error: --tensor-parallel 4 needs 4 GPUs, there are 3"
    assert too_large == (
        "error: the weights of org/Llama-3.3-70B-Instruct do not fit: they take 130.4 GiB (70B parameters in 16 bits),"
        " 2 x NVIDIA A10G have 41.1 GiB for them"
    )
    assert "needs driver 580 or newer: this machine's is 550.54.15" in too_old
    assert "this machine has no NVIDIA GPU" in no_gpu
    assert no_driver == no_gpu
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("flags", [("--tensor-parallel-size", "4"), ("-tp=4",)])
def test_an_engines_own_number_of_gpus_divides_the_heads_too(home: Path, flags: tuple[str, ...]) -> None:
    model = weights(
        home / "hub" / "models--org--nine" / "snapshots" / "a", num_attention_heads=9, num_key_value_heads=3
    )
    assert Path(model).is_dir()

    said = refused("org/nine", a_box(4), extra_flags=flags)

    assert "4 does not divide the 9 attention heads of org/nine (what divides them: 1, 3, 9)" in said
    assert planned("org/nine", a_box(4), extra_flags=("-tp", "3"))
    assert planned("org/nine", a_box(4), extra_flags=("--pipeline-parallel-size", "4"))  # whole layers


def test_weights_have_the_gpus_that_the_engines_own_flag_takes_not_all_of_the_box() -> None:
    said = refused("org/Llama-3.3-70B-Instruct", a_box(8), extra_flags=("-tp", "2"))

    assert "2 x NVIDIA A10G have 41.1 GiB for them" in said
    assert planned("org/Llama-3.3-70B-Instruct", a_box(8), extra_flags=("-tp", "8"))  # 164.5 GiB
    assert planned("org/Llama-3.3-70B-Instruct", a_box(8), extra_flags=("-tp", "2", "-pp", "4"))


@pytest.mark.parametrize("asked", [Asked(replicas=2), Asked(gpus="1,0", replicas=2), Asked(tensor_parallel=2)])
def test_each_copy_has_to_fit_and_a_shared_one_its_smallest_gpu(asked: Asked) -> None:
    large, small = a_box(1).gpus[0], a_box(2, "NVIDIA T400", 4096, (7, 5)).gpus[1]
    box = GpuBox((large, small), "580.65.06")

    said = refused("org/m-8b", box, asked)  # 14.9 GiB; 4 x 0.92 = 3.7 GiB, two times 7.4

    assert "T400 has 3.7 GiB" in said or "have 7.4 GiB" in said
    assert planned("org/m-8b", box).copies[0].gpus == (0,)
    # the older of the two GPUs cannot run them
    assert "on: not on NVIDIA T400 (compute capability 7.5)" in refused("org/m-1b-mxfp4", box, asked)


def test_of_several_revisions_the_one_that_main_was_last_is_weighed(home: Path) -> None:
    place = home / "hub" / "models--org--two"
    weights(place / "snapshots" / "aaa", 40 * 2**30)
    weights(place / "snapshots" / "zzz", 10 * 2**30)
    assert "40.0 GiB (by their files)" in refused("org/two", a_box(1))

    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("zzz")

    assert planned("org/two", a_box(1)).copies[0].gpus == (0,)


@pytest.mark.parametrize("name", ["model-00001-of-00030.safetensors", "pytorch_model-00002-of-00003.bin"])
def test_weights_of_which_a_part_is_here_are_weighed_by_their_name(home: Path, name: str) -> None:
    folder = home / "hub" / "models--org--part-70b" / "snapshots" / "a"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"x")

    assert "130.4 GiB (70B parameters in 16 bits)" in refused("org/part-70b", a_box(1))
