"""Which GPUs are used: by arguments, log, the endpoint's own words and a driver that is a stand-in (no GPU here)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cost_cases import manifest

from harness.base.errors import UsageError
from harness.load.process.gpu import GpuLook
from harness.load.protocol import Identified, Looked
from harness.pipeline import gpus
from harness.pipeline.gpus import check_gpus, note_gpus_of_engines, note_gpus_said
from harness.rundir.identity import Identity, SaidCount
from harness.rundir.manifest import RunManifest

EMPTY = tuple(GpuLook(index, memory_used_mib=300.0, memory_total_mib=23028.0, processes=0) for index in range(4))
TP2 = SaidCount(value=2, said_by="/get_server_info")


def busy(*full: int) -> tuple[GpuLook, ...]:
    return tuple(GpuLook(look.index, "A10G", 90, 20480.0, 23028.0, 1) if look.index in full else look for look in EMPTY)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """This machine's GPUs, as `looks` has them; (): no driver."""
    stand_in = SimpleNamespace(looks=(), devices=True)
    monkeypatch.setattr(gpus, "look_here", lambda: stand_in.looks)
    monkeypatch.setattr(gpus, "has_gpu_devices", lambda: stand_in.devices)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return stand_in


def started(name: str, flags: str, place: Path, log: str = "", copies: int = 1) -> RunManifest:
    """A run of equal engines that we started while no GPU was used."""
    path = place / "engine.log"
    path.write_text(log)
    engine: Any = SimpleNamespace(name=name, flags=flags.split(), process=SimpleNamespace(log_path=path))
    run = manifest()
    run.identity = Identity(engine=name)
    note_gpus_of_engines(run, [engine] * copies, EMPTY if gpus.look_here() else ())
    return run


def asked(engine: str | None, *urls: str, each: SaidCount | None = None) -> RunManifest:
    run = manifest(replicas_driven=len(urls))
    run.urls = list(urls)
    run.identity = Identity(engine=engine, gpus_used=each)
    note_gpus_said(run, Identified(run.identity, [], None))
    return run


def used(run: RunManifest) -> tuple[int | None, str | None]:
    said = run.identity.gpus_used if run.identity is not None else None
    return (None, None) if said is None else (said.value, said.said_by)


HERE, THERE = "http://127.0.0.1:8000", "http://10.0.0.7:8000"
NO_GPU_LOG = "warning: no usable GPU found, --gpu-layers option will be ignored\n"


@pytest.mark.parametrize(
    ("name", "flags", "log", "full", "copies", "said"),
    [
        ("vllm", "--model m", "", (0,), 1, (1, "by its arguments and by NVML")),
        ("vllm", "-tp 4", "", (0, 1, 2, 3), 1, (4, "by its arguments and by NVML")),
        ("vllm", "--model m", "", (0, 1), 2, (2, "by its arguments and by NVML")),  # two copies, a GPU each
        ("tgi", "--model-id m", "", (0, 1, 2, 3), 1, (4, "by its arguments and by NVML")),
        ("llama_server", "--n-gpu-layers all", "", (0, 1), 1, (2, "by NVML")),  # it asks for all, and has two
        ("llama_server", "--n-gpu-layers all", "", (), 1, (0, "by NVML")),
        ("llama_server", "--n-gpu-layers all", NO_GPU_LOG, (), 1, (0, "by its log")),
        ("llama_server", "--n-gpu-layers all", "offloaded 0/33 layers to GPU\n", (0,), 1, (0, "by its log")),
        ("llama_cpp_python", "--n_gpu_layers 0", "", (0,), 1, (0, "by its arguments")),
    ],
)  # fmt: skip
def test_an_engine_of_ours_uses_what_it_asks_for_as_far_as_it_has_it(
    name: str,
    flags: str,
    log: str,
    full: tuple[int, ...],
    copies: int,
    said: tuple[int, str],
    driver: SimpleNamespace,
    tmp_path: Path,
) -> None:
    driver.looks = busy(*full)

    run = started(name, flags, tmp_path, log, copies)

    assert used(run) == said
    assert run.gpus is not None
    assert [gpu.memory_used_gib for gpu in run.gpus] == pytest.approx(
        [20.0 if n in full else 0.293 for n in range(4)], abs=1e-3
    )


def test_without_a_driver_to_ask_arguments_say_it_and_without_a_gpu_nothing_is_used(
    driver: SimpleNamespace, tmp_path: Path
) -> None:
    by_arguments, as_found = started("vllm", "-tp 2", tmp_path), started("tgi", "--model-id m", tmp_path)
    driver.devices = False
    on_cpu = started("vllm", "-tp 2", tmp_path)

    assert used(by_arguments) == (2, "by its arguments")
    assert used(as_found) == (None, None)  # as many as it finds, and nobody counts them
    assert used(on_cpu) == (0, "no GPU is on this machine")
    assert by_arguments.gpus is None


@pytest.mark.parametrize(
    ("engine", "urls", "each", "full", "said"),
    [
        ("vllm", [HERE], None, (2,), (1, "by NVML")),
        ("vllm", [HERE, "http://localhost:8001"], None, (0, 1), (2, "by NVML")),  # CUDA_VISIBLE_DEVICES=0 and =1
        ("tgi", [HERE], None, (0, 1, 2, 3), (4, "by NVML")),
        ("sglang", [HERE], TP2, (0, 1, 2, 3), (2, "so says /get_server_info")),  # others use the rest
        ("sglang", [HERE, "http://127.0.0.1:8001"], TP2, (0, 1), (2, "by NVML")),  # both share them
        ("sglang", [THERE, "http://10.0.0.7:8001"], TP2, (0,), (4, "so says /get_server_info")),
        ("sglang", [HERE], TP2, (), (2, "so says /get_server_info")),  # through a tunnel
        ("vllm", [THERE], None, (0,), (None, None)),  # not this machine's
        ("vllm", [HERE, THERE], None, (0,), (None, None)),
        ("vllm", [HERE], None, (), (None, None)),
        ("llama_server", [HERE], None, (), (0, "by NVML")),
        ("llama_server", [THERE], None, (), (None, None)),
    ],
)
def test_what_answers_at_a_url_uses_what_it_says_or_what_this_machines_driver_sees(
    engine: str,
    urls: list[str],
    each: SaidCount | None,
    full: tuple[int, ...],
    said: tuple[int | None, str | None],
    driver: SimpleNamespace,
) -> None:
    driver.looks = busy(*full)

    assert used(asked(engine, *urls, each=each)) == said


def test_an_answers_fingerprint_tells_what_the_endpoints_routes_did_not(driver: SimpleNamespace) -> None:
    run = asked("vllm", THERE)

    note_gpus_said(run, Looked(0.1, None, SaidCount(value=2, said_by="f"), SaidCount(value=4, said_by="f")))
    assert run.identity is not None
    assert (run.identity.parallel, used(run)) == (SaidCount(value=2, said_by="f"), (4, "so says f"))

    note_gpus_said(run, Looked(0.1, None))  # it says nothing: what is known stays
    assert used(run) == (4, "so says f")


@pytest.mark.parametrize(
    ("gpus_used", "box", "replicas", "words"),
    [
        (0, 4, 1, "vllm: none of the 4 GPUs of a g5.12xlarge is used (by its log)"),
        (8, 4, 1, "vllm: one engine uses 8 GPUs (by its log), and a g5.12xlarge has 4"),
        (1, 4, 8, "8 engines of 1 GPU each"),
        (1, 4, 4, None),
        (4, 4, 1, None),
        (1, 4, 1, None),  # said in the verdict
        (0, 0, 1, None),  # no GPU is meant to be there
        (0, None, 1, None),
        (None, 4, 1, None),
    ],
)
def test_a_box_that_cannot_be_what_is_measured_ends_the_run_before_its_load(
    gpus_used: int | None, box: int | None, replicas: int, words: str | None
) -> None:
    run = manifest(replicas=replicas)
    said = SaidCount(value=gpus_used, said_by="by its log") if gpus_used is not None else None
    run.identity = Identity(engine="vllm", gpus_used=said)

    if words is None:
        check_gpus(run, box)
    else:
        with pytest.raises(UsageError) as error:
            check_gpus(run, box)
        assert words in str(error.value)
