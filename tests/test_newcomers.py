"""Three newcomers who have read the README and nothing else: its own lines, in its order, against their endpoint."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.calibration.oracle.process import RunningOracle, running_oracle

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
THEIR_URL = "http://127.0.0.1:8000"  # the README's


def lines_under(title: str) -> list[str]:
    """The commands of the first block under a title, without comments, continued lines joined."""
    block = re.search(rf"^## {re.escape(title)}\n.*?```sh\n(.*?)```", README, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    whole = block[1].replace("\\\n", " ")
    return [shlex.join(shlex.split(line, comments=True)) for line in whole.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOracle]:
    with running_oracle(tmp_path_factory.mktemp("o") / "ledger.jsonl", ttft_s=0.02, itl_s=0.002) as running:
        yield running


def typed(line: str, place: Path, url: str) -> subprocess.CompletedProcess[str]:
    """A line of the README as a newcomer types it: his URL, his newest run where it says `results/<run>`."""
    runs = sorted((place / "results").glob("*")) if (place / "results").is_dir() else []
    line = line.replace(THEIR_URL, url)
    if runs:
        line = line.replace("'results/<run>'", str(runs[-1].relative_to(place)))
    command, *arguments = shlex.split(line)
    assert command == "breakeven"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    whole = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(whole, cwd=place, env=environment, capture_output=True, text=True, check=False)


def shorten(scenario: Path) -> None:
    """What the README says to do with it: set your own load and limits."""
    data = yaml.safe_load(scenario.read_text())
    data["load"] = {"kind": "closed", "users": [1, 4], "step_s": 4, "warmup_s": 1}
    data["prompts"] = {"kind": "synthetic", "input_tokens": 800, "output_tokens": 250}
    scenario.write_text(yaml.safe_dump(data))


@pytest.fixture(scope="module")
def measured(oracle: RunningOracle, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """A newcomer's folder after he has gone through "Your own endpoint", and what each line printed."""
    place, said = tmp_path_factory.mktemp("newcomer"), []
    install, *lines = lines_under("Your own endpoint")
    assert install == "pip install breakeven"
    for line in lines:
        done = typed(line, place, oracle.url)
        assert done.returncode in (0, 3), f"{line}\n{done.stdout}{done.stderr}"
        said.append(done.stdout)
        if "init" in line:
            shorten(place / "chat.yaml")
    return place, said, oracle.url


def test_one_gets_from_nothing_to_a_verdict_on_his_endpoint(measured: tuple[Path, list[str], str]) -> None:
    place, said, _ = measured

    assert any("nothing is sent now" in text for text in said)
    assert any("At your 400,000 tasks a month self-hosting costs USD " in " ".join(text.split()) for text in said)
    (run,) = (place / "results").iterdir()
    assert (run / "report.html").stat().st_size > 50_000


def test_one_prices_what_was_measured_anew_without_measuring(measured: tuple[Path, list[str], str]) -> None:
    place, _, _ = measured
    (run,) = (place / "results").iterdir()
    records = (run / "records.parquet").read_bytes()

    done = typed("breakeven report 'results/<run>' --api openai:gpt-4.1 --demand none --people 0", place, "")

    assert done.returncode in (0, 3)
    assert "openai:gpt-4.1" in done.stdout
    assert "400,000" not in done.stdout
    assert (run / "records.parquet").read_bytes() == records


def test_one_finds_yesterdays_run_again_and_holds_todays_against_it(measured: tuple[Path, list[str], str]) -> None:
    place, _, url = measured
    again = next(line for line in lines_under("Your own endpoint") if "--api anthropic" in line)
    assert typed(again, place, url).returncode in (0, 3)

    listed = typed("breakeven list", place, "").stdout
    page = typed("breakeven open 1 --print", place, "").stdout.strip()
    one, other = sorted((place / "results").iterdir())
    compared = typed(f"breakeven compare {one} {other}", place, "")

    assert len([line for line in listed.splitlines() if re.match(r"\s*\d+ ", line)]) == 2
    assert Path(page) == (other / "report.html").resolve()
    assert "each as it was set up" in " ".join(compared.stdout.split())
