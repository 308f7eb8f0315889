"""What `make` asks of a machine before anything starts, and what it then sets up itself."""

import shutil
import subprocess
from pathlib import Path

import pytest
from engine_helpers import ROOT

NEEDED_BY_MAKE = ("make", "sh", "echo")
ALL = "c++ cmake chromium chromedriver nginx haproxy prometheus sshd"
PACKAGES = "g++ cmake chromium chromium-driver nginx haproxy prometheus openssh-server"

NOWHERE = ("STAMPS=/nonexistent", "VENV=/nonexistent")


class Machine:
    """A machine with no programs but make, a shell, and those that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in NEEDED_BY_MAKE:
            (folder / name).symlink_to(shutil.which(name) or name)

    def put(self, name: str, script: str = "") -> None:
        (self.folder / name).write_text(f"#!{self.folder}/sh\n{script}\n")
        (self.folder / name).chmod(0o755)

    def make(self, target: str, sbin: Path = Path("/nonexistent")) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.folder), "LC_ALL": "C"}
        command = ["make", "-C", str(ROOT), *NOWHERE, f"SBIN={sbin}", target]
        return subprocess.run(
            command, env=environment, executable=self.folder / "make", capture_output=True, text=True, check=False
        )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "bin")


def test_without_root_the_tests_name_what_is_missing_and_how_to_get_it_and_start_nothing(machine: Machine) -> None:
    machine.put("id", "echo 1000")
    machine.put("apt-get", "echo called >&2")

    done = machine.make("test")

    said = done.stderr.splitlines()
    assert done.returncode == 2
    assert said[0] == f"error: not on this machine: {ALL} (Debian: apt-get install {PACKAGES})"
    assert all(line.startswith("make: ") for line in said[1:])
    assert "setting up" not in done.stdout + done.stderr


def test_only_what_is_missing_is_named(machine: Machine) -> None:
    machine.put("id", "echo 1000")
    for name in set(ALL.split()) - {"chromedriver"}:
        machine.put(name)

    said = machine.make("test").stderr.splitlines()

    assert said[0] == "error: not on this machine: chromedriver (Debian: apt-get install chromium-driver)"


def test_root_installs_what_is_missing_without_being_asked(machine: Machine) -> None:
    machine.put("id", "echo 0")
    machine.put("apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {machine.folder}/calls')

    done = machine.make("tools")

    assert done.returncode == 0, done.stderr
    assert (machine.folder / "calls").read_text().splitlines() == [
        "noninteractive update -qq",
        f"noninteractive install -y -qq --no-install-recommends {PACKAGES}",
    ]


def test_an_install_that_fails_names_what_is_missing(machine: Machine) -> None:
    machine.put("id", "echo 0")
    machine.put("apt-get", "exit 100")

    done = machine.make("tools")

    assert done.returncode == 2
    assert f"error: not on this machine: {ALL} (Debian: apt-get install {PACKAGES})" in done.stderr


def test_where_everything_is_there_nothing_is_said_or_installed(machine: Machine) -> None:
    for name in ALL.split():
        machine.put(name)

    done = machine.make("tools")

    assert (done.returncode, done.stderr) == (0, "")


def test_a_server_outside_of_the_users_path_is_found(machine: Machine, tmp_path: Path) -> None:
    sbin = Machine(tmp_path / "sbin")
    for name in ALL.split():
        (sbin if name in ("nginx", "haproxy") else machine).put(name)

    assert machine.make("tools", sbin.folder).stderr == ""


def test_a_run_needs_only_the_compiler_and_says_so_first(machine: Machine) -> None:
    said = machine.make("run").stderr.splitlines()

    assert said[0] == "error: not on this machine: c++ (Debian: apt-get install g++)"


def test_help_names_every_command_for_people(machine: Machine) -> None:
    lines = machine.make("help").stdout.splitlines()

    named = [line.split()[1] for line in lines if line.startswith("make ")]
    assert named == ["run", "check", "test", "lint", "litellm", "sky", "setup"]
