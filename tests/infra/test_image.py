"""The client's image and its Kubernetes Job, as far as can be seen without a container engine."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = ROOT / "Dockerfile"
JOB = ROOT / "infra" / "k8s" / "job.yaml"


def objects() -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in yaml.safe_load_all(JOB.read_text())}


def container() -> dict[str, Any]:
    (only,) = objects()["Job"]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def test_the_dockerfile_has_no_finding_of_its_linter() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"

    done = subprocess.run([str(hadolint), str(DOCKERFILE)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_what_it_copies_is_let_through_and_builds_a_wheel(tmp_path: Path) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    let_through = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert set(names) == let_through
    for name in names:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=tmp_path, check=True, capture_output=True
    )

    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert {"harness/scenarios/quickstart.yaml", "harness/prices/instances.yaml"} <= set(
        zipfile.ZipFile(wheel).namelist()
    )


def test_it_is_not_root_and_has_no_engine() -> None:
    text = DOCKERFILE.read_text()

    assert re.findall(r"^USER (.+)$", text, flags=re.MULTILINE) == ["10001"]
    assert "llama" not in text.split("FROM", 1)[1]


def test_the_job_fits_its_schema_without_a_key_too_many() -> None:
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", str(JOB)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["cpu", "memory"])
def test_the_load_has_whole_cores_of_its_own(kind: str) -> None:
    resources = container()["resources"]

    assert resources["requests"][kind] == resources["limits"][kind]
    assert resources["limits"]["cpu"].isdigit()


def test_each_mount_is_a_volume_and_the_claim_is_in_the_file() -> None:
    spec = objects()["Job"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}

    assert {mount["name"] for mount in container()["volumeMounts"]} == set(volumes)
    claimed = volumes["results"]["persistentVolumeClaim"]["claimName"]
    assert claimed == objects()["PersistentVolumeClaim"]["metadata"]["name"]


def test_the_jobs_arguments_are_a_run_that_the_command_line_takes(tmp_path: Path) -> None:
    (tmp_path / "chat.yaml").write_text((ROOT / "scenarios" / "chat.yaml").read_text())
    given = [word.replace("/scenario/", f"{tmp_path}/") for word in container()["args"]]

    done = subprocess.run(
        [sys.executable, "-m", "harness", *given, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
