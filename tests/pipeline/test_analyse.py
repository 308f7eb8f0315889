"""From what a run recorded to its report, on a run written by hand."""

import json
from pathlib import Path

from harness.pipeline.analyse import analyse_run
from harness.rundir import files
from harness.rundir.files import RECORDS, STEPS, part_of
from harness.rundir.records import RequestRecord

LEVELS = [
    {"streams": streams, "tokens_per_s": streams * 150, "void": None, "ttft": {"p99_s": p99_s}, "itl": {"p99_s": p99_s}}
    for streams, p99_s in ((4, 0.00001), (512, 0.005))
]
MANIFEST = {
    "schema": 1, "scenario": {"name": "many", "load": {"kind": "closed", "users": [500], "step_s": 10, "warmup_s": 0}},
    "scenario_digest": "0", "backend": "vllm", "engine": {"name": "vllm", "version": None, "flags": None}, "model": "m",
    "quantization": None, "instance": {}, "seed": 1, "started_at": "2026-11-20T09:14:03+00:00",
    "started_monotonic_ns": 0, "harness_version": "0.1.0", "git_revision": None,
    "client": {
        "workers": 1,
        "calibration": {"taken_at": "2026-11-20T08:00:00+00:00", "highest": None, "levels": LEVELS},
    },
}  # fmt: skip


def test_the_report_quotes_the_clients_error_at_the_streams_that_the_run_had(tmp_path: Path) -> None:
    # 500 users at once, each with an answer of 2 tokens in 1 s: 1,000 tokens/s, but 500 streams
    rows = [
        RequestRecord(
            request_id=f"{user}-{n}", step=0, scheduled_s=float(n), sent_s=float(n), first_token_s=n + 0.5,
            finished_s=n + 0.99, prompt_tokens=9, output_tokens=2, requested_output_tokens=2, token_source="server",
        ).to_dict()
        for user in range(500)
        for n in range(10)
    ]  # fmt: skip
    step = {"step": 0, "load": {"kind": "closed", "users": 500}, "start_s": 0, "window_start_s": 0, "end_s": 10}
    files.write_json(tmp_path, "run.json", MANIFEST)
    (tmp_path / STEPS).write_text(json.dumps(step) + "\n")
    part_of(tmp_path, RECORDS, 1).write_text("".join(json.dumps(row) + "\n" for row in rows))

    analysis = analyse_run(tmp_path)

    assert analysis.metrics.steps[0].peak_in_flight == 500
    report = (tmp_path / "report.md").read_text()
    assert "adds at most 5.00 ms to 99 % of first tokens" in report
    assert "at up to 512 streams" in report
