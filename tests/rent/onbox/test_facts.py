"""What a box says of itself, from what its own programs and its cloud tell."""

import json
from pathlib import Path

import pytest
from box_programs import BANNER, MATRIX, NEW_BANNER, h100, nvidia_smi, stand_in, two_socket_tree, write
from metadata_server import HTML_404, PORTAL, Aws, Azure, Everything, Gcp, MetadataServer

from harness.rent.onbox.commands import MOST_BYTES, NotSeen, printed
from harness.rent.onbox.facts import facts
from harness.rent.onbox.gpus import Gpus, links_of
from harness.rent.onbox.instance import instance
from harness.rent.onbox.metadata import Metadata
from harness.rundir.box import BoxFacts


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only programs that there are."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.delenv("RUNPOD_POD_ID", raising=False)
    return place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    two_socket_tree(tmp_path / "root")
    return tmp_path / "root"


IMAGE = "sha256:4f5b1c"
DIGESTS = '["vllm/vllm-openai@sha256:9a21"]'


def docker(place: Path) -> None:
    stand_in(
        place,
        "docker",
        {
            '"ps -q --no-trunc"': (0, "c1\nc2\n"),
            '"inspect --format {{.Image}} {{json .Config.Image}} c1 c2"': (
                0,
                f'{IMAGE} "vllm/vllm-openai:v0.11.0"\n' * 2,
            ),
            f'"image inspect --format {{{{.Id}}}} {{{{json .RepoDigests}}}} {IMAGE}"': (0, f"{IMAGE} {DIGESTS}\n"),
        },
    )


def test_a_whole_box_is_read_and_fits_the_shape_that_a_run_keeps(programs: Path, root: Path) -> None:
    nvidia_smi(programs)
    docker(programs)
    with MetadataServer(Aws()) as server:
        told = facts(server.url, root)

    assert told["not_seen"] == {}
    assert told["system"]["release"] == "Ubuntu 24.04.3 LTS"
    assert {key: told["cpu"][key] for key in ("model", "sockets", "cores")} == {
        "model": "Intel(R) Xeon(R) Platinum 8480+", "sockets": 2, "cores": 4,
    }  # fmt: skip
    assert told["numa"] == [
        {"node": 0, "cpus": "0-1,4-5", "memory_gib": 1007.81},  # 1,056,768,000 KiB
        {"node": 1, "cpus": "2-3,6-7", "memory_gib": 1007.81},
    ]
    assert told["memory_gib"] == 2015.62
    assert [gpu["numa_node"] for gpu in told["gpus"]] == [0, 0, 1, 1]
    assert told["cuda"] == "13.0"
    assert told["images"] == [{"name": "vllm/vllm-openai:v0.11.0", "id": IMAGE, "digests": json.loads(DIGESTS)}]
    kept = BoxFacts.model_validate(json.loads(json.dumps(told)))
    assert kept.to_dict() == told  # every key of it has its place
    assert kept.words() == (
        "aws i-01ed50f7e2607f09e (g5.12xlarge, us-west-2a, spot); image ami-b2e756ca; 4 x NVIDIA H100 80GB HBM3; "
        "driver 580.65.06 (CUDA 13.0); GPUs joined by NV18, SYS; 2 NUMA nodes (GPU 0, 1 on 0; GPU 2, 3 on 1)"
    )


def test_nothing_secret_of_the_instance_is_told(programs: Path, root: Path) -> None:
    with MetadataServer(Aws()) as aws, MetadataServer(Azure()) as azure, MetadataServer(Gcp()) as gcp:
        told = json.dumps([facts(server.url, root) for server in (aws, azure, gcp)])

    for secret in ("hf_secret", "198.51.100.7", "10.0.0.171", "111122223333", "8d10da13", "c2VjcmV0", "123456/"):
        assert secret not in told


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        (Aws(), ("aws", "i-01ed50f7e2607f09e", "g5.12xlarge", "us-west-2", "us-west-2a", "ami-b2e756ca", "spot")),
        (
            Gcp(),
            (
                "gcp", "5512345678901234567", "a2-highgpu-1g", "us-central1", "us-central1-a",
                "projects/ml-images/global/images/c0-deeplearning-common-cu121-v20240128", "spot",
            ),
        ),
        (
            Azure(),
            (
                "azure", "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "Standard_NC24ads_A100_v4", "westeurope", "1",
                "microsoft-dsvm:ubuntu-hpc:2204:1", "spot",
            ),
        ),
    ],
)  # fmt: skip
def test_an_instance_has_one_shape_on_three_clouds(cloud: Aws | Gcp | Azure, said: tuple[str, ...]) -> None:
    with MetadataServer(cloud) as server:
        told = instance(Metadata(server.url))

    assert told is not None
    assert list(told) == ["cloud", "id", "type", "region", "zone", "image", "lifecycle"]
    assert tuple(told.values()) == said


@pytest.mark.parametrize(("life", "said"), [("on-demand", "on_demand"), ("capacity-block", "capacity_block")])
def test_how_an_instance_is_paid_for_is_told_in_our_words(life: str, said: str) -> None:
    cloud = Aws()
    cloud.paths["/latest/meta-data/instance-life-cycle"] = life
    with MetadataServer(cloud) as server:
        told = instance(Metadata(server.url))

    assert told is not None
    assert told["lifecycle"] == said


@pytest.mark.parametrize("answer", [Everything(404, HTML_404), Everything(200, PORTAL), Everything(200, "[]")])
def test_a_machine_of_no_cloud_has_no_instance(answer: Everything) -> None:
    with MetadataServer(answer) as server:
        assert instance(Metadata(server.url), Path("/nowhere")) is None


CLOUD_INIT = {"cloud_name": "lambda", "instance_id": "0920582c", "region": "us-east-1", "availability_zone": None}


def told_by_cloud_init(root: Path, v1: object) -> dict[str, object] | None:
    write(root / "run/cloud-init/instance-data.json", json.dumps({"v1": v1, "ds": {"meta_data": {"key": "secret"}}}))
    with MetadataServer(Everything(404, HTML_404)) as server:
        return instance(Metadata(server.url), root)


def test_a_cloud_without_such_a_service_is_known_by_its_first_boot(root: Path) -> None:
    told = told_by_cloud_init(root, CLOUD_INIT)

    assert told is not None
    assert list(told) == ["cloud", "id", "type", "region", "zone", "image", "lifecycle"]
    assert list(told.values()) == ["lambda", "0920582c", None, "us-east-1", None, None, None]


@pytest.mark.parametrize("v1", [None, [], {}, CLOUD_INIT | {"cloud_name": "nocloud"}, CLOUD_INIT | {"cloud_name": 7}])
def test_a_machine_of_ones_own_is_no_instance(root: Path, v1: object) -> None:
    assert told_by_cloud_init(root, v1) is None


def test_a_pod_knows_itself_by_its_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_POD_ID", "x9k2")
    monkeypatch.setenv("RUNPOD_DC_ID", "EU-RO-1")
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_secret")
    with MetadataServer(Everything(404, HTML_404)) as server:
        told = instance(Metadata(server.url), root)

    assert told is not None
    assert {key: value for key, value in told.items() if value} == {"cloud": "runpod", "id": "x9k2", "zone": "EU-RO-1"}


def test_a_machine_without_gpu_or_docker_has_empty_lists(programs: Path, root: Path) -> None:
    with MetadataServer(Everything(404, HTML_404)) as server:
        told = facts(server.url, root)

    assert (told["instance"], told["gpus"], told["cuda"], told["gpu_links"], told["images"]) == (None, [], None, [], [])
    assert told["not_seen"] == {}
    assert BoxFacts.model_validate(told).words() == "no GPU; 2 NUMA nodes"


def test_each_gpu_is_told_with_its_settings(programs: Path, root: Path) -> None:
    nvidia_smi(programs, gpus=1)

    assert Gpus(root).gpus() == [
        {
            "index": 0, "name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-0f2ab7e4-5c11-8a0e-9f5c-6b1f0a7d2c33",
            "memory_gib": 79.65, "pci": "00000000:19:00.0", "pcie_generation": 5, "pcie_lanes": 16,
            "power_limit_w": 700.0, "default_power_limit_w": 700.0, "most_sm_clock_mhz": 1980.0,
            "application_clock_mhz": 1980.0, "persistence": True, "ecc": True, "mig": False, "driver": "580.65.06",
            "numa_node": 0,
        }
    ]  # fmt: skip


def test_what_a_gpu_does_not_have_is_null(programs: Path, root: Path) -> None:
    row = "0, NVIDIA RTX A4000, GPU-1, 16376, 00000000:65:00.0, 4, 16, [N/A], 140.00, 2100, "
    row += "[Not Supported], Disabled, [N/A], [N/A], 580.95.05\n"
    stand_in(programs, "nvidia-smi", {"--query-gpu=*": (0, row)})
    write(root / "sys/bus/pci/devices/0000:65:00.0/numa_node", "-1\n")

    (gpu,) = Gpus(root).gpus()

    absent = ("power_limit_w", "application_clock_mhz", "ecc", "mig", "numa_node")
    assert {key: gpu[key] for key in absent} == dict.fromkeys(absent)
    assert gpu["persistence"] is False


def test_a_field_that_a_driver_does_not_know_costs_only_itself(programs: Path, root: Path) -> None:
    cells = h100(0).split(", ")
    stand_in(
        programs,
        "nvidia-smi",
        {
            "*clocks.applications.graphics*": (
                2,
                'Field "clocks.applications.graphics" is not a valid field to query.\n\n',
            ),
            "*mig.mode.current*": (2, 'Field "mig.mode.current" is not a valid field to query.\n\n'),
            "--query-gpu=*": (0, ", ".join(cells[:10] + cells[11:13] + cells[14:]) + "\n"),
        },
    )

    (gpu,) = Gpus(root).gpus()

    assert (gpu["application_clock_mhz"], gpu["mig"]) == (None, None)
    assert (gpu["most_sm_clock_mhz"], gpu["ecc"], gpu["driver"]) == (1980.0, True, "580.65.06")


BROKEN = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that it is running.\n\n"
)


def test_a_driver_that_does_not_answer_is_not_seen_rather_than_absent(programs: Path, root: Path) -> None:
    stand_in(programs, "nvidia-smi", {"*": (9, BROKEN)})
    with MetadataServer(Everything(404, HTML_404)) as server:
        told = facts(server.url, root)

    assert [told[key] for key in ("gpus", "cuda", "gpu_links")] == [None, None, None]
    assert set(told["not_seen"]) == {"gpus", "cuda", "gpu_links"}
    assert told["not_seen"]["gpus"].startswith("nvidia-smi: NVIDIA-SMI has failed because it couldn't communicate")
    assert BoxFacts.model_validate(told).words() == "GPUs not seen; 2 NUMA nodes"


def test_no_devices_are_no_gpus(programs: Path, root: Path) -> None:
    stand_in(programs, "nvidia-smi", {"*": (6, "No devices were found\n")})
    gpus = Gpus(root)

    assert (gpus.gpus(), gpus.cuda(), gpus.links()) == ([], None, [])


@pytest.mark.parametrize(
    ("device", "why"), [("dev/kfd", "the driver is AMD's"), ("dev/nvidiactl", "nvidia-smi is not")]
)
def test_gpus_that_nobody_can_ask_are_not_called_none(programs: Path, root: Path, device: str, why: str) -> None:
    write(root / device, "")

    with pytest.raises(NotSeen, match=why):
        Gpus(root).gpus()


@pytest.mark.parametrize(("banner", "cuda"), [(BANNER, "13.0"), (NEW_BANNER, "13.3")])
def test_cuda_is_read_from_old_and_new_banners(programs: Path, root: Path, banner: str, cuda: str) -> None:
    nvidia_smi(programs, banner=banner)

    assert Gpus(root).cuda() == cuda


def test_links_are_those_between_gpus_each_once() -> None:
    assert [(link["a"], link["b"], link["link"]) for link in links_of(MATRIX)] == [
        (0, 1, "NV18"), (0, 2, "NV18"), (0, 3, "NV18"), (1, 2, "NV18"), (1, 3, "SYS"), (2, 3, "NV18"),
    ]  # fmt: skip


def test_a_single_gpu_is_joined_to_none() -> None:
    assert links_of("\tGPU0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\nGPU0\t X \t0-31\t0\t\tN/A\n") == []


def test_an_image_is_named_as_its_container_was_started(programs: Path, root: Path) -> None:
    """Built here: it is in no registry and has no digest."""
    stand_in(
        programs,
        "docker",
        {
            '"ps -q --no-trunc"': (0, "c1\n"),
            '"inspect "*': (0, f'{IMAGE} "mine:latest"\n'),
            '"image inspect "*': (0, f"{IMAGE} null\n"),
        },
    )
    with MetadataServer(Everything(404, HTML_404)) as server:
        assert facts(server.url, root)["images"] == [{"name": "mine:latest", "id": IMAGE, "digests": []}]


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ((1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."), "Cannot connect"),
        ((1, "permission denied while trying to connect to the docker API"), "permission denied"),
        ((97, ""), "nothing was printed"),
    ],
)
def test_docker_that_does_not_answer_is_said(programs: Path, root: Path, says: tuple[int, str], why: str) -> None:
    stand_in(programs, "docker", {"*": says})
    with MetadataServer(Everything(404, HTML_404)) as server:
        told = facts(server.url, root)

    assert told["images"] is None
    assert why in told["not_seen"]["images"]


def test_a_bare_tree_costs_only_what_is_missing(programs: Path, tmp_path: Path) -> None:
    with MetadataServer(Everything(404, HTML_404)) as server:
        told = facts(server.url, tmp_path / "bare")

    assert set(told["not_seen"]) == {"cpu", "memory_gib", "numa"}
    assert told["system"]["kernel"]


def test_a_probe_for_which_no_time_is_left_is_not_begun(programs: Path, root: Path) -> None:
    with MetadataServer(Aws()) as server:
        told = facts(server.url, root, most_s=0)

    assert server.asked == []
    assert set(told["not_seen"].values()) == {"no time was left for it"}
    assert BoxFacts.model_validate(told).words() == "GPUs not seen"


def test_an_arm_machine_is_named_by_lscpu(programs: Path, root: Path) -> None:
    write(root / "proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n")
    stand_in(programs, "lscpu", {"*": (0, "Architecture:  aarch64\n  Model name:    Neoverse-V1\n    Model:  1\n")})
    with MetadataServer(Everything(404, HTML_404)) as server:
        assert facts(server.url, root)["cpu"]["model"] == "Neoverse-V1"


def program(place: Path, name: str, script: str) -> None:
    (place / name).write_text(f"#!/bin/sh\n{script}\n")
    (place / name).chmod(0o755)


def test_a_command_that_hangs_is_given_up_and_so_is_what_it_started(programs: Path, tmp_path: Path) -> None:
    program(programs, "hangs", f"/bin/sleep 600 & echo $! > {tmp_path}/child; wait")

    with pytest.raises(NotSeen, match=r"hangs did not answer within 0\.3 s"):
        printed(["hangs"], most_s=0.3)

    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    assert not child.exists() or child.read_text().split(")")[1].split()[0] == "Z"


def test_a_command_that_prints_without_end_is_cut_off(programs: Path) -> None:
    program(programs, "prints", "exec /usr/bin/yes")

    with pytest.raises(NotSeen, match="prints did not end"):
        printed(["prints"])


def test_a_program_that_is_no_program_is_said(programs: Path) -> None:
    (programs / "broken").write_bytes(b"\x7fELF nothing")
    (programs / "broken").chmod(0o755)

    with pytest.raises(NotSeen, match="broken cannot be started"):
        printed(["broken"])


def test_only_the_beginning_of_a_long_answer_is_kept(programs: Path) -> None:
    program(programs, "long", f"/usr/bin/head -c {MOST_BYTES} /dev/zero")

    said = printed(["long"])

    assert said is not None
    assert (said.code, len(said.text)) == (0, MOST_BYTES)
