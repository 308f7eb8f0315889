"""SkyPilot in an environment of its own, beside the engines' in the cache: its click is older than ours.

The environment of AWS is pinned by version and hash. Another cloud's packages come on top, whatever version of them
goes with those that are pinned.
"""

import re
import shutil
import sys
from pathlib import Path

from harness.base.errors import UsageError
from harness.engines.kind import Progress
from harness.engines.kinds.install import make_venv, run_step
from harness.engines.weights.cache import cache_dir, install_lock
from harness.rent.sky.clouds import CLOUDS

NAME = "sky"
PINS = Path(__file__).with_name("requirements.txt")
PINNED_CLOUD = "aws"


def version() -> str:
    """SkyPilot's, by the pins."""
    found = re.search(r"^skypilot==(\S+)", PINS.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found.group(1)


def environment() -> Path:
    """Where it is, or would be."""
    return cache_dir(NAME) / f"python{sys.version_info.major}.{sys.version_info.minor}"


def is_installed(cloud: str = PINNED_CLOUD) -> bool:
    """Whether it is there, by these pins, and with what it needs for a cloud."""
    stamp = environment() / "complete"
    is_whole = stamp.exists() and stamp.read_bytes() == PINS.read_bytes()
    return is_whole and (cloud == PINNED_CLOUD or (environment() / f"complete-{cloud}").exists())


def how_to_install(cloud: str) -> str:
    """The command."""
    return f"breakeven rent install --cloud {cloud}"


def install(cloud: str, progress: Progress) -> None:
    """Make the environment, once for these pins: 680 MB, half a minute.

    Raises:
        UsageError: a cloud that no plan may name. EngineError: a step failed; `detail` has the end of its log.
    """
    if cloud not in CLOUDS:
        raise UsageError(f"no cloud `{cloud}`; known: {', '.join(CLOUDS)}")
    if is_installed(cloud):
        return
    with install_lock(NAME, progress):
        log = cache_dir(NAME) / "install.log"
        if not is_installed():
            shutil.rmtree(environment(), ignore_errors=True)
            pip = [str(make_venv(environment(), log, progress)), "-P", "-m", "pip", "install"]
            pinned = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(PINS)]
            run_step("installing SkyPilot (680 MB)", [*pip, *pinned], log, progress)
            shutil.copyfile(PINS, environment() / "complete")
        if not is_installed(cloud):
            _add(cloud, log, progress)


def _add(cloud: str, log: Path, progress: Progress) -> None:
    versions = environment() / "versions.txt"
    lines = [line.split(" \\")[0] for line in PINS.read_text(encoding="utf-8").splitlines() if line[:1].isalnum()]
    versions.write_text("\n".join(lines) + "\n", encoding="utf-8")
    wanted = ["--constraint", str(versions), f"skypilot[{cloud}]=={version()}"]
    pip = [str(environment() / "bin" / "python"), "-P", "-m", "pip", "install"]
    run_step(f"installing what SkyPilot needs for {cloud}", [*pip, *wanted], log, progress)
    (environment() / f"complete-{cloud}").touch()
