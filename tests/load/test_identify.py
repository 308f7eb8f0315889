"""Who answers, by what it says of itself: one name an engine, whoever started it."""

import json
from typing import Any

import pytest

from harness.load.process.identify import _read
from harness.rundir.manifest import RunManifest

NOTHING = {"/v1/models": None, "/metrics": None, "/props": None, "/info": None, "/version": None}


def listing(owner: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": owner}]}).encode()


@pytest.mark.parametrize(
    ("answers", "engine"),
    [
        ({"/props": b'{"build_info": "b11434-abc", "total_slots": 4}'}, "llama_server"),
        ({"/v1/models": listing("me")}, "llama_cpp_python"),
        ({"/v1/models": listing("vllm")}, "vllm"),
        ({"/metrics": b"# TYPE vllm:num_requests_running gauge"}, "vllm"),
        ({"/info": b'{"router": "text-generation-router", "version": "3.3.6"}'}, "tgi"),
        ({"/v1/models": listing("somebody")}, None),
        ({}, None),
    ],
    ids=["llama-server", "llama-cpp-python", "vllm by its list", "vllm by its metrics", "tgi", "a gateway", "silence"],
)
def test_an_engine_by_url_has_the_name_that_it_has_when_we_start_it(
    answers: dict[str, bytes], engine: str | None
) -> None:
    assert _read(NOTHING | answers).engine["name"] == engine


def test_an_older_run_of_llama_server_by_url_reads_under_the_one_name() -> None:
    data: dict[str, Any] = {
        "scenario": {}, "scenario_digest": "", "backend": "llama_cpp", "model": None, "quantization": None,
        "engine": {"name": "llama-server", "version": "b1", "flags": None}, "instance": {}, "client": {}, "seed": 1,
        "started_at": "", "started_monotonic_ns": 0, "harness_version": "0.1.0", "git_revision": None,
    }  # fmt: skip

    assert RunManifest.model_validate(data).engine == {"name": "llama_server", "version": "b1", "flags": None}
