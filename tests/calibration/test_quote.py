"""What a calibration says: which level holds, which is void, what is cached and what a report quotes."""

import json

import pytest

from harness.calibration import quote as module
from harness.calibration.oracle.judge import Judgement
from harness.calibration.oracle.ledger import ErrorSummary
from harness.calibration.quote import Level, cached_calibration, calibration, facts_for_a_run, quote, save

DAY = "2026-08-01T12:00:00+00:00"


def errors(p99_s, n=500):
    return ErrorSummary(n, p99_s / 10, p99_s / 10, p99_s, p99_s * 2)


def level(streams, rate, *, ttft_p99_s=0.001, late_p99_s=0.001, lost=0, itl=None):
    judgement = Judgement(
        requests=500, tokens_sent=16_000, tokens_lost=lost, tokens_invented=0,
        requests_only_server_knows=0, requests_only_client_knows=0,
        ttft=errors(ttft_p99_s), e2e=errors(0.0002), itl=itl or errors(0.0001), lateness=errors(late_p99_s),
        tokens_per_s=streams * rate, kernel_stamped=500,
    )  # fmt: skip
    return Level(streams, rate, judgement)


def test_the_worst_of_the_three_errors_decides():
    assert level(64, 50, ttft_p99_s=0.009).holds
    assert not level(64, 50, ttft_p99_s=0.010).holds  # 10 ms is not below 10 ms
    assert not level(64, 50, itl=errors(0.02)).holds


def test_a_lost_token_is_worse_than_any_error():
    assert not level(64, 50, lost=1).holds


def test_a_level_that_the_server_missed_itself_is_void():
    spoilt = level(64, 50, ttft_p99_s=0.5, late_p99_s=0.0161)

    assert spoilt.void == "the server itself was late by 16.1 ms at p99"
    assert not spoilt.holds


def test_a_level_without_gaps_is_void():
    assert level(64, 50, itl=ErrorSummary(0, None, None, None, None)).void == "too few samples"


@pytest.mark.parametrize(
    ("levels", "highest"),
    [
        ([level(16, 50), level(64, 50)], 3200),  # 64 x 50
        ([level(16, 50), level(64, 50, ttft_p99_s=0.02), level(128, 50)], 800),  # a failure ends the climb
        ([level(16, 50), level(64, 50, late_p99_s=1), level(128, 50)], 6400),  # a void level says nothing
        ([level(16, 50, ttft_p99_s=0.02)], None),
    ],
    ids=["all hold", "one fails", "one void", "none"],
)
def test_the_highest_load_is_the_last_before_the_first_failure(levels, highest):
    found = calibration(levels, DAY)["highest"]

    assert (found and found["tokens_per_s"]) == highest


def test_a_report_quotes_the_lightest_level_that_is_at_least_as_heavy():
    found = calibration([level(16, 50), level(64, 50, ttft_p99_s=0.0021), level(128, 100)], DAY)

    assert quote(found, 20, 900.0) == (
        "this client adds at most 2.10 ms to 99 % of first tokens and 0.10 ms to 99 % of token gaps"
        " at up to 64 streams and 3,200 tok/s (calibrated 2026-08-01)"
    )


def test_a_load_above_every_level_has_an_unknown_error():
    found = calibration([level(16, 50), level(64, 50, late_p99_s=1)], DAY)

    assert "its error is unknown" in quote(found, 17, 100.0)


def test_the_cache_gives_back_what_was_saved(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cached_calibration() is None

    found = calibration([level(16, 50)], DAY)
    path = save(found)
    assert path is not None
    assert path.is_relative_to(tmp_path)
    assert cached_calibration() == json.loads(json.dumps(found))


def test_a_run_keeps_just_what_its_report_quotes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert facts_for_a_run() is None

    found = calibration([level(16, 50), level(64, 50, late_p99_s=1)], DAY)
    save(found)
    kept = facts_for_a_run()
    assert quote(kept, 8, 100.0) == quote(found, 8, 100.0)
    assert set(kept) == {"taken_at", "highest", "levels"}


def test_other_code_has_another_calibration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    save(calibration([level(16, 50)], DAY))

    monkeypatch.setattr(module, "__version__", "0.0.0")
    assert cached_calibration() is None


def test_a_broken_or_unwritable_cache_is_no_calibration_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = save(calibration([level(16, 50)], DAY))
    path.write_text("{")
    assert cached_calibration() is None

    monkeypatch.setenv("XDG_CACHE_HOME", str(path))  # a file where a folder should be
    assert save(calibration([level(16, 50)], DAY)) is None
