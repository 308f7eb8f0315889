"""A whole run against a server that answers as SGLang's source says: who it is, its three routes, its own counts."""

import json
from pathlib import Path
from typing import Any

import pytest
from endpoint import NOT_FOUND, Call, Endpoint, Reply
from load_helpers import run_load, scenario

from harness.base.errors import EndpointError, UsageError
from harness.pipeline.analyse import analyse_run
from harness.rundir.files import read_manifest
from harness.rundir.identity import SaidCount, SaidText
from harness.rundir.read import read_rows

TOKENS = 5
LISTED = {
    "data": [{"id": "bench", "object": "model", "owned_by": "sglang", "root": "bench", "max_model_len": 8192}],
}  # fmt: skip
ARGUMENTS: dict[str, Any] = {
    "model_path": "casperhansen/llama-3.3-70b-instruct-awq", "served_model_name": "bench", "tp_size": 4, "pp_size": 1,
    "dp_size": 1, "enable_dp_attention": False, "context_length": 8192, "quantization": "awq_marlin",
    "mem_fraction_static": 0.88, "max_running_requests": 12, "api_key": "sk-secret", "disable_radix_cache": True,
    "max_total_num_tokens": 98304, "max_req_input_len": 8186, "version": "0.5.23",
    "internal_states": [{"effective_max_running_requests_per_dp": 12}],
}  # fmt: skip
MODEL = {"model_path": ARGUMENTS["model_path"], "served_model_name": "bench", "is_generation": True}
OLD = {"/v1/models": LISTED, "/get_server_info": {**ARGUMENTS, "version": "0.4.6.post5", "internal_states": [{}]}}
NEW = {"/v1/models": LISTED, "/server_info": ARGUMENTS, "/model_info": MODEL}


def events(call: Call) -> list[dict[str, Any]]:
    usage = {"prompt_tokens": 20, "completion_tokens": TOKENS, "total_tokens": 20 + TOKENS}
    if call.path == "/generate":
        return [
            {
                "text": " w" * n, "output_ids": [5] * n,
                "meta_info": {
                    "finish_reason": {"type": "length", "length": TOKENS} if n == TOKENS else None,
                    "prompt_tokens": 20, "completion_tokens": n, "cached_tokens": 0,
                },
            }
            for n in range(1, TOKENS + 1)
        ]  # fmt: skip
    finish = {"index": 0, "finish_reason": "length", "matched_stop": None}
    if call.path.endswith("/chat/completions"):
        deltas = [{"role": "assistant", "content": ""}, *({"content": " w"} for _ in range(TOKENS))]
        choices = [
            {"index": 0, "delta": {"reasoning_content": None} | delta, "finish_reason": None} for delta in deltas
        ]
        choices.append({**finish, "delta": {"reasoning_content": None}})
    else:
        choices = [{"index": 0, "text": " w", "finish_reason": None} for _ in range(TOKENS - 1)]
        choices.append({**finish, "text": ""})  # its character is not whole yet
    return [*({"choices": [choice]} for choice in choices), {"choices": [], "usage": usage}]


def post(call: Call) -> Reply:
    if call.path not in ("/generate", "/v1/completions", "/v1/chat/completions"):
        return NOT_FOUND
    lines = [*(json.dumps(event) for event in events(call)), "[DONE]"]
    body = "".join(f"data: {line}\n\n" for line in lines).encode()
    return Reply(200, body, {"content-type": "text/event-stream"}, after_s=0.02)


def drive(out_dir: Path, *urls: str, api: str = "chat", tokens: tuple[int, int] = (20, TOKENS)) -> Path:
    work = scenario(
        load={"kind": "closed", "users": [1], "step_s": 0.5, "warmup_s": 0},
        request={"api": api, "timeout_s": 2.0},
        prompts={"kind": "synthetic", "input_tokens": tokens[0], "output_tokens": tokens[1]},
    )
    return run_load(out_dir, *urls, backend=None, work=work, preflight=True).run_dir


@pytest.mark.parametrize(("gets", "route"), [(NEW, "/server_info"), (OLD, "/get_server_info")], ids=["0.5.23", "0.4.6"])
def test_a_run_knows_sglangs_weights_behind_the_name_that_it_serves_them_under(
    tmp_path: Path, gets: dict[str, Any], route: str
) -> None:
    with Endpoint(gets, post=post) as server:
        run_dir = drive(tmp_path, server.url)

    manifest = read_manifest(run_dir)
    identity = manifest.identity
    assert identity is not None
    assert (manifest.model, manifest.backend, identity.engine) == ("bench", "sglang", "sglang")
    weights = SaidText(value="casperhansen/llama-3.3-70b-instruct-awq", said_by="/model_info" if gets is NEW else route)
    assert identity.weights == weights
    assert identity.quantization == SaidText(value="awq_marlin", said_by=route)
    assert identity.slots == SaidCount(value=12, said_by=route)
    assert identity.parallel == SaidCount(value=4, said_by=route)
    assert manifest.engine["flags"]["mem_fraction_static"] == 0.88
    assert "sk-secret" not in (run_dir / "run.json").read_text()


@pytest.mark.parametrize("api", ["native", "completions", "chat"])
def test_each_of_its_routes_is_asked_for_an_exact_length_and_read_token_by_token(tmp_path: Path, api: str) -> None:
    with Endpoint(NEW, post=post) as server:
        rows = read_rows(drive(tmp_path, server.url, api=api))
        bodies = [call.body for call in server.generations()]

    assert rows["error"].isna().sum() >= 2
    good = rows[rows["error"].isna()]
    assert set(good["output_tokens"]) == set(good["events"]) == {TOKENS}
    assert set(good["finish_reason"]) == {"length"}
    assert all((body.get("sampling_params") or body)["ignore_eos"] is True for body in bodies)


def test_an_answer_that_it_would_cut_short_is_told_before_the_load(tmp_path: Path) -> None:
    """It ends an answer two tokens before its context is full, with `length` and no word."""
    with Endpoint(NEW, post=post) as server:
        with pytest.raises(UsageError, match="takes 8,190 together"):
            drive(tmp_path, server.url, tokens=(8000, 191))
        drive(tmp_path, server.url, tokens=(20, TOKENS))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"model_path": "org/other-70b"}, "the weights other-70b"),
        ({"version": "0.5.9"}, "the version 0.5.9"),
        ({"quantization": "gptq_marlin"}, "the quantisation gptq_marlin"),
        ({"context_length": 4096}, "a context of 4096"),
    ],
)
def test_replicas_that_are_not_alike_are_refused(tmp_path: Path, other: dict[str, Any], said: str) -> None:
    behind = {"/v1/models": LISTED, "/server_info": ARGUMENTS | other}
    first = {"/v1/models": LISTED, "/server_info": ARGUMENTS}
    with Endpoint(first, post=post) as one, Endpoint(behind, post=post) as two:  # noqa: SIM117
        with pytest.raises(EndpointError, match=said):
            drive(tmp_path, one.url, two.url)


def test_its_own_counts_are_read_by_its_own_names(tmp_path: Path) -> None:
    labels = 'model_name="bench",engine_type="unified"'
    page = "\n".join(
        [
            "# TYPE sglang:generation_tokens_total counter",
            f'sglang:generation_tokens_total{{{labels},is_streaming="true"}} 100',
            f'sglang:prompt_tokens_total{{{labels},is_streaming="true"}} 400',
            f'sglang:num_requests_total{{{labels},is_streaming="true"}} 20',
            f'sglang:num_running_reqs{{{labels},tp_rank="0"}} 3',
            f'sglang:num_queue_reqs{{{labels},tp_rank="0"}} 1',
            f'sglang:token_usage{{{labels},tp_rank="0"}} 0.25',
            f"sglang:time_to_first_token_seconds_sum{{{labels}}} 1.5",
            f"sglang:time_to_first_token_seconds_count{{{labels}}} 20",
            "",
        ]
    ).encode()
    with Endpoint({**NEW, "/metrics": page}, post=post) as server:
        run_dir = drive(tmp_path, server.url)

    server_said = analyse_run(run_dir).metrics.server
    assert (server_said.engine, server_said.missing) == ("sglang", ())


def test_without_enable_metrics_the_run_says_why_nothing_was_counted(tmp_path: Path) -> None:
    with Endpoint(NEW, post=post) as server:
        run_dir = drive(tmp_path, server.url)

    assert "--enable-metrics" in (analyse_run(run_dir).metrics.server.note or "")
