"""What a command loads before it says its first word: nobody waits for what he does not use. Not timed."""

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

from harness.cli import COMMANDS, module_of

MEASURING = {"locust", "gevent", "geventhttpclient", "requests", "harness.load"}
FIGURES = {"numpy", "pandas", "pyarrow", "prometheus_client", "harness.metrics"}
PAGES = {"rich", "jinja2", "harness.report"}
CHECKED_INPUT = {"pydantic", "yaml"}
PRICES = {"genai_prices", "httpx2", "asyncio"}
INPUT = """
workload: {classes: [{input_tokens: 800, output_tokens: 250}]}
self_host: {usd_per_hour: 5.672, goodput_requests_per_s: 0.6}
api: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}
"""


def loaded_by(*arguments: str) -> set[str]:
    """Every module that a process holds when the command has done its work."""
    code = (
        "import sys; from harness.cli import invoke; code = invoke(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *arguments]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_load_no_command_and_no_library(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)

    assert loaded & (MEASURING | FIGURES | PAGES | CHECKED_INPUT | PRICES) == set()
    assert {name for name in loaded if name.startswith("harness.cli.")} == {
        "harness.cli.defaults",
        "harness.cli.groups",
    }


def test_a_decision_loads_neither_figures_nor_prices_nor_pages(tmp_path: Path) -> None:
    path = tmp_path / "input.yaml"
    path.write_text(INPUT)

    assert loaded_by("decide", str(path)) & (MEASURING | FIGURES | PAGES | PRICES) == set()


def test_the_price_list_loads_neither_figures_nor_pages() -> None:
    assert loaded_by("prices", "list") & (MEASURING | FIGURES | PAGES) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_all_says_of_a_command_what_its_own_says_first(name: str) -> None:
    command = importlib.import_module(f"harness.cli.{module_of(name)}").command

    assert isinstance(command, click.Command)
    assert command.name == name
    assert COMMANDS[name] == (command.help or "").splitlines()[0]
