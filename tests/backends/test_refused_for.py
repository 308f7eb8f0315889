"""What refuses a request that the server itself could serve: nothing of that is capacity."""

import pytest

from harness.backends.faults import hint_for, refused_for


@pytest.mark.parametrize(
    ("error", "detail", "refusal"),
    [
        ("http_429", "Rate limit reached for requests per minute; asks to wait 0.3 s", "quota"),
        ("http_429", None, "quota"),
        ("http_429", "You exceeded your current quota, please check your plan and billing details", "quota"),
        ("http_429", "Rate limit: too many concurrent requests for your plan", "quota"),
        ("http_402", "Insufficient credits", "quota"),
        ("http_403", "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests", "quota"),
        ("http_503", "upstream: rate limited", "quota"),
        ("http_500", "litellm.RateLimitError: tokens per minute", "quota"),
        ("error_event", "Too Many Requests", "quota"),
        ("http_401", "", "access"),
        ("http_403", "Forbidden", "access"),
        ("http_400", "Authentication Error, Invalid proxy server token passed", "access"),
        ("error_event", "Incorrect API key provided", "access"),
        # the server's own limits are its capacity, whatever headers a gateway adds
        ("http_429", "Model is overloaded", None),
        ("http_429", "Model is overloaded; its limit: x-ratelimit-limit-requests 1000", None),
        ("error_event", "Model is overloaded", None),
        ("http_503", "The request queue is full", None),
        ("http_503", "503 Service Temporarily Unavailable", None),
        ("http_503", "", None),
        ("http_500", "CUDA out of memory", None),
        ("http_400", "top_p is not supported", None),
        ("timeout", "too many requests", None),
        ("connect", "connection refused", None),
    ],
)
def test_a_quota_and_a_key_are_told_from_the_servers_own_limits(
    error: str, detail: str | None, refusal: str | None
) -> None:
    assert refused_for(error, detail) == refusal


def test_the_way_out_follows_from_what_refused() -> None:
    assert "it has a quota" not in (hint_for("http_429", "Model is overloaded") or "")
    assert "has a quota" in (hint_for("http_503", "rate limited") or "")
    assert "--api-key-env" in (hint_for("http_401", None) or "")
