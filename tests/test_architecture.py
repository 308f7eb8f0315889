"""The table of which package may import which is the architecture."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "harness"

BASE = {"errors", "units", "yamlfile", "records", "scenario", "stats"}
MAY_IMPORT: dict[str, set[str]] = {
    # the ground that everything stands on
    "errors": set(),
    "units": set(),
    "stats": set(),
    "faults": set(),  # the words of failed requests, for load and checks
    "yamltext": {"errors"},
    "yamlfile": {"errors", "yamltext"},
    "records": set(),
    "scenario": {"errors", "yamlfile"},
    "server_metrics": BASE,
    "arrival_stamps": BASE,
    "parquet_file": {"errors"},
    "store": BASE | {"parquet_file", "server_metrics", "arrival_stamps"},
    "trace": {"errors"},  # request logs
    "demand_from_trace": {"trace", "units"},
    "saturation": {"stats"},
    "steady": {"stats"},
    "estimate": BASE | {"trace"},
    # measuring: scenario -> load -> records
    "backends": set(),
    "load": BASE | {"faults", "backends", "store", "trace", "saturation"},
    "endpoint": {"errors"},
    "engines": {"errors", "units", "endpoint", "backends"},  # one question to an engine is in its dialect
    # it judges the probes of a search by the figures of the report
    "measure": BASE
    | {"store", "engines", "load", "backends", "metrics", "impossible", "trace", "client_facts"},
    "oracle": BASE | {"store"},
    "calibration": BASE | {"store", "oracle", "processor"},
    "processor": set(),
    "client_facts": {"calibration", "processor"},
    "calibrate": BASE | {"store", "oracle", "measure", "calibration"},
    # analysing: records -> metrics -> checks -> cost -> report; no network, nothing from above
    "windows": {"arrival_stamps", "records", "stats"},
    "metrics": BASE | {"windows", "saturation", "steady", "arrival_stamps"},
    "checks": BASE | {"faults", "checks_load", "checks_client"},
    "checks_client": {"checks_load"},
    "checks_load": set(),
    "impossible": BASE | {"checks"},
    "analysed": BASE | {"store", "metrics", "cost"},
    "overheads": BASE,
    "demand": BASE | {"overheads", "cost"},
    "prices": BASE,
    "cost": BASE | {"prices", "demand", "overheads"},
    "report": BASE | {"cost", "calibration"},
    "pool": BASE | {"report"},
    "server_metrics_gpu": BASE | {"checks", "server_metrics"},
    "server_metrics_steps": BASE | {"windows", "checks", "server_metrics", "server_metrics_gpu"},
    "analyse": BASE
    | {
        "store",
        "metrics",
        "checks",
        "impossible",
        "analysed",
        "server_metrics_steps",
        "cost",
        "demand",
        "report",
        "prices",
    },
    # the command line sees all
    "cli": {"*"},
    "__main__": {"cli"},
}
ONLY_LOAD = {"locust", "gevent", "geventhttpclient"}
NETWORK = {"requests", "urllib3", "http", "httpx", "httpx2", "aiohttp", "socket", "urllib", "ssl"}
NETWORK_ALLOWED = {
    "load",
    "engines",
    "oracle",
    "calibrate",
    "cli",
    "client_facts",
}  # client_facts: socket.gethostname


def package_of(path: Path) -> str:
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


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_imports_only_what_its_package_may(path: Path) -> None:
    package = package_of(path)
    own = {name.split(".")[1] for name in imports_of(path) if name.startswith("harness.")}
    allowed = MAY_IMPORT[package]

    known = {p.name.removesuffix(".py") for p in ROOT.iterdir()}
    forbidden = {
        name for name in own & known if name != package and name not in allowed and "*" not in allowed
    }

    assert not forbidden - {"__version__"}, f"{package} may not import {sorted(forbidden)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_load_speaks_http_and_knows_locust(path: Path) -> None:
    package = package_of(path)
    roots = {name.split(".")[0] for name in imports_of(path)}

    if package != "load":
        assert not roots & ONLY_LOAD
    if package not in NETWORK_ALLOWED:
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
        "import sys, harness.analyse, harness.cli.report\n"
        "bad = {'locust', 'gevent', 'geventhttpclient', 'requests', 'urllib3', 'httpx', 'httpx2'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(bad)}' if bad else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
