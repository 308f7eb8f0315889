"""URLs as they may be shown."""

import pytest

from harness.base.urls import without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a:1/v1", "http://a:1/v1"),
        ("https://me:secret@a:1/v1", "https://a:1/v1"),
        ("https://a/v1?key=secret#x", "https://a/v1"),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_secret(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
