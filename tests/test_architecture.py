"""The table of which room may import which is the architecture."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "harness"

ROOMS: dict[str, set[str]] = {
    # from the ground up: a room imports only from rooms above it in this table, and from no other than these
    "base": set(),
    "backends": set(),
    "prices": {"base"},
    "engines": {"base", "backends"},  # one question to an engine is in its dialect
    "rundir": {"base"},
    "scenario": {"base"},
    "tasks": {"base", "rundir", "scenario"},
    "demand": {"base", "scenario"},
    "imports": {"base", "rundir", "scenario"},
    "metrics": {"base", "backends", "rundir", "scenario"},  # which refusals tell nothing of a server
    "calibration": {"base", "rundir"},
    "cost": {"base", "rundir", "prices", "demand"},
    "checks": {"base", "rundir", "backends", "scenario", "metrics"},
    "load": {"base", "rundir", "backends", "scenario", "metrics"},
    "report": {"base", "rundir", "scenario", "calibration", "cost"},
    "pipeline": {
        "base", "rundir", "scenario", "tasks", "engines", "demand", "metrics", "calibration", "cost", "checks", "load",
        "report",
    },
    "rent": {"base", "rundir", "scenario", "engines", "prices", "pipeline"},
    "cli": {
        "base", "rundir", "scenario", "backends", "prices", "engines", "demand", "imports", "calibration", "cost",
        "load", "report", "pipeline", "rent",
    },
}  # fmt: skip
ONLY_LOAD = {"locust", "gevent", "geventhttpclient"}
NETWORK = {"requests", "urllib3", "http", "httpx", "httpx2", "aiohttp", "socket", "urllib", "ssl"}
NETWORK_ALLOWED = {"load", "engines", "calibration", "pipeline", "rent", "cli"}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py" and "scenarios" not in p.parts)


def used_rooms(path: Path) -> set[str]:
    own = {name.split(".")[1] for name in imports_of(path) if name.startswith("harness.")}
    return (own & set(ROOMS)) - {room_of(path)}


def test_the_rooms_are_the_folders_of_the_house() -> None:
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and p.name not in ("__pycache__", "scenarios")}

    assert folders == set(ROOMS)
    assert {p.name for p in ROOT.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_the_table_is_in_order_from_the_ground_up() -> None:
    order = list(ROOMS)

    upward = [(room, other) for room in ROOMS for other in ROOMS[room] if order.index(other) >= order.index(room)]

    assert upward == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_its_row_says_and_no_row_allows_more(room: str) -> None:
    used = {other for path in FILES if room_of(path) == room for other in used_rooms(path)}

    assert used == ROOMS[room]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_load_speaks_http_and_knows_locust(path: Path) -> None:
    room = room_of(path)
    roots = {name.split(".")[0] for name in imports_of(path)}

    if room != "load":
        assert not roots & ONLY_LOAD
    if room not in NETWORK_ALLOWED:
        full = imports_of(path) - {"urllib.parse", "urllib.parse.urlsplit", "urllib.parse.quote"}
        assert not {name.split(".")[0] for name in full} & NETWORK


def test_tgis_package_is_imported_only_where_it_is_asked_for() -> None:
    at_the_top = [
        path
        for path in FILES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom) and "text_generation" in ast.unparse(node)
    ]

    assert at_the_top == []


def test_analysing_never_loads_locust_nor_a_network_library() -> None:
    code = (
        "import sys, harness.pipeline.analyse, harness.cli.report\n"
        "bad = {'locust', 'gevent', 'geventhttpclient', 'requests', 'urllib3', 'httpx', 'httpx2'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(bad)}' if bad else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
