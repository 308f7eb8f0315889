"""The load client against the oracle, through the code of `breakeven run`: records equal the ledger."""

import json

import pytest

from harness.calibration.oracle.judge import judge
from harness.calibration.oracle.ledger import read_ledger
from harness.calibration.oracle.process import running_oracle
from harness.cli import invoke
from harness.pipeline import calibrate
from harness.pipeline.calibrate import measure_level
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions
from harness.rundir.files import read_manifest
from harness.rundir.read import read_records
from harness.scenario import ClosedLoad, Request, Scenario, SyntheticPrompts

pytestmark = pytest.mark.slow  # real loads of many seconds

# The machine that runs the tests may be busy: what must hold there is the median, the counts are exact.
MEDIAN_ERROR_ALLOWED_S = 0.005


def drive(tmp_path, request, **schedule):
    scenario = Scenario(
        name="oracle",
        load=ClosedLoad(users=[3], step_s=1.5, warmup_s=0.2),
        prompts=SyntheticPrompts(input_tokens=50, output_tokens=10),
        request=request,
    )
    ledger = tmp_path / "ledger.jsonl"
    with running_oracle(ledger, **schedule) as oracle:
        options = RunOptions(
            scenario=scenario, base_dir=tmp_path, backend="openai", out_dir=tmp_path / "runs",
            urls=[oracle.url], keep_arrivals=True,
        )  # fmt: skip
        run_dir = measure(options, lambda _: None).run_dir
    started_ns = read_manifest(run_dir).started_monotonic_ns
    return judge(run_dir, ledger, started_monotonic_ns=started_ns), read_records(run_dir), read_ledger(ledger)


def test_a_streamed_chat_records_the_ledgers_tokens_and_times(tmp_path):
    judged, records, ledger = drive(tmp_path, Request(api="chat", timeout_s=30), ttft_s=0.05, itl_s=0.01)

    assert judged.is_complete
    assert judged.requests > 5
    # chat sends its role 50 ms before the first token: a client that took it for one would be that far off
    assert abs(judged.ttft.median_s) < MEDIAN_ERROR_ALLOWED_S
    assert abs(judged.e2e.median_s) < MEDIAN_ERROR_ALLOWED_S
    assert abs(judged.itl.median_s) < MEDIAN_ERROR_ALLOWED_S
    good = records[records["error"].isna()]
    assert set(good["output_tokens"]) == {10}
    assert set(good["events"]) == {10}
    assert set(good["token_source"]) == {"server"}
    truth = ledger.set_index("request_id")["prompt_tokens"]
    assert list(good["prompt_tokens"]) == [truth[request_id] for request_id in good["request_id"]]


def test_a_run_that_is_not_streamed_records_the_whole_answers_time(tmp_path):
    judged, records, _ = drive(tmp_path, Request(stream=False, timeout_s=30), ttft_s=0.05, itl_s=0.01)

    assert judged.is_complete
    assert judged.ttft.n == 0  # no TTFT without a stream
    assert abs(judged.e2e.median_s) < MEDIAN_ERROR_ALLOWED_S
    assert set(records.loc[records["error"].isna(), "output_tokens"]) == {10}


def test_a_level_of_the_calibration_counts_exactly():
    level = measure_level((4, 100), 2.5)

    assert level.judgement.is_complete
    assert level.judgement.tokens_sent >= 400  # 4 streams x 100 tok/s for 2.5 s, less what a busy machine takes
    assert level.judgement.ttft.n == level.judgement.requests > 0


def test_calibrate_prints_its_levels_and_keeps_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("harness.cli.calibrate.QUICK_LADDER", ((2, 100),))
    monkeypatch.setattr(calibrate, "ATTEMPTS", 1)

    assert invoke(["calibrate", "--quick", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [level["streams"] for level in printed["levels"]] == [2]
    (kept,) = (tmp_path / "breakeven" / "calibration").iterdir()
    assert json.loads(kept.read_text()) == printed
