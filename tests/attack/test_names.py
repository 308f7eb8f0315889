"""Names of 80,000 characters, times of all ages: each bounded at its door, and no expression that takes the square."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.base.weights_name import weights_key
from harness.cli import invoke
from harness.cost.box.weights import parameters_of
from harness.demand.demand import demand_from_dict
from harness.rundir.files import read_manifest, write_json
from harness.scenario.load import TraceLoad
from harness.scenario.steps import _parts
from harness.scenario.trace import read_trace

KINDS = ("1", "a", "1-", "a1-", "q1.", "-q1", "v1p", "1x", "1.1", "llama-3", ".", "-", "1b", "a1", " ", "f16-")


READ_ALL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
from harness.cost.box.weights import bits_per_weight, kv_values_per_token, parameters_of
from harness.base.weights_name import plain_quantization, quantization_named, same_weights, tells_weights, weights_key
for kind in sys.argv[1:]:
    name = (kind * 300_000)[:300_000] + "!"
    tells_weights(name), same_weights(name, name + "a"), quantization_named(name), plain_quantization(name)
    weights_key(name), parameters_of(name), bits_per_weight(name, name), kv_values_per_token(name)
"""


def test_a_name_is_read_in_time_that_grows_with_its_length_and_not_its_square() -> None:
    # all of them take two seconds of a processor; one that takes the square takes ten minutes, and is ended
    assert subprocess.run([sys.executable, "-c", READ_ALL, *KINDS], check=False).returncode == 0


def test_names_are_read_as_before() -> None:
    assert weights_key("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf") == ("3.1", "8b", "llama")
    assert weights_key("smollm2-135m") == ("135m", "2", "smollm")
    assert parameters_of("frankenmix-8x7b") is None
    size = parameters_of("Qwen3-30B-A3B")
    assert size is not None
    assert (size.total, size.active) == (30e9, 3e9)


MANIFEST = Path(__file__).parents[1] / "data" / "report" / "two_windows.json"


def test_a_model_of_a_run_has_at_most_the_length_of_a_path(tmp_path: Path) -> None:
    write_json(tmp_path, "run.json", {**json.loads(MANIFEST.read_text()), "model": "x" * 80_000})

    with pytest.raises(UsageError, match=r"`model`: string should have at most 4096 characters, got 'x{79}\.\.\.$"):
        read_manifest(tmp_path)


def test_a_model_asked_for_has_too(capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(["run", "--url", "http://127.0.0.1:9", "--backend", "openai", "--model", "x" * 80_000])

    assert code == 2
    assert capsys.readouterr().err.startswith("error: --model has 80,000 characters, at most 4,096")


@pytest.mark.parametrize("where", ["name", "class", "mix"])
def test_a_label_of_a_demand_has_at_most_200_characters(where: str) -> None:
    one = {"name": "x", "input_tokens": 800, "output_tokens": 250}
    data = {"name": "d", "classes": [one], "mixes": [{"name": "m", "parts": [{"api": "a:b", "calls_per_task": 1}]}]}
    part = {"name": data, "class": one, "mix": data["mixes"][0]}[where]
    part["name"] = "x" * 201

    with pytest.raises(UsageError, match=r"name`: string should have at most 200 characters, got 'x{79}\.\.\.$"):
        demand_from_dict(data)


def test_a_log_of_an_absurd_span_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,8,8\n9e11,8,8\n")

    with pytest.raises(
        UsageError, match=r"log\.csv spans 10,416,667 days, at most 3,660: are all its times in one unit"
    ):
        read_trace(path)


def test_a_log_of_dates_two_thousand_years_apart_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0024-01-01T00:00:00,8,8\n2024-01-01T00:00:00,8,8\n")

    with pytest.raises(UsageError, match=r"spans 730,485 days"):
        read_trace(path)


def test_a_request_of_a_billion_tokens_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,8,8\n1,1e300,8\n")

    with pytest.raises(UsageError, match=r"a request of more than 1,000,000,000 tokens"):
        read_trace(path)


def test_a_log_has_at_most_ten_thousand_parts() -> None:
    with pytest.raises(UsageError, match=r"log\.csv has 3,153,601 parts of `load\.step_s`, at most 10,000"):
        _parts(TraceLoad(kind="trace", file="log.csv", step_s=100), [0.0, 315_360_000.0 + 50])
