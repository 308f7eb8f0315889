"""Streamed against whole answers, and a prefix cache that is hit against one that is not, side by side."""

from io import StringIO
from pathlib import Path
from typing import Any

from report_cases import case, changed
from rich.console import Console

from harness.report import WIDTH, console_comparison
from harness.report.compare.page import comparison_report
from harness.report.compare.runs import compare_runs
from harness.report.model import RunFiles, Table
from harness.rundir.manifest import RunManifest

Row = dict[str, tuple[str, str]]
HITS = "prefix cache"


def run_of(name: str, goodput: float, *, stream: bool = True, cached: float | None = None, **step: Any) -> RunFiles:
    """A hand-made run of 66 requests of 800 input tokens at its decisive step."""
    given = case("two_windows")
    said = given.run.to_dict()
    said["scenario"]["request"]["stream"] = stream
    metrics = changed(given.metrics, lambda m: m["goodput"].update(requests_per_s=goodput, low=goodput, high=goodput))
    update = step | {"cached_input_tokens": cached} | ({} if stream else {"ttft_s": {"n": 0}})
    metrics = changed(metrics, lambda m: [one.update(update) for one in m["steps"]])
    return RunFiles(Path(name), RunManifest.model_validate(said), metrics, given.decision)


def gains(*runs: RunFiles) -> list[Row] | None:
    """`{column: (text, note)}` of each run; None: nothing is said."""
    page = comparison_report(compare_runs(list(runs)))
    found = next((one for one in page.sections if one.id == "gains"), None)
    if found is None:
        return None
    (table,) = found.blocks
    assert isinstance(table, Table)
    heads = [column.title for column in table.columns]
    return [{head: (cell.text, cell.note) for head, cell in zip(heads, row.cells, strict=True)} for row in table.rows]


def test_runs_that_stream_and_hit_alike_say_nothing_of_it() -> None:
    assert gains(run_of("one", 0.5), run_of("other", 0.6)) is None
    assert gains(run_of("one", 0.5, cached=0), run_of("other", 0.6, cached=66)) is None  # 1 of 800 tokens


def test_whole_answers_stand_beside_streamed_ones_and_say_that_they_have_no_first_token() -> None:
    e2e = {"e2e_s": {"n": 66, "p50": 4.0, "p95": 8.0}}, {"e2e_s": {"n": 66, "p50": 3.0, "p95": 8.0}}

    found = gains(run_of("streamed", 0.5, **e2e[0]), run_of("whole", 0.6, stream=False, **e2e[1]))

    assert found is not None
    streamed, whole = found
    assert (streamed["run"][1], whole["run"][1]) == ("streamed", "whole answers")
    assert HITS not in whole
    assert whole["TTFT p50"][0] == whole["TTFT p95"][0] == "n/a: not streamed"
    assert (streamed["E2E p50"][0], whole["E2E p50"]) == ("4.00 s", ("3.00 s", "0.750×"))
    assert whole["goodput"][1] == "1.20×"
    assert whole["cost"][1] == "0.833×"  # 1 / 1.2


def test_a_cache_that_is_hit_is_labelled_with_its_hit_rate() -> None:
    ttft = {"ttft_s": {"n": 66, "p50": 1.0, "p95": 2.0}}, {"ttft_s": {"n": 66, "p50": 0.25, "p95": 1.0}}

    found = gains(run_of("fresh", 0.5, cached=0, **ttft[0]), run_of("shared", 1.0, cached=66 * 600, **ttft[1]))

    assert found is not None
    fresh, shared = found
    assert (fresh[HITS][0], shared[HITS][0]) == ("0 %", "75 %")
    assert shared["goodput"] == ("1.00", "2.00×")
    assert shared["TTFT p50"] == ("250 ms", "0.250×")
    assert shared["TTFT p95"] == ("1.00 s", "0.500×")
    assert shared["cost"][1] == "0.500×"


def test_where_answers_say_nothing_the_servers_own_account_is_the_label() -> None:
    def hit(rate: float) -> dict[str, Any]:
        return {"server": {"between": {"start_s": 0, "end_s": 9}, "scrapes": 9, "prefix_cache_hit_rate": rate}}

    found = gains(run_of("fresh", 0.5, **hit(0.0)), run_of("shared", 1.0, **hit(0.6)))

    assert found is not None
    assert [row[HITS] for row in found] == [
        ("answers do not say", "/metrics: 0 %"), ("answers do not say", "/metrics: 60 %"),
    ]  # fmt: skip


def test_the_console_says_that_there_is_no_first_token_and_shows_the_whole_time() -> None:
    out = StringIO()
    found = compare_runs([run_of("streamed", 0.5), run_of("whole", 0.6, stream=False)])

    Console(file=out, width=WIDTH, no_color=True).print(console_comparison(found))

    assert "not streamed" in out.getvalue()
    assert "E2E p50" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= WIDTH
