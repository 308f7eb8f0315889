"""What is published: the wheel carries every file that the program reads, and works where there is no checkout."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness import __version__
from harness.engines.kinds.install import make_venv

ROOT = Path(__file__).parent.parent
(KEPT,) = (ROOT / "results" / "kept").glob("*-quickstart-*")
DECISION = """
workload: {classes: [{input_tokens: 800, output_tokens: 250}]}
self_host: {usd_per_hour: 5.672, goodput_requests_per_s: 0.6}
api: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}
"""


def files_below(folder: str) -> set[str]:
    """Every file of the checkout that is no product of running it, relative to the root."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return built / f"breakeven-{__version__}-py3-none-any.whl"


def test_the_wheel_holds_the_program_with_its_scenarios_prices_templates_and_types(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    recipes = {f"harness/compose/{path.name}" for path in (ROOT / "infra" / "compose").glob("*.yaml")}
    assert held == files_below("harness") | {f"harness/{name}" for name in files_below("scenarios")} | recipes
    assert {
        "harness/py.typed",
        "harness/prices/instances.yaml",
        "harness/report/render/templates/report.html.j2",
        "harness/scenarios/quickstart.yaml",
        "harness/scenarios/demand/support-agent.yaml",
    } <= held


def test_the_wheel_brings_the_command_and_the_licence(wheel: Path) -> None:
    about = f"breakeven-{__version__}.dist-info"

    with zipfile.ZipFile(wheel) as archive:
        assert "breakeven = harness.cli:main" in archive.read(f"{about}/entry_points.txt").decode()
        assert archive.read(f"{about}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_the_source_archive_holds_what_its_own_tests_need(built: Path) -> None:
    top = f"breakeven-{__version__}/"
    with tarfile.open(built / f"breakeven-{__version__}.tar.gz") as archive:
        held = {name.removeprefix(top) for name in archive.getnames()}

    folders = ("harness", "scenarios", "tests", "benchmarks", "infra", "examples", "docs")
    needed = {name for folder in folders for name in files_below(folder)}
    assert needed <= held
    assert {"pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "results/README.md"} <= held
    assert str((KEPT / "records.parquet").relative_to(ROOT)) in held


@pytest.mark.slow
def test_installed_from_the_wheel_it_works_far_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    python = make_venv(tmp_path / "venv", tmp_path / "venv.log", print)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    place = tmp_path / "elsewhere"
    place.mkdir()

    def run(*command: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in codes, done.stderr
        return done.stdout

    breakeven = str(python.parent / "breakeven")
    run(str(python), "-m", "pip", "install", "--quiet", str(wheel))
    (place / "input.yaml").write_text(DECISION)
    shutil.copytree(KEPT, place / "kept")

    assert run(breakeven, "--version") == f"breakeven, version {__version__}\n"
    run(breakeven, "init", "chat.yaml")
    assert (place / "chat.schema.json").exists()
    # 800 in and 250 out: 0.0024 + 0.00375 USD a task
    assert json.loads(run(breakeven, "decide", "input.yaml"))["api_usd_per_task"] == pytest.approx(0.00615)
    assert "kept/report.html" in run(breakeven, "report", "kept", codes=(0, 3)).replace("\n", "")
    assert (place / "kept" / "report.html").read_text().startswith("<!doctype html>")
    assert json.loads(run(breakeven, "run", "--dry-run", "--json"))["steps"] > 0  # the bundled quickstart
