"""A run that streams and one that asks for whole answers, of one local server, side by side."""

from io import StringIO
from pathlib import Path

from faulty_server import FaultyServer
from load_helpers import run_load, scenario
from rich.console import Console

from harness.pipeline.analyse import analyse_run, read_analysis
from harness.report import console_comparison
from harness.report.compare.page import comparison_report
from harness.report.compare.runs import compare_runs
from harness.report.render.markdown import render_markdown


def test_streamed_and_whole_answers_of_one_server_are_compared_by_their_whole_time(tmp_path: Path) -> None:
    runs = []
    with FaultyServer() as server:
        for stream in (True, False):
            work = scenario(request={"timeout_s": 10, "stream": stream}, slo={"e2e_p95_s": 10})
            runs.append(run_load(tmp_path / f"stream-{stream}", server.url(), work=work).run_dir)
            analyse_run(runs[-1])

    found = compare_runs([read_analysis(run) for run in runs])
    page = render_markdown(comparison_report(found))
    out = StringIO()
    Console(file=out, width=100, no_color=True).print(console_comparison(found))

    streamed, whole = (run.metrics.decisive for run in found.runs)
    assert streamed is not None
    assert whole is not None
    assert (streamed.ttft_s.n > 0, whole.ttft_s.n, whole.e2e_s.n > 0) == (True, 0, True)
    assert page.count("What streaming and the prefix cache gain") == 1
    assert "whole answers" in page
    assert "not streamed" in out.getvalue()
    assert {one.what: one.about for one in found.differences}["streamed"] == "subject"
