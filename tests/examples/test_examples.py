"""What examples/ shows does what it says."""

import importlib.util
import inspect
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from dialects import PROMPT_TOKENS, Dialect

from harness.backends import BACKENDS
from harness.cli import invoke

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
QUICKSTART = next(ROOT.glob("results/kept/*-quickstart-*"))


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_readme_lists_every_example_and_no_other() -> None:
    listed = {line.split("`")[1] for line in (EXAMPLES / "README.md").read_text().splitlines() if "| `" in line}

    assert listed == {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".yaml")}


def test_a_decision_from_python_says_what_each_way_to_buy_needs() -> None:
    done = run("decide.py")

    # a task of the API is (800 x 3 + 250 x 15) / 1e6 = 0.00615 USD, a box on demand 5.672 USD an hour:
    # needed 5.672 / 3600 / 0.00615 = 0.2562 req/s; wins from 5.672 x 730 / 0.00615 = 673,262 tasks a month
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == (
        "on demand         needed 0.256 req/s, wins from 673,262 tasks a month;"
        " at 1,000,000 self_host wins: box 4,141 USD, API 6,150 USD"
    )
    assert len(done.stdout.splitlines()) == 3


def test_the_price_file_is_read_and_wins_over_the_listed_prices(capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(
        ["prices", "list", "--prices", str(EXAMPLES / "prices.yaml"), "--api", "contract:some-model", "--json"]
    )
    listed = json.loads(capsys.readouterr().out)

    usd_per_hour = {(i["id"], i["region"], i["purchase"]): i["usd_per_hour"] for i in listed["instances"]}
    api = next(price for price in listed["api"] if price["provider"] == "contract")
    assert code == 0
    assert usd_per_hour["g5.12xlarge", "us-east-1", "on_demand"] == 4.80
    assert usd_per_hour["g5.12xlarge", "us-east-1", "reserved_1y"] == 3.57336  # not given: the listed one stays
    assert usd_per_hour["rack-7", None, "on_demand"] == 1.35
    assert (api["output_usd_per_mtok"], api["tiers"][0]["rates"]["output_usd_per_mtok"]) == (12.0, 18.0)
    assert (api["kind"], api["checked_on"]) == ("listed", "2026-11-01")


# The kept quickstart: goodput 0.228 (0.215 to 0.241) req/s, first tokens at 15 s at four users.
@pytest.mark.parametrize(("at_least", "first_token_s", "code"), [("0.2", "20", 0), ("0.22", "20", 1), ("0.2", "5", 1)])
def test_the_checker_ends_with_1_when_a_condition_does_not_hold(at_least: str, first_token_s: str, code: int) -> None:
    done = run("check_run.py", str(QUICKSTART), "--at-least", at_least, "--first-token-s", first_token_s)

    assert done.stderr == ""
    assert done.returncode == code
    assert done.stdout.count("FAILED") == code


def test_the_checker_does_not_pass_a_run_in_which_no_step_met_the_limits(tmp_path: Path) -> None:
    metrics = json.loads((QUICKSTART / "metrics.json").read_text()) | {"goodput": None}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "records.parquet").write_bytes((QUICKSTART / "records.parquet").read_bytes())

    done = run("check_run.py", str(tmp_path), "--at-least", "0.1", "--first-token-s", "20")

    assert done.returncode == 1
    assert done.stdout.count("FAILED") == 2


# The example backend, held to the contract of the built-in ones.

contract = module(ROOT / "tests" / "backends" / "test_contract.py")


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _end(tokens: int) -> dict[str, Any]:
    return {"end": "length", "used": {"in": PROMPT_TOKENS, "out": tokens}}


PARROT = Dialect(
    "parrot",
    "native",
    token=lambda text: _event({"piece": text}),
    last=lambda text, tokens: _event({"piece": text}) + _event(_end(tokens)),
    error=_event({"fault": "out of memory"}),
    whole={"said": "Hi", **_end(2)},
)


def terms() -> Iterator[Any]:
    """Every test of the contract that all dialects must pass, with each of its other arguments."""
    for name, test in vars(contract).items():
        if not name.startswith("test_"):
            continue
        given = {mark.args[0]: mark.args[1] for mark in getattr(test, "pytestmark", ())}
        if given.pop("dialect", None) is not contract.DIALECTS:
            continue
        assert set(inspect.signature(test).parameters) == {"dialect", *given}
        for number, values in enumerate(itertools.product(*given.values())):
            yield pytest.param(test, dict(zip(given, values, strict=True)), id=f"{name}-{number}")


@pytest.mark.parametrize(("term", "more"), list(terms()))
def test_the_example_backend_keeps_the_contract(
    term: Any, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS, "parrot", module(EXAMPLES / "parrot.py").WIRE)

    term(PARROT, **more)


def test_the_contract_was_found_whole() -> None:
    assert len({str(term.id).rsplit("-", 1)[0] for term in terms()}) >= 15


def test_the_example_backend_counts_tokens_and_says_what_it_cannot_do() -> None:
    wire = module(EXAMPLES / "parrot.py").WIRE

    assert [wire.token_count("/v1/count", body) for body in (b'{"count": 7}', b"7", b"x")] == [7, None, None]
    assert "full length" in wire.complaint(contract.ask(PARROT))
