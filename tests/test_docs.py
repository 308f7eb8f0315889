"""The documents say what is: links lead somewhere, commands exist, files and columns are those of a real run."""

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson
import pyarrow.parquet as pq
import pytest
import yaml
from load_helpers import run_load, scenario
from pydantic import BaseModel

from harness.calibration.oracle.process import running_oracle
from harness.cli import breakeven
from harness.cost.focus import COLUMNS as FOCUS_COLUMNS
from harness.load.conduct.crew import LOG
from harness.load.search.probing import SEARCH
from harness.pipeline.measure import ENGINE_LOG
from harness.report import COMPARISON_HTML, COMPARISON_MARKDOWN, HTML, MARKDOWN
from harness.rundir import files
from harness.rundir.decision import Arm, Decision
from harness.rundir.manifest import RunManifest
from harness.rundir.of_tasks import TasksOfRun
from harness.rundir.records import COLUMNS as RECORD_COLUMNS
from harness.rundir.results import Metrics, Step
from harness.rundir.scrapes import COLUMNS as SCRAPE_COLUMNS

ROOT = Path(__file__).parent.parent
README, RESULTS = ROOT / "README.md", ROOT / "results" / "README.md"
FOLDERS = ("docs", "examples", "infra", "infra/compose", "results")
PAGES = [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
OURS = re.compile(r"(harness|tests|benchmarks|scenarios|results|infra|examples|docs)/[\w./*-]*")


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What a link can point at: headings, as code hosts spell them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_can_be_read_at_one_sitting() -> None:
    assert len(README.read_text().splitlines()) <= 120


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)

    assert dead == []


@every_page
def test_every_path_of_ours_that_is_named_exists(page: Path) -> None:
    named = {code for code in CODE.findall(prose(page)) if OURS.fullmatch(code)}

    assert [path for path in sorted(named) if not list(ROOT.glob(path.rstrip("/")))] == []


def lines_of_shell(page: Path) -> Iterator[list[str]]:
    """Every simple command that a shell block shows, in words."""
    for language, block in FENCE.findall(page.read_text()):
        if language not in ("", "sh"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if "breakeven" in line:
                words = shlex.split(re.sub(r"\$\(|\)", " ; ", line), comments=True)
                text = "\0".join(words)
                yield from (part.split("\0") for part in re.split(r"\0?(?:&&|\||;)\0?", text) if part)


def commands_in_prose(page: Path) -> Iterator[list[str]]:
    for code in CODE.findall(prose(page)):
        if code.startswith("breakeven "):
            yield shlex.split(code.replace("...", ""))


def wrong(words: list[str]) -> list[str]:
    """What the command line does not know of `breakeven ...`; `a|b` is both."""
    command: click.Command = breakeven
    for number, word in enumerate(words[1:], start=1):
        if word == "--":  # from here on an engine's own flags
            break
        if word.startswith("-") and word != "-":
            options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts)}
            if word in ("-h", "--help"):
                continue
            if word not in options:
                return [f"{command.name} {word}"]
            kind, value = options[word].type, words[number + 1 : number + 2]
            if isinstance(kind, click.Choice) and value and value[0] not in kind.choices:
                return [f"{command.name} {word} {value[0]}"]
        elif isinstance(command, click.Group):
            context = click.Context(command)
            found = [command.get_command(context, name) for name in word.split("|")]
            if None in found:
                return [f"{command.name} {word}"]
            command = found[0] or command
    return []


@every_page
def test_every_command_and_option_that_is_shown_exists(page: Path) -> None:
    shown = [words for words in lines_of_shell(page) if words[0] == "breakeven"]

    assert [problem for words in (*shown, *commands_in_prose(page)) for problem in wrong(words)] == []


@pytest.mark.parametrize(
    "line", ["breakeven lend", "breakeven run --speed 3", "breakeven run --backend gpt", "breakeven engine fly"]
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    assert wrong(shlex.split(line)) != []


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_every_option_named_in_passing_exists(page: Path) -> None:
    known = {"--no-deps", "--live", "--reports"}  # pip's, and of benchmarks
    known |= {"--disable-radix-cache", "--enable-cache-report", "--enable-metrics", "--max-queued-requests"}  # SGLang's
    known |= {
        "--save-result",
        "--save-detailed",
        "--append-result",
        "--output-details",
    }  # of tools whose files are read
    stack: list[click.Command] = [breakeven]
    while stack:
        command = stack.pop()
        known |= {name for p in command.params for name in p.opts}
        if isinstance(command, click.Group):
            context = click.Context(command)
            parts = [command.get_command(context, name) for name in command.list_commands(context)]
            stack += [part for part in parts if part is not None]

    named = {word for code in CODE.findall(prose(page)) for word in re.findall(r"(?<!\S)--[a-z][a-z-]*", code)}

    assert named - known == set()


# Figures that are shown are those of the runs that are kept.


def quickstart() -> Path:
    return next((ROOT / "results" / "kept").glob("*-quickstart-*"))


def test_the_readme_opens_with_what_a_real_run_said() -> None:
    screen = next(block for language, block in FENCE.findall(README.read_text()) if language == "text")
    report = (quickstart() / "report.md").read_text()
    decision = json.loads((quickstart() / "decision.json").read_text())

    said = " ".join(screen.split())
    for arm in decision["arms"]:
        assert arm["sentence"] in said
    for line in report.splitlines():
        if line.startswith(("# ", "**At ", "goodput ", "All verdicts")):
            assert line.strip("#* ") in said
    numbers = re.findall(r"\d[\d,.]*\d", screen)
    assert [number for number in numbers if number not in report] == []


def test_the_readmes_table_is_that_of_its_page() -> None:
    page = (ROOT / "docs" / "engines-side-by-side.md").read_text()

    rows = [line for line in README.read_text().splitlines() if line.startswith("| ")]

    assert len(rows) == 4
    assert [row for row in rows if row not in page] == []


# results/README.md is held against the code, and against a run.


def section(heading: str) -> str:
    parts = re.split(r"^## ", RESULTS.read_text(), flags=re.MULTILINE)
    return next((part for part in parts if part.startswith(f"`{heading}`")), "")


def first_cells(text: str) -> list[str]:
    """The names in the first column of every table."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    return [name for cell in cells for name in CODE.findall(cell)]


@pytest.mark.parametrize(
    ("file", "names"),
    [
        (f"{files.RECORDS}.parquet", list(RECORD_COLUMNS)),
        (f"{files.SERVER}.parquet", list(SCRAPE_COLUMNS)),
        ("focus.csv", list(FOCUS_COLUMNS)),
    ],
)
def test_every_column_is_described_in_its_order(file: str, names: list[str]) -> None:
    assert first_cells(section(file)) == names


def keys(kind: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in kind.model_fields.items()}


def test_every_key_of_the_manifest_and_of_the_metrics_is_described() -> None:
    assert set(first_cells(section(files.MANIFEST))) == keys(RunManifest)
    assert set(first_cells(section("metrics.json"))) == keys(Metrics) | keys(Step) | keys(TasksOfRun)


def test_every_key_of_a_decision_is_described() -> None:
    text = section("decision.json")

    assert set(first_cells(text)) == keys(Decision)
    assert keys(Arm) <= set(CODE.findall(text))


def test_every_file_that_a_run_can_leave_is_described() -> None:
    parquet = {f"{stem}.parquet" for stem in (files.RECORDS, files.ARRIVALS, files.CLIENT, files.SERVER)}
    lines = {
        f"{stem}-<pid>.jsonl"
        for stem in (files.RECORDS, files.ARRIVALS, files.CLIENT, files.SERVER, files.TEXTS, files.TOKENS)
    }
    computed = {"metrics.json", "decision.json", "focus.csv", HTML, MARKDOWN, COMPARISON_HTML, COMPARISON_MARKDOWN}
    logs = {ENGINE_LOG, LOG}

    named = set(CODE.findall(RESULTS.read_text()))

    assert parquet | lines | computed | logs | {files.MANIFEST, files.STEPS, SEARCH} <= named


def test_a_run_leaves_no_file_column_or_key_that_is_not_described(tmp_path: Path) -> None:
    work = scenario(
        load={"kind": "search", "over": "users", "low": 1, "high": 1, "step_s": 1.2, "max_step_s": 1.2, "warmup_s": 0}
    )
    with running_oracle(tmp_path / "ledger", ttft_s=0.01, itl_s=0.001) as oracle:
        run_dir = run_load(tmp_path / "out", oracle.url, work=work, keep_arrivals=True).run_dir

    left = {path.name: described(path) for path in run_dir.iterdir()}

    assert set(left) == {
        "run.json", "records.parquet", "arrivals.parquet", "client.parquet", "server_metrics.parquet",
        "steps.jsonl", "search.json",
    }  # fmt: skip
    assert {name: unknown for name, unknown in left.items() if unknown} == {}


def described(path: Path) -> set[str]:
    """Columns or keys of a file that its section does not name."""
    if path.suffix == ".parquet":
        found = set(pq.read_schema(path).names)
    else:
        lines = path.read_bytes().splitlines() if path.suffix == ".jsonl" else [path.read_bytes()]
        found = {key for line in lines for key in orjson.loads(line)}
    return found - set(first_cells(section(path.name)))


# For those who carry on.


def test_the_rooms_are_drawn_as_the_law_has_them() -> None:
    spec = importlib.util.spec_from_file_location("law", ROOT / "tests" / "test_architecture.py")
    assert spec is not None
    assert spec.loader is not None
    law: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(law)

    page = (ROOT / "ARCHITECTURE.md").read_text()
    table = page.split("## The eighteen rooms")[1].split("## Where to add")[0]

    assert first_cells(table) == list(law.ROOMS)


def test_the_hooks_run_tools_that_setup_installs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())

    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]

    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    for hook in hooks:
        python, dash_m, tool, *_ = hook["entry"].split()
        assert (python, dash_m) == (".venv/bin/python", "-m")
        assert importlib.util.find_spec(tool) is not None
