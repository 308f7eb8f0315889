"""GPU figures by hand, from pages in DCGM-exporter's format and from a driver that is a stand-in: no GPU here."""

from types import SimpleNamespace

import pytest
from scraped import run, scrapes, vllm

from harness.load.process.gpu import GpuLook, LocalGpus, is_this_machine
from harness.rundir.results import Step
from harness.rundir.scrapes import frame_of_scrapes

PAGE = """\
# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{{gpu="0",UUID="GPU-a",modelName="NVIDIA A10G",Hostname="box"}} {utilization}
DCGM_FI_DEV_GPU_UTIL{{gpu="1",UUID="GPU-b",modelName="NVIDIA A10G",Hostname="box"}} 100
DCGM_FI_DEV_FB_USED{{gpu="0",UUID="GPU-a",modelName="NVIDIA A10G",Hostname="box"}} 20480
DCGM_FI_DEV_FB_USED{{gpu="1",UUID="GPU-b",modelName="NVIDIA A10G",Hostname="box"}} 10240
DCGM_FI_DEV_FB_FREE{{gpu="0",UUID="GPU-a",modelName="NVIDIA A10G",Hostname="box"}} 2048
DCGM_FI_DEV_FB_FREE{{gpu="1",UUID="GPU-b",modelName="NVIDIA A10G",Hostname="box"}} 12288
DCGM_FI_DEV_POWER_USAGE{{gpu="0",UUID="GPU-a",modelName="NVIDIA A10G",Hostname="box"}} 150
DCGM_FI_DEV_POWER_USAGE{{gpu="1",UUID="GPU-b",modelName="NVIDIA A10G",Hostname="box"}} 50
"""
ENERGY = 'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-a"}} {mj}\n'
REASONS = 'DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{{gpu="0",UUID="GPU-a"}} {bits}\n'


def judged(pages: list[str]) -> Step:
    """The run of `scraped` (one step, 2 s to 10 s, 100 tokens/s), with one page of the GPUs a second."""
    rows = scrapes(*((float(t), page) for t, page in enumerate(pages)), url="http://box:9400")
    rows += scrapes(*((t + 0.25, vllm(tokens=t * 100, running=2)) for t in range(11)))
    return run(frame_of_scrapes(rows)).steps[0]


def test_gpus_are_averaged_summed_and_charged_to_tokens() -> None:
    step = judged([PAGE.format(utilization=60)] * 11)

    # 2 s to 10 s: 200 W x 8 s = 1600 J for 800 tokens; 30 GiB of 44 GiB; (60 + 100) / 2 %
    assert step.gpu is not None
    assert step.gpu.to_dict() == {
        "gpus": 2,
        "utilization": pytest.approx(0.8),
        "memory_used_gib": 30.0,
        "memory_total_gib": 44.0,
        "power_w": 200.0,
        "energy_j": pytest.approx(1600),
        "joules_per_output_token": pytest.approx(2.0),
        "throttled": None,
    }


def test_the_energy_counter_wins_over_power() -> None:
    step = judged([PAGE.format(utilization=60) + ENERGY.format(mj=t * 100_000) for t in range(11)])

    assert step.gpu.energy_j == pytest.approx(800)  # 8 s x 100 J


def test_throttling_is_named_and_idling_is_none() -> None:
    # bits: 1 idle, 4 power cap; 2 s to 10 s are 9 looks, five of them (2, 4, 6, 8, 10) capped
    pages = [PAGE.format(utilization=60) + REASONS.format(bits=4 if t % 2 == 0 else 1) for t in range(11)]

    step = judged(pages)

    assert step.gpu.throttled == {"power cap": pytest.approx(5 / 9)}
    assert [one.code for one in step.checks] == ["gpu_throttled"]


def test_the_engines_page_is_read_as_if_no_gpu_page_were_there() -> None:
    server = judged([PAGE.format(utilization=60)] * 4).server  # the GPUs' page fell silent after 3 s

    assert server is not None
    assert server.scrapes == 8
    assert server.generation_tokens == 700


def test_without_a_gpu_nothing_is_said() -> None:
    metrics = run(frame_of_scrapes(scrapes((0.0, vllm()))))

    assert metrics.steps[0].gpu is None


class _NvmlError(Exception):
    pass


def _refuse(_: object) -> float:
    raise _NvmlError


def test_a_local_gpu_is_written_in_dcgms_units_and_what_it_does_not_tell_is_left_out() -> None:
    nvml = SimpleNamespace(
        NVMLError=_NvmlError,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUtilizationRates=lambda _: SimpleNamespace(gpu=97),
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(used=3 * 2**30, total=24 * 2**30),
        nvmlDeviceGetPowerUsage=lambda _: 151_500,
        nvmlDeviceGetTotalEnergyConsumption=_refuse,
        nvmlDeviceGetCurrentClocksEventReasons=lambda _: 4,
    )

    lines = LocalGpus(nvml).page().decode().splitlines()

    assert lines[1:] == [
        'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 97',
        'DCGM_FI_DEV_FB_USED{gpu="0"} 3072.0',
        'DCGM_FI_DEV_FB_TOTAL{gpu="0"} 24576.0',
        'DCGM_FI_DEV_POWER_USAGE{gpu="0"} 151.5',
        'DCGM_FI_DEV_CLOCKS_EVENT_REASONS{gpu="0"} 4',
    ]


def test_a_look_at_the_gpus_is_one_named_shape_each_and_what_is_not_told_is_none() -> None:
    used_mib = {0: 21_000, 1: 500}
    nvml = SimpleNamespace(  # an older library: it has no energy and no reasons to ask for
        NVMLError=_NvmlError,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda _: b"NVIDIA A10G",
        nvmlDeviceGetUtilizationRates=_refuse,
        nvmlDeviceGetMemoryInfo=lambda gpu: SimpleNamespace(used=used_mib[gpu] * 2**20, total=23_028 * 2**20),
        nvmlDeviceGetPowerUsage=lambda _: 60_000,
        nvmlDeviceGetComputeRunningProcesses=lambda gpu: [SimpleNamespace(pid=7)] if gpu == 0 else [],
    )

    full, idle = LocalGpus(nvml).look()

    assert full == GpuLook(0, "NVIDIA A10G", None, 21_000.0, 23_028.0, 1, 60.0)
    assert idle == GpuLook(1, "NVIDIA A10G", None, 500.0, 23_028.0, 0, 60.0)
    assert (full.is_used, idle.is_used) == (True, False)
    assert full.has_grown(idle)
    assert not idle.has_grown(full)
    assert GpuLook(0, memory_used_mib=2000.0).is_used  # a container is told of no processes outside


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.1:8000", True), ("http://localhost:1", True), ("http://[::1]:1", True), ("http://box:1", False)],
)  # fmt: skip
def test_only_a_loopback_server_runs_on_this_machines_gpus(url: str, local: bool) -> None:
    assert is_this_machine(url) is local
