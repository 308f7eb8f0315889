"""A client's records against the ledger: errors worked by hand, tokens lost and invented."""

import json

import pandas as pd
import pytest

from harness.calibration.oracle.ledger import ErrorSummary, join, read_ledger, summarize
from harness.rundir.read import read_records
from harness.rundir.records import RequestRecord

START_NS = 5_000_000_000_000  # the run began here on the monotonic clock
S = 1_000_000_000


def truth(request_id="a", *, received_s=1.0, sent_s=(1.1, 1.2, 1.3), **more):
    stamps = [START_NS + round(s * S) for s in sent_s]
    return {
        "request_id": request_id,
        "stream": True,
        "finished": True,
        "tokens_sent": len(stamps),
        "received_monotonic_ns": START_NS + round(received_s * S),
        "sent_monotonic_ns": stamps,
        "lateness_ns": [1000] * len(stamps),
        **more,
    }


def record(request_id="a", **more):
    defaults = {
        "sent_s": 0.999, "first_token_s": 1.102, "finished_s": 1.305, "output_tokens": 3, "events": 3,
    }  # fmt: skip
    return RequestRecord(request_id=request_id, step=0, scheduled_s=0.9, **{**defaults, **more}).to_dict()


@pytest.fixture
def joined(tmp_path):
    def join_rows(records, ledger, **more):
        (tmp_path / "records-1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records))
        return join(read_records(tmp_path), pd.DataFrame(ledger), **more)

    return join_rows


def test_errors_are_client_minus_truth(joined):
    (row,) = joined([record()], [truth()]).requests.to_dict("records")

    # true TTFT 1.1 - 1.0 = 0.100, the client's 1.102 - 0.999 = 0.103
    assert row["ttft_error_s"] == pytest.approx(0.003)
    # true E2E 1.3 - 1.0 = 0.300, the client's 1.305 - 0.999 = 0.306
    assert row["e2e_error_s"] == pytest.approx(0.006)
    assert (row["lost"], row["invented"], row["is_whole"]) == (0, 0, True)


def test_gaps_are_compared_one_by_one(joined):
    # the client saw gaps of 99 and 104 ms where 100 and 100 were sent
    result = joined([record()], [truth()], arrivals={"a": [1_102_000, 1_201_000, 1_305_000]})

    assert result.itl_error_s == pytest.approx([-0.001, 0.004])


def test_gaps_of_a_request_whose_tokens_came_together_are_left_out(joined):
    result = joined([record()], [truth()], arrivals={"a": [1_102_000, 1_305_000]})

    assert len(result.itl_error_s) == 0


@pytest.mark.parametrize(
    ("client", "server", "lost", "invented"),
    [
        ({}, {}, 0, 0),
        ({"events": 2}, {}, 1, 0),  # an event missed although the usage says 3
        ({"output_tokens": 4}, {}, 0, 1),
        ({"output_tokens": None}, {}, 0, 0),  # unknown is not zero
        ({"error": "truncated", "output_tokens": None, "events": 1}, {}, 2, 0),  # the server did send all
        ({"error": "cut_at_end", "output_tokens": None, "events": 1}, {"finished": False}, 0, 0),
        ({"error": "cut_at_end", "output_tokens": None, "events": 4}, {"finished": False}, 0, 1),
        ({"events": 0}, {"stream": False}, 0, 0),  # not streamed: there are no events
    ],
    ids=["equal", "lost", "invented", "no count", "called failed", "cut", "cut and invented", "whole"],
)
def test_tokens_lost_and_invented(joined, client, server, lost, invented):
    (row,) = joined([record(**client)], [truth(**server)]).requests.to_dict("records")

    assert (row["lost"], row["invented"]) == (lost, invented)


def test_requests_that_only_one_side_knows_are_named(joined):
    never_sent = record("n", sent_s=None, error="not_sent")
    result = joined([record("a"), record("c"), never_sent], [truth("a"), truth("b")])

    assert result.unknown_to_client == ("b",)
    assert result.unknown_to_server == ("c",)
    assert list(result.requests["request_id"]) == ["a"]


def test_an_unknown_time_gives_no_error_and_is_not_counted(joined):
    result = joined([record(first_token_s=None)], [truth()])

    assert summarize(result.requests["ttft_error_s"]) == ErrorSummary(0, None, None, None, None)
    assert summarize(result.requests["e2e_error_s"]).n == 1


def test_the_summary_is_of_the_errors_size_with_a_signed_median():
    # sizes 1 2 3 ms; signed -3 1 2 ms
    summary = summarize([-0.003, 0.001, 0.002])

    assert summary.n == 3
    assert summary.median_s == pytest.approx(0.001)
    assert summary.p50_s == pytest.approx(0.002)
    assert summary.p99_s == pytest.approx(0.00298)  # between 2 and 3 ms, 98 % of the way
    assert summary.max_s == pytest.approx(0.003)


def test_the_servers_lateness_is_one_number_a_token_in_seconds(joined):
    assert joined([record()], [truth()]).lateness_s == pytest.approx([1e-6, 1e-6, 1e-6])


def test_an_empty_ledger_reads_as_no_requests(joined, tmp_path):
    (tmp_path / "ledger.jsonl").touch()

    result = joined([record()], read_ledger(tmp_path / "ledger.jsonl"))
    assert result.unknown_to_server == ("a",)
    assert len(result.requests) == 0
