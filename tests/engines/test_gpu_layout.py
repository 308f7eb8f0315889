"""Which GPUs each copy of the weights is given, and what its engine is then told."""

import pytest
from gpu_boxes import a_box

from harness.base.errors import UsageError
from harness.engines import engine_kind
from harness.engines.gpus.layout import Asked, Layout, layout, settings_of
from harness.engines.gpus.nvml import GpuBox, environment, visible
from harness.engines.kind import Settings
from harness.engines.kinds import llama_cpp_python, llama_server, tgi, vllm

VLLM = engine_kind("vllm")


def groups(made: Layout) -> list[list[int]]:
    return [[gpu.index for gpu in group] for group in made.groups]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (Asked(), [[0]]),
        (Asked(gpus="all"), [[0, 1, 2, 3]]),
        (Asked(gpus="2"), [[0, 1]]),
        (Asked(gpus="3,1"), [[3, 1]]),
        (Asked(gpus="2,"), [[2]]),
        (Asked(tensor_parallel=4), [[0, 1, 2, 3]]),
        (Asked(replicas=4), [[0], [1], [2], [3]]),
        (Asked(gpus="all", replicas=2), [[0, 1], [2, 3]]),
        (Asked(gpus="all", replicas=4), [[0], [1], [2], [3]]),
        (Asked(gpus="3,2,1,0", tensor_parallel=2, replicas=2), [[3, 2], [1, 0]]),
        (Asked(gpus="1,2,3", tensor_parallel=2), [[1, 2]]),
    ],
    ids=str,
)
def test_gpus_are_shared_out_over_the_copies_as_asked_and_one_takes_one_where_nothing_is(
    asked: Asked, given: list[list[int]]
) -> None:
    made = layout(asked, a_box(4), VLLM)

    assert groups(made) == given
    used = {n for group in given for n in group}
    named = {0, 1, 2, 3} if asked.gpus in (None, "all") else used | ({3} if asked.gpus == "1,2,3" else set())
    assert {gpu.index for gpu in made.idle} == named - used


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        (Asked(tensor_parallel=8), "--tensor-parallel 8 needs 8 GPUs, there are 4"),
        (Asked(replicas=5), "--replicas 5 needs 5 GPUs, there are 4"),
        (Asked(tensor_parallel=2, replicas=3), "--tensor-parallel 2 x --replicas 3 need 6 GPUs, there are 4"),
        (Asked(gpus="0,1", tensor_parallel=4), "--tensor-parallel 4 needs 4 GPUs, --gpus names 2"),
        (Asked(gpus="0,1", replicas=4), "--replicas 4 needs 4 GPUs, --gpus names 2"),
        (Asked(gpus="all", replicas=3), "4 GPUs cannot be shared out evenly over --replicas 3"),
        (Asked(gpus="5"), "--gpus 5: there are 4 GPUs here"),
        (Asked(gpus="0"), "--gpus 0 takes no GPU"),
        (Asked(gpus="0,4"), "--gpus 0,4: there is no GPU 4 to be seen here"),
        (Asked(gpus="1,1"), "--gpus 1,1 names a GPU twice"),
        (Asked(gpus="two"), "--gpus 'two' is no number"),
        (Asked(gpus="0,-1"), "--gpus '0,-1' is no number"),
        (Asked(gpus="0,,1"), "--gpus '0,,1' is no number"),
        (Asked(gpus="²"), "--gpus '²' is no number"),
    ],
    ids=str,
)
def test_what_cannot_be_shared_out_is_one_clear_line(asked: Asked, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        layout(asked, a_box(4), VLLM)

    assert str(caught.value).startswith(complaint)
    assert caught.value.hint


def test_a_box_without_gpus_takes_replicas_and_refuses_what_names_gpus() -> None:
    assert groups(layout(Asked(replicas=2), GpuBox(), VLLM)) == [[], []]
    assert groups(layout(Asked(tensor_parallel=1), GpuBox(), VLLM)) == [[]]
    for asked in (Asked(gpus="all"), Asked(gpus="1"), Asked(tensor_parallel=2)):
        with pytest.raises(UsageError, match="this machine has no NVIDIA GPU"):
            layout(asked, GpuBox(), VLLM)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (None, [0, 1, 2, 3]),
        ("2,0", [2, 0]),
        ("GPU-10", [1]),
        ("3,9,0", [3]),  # as CUDA: what follows a number of no GPU is not seen
        ("", []),
        ("-1", []),
        ("MIG-3f", []),
        ("GPU-", []),  # of four
    ],
)
def test_cuda_visible_devices_says_which_gpus_there_are(said: str | None, seen: list[int]) -> None:
    box = visible(a_box(4), said)

    assert [gpu.index for gpu in box.gpus] == seen
    if said is not None and not seen:
        with pytest.raises(UsageError, match=f"--gpus all: CUDA_VISIBLE_DEVICES={said} leaves no whole GPU"):
            layout(Asked(gpus="all"), box, VLLM)


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("vllm", ["--tensor-parallel-size", "4"]),
        ("vllm", ["--tensor_parallel_size=4"]),
        ("vllm", ["-pp", "2"]),
        ("tgi", ["--num-shard", "4"]),
        ("llama_server", ["-ts", "1,1"]),
        ("llama_cpp_python", ["--tensor_split", "0.5", "0.5"]),
    ],
)
def test_an_engines_own_flags_that_lay_out_gpus_are_left_alone_but_not_beside_ours(name: str, flags: list[str]) -> None:
    kind = engine_kind(name)

    assert groups(layout(Asked(), a_box(4), kind, flags)) == [[]]
    assert groups(layout(Asked(gpus="3,2,1,0"), a_box(4), kind, flags)) == [[3, 2, 1, 0]]
    for asked, ours in ((Asked(tensor_parallel=2), "--tensor-parallel"), (Asked(replicas=2), "--replicas")):
        with pytest.raises(
            UsageError, match=f"^{ours} and .* own `{flags[0].partition('=')[0]}` both lay out the GPUs"
        ):
            layout(asked, a_box(4), kind, flags)


def test_each_copy_has_its_gpus_its_port_and_its_share_of_the_cores() -> None:
    made = layout(Asked(gpus="all", replicas=2), a_box(4), VLLM)

    first, second = settings_of(made, Settings(port=8000, threads=6))

    assert (first.gpus, first.port, first.threads, first.first_cpu) == ((0, 1), 8000, 3, 0)
    assert (second.gpus, second.port, second.threads) == ((2, 3), 8001, 3)


def test_a_process_that_is_given_gpus_counts_them_as_nvidia_smi_does() -> None:
    assert environment((2, 3)) == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "2,3"}
    assert environment(()) == {}


@pytest.mark.parametrize(
    ("gpus", "server", "python"),
    [
        ((), [], []),
        ((2,), ["--split-mode", "none", "--main-gpu", "0"], ["--split_mode", "0", "--main_gpu", "0"]),
        ((2, 3), ["--split-mode", "layer"], ["--split_mode", "1"]),
    ],
)
def test_llama_cpp_spreads_whole_layers_over_the_gpus_that_it_is_shown(
    gpus: tuple[int, ...], server: list[str], python: list[str]
) -> None:
    assert llama_server._split(Settings(gpus=gpus)) == server
    assert llama_cpp_python._split(Settings(gpus=gpus)) == python


def test_vllm_is_told_its_gpus_and_what_a_user_says_of_how_they_talk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "installed_version", lambda: "vllm 0.32.0")
    monkeypatch.setenv("NCCL_P2P_DISABLE", "1")
    monkeypatch.delenv("NCCL_DEBUG", raising=False)

    made = vllm.launch("org/model-70b", Settings(gpus=(2, 3)), 8000, lambda _: None)
    plain = vllm.launch("org/model-70b", Settings(), 8000, lambda _: None)

    assert made.command[made.command.index("--tensor-parallel-size") + 1] == "2"
    assert made.environment["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert made.environment["NCCL_P2P_DISABLE"] == "1"
    assert "NCCL_DEBUG" not in made.environment
    assert "CUDA_VISIBLE_DEVICES=2,3" in made.flags
    assert "--tensor-parallel-size" not in plain.command
    assert "CUDA_VISIBLE_DEVICES" not in plain.environment


def test_tgi_is_given_its_gpus_by_docker_and_as_many_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tgi, "_check_docker", lambda: None)
    monkeypatch.setenv("NCCL_DEBUG", "INFO")

    made = tgi.launch("org/model-70b", Settings(gpus=(2, 3)), 8000, lambda _: None)
    plain = tgi.launch("org/model-70b", Settings(), 8000, lambda _: None)

    # docker splits at a comma that is not in quotation marks of its own
    assert made.command[made.command.index("--gpus") + 1] == '"device=2,3"'
    assert made.command[made.command.index("--num-shard") + 1] == "2"
    assert made.command[made.command.index("NCCL_DEBUG") - 1] == "--env"
    assert plain.command[plain.command.index("--gpus") + 1] == "all"
    assert "--num-shard" not in plain.command


@pytest.mark.parametrize("said", ["", " ", "-1", "0-1", "ALL", "0, 1", ",1", "GPU-10000000-aaaa", "0", "1,1"])
@pytest.mark.parametrize("box", [GpuBox(), a_box(4)])
def test_what_is_no_choice_of_gpus_is_said_whether_or_not_there_are_any(said: str, box: GpuBox) -> None:
    with pytest.raises(UsageError, match=r"^--gpus .*(is no number|takes no GPU|names a GPU twice)"):
        layout(Asked(gpus=said), box, VLLM)


@pytest.mark.parametrize(
    ("name", "flags", "needed"),
    [
        ("vllm", ["--tensor-parallel-size", "4"], 4),
        ("vllm", ["-tp=2", "-pp", "2"], 4),
        ("vllm", ["--tensor_parallel_size=1", "-dp", "3"], 3),
        ("tgi", ["--num-shard", "4"], 4),
    ],
)
def test_an_engines_own_flags_that_need_more_gpus_than_there_are_are_refused(
    name: str, flags: list[str], needed: int
) -> None:
    with pytest.raises(UsageError, match=rf"^.*'s own `-.*` needs {needed} GPUs, there are 2$"):
        layout(Asked(), a_box(2), engine_kind(name), flags)
    with pytest.raises(UsageError, match=rf"needs {needed} GPUs, --gpus names 1$"):
        layout(Asked(gpus="0,"), a_box(4), engine_kind(name), flags)
    assert layout(Asked(), GpuBox(), engine_kind(name), flags).groups == ((),)  # nobody knows


@pytest.mark.parametrize("elsewhere", ["--nnodes=2", "--distributed-executor-backend=ray", "-dpl=1"])
def test_gpus_of_other_machines_are_not_counted_here(elsewhere: str) -> None:
    assert layout(Asked(), a_box(2), VLLM, ["-tp", "4", elsewhere])
