"""What a load says of itself while it runs."""

from pathlib import Path

import pytest
from load_helpers import records_of, scenario

from harness.calibration.oracle.process import running_oracle
from harness.load.protocol import Live
from harness.load.run_events import RunEvent
from harness.load.wire.totals import Timed, last_seconds
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions


def test_tokens_are_told_as_they_come_not_when_their_request_ends(tmp_path: Path) -> None:
    # an answer takes 0.1 + 49 * 0.05 = 2.55 s: the first two samples see tokens of none that has ended
    heard: list[Live] = []

    def hear(event: RunEvent) -> None:
        if isinstance(event, Live):
            heard.append(event)

    with running_oracle(tmp_path / "ledger.jsonl", ttft_s=0.1, itl_s=0.05) as oracle:
        load = {"kind": "closed", "users": [2], "step_s": 4, "warmup_s": 0}
        prompts = {"kind": "synthetic", "input_tokens": 20, "output_tokens": 50}
        work = scenario(load=load, prompts=prompts, slo={"ttft_p50_s": 1}, request={"timeout_s": 10})
        options = RunOptions(scenario=work, base_dir=tmp_path, backend="vllm", out_dir=tmp_path, urls=[oracle.url])
        measured = measure(options, hear)

    early = [live for live in heard if live.sent and not live.finished]
    assert sum(live.output_tokens for live in early) > 20
    assert early[-1].ttft_p50_s == pytest.approx(0.1, abs=0.05)
    done = [live for live in heard if live.finished]
    assert done[0].tpot_p50_s == pytest.approx(0.05, abs=0.01)
    told, came = sum(live.output_tokens for live in heard), records_of(measured)["events"].sum()
    assert came - 2 * 50 <= told <= came  # what came after the last sample is missing


def test_the_last_seconds_are_ten_and_hold_nothing_older() -> None:
    times = [Timed(1.0, 9.0), Timed(5.0, 0.3), Timed(14.9, 0.1)]

    assert last_seconds(times, 15.0) == [0.1, 0.3]
