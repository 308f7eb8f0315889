"""What is sent to a box runs on the Python that it has: from 3.8 on, with the standard library alone."""

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from metadata_server import Gcp, MetadataServer

ONBOX = Path(__file__).parents[3] / "harness" / "rent" / "onbox"
FILES = sorted(ONBOX.glob("*.py"))
VERSIONS = [(3, 8), (3, 9), (3, 10), (3, 11)]


def oldest_python() -> str:
    """The oldest from 3.8 on that this machine has."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for major, minor in VERSIONS:
        name = f"python{major}.{minor}"
        found = [shutil.which(name), *sorted(map(str, pyenv.glob(f"{major}.{minor}.*/bin/{name}")))]
        for python in filter(None, found):
            if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
                return python
    return sys.executable


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_syntax_is_of_python_3_8_and_it_imports_the_standard_library_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))

    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1 or (node.module or "").split(".")[0] in sys.stdlib_module_names


def test_it_runs_from_a_zip_with_the_oldest_python_there_is(tmp_path: Path) -> None:
    sent = tmp_path / "box.pyz"
    with zipfile.ZipFile(sent, "w") as archive:
        for path in FILES:
            archive.write(path, f"onbox/{path.name}")
        archive.writestr("__main__.py", "import runpy; runpy.run_module('onbox.facts', run_name='__main__')")
    with MetadataServer(Gcp()) as server:
        environment = {"PATH": str(tmp_path), "BREAKEVEN_METADATA_URL": server.url}
        command = [oldest_python(), "-S", "-E", str(sent)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["instance"]["type"] == "a2-highgpu-1g"
    assert tuple(map(int, told["python"].split(".")[:2])) >= (3, 8)


def test_the_watch_runs_with_the_oldest_python_there_is() -> None:
    code = (
        "import sys, threading; sys.path.insert(0, sys.argv[1])\n"
        "from onbox.notices import watch\n"
        "watch(threading.Event(), lambda notice: print(notice.to_dict()), base_url=sys.argv[2])\n"
    )
    cloud = Gcp()
    cloud.paths["preempted"] = "TRUE"
    with MetadataServer(cloud) as server:
        command = [oldest_python(), "-S", "-E", "-c", code, str(ONBOX.parent), server.url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout == "{'provider': 'gcp', 'what': 'preempted', 'at': None}\n", done.stderr
