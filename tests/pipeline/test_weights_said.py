"""Runs against servers that serve as `bench`: which weights those are is what the engine says, what the user says, or
unknown; and what unknown weights are not held against."""

import json
from pathlib import Path
from typing import Any

import pytest
from engine_doubles import Double, llama_server, ollama, tgi, vllm
from load_helpers import run_load, scenario

from harness.base.errors import UsageError
from harness.cli import invoke
from harness.pipeline.analyse import Analysis, analyse_run, read_analysis
from harness.report.compare.runs import compare_runs
from harness.rundir.files import read_manifest
from harness.rundir.identity import BY_USER, Identity, SaidCount, SaidText

pytestmark = pytest.mark.slow  # alone: 60 ms without a CPU are a twentieth of a run, and no verdict

G5 = {"id": "g5.12xlarge", "purchase": "on_demand", "usd_per_hour": None, "replicas": 1}
T4 = {**G5, "id": "g4dn.xlarge"}
L70B = "meta-llama/Llama-3.3-70B-Instruct"


def measured(out_dir: Path, said: dict[str, Any], instance: dict[str, Any] | None = None, **more: Any) -> Path:
    """The run directory of a second against a server that says this of itself."""
    work = scenario(load={"kind": "closed", "users": [2], "step_s": 1.2, "warmup_s": 0}, slo={"preset": "chat"})
    with Double(said) as server:
        done = run_load(out_dir, server.base_url, backend=None, work=work, instance=instance or G5, **more)  # type: ignore[arg-type]
    assert done.failure is None
    return done.run_dir


def identity_of(run_dir: Path) -> Identity:
    said = read_manifest(run_dir).identity
    assert said is not None
    return said


def is_open_for_weights(why_not: str | None) -> bool:
    """Whether an arm is not decided for want of its weights; so short a run may have been too bumpy to decide on."""
    return why_not is not None and "which weights" in why_not


def codes(run: Analysis) -> set[str]:
    return {check.code for check in run.checks}


def test_behind_an_alias_the_root_is_priced_and_held_against_the_box(tmp_path: Path) -> None:
    run = analyse_run(measured(tmp_path, vllm(L70B), G5))
    small = analyse_run(measured(tmp_path, vllm("casperhansen/llama-3.3-70b-instruct-awq"), T4))

    assert run.run.model == "bench"
    assert run.decision is not None
    arm = run.decision.arms[-1]
    assert arm.role == "same_weights"
    assert not is_open_for_weights(arm.why_not)
    assert "llama-3.3-70b" in arm.model.lower()
    # 4 x 70 TFLOPS compute 2,000 tokens/s of 70e9; prompts are counted as 4,000 tokens each
    assert "implausible_throughput" in codes(run)
    assert "weights_do_not_fit" in codes(small)  # 70e9 in 4 bits are 32.6 GiB, a T4 has 15
    assert not codes(run) & {"weights_unknown"}


@pytest.mark.parametrize("root", ["/models/bench", None])
def test_behind_an_alias_with_an_unknown_root_nothing_is_comparable_and_it_is_said(
    root: str | None, tmp_path: Path
) -> None:
    run = analyse_run(measured(tmp_path, vllm(root)))

    assert run.decision is not None
    *others, arm = run.decision.arms
    assert not any(is_open_for_weights(one.why_not) for one in others)
    assert (arm.decided, arm.why_not) == (False, "nobody says which weights are behind the name `bench`")
    assert "weights_unknown" in codes(run)
    page = (run.run_dir / "report.md").read_text()
    assert "nobody says which weights are behind the name `bench`" in page
    assert "that they fit the GPUs, leave room for a KV cache and can be that fast was not checked" in page


def test_nobody_wins_where_weights_are_unknown_or_others(tmp_path: Path) -> None:
    llama = llama_server("/models/SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1", 134_515_008)
    known, unknown, other = (
        analyse_run(measured(tmp_path, said)) for said in (vllm(L70B), vllm("/models/bench"), llama)
    )

    for runs, why in (
        ([known, other], "the work was unequal (model, quantisation"),
        ([unknown, other], "nobody says which weights are behind the name `bench`"),
        ([unknown, known], "nobody says which weights are behind the name `bench`"),
    ):
        for outcome in compare_runs(runs).outcomes:
            assert outcome.winner is None
            assert outcome.words.startswith(f"no winner: {why}")


def test_one_model_served_by_four_engines_under_one_alias_is_one_model(tmp_path: Path) -> None:
    said = (
        vllm("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"),
        llama_server("/models/Llama-3.1-8B-Instruct-Q4_K_M.gguf", "Q4_K - Medium", 8_030_261_248),
        tgi("/data/models--meta-llama--Llama-3.1-8B-Instruct/snapshots/abc"),
        ollama("llama3.1:8b-instruct-q4_K_M"),
    )

    runs = [analyse_run(measured(tmp_path, one)) for one in said]

    found = {one.what: one.values for one in compare_runs(runs).differences}
    assert "model" not in found
    assert found["quantisation"] == ("awq", "q4_k_m", "unknown", "q4_k_m")
    assert found["longest prompt taken"] == ("not told", "not told", "8191", "not told")
    assert found["slots"] == ("not told", "4", "not told", "not told")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (vllm(L70B), {"engine": "vllm", "weights": (L70B, "/v1/models"), "context": (8192, "/v1/models")}),
        (
            tgi("org/Name-8B-Instruct"),
            {
                "engine": "tgi",
                "weights": ("org/Name-8B-Instruct", "/info"),
                "context": (8192, "/info"),
                "max_input_tokens": (8191, "/info"),
                "max_concurrent_requests": (512, "/info"),
            },
        ),
        (
            llama_server("/m/Name-8B-Instruct-Q4_1.gguf", "Q4_1", 8_030_261_248),
            {
                "engine": "llama_server",
                "weights": ("/m/Name-8B-Instruct-Q4_1.gguf", "/props"),
                "slots": (4, "/props"),
                "context": (4096, "/props"),
                "quantization": ("Q4_1", "/v1/models"),
                "parameters": (8_030_261_248, "/v1/models"),
                "trained_context": (131072, "/v1/models"),
            },
        ),
        (
            ollama("bench:latest", **{"general.basename": "Meta-Llama-3.1", "general.size_label": "8B",
                                      "general.finetune": "Instruct"}),
            {
                "engine": "ollama",
                "weights": ("Meta-Llama-3.1-8B-Instruct", "/api/show"),  # a tag of one's own says nothing
                "quantization": ("Q4_K_M", "/api/show"),
                "parameters": (8_000_000_000, "/api/show"),
                "context": (8192, "/api/show"),
                "trained_context": (131072, "/api/show"),
            },
        ),
    ],
    ids=["vllm", "tgi", "llama-server", "ollama"],
)  # fmt: skip
def test_each_engines_facts_are_in_run_json_with_the_route_that_said_them(
    said: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    identity = identity_of(measured(tmp_path, said))

    got = {key: getattr(identity, key) for key in expected}
    told = {key: (one.value, one.said_by) if isinstance(one, SaidText | SaidCount) else one for key, one in got.items()}
    assert told == expected


def test_what_nobody_tells_the_user_says_and_it_is_kept_as_his_word(tmp_path: Path) -> None:
    run_dir = measured(tmp_path, vllm("/models/bench"), weights=L70B, quantization="awq")

    run = analyse_run(run_dir)

    assert identity_of(run_dir).weights == SaidText(value=L70B, said_by=BY_USER)
    assert identity_of(run_dir).quantization == SaidText(value="awq", said_by=BY_USER)
    assert run.run.quantization == "awq"
    assert run.decision is not None
    assert not is_open_for_weights(run.decision.arms[-1].why_not)
    assert "llama-3.3-70b" in run.decision.arms[-1].model.lower()
    assert "weights_unknown" not in codes(run)
    assert f"--weights {L70B} --quantization awq" in (run_dir / "report.md").read_text()  # how to get it again


@pytest.mark.parametrize(
    ("said", "weights", "quantization", "both"),
    [
        (
            vllm(L70B),
            "meta-llama/Llama-3.1-8B-Instruct",
            None,
            ["meta-llama/Llama-3.1-8B-Instruct", f"{L70B} (/v1/mod"],
        ),
        (vllm("casperhansen/llama-3.3-70b-instruct-awq"), None, "fp8", ["--quantization fp8", "says awq (/v1/models)"]),
        (llama_server("/m/model.gguf", "Q4_1", 8_030_261_248), L70B, None, [L70B, "8.03B parameters (/v1/models)"]),
        (llama_server("/m/model.gguf", "Q4_1", None), None, "Q8_0", ["--quantization Q8_0", "says Q4_1 (/v1/models)"]),
        (tgi("org/Name-8B"), "org/Name-9B", None, ["org/Name-9B", "org/Name-8B (/info)"]),
    ],
)
def test_a_server_that_says_something_else_is_one_error_that_names_both(
    said: dict[str, Any], weights: str | None, quantization: str | None, both: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        measured(tmp_path / "out", said, weights=weights, quantization=quantization)

    assert all(part in str(caught.value) for part in both)
    assert not (tmp_path / "out").exists()  # nothing was measured


def test_another_spelling_of_what_the_server_says_is_no_contradiction_and_its_own_word_stands(tmp_path: Path) -> None:
    root = "casperhansen/llama-3.3-70b-instruct-awq"

    said = identity_of(measured(tmp_path, vllm(root), weights=L70B, quantization="AWQ-INT4"))

    assert said.weights == SaidText(value=root, said_by="/v1/models")


def test_an_old_run_is_priced_with_the_users_word_and_its_run_json_stays(tmp_path: Path) -> None:
    run_dir = measured(tmp_path, vllm("/models/bench"))
    analyse_run(run_dir)
    before = (run_dir / "run.json").read_bytes()

    code = invoke(["report", str(run_dir), "--weights", L70B, "--quantization", "awq"])

    assert code in (0, 3)
    assert (run_dir / "run.json").read_bytes() == before
    decision = json.loads((run_dir / "decision.json").read_text())
    assert decision["weights"] == {"value": L70B, "said_by": BY_USER}
    assert not is_open_for_weights(decision["arms"][-1]["why_not"])
    again = read_analysis(run_dir)  # a comparison goes by it too
    assert again.run.identity is not None
    assert again.run.identity.weights == SaidText(value=L70B, said_by=BY_USER)
    assert compare_runs([again, again]).outcomes[0].words.startswith("nobody serves most for sure")


def test_the_users_last_word_replaces_his_first(tmp_path: Path) -> None:
    run_dir = measured(tmp_path, vllm("/models/bench"), weights=L70B, quantization="awq")

    run = analyse_run(run_dir, weights="meta-llama/Llama-3.1-8B-Instruct", quantization="fp8")

    assert run.run.identity is not None
    assert run.run.identity.weights == SaidText(value="meta-llama/Llama-3.1-8B-Instruct", said_by=BY_USER)


def test_a_report_contradicting_what_the_engine_said_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = measured(tmp_path, vllm(L70B))

    assert invoke(["report", str(run_dir), "--weights", "meta-llama/Llama-3.1-8B-Instruct"]) == 2

    said = capsys.readouterr().err
    assert f"--weights meta-llama/Llama-3.1-8B-Instruct: what was measured says {L70B} (/v1/models)" in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--weights", "bench"),
        ("--weights", ""),
        ("--quantization", " "),
        ("--quantization", "None"),
        ("--quantization", "auto"),
    ],
)
def test_a_word_that_says_nothing_is_refused_before_anything_is_asked(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["run", "--url", "http://127.0.0.1:9", option, value]) == 2

    assert option in capsys.readouterr().err
