"""The server's own account in the report: beside ours, n/a where it says nothing, and why where there is none."""

from pathlib import Path
from typing import Any

from report_cases import case, changed

from harness.report import render_report
from harness.report.measured.server import server_blocks, silence_words
from harness.report.model import Table
from harness.rundir.accounts import ServerSaid
from harness.rundir.results import Metrics

SERVER = {
    "between": {"start_s": 1.0, "end_s": 9.0}, "scrapes": 9,
    "generation_tokens": 12_000.0, "client_generation_tokens": 11_990.0,
    "requests_running": {"mean": 3.5, "max": 4.0}, "requests_waiting": {"mean": 0.0, "max": 0.0},
    "kv_cache_usage": {"mean": 0.2, "max": 0.35}, "preemptions": 0.0, "prefix_cache_hit_rate": None,
    "queue_time_s": {"n": 40, "mean": 0.012, "p95_at_most": 0.3},
}  # fmt: skip


def told(**more: Any) -> Metrics:
    step = {
        "step": 0,
        "load": {"kind": "closed", "users": 4},
        "window": {"start_s": 0, "end_s": 10},
        "requests": 40,
        "server": SERVER,
        "server_times": {"n": 40, "outside_s": 0.004, "decode_s": 0.001, "server_decode_s": 1.0},
    }
    return Metrics.model_validate({"server": {"engine": "vllm", "note": None}, "steps": [step | more]})


def cells(metrics: Metrics, block: int = 0) -> dict[str, str]:
    table = server_blocks(metrics)[block]
    assert isinstance(table, Table)
    return {column.title: cell.text for column, cell in zip(table.columns, table.rows[0].cells, strict=True)}


def test_the_servers_counts_stand_beside_ours() -> None:
    row = cells(told())

    assert (row["tokens it counted"], row["tokens we received"]) == ("12,000", "11,990")
    assert (row["running, most"], row["KV cache, most"], row["preempted"]) == ("4", "35 %", "0")
    assert row["outside the engine"] == "4.00 ms"


def test_what_the_engine_does_not_tell_is_not_available_and_not_0() -> None:
    row = cells(told(server_times=None))

    assert row["prefix hits"] == row["outside the engine"] == "n/a"


def test_an_engine_without_counters_is_said_to_have_none_and_has_no_section() -> None:
    metrics = Metrics(steps=(), server=ServerSaid(engine="x", note="x has no /metrics"))

    assert server_blocks(metrics) == ()
    assert silence_words(metrics) == "x has no /metrics"


def test_an_older_run_has_no_such_section() -> None:
    assert server_blocks(case("two_windows").metrics) == ()


def test_gpus_are_shown_where_there_are_any() -> None:
    gpu = {
        "gpus": 4, "utilization": 0.93, "memory_used_gib": 80.0, "memory_total_gib": 89.4, "power_w": 560.0,
        "joules_per_output_token": 1.25, "throttled": {"power cap": 0.4},
    }  # fmt: skip

    row = cells(told(gpu=gpu), block=1)

    assert (row["busy"], row["power"], row["energy"]) == ("93 %", "560", "1.25")
    assert row["throttled"] == "40 % power cap"


def test_the_section_is_in_every_form_of_the_report(tmp_path: Path) -> None:
    given = case("two_windows")

    def add_server(data: dict[str, Any]) -> None:
        data["server"] = {"engine": "vllm", "note": None}
        data["steps"][0]["server"] = SERVER

    render_report(given._replace(metrics=changed(given.metrics, add_server)).under(tmp_path))

    for name in ("report.html", "report.md"):
        assert "12,000" in (tmp_path / name).read_text(encoding="utf-8")


def test_pages_of_a_part_of_the_replicas_are_said_to_be_that() -> None:
    (table,) = server_blocks(
        told(server=SERVER | {"replicas": 3, "replicas_told": 1, "client_generation_tokens": None})
    )

    assert isinstance(table, Table)
    assert ", of 1 of 3 replicas" in table.caption
    assert ", of" not in server_blocks(told(server=SERVER | {"replicas": 3, "replicas_told": 3}))[0].caption  # type: ignore[union-attr]
