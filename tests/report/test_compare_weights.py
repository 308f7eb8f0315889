"""Whether two runs served the same weights, by what each engine says; and what can't be made alike."""

from pathlib import Path
from typing import Any

import pytest
from report_cases import case

from harness.report.compare.parity import Difference, differences, unequal_work
from harness.report.compare.runs import Comparison, compare_runs
from harness.report.model import RunFiles
from harness.rundir.identity import Identity
from harness.rundir.manifest import RunManifest

BF16 = "meta-llama/Llama-3.1-8B-Instruct"
SAID = {"context", "slots", "parallel", "max_input_tokens", "max_concurrent_requests"}


def served(weights: str | None, quantization: str | None = None, *, model: str = "bench", **more: Any) -> RunFiles:
    """A run of an engine that says these weights behind the name `model`."""
    given = case("two_windows")
    said = {key: {"value": more.pop(key), "said_by": "/props"} for key in list(more) if key in SAID}
    told = {"weights": {"value": weights, "said_by": "/v1/models"}} if weights else {}
    identity = Identity.model_validate(said | told)
    facts = {"model": model, "quantization": quantization, "identity": identity.to_dict(), **more}
    run = RunManifest.model_validate({**given.run.to_dict(), **facts})
    return RunFiles(Path(model), run, given.metrics, given.decision)


def named(found: list[Difference]) -> dict[str, tuple[str, ...]]:
    return {one.what: one.values for one in found if one.about == "work"}


@pytest.mark.parametrize(
    "spelled",
    [
        "Llama-3.1-8B-Instruct-Q4_1.gguf",
        "/models/Meta-Llama-3.1-8B-Instruct-Q4_1.gguf",
        "llama3.1:8b-instruct-q4_1",
        "hf.co/bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_1",
        "/root/.cache/huggingface/hub/models--meta-llama--Llama-3.1-8B-Instruct/snapshots/6f6073b4",
        "/srv/weights/Llama-3.1-8B-Instruct/",
        "Llama-3.1-8B-Instruct-Q4_1-00001-of-00002.gguf",
        "C:\\models\\Llama-3.1-8B-Instruct-Q4_1.gguf",
    ],
)
def test_one_model_under_each_engines_own_spelling_is_the_same_and_its_quantisation_a_difference_of_its_own(
    spelled: str,
) -> None:
    found = named(differences([served(BF16, "bf16"), served(spelled, "Q4_1", model="alias")]))

    assert found == {"quantisation": ("bf16", "q4_1")}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Q4_K - Medium", "Q4_K_M"),
        ("awq_marlin", "awq"),
        ("BF16 (from Q4_1)", "bfloat16"),
        ("(guessed) F16", "float16"),
        ("gptq_marlin", "GPTQ-Int4"),
    ],
)
def test_a_quantisation_is_the_same_however_it_is_spelled(one: str, other: str) -> None:
    assert named(differences([served(BF16, one), served(BF16, other)])) == {}


def test_a_quantisation_that_no_server_tells_is_read_in_the_weights_own_name() -> None:
    awq = served("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4")

    assert named(differences([awq, served(BF16, "awq")])) == {}
    assert named(differences([awq, served(BF16, "Q4_1")])) == {"quantisation": ("awq", "q4_1")}


@pytest.mark.parametrize(
    "other",
    [
        "meta-llama/Llama-3.1-8B",  # not tuned
        "meta-llama/Llama-3.1-70B-Instruct",
        "meta-llama/Meta-Llama-3-8B-Instruct",
        "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        "NousResearch/Hermes-3-Llama-3.1-8B",
    ],
)
def test_weights_that_are_akin_are_other_weights(other: str) -> None:
    assert "model" in named(differences([served(BF16), served(other)]))


def test_unsized_names_of_two_owners_are_not_the_same() -> None:
    assert "model" in named(differences([served("acme/support"), served("other/support")]))
    assert named(differences([served("acme/support"), served("acme/support")])) == {}


def words(comparison: Comparison) -> list[str]:
    assert [outcome.winner for outcome in comparison.outcomes] == [None, None]
    return [outcome.words for outcome in comparison.outcomes]


@pytest.mark.parametrize("root", [None, "/models/bench", "/data"])
def test_weights_of_which_nobody_says_what_they_are_win_and_lose_nothing_and_it_says_why(root: str | None) -> None:
    for runs in (
        [served(BF16), served(root)],
        [served(root), served(root)],  # one alias twice is no word for one model
        [served("Llama-3.1-8B-Instruct-Q4_1.gguf", "Q4_1"), served(root, "Q4_1")],
    ):
        said = words(compare_runs(runs))

        assert all(one.startswith("no winner: nobody says which weights are behind the name `bench`; ") for one in said)
        assert all("--weights ID" in one for one in said)
        assert "unknown (served as bench)" in named(differences(runs))["model"]


def test_a_regression_of_unknown_weights_cannot_be_told() -> None:
    (regression,) = compare_runs([served(None), served(None)], 0.05).regressions

    assert regression.change == "cannot tell"
    assert regression.words == "nobody says which weights are behind the name `bench`"


VLLM = {"name": "vllm", "version": "0.32.0", "flags": ["--tensor-parallel-size=4", "--max-num-batched-tokens=8192"]}
LLAMA = {
    "name": "llama_server", "version": "b9603",
    "flags": ["--split-mode", "layer", "--batch-size", "2048", "--parallel", "12"],
}  # fmt: skip
TGI = {"name": "tgi", "version": "3.3.7", "flags": {"max_batch_prefill_tokens": 4096}}


def test_what_cannot_be_made_alike_is_printed_as_each_run_tells_it_and_forbids_nothing() -> None:
    runs = [
        served(BF16, engine=VLLM, context=8192, parallel=4),
        served(BF16, engine=LLAMA, context=8192, slots=12),
        served(BF16, engine=TGI, context=8192, max_input_tokens=8191, max_concurrent_requests=512),
    ]

    found = differences(runs)

    assert unequal_work(found) == []
    assert {one.what: one.values for one in found if one.about == "nature"} == {
        "slots": ("not told", "12", "not told"),
        "longest prompt taken": ("not told", "not told", "8191"),
        "requests taken at once": ("not told", "not told", "512"),
        "prefill budget": ("8192", "2048", "4096"),
        "spread over GPUs": ("tensor parallel over 4", "a pipeline of layers", "not told"),
    }


def test_where_no_engine_says_that_it_is_spread_over_gpus_nothing_is_said_of_it() -> None:
    found = differences([served(BF16, engine={"name": "llama_server"}), served(BF16, engine={"name": "tgi"})])

    assert [one.what for one in found if one.about == "nature"] == []


def test_slots_and_context_of_one_engine_are_printed_too() -> None:
    four, twelve = (served(BF16, engine={"name": "vllm", "slots": n, "context_tokens": 512 * n}) for n in (4, 12))

    found = differences([four, twelve])

    assert [(one.what, one.values, one.about) for one in found] == [
        ("context length", ("2048", "6144"), "nature"),
        ("slots", ("4", "12"), "nature"),
    ]
