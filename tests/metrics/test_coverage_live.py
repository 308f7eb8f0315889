"""A small part of `benchmarks/coverage.py --live`: the load engine and the analysis against a server's own log."""

from pathlib import Path

from benchmarks.coverage_live import live_run, scenario


def test_a_short_ladder_of_a_live_server_finds_what_its_log_says(tmp_path: Path) -> None:
    work = scenario(seed=3, varied=True, users=(2, 8), step_s=6, tokens=60)

    run = live_run(tmp_path, work)

    # 13.2 and 16.8 ms a token, 24 allowed: the higher step gives the goodput
    assert run.metrics.goodput is not None
    assert run.metrics.goodput.step == 1
    assert run.metrics.steps[1].goodput_low is not None
    assert 0.85 * run.metrics.steps[1].goodput_low < run.truth_per_s < 1.15 * run.metrics.steps[1].goodput_high
    assert 0.8 < run.after_to_inside < 1.25
