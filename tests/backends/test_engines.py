"""The dialects on the real engines: tokens asked, got, and counted by the server are one number, and times agree."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from load_helpers import records_of, run_load, scenario

from harness.engines import ENGINES
from harness.engines.life.running import Engine
from harness.pipeline.analyse import analyse_run

pytestmark = pytest.mark.engine

TOKENS = 24
WORK = {
    "load": {"kind": "closed", "users": [2], "step_s": 8.0, "warmup_s": 1.0},
    "prompts": {"kind": "synthetic", "input_tokens": 40, "output_tokens": TOKENS},
}
# Our clock and the engine's are one; what lies between are a socket and a few events of HTTP, on a busy machine.
DECODE_ALLOWED_S = 0.02


def drive(out_dir: Path, engine: Engine, **request: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The good rows, and metrics.json."""
    work = scenario(**WORK, request={"timeout_s": 60.0, **request})
    measured = run_load(out_dir, engine.base_url, backend=ENGINES[engine.name].backend, work=work)
    rows = records_of(measured)
    good = rows[rows["error"].isna()]
    assert len(good) >= 3
    assert set(rows["error"].dropna()) <= {"cut_at_end"}
    return good, analyse_run(measured.run_dir).metrics.to_dict()


def assert_counts_agree(good: pd.DataFrame, metrics: dict[str, Any]) -> None:
    assert set(good["output_tokens"]) == {TOKENS}
    assert set(good["token_source"]) == {"server"}
    codes = [one["code"] for one in metrics["steps"][0]["checks"] + metrics["checks"]]
    assert not {"counts_differ", "prefix_cache_hits", "engine_restarted"} & set(codes)


def assert_times_agree(good: pd.DataFrame) -> None:
    ours_s = good["finished_s"] - good["first_token_s"]
    assert abs((ours_s - good["server_decode_s"]).median()) < DECODE_ALLOWED_S
    inside_s = good["server_prefill_s"] + good["server_queue_s"].fillna(0)
    assert (good["first_token_s"] - good["sent_s"] > inside_s - 0.001).all()  # nothing arrives before it is made


@pytest.mark.parametrize("api", ["native", "completions", "chat"])
def test_llama_servers_counts_and_timings_agree_with_ours(
    llama_server_engine: Engine, tmp_path: Path, api: str
) -> None:
    good, metrics = drive(tmp_path, llama_server_engine, api=api)

    assert_counts_agree(good, metrics)
    assert_times_agree(good)
    assert metrics["server"]["engine"] == "llama_server"
    assert metrics["server"]["missing"] == []


def test_llama_servers_whole_answers_on_its_own_route_are_read(llama_server_engine: Engine, tmp_path: Path) -> None:
    good, _ = drive(tmp_path, llama_server_engine, api="native", stream=False)

    assert set(good["output_tokens"]) == {TOKENS}
    assert set(good["finish_reason"]) == {"length"}
    assert good["first_token_s"].isna().all()


def test_vllms_counters_and_its_times_of_single_requests_agree_with_ours(vllm_engine: Engine, tmp_path: Path) -> None:
    good, metrics = drive(tmp_path, vllm_engine, api="completions")

    assert_counts_agree(good, metrics)
    assert_times_agree(good)
    server = metrics["steps"][0]["server"]
    assert abs(server["generation_tokens"] - server["client_generation_tokens"]) <= 12  # 2 streams, both edges
    assert server["kv_cache_usage"]["max"] > 0
    assert server["queue_time_s"]["n"] > 0
    assert metrics["server"]["missing"] == []
