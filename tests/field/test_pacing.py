"""Quotas: the pause that a header names, in whatever form; a 429 has its own name and says the limit."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from faulty_exchange import Exchange
from faulty_server import good
from load_helpers import records_of, run_load
from one_fault import OneFault

from harness.load.spending.pace import Allowance
from harness.load.wire.headers import allowances, limits, pause_s

NOW = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "1s"}, 1.0),
        ({"retry-after": "300ms"}, 0.3),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": "Sat, 01 Aug 2026 12:00:03 GMT"}, 3.0),
        ({"retry-after": "Sat, 01 Aug 2026 11:59:00 GMT"}, 0.0),
        # the server's clock is a minute behind: its date is meant by that
        ({"retry-after": "Sat, 01 Aug 2026 11:59:03 GMT", "date": "Sat, 01 Aug 2026 11:59:00 GMT"}, 3.0),
        ({"retry-after-ms": "300"}, 0.3),
        ({"retry-after-ms": "300", "retry-after": "1"}, 0.3),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, 360.0),
        # the tokens are not what ran out
        (
            {
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "1h",
                "x-ratelimit-remaining-tokens": "900",
            },
            2.0,
        ),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 4)}, 4.0),
        ({"x-ratelimit-reset": str((int(NOW.timestamp()) + 4) * 1000)}, 4.0),
        ({"ratelimit-reset": "7"}, 7.0),
        (
            {
                "anthropic-ratelimit-requests-reset": "2026-08-01T12:00:09Z",
                "anthropic-ratelimit-requests-remaining": "0",
            },
            9.0,
        ),
        (
            {
                "anthropic-ratelimit-output-tokens-reset": "2026-08-01T14:00:05+02:00",
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-08-01T13:00:00Z",
                "anthropic-ratelimit-tokens-remaining": "70",
            },
            5.0,
        ),
        ({"anthropic-ratelimit-requests-reset": "2026-08-01T12:00:09Z", "retry-after": "4"}, 4.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "later"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"x-ratelimit-remaining-requests": "0"}, None),
        ({}, None),
    ],
)
def test_the_pause_is_read_in_every_form_that_servers_use(headers: dict[str, str], seconds: float | None) -> None:
    assert pause_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (
            {
                "x-ratelimit-remaining-requests": "3",
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-reset-requests": "6m0s",
            },
            [Allowance("requests", 3, 60, 360)],
        ),
        (
            {"x-ratelimit-remaining-tokens": "90", "x-ratelimit-reset-tokens": "120ms"},
            [Allowance("tokens", 90, None, 0.12)],
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, [Allowance("requests", 0, None, 7)]),
        (
            {
                "anthropic-ratelimit-input-tokens-remaining": "1000",
                "anthropic-ratelimit-input-tokens-limit": "40000",
                "anthropic-ratelimit-input-tokens-reset": "2026-08-01T12:00:30Z",
            },
            [Allowance("input-tokens", 1000, 40000, 30)],
        ),
        ({"x-ratelimit-remaining-requests": "3"}, []),  # nobody says when it fills
        ({"x-ratelimit-remaining-requests": "some", "x-ratelimit-reset-requests": "1s"}, []),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "soon"}, []),
    ],
)
def test_what_is_left_of_a_limit_is_read_in_every_form_that_apis_use(
    headers: dict[str, str], found: list[Allowance]
) -> None:
    assert allowances(headers, NOW) == found


def test_the_limits_are_said_in_the_servers_words() -> None:
    assert limits({"x-ratelimit-limit-requests": "4", "x-ratelimit-limit-tokens": "9000"}) == (
        "x-ratelimit-limit-requests 4, x-ratelimit-limit-tokens 9000"
    )
    assert limits({}) is None


def test_a_429_is_a_failure_of_its_own_name_that_says_limit_and_pause(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        if x.count % 2:
            good(x)
        else:
            words = b'{"error": {"message": "Rate limit reached"}}'
            x.whole(429, words, retry_after_ms="120", x_ratelimit_limit_requests=4)

    with OneFault(post) as server:
        rows = records_of(run_load(tmp_path, server.base))

    refused = rows[rows["error"] == "http_429"]
    after = rows[rows["scheduled_s"].shift() == refused["scheduled_s"].iloc[0]]
    assert (after["scheduled_s"] - refused["scheduled_s"].iloc[0] >= 0.12).all()  # the pause was kept
    assert set(refused["error_detail"]) == {
        "Rate limit reached; its limit: x-ratelimit-limit-requests 4; asks to wait 0.12 s"
    }
    assert rows["error"].isna().any()
