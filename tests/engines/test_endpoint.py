"""An endpoint's URL and key, as they are taken from the command line by whoever asks it."""

import pytest

from harness.base.errors import UsageError
from harness.engines.endpoint import api_key_in, endpoint_url


def test_an_url_loses_the_slashes_at_its_end() -> None:
    assert endpoint_url("http://127.0.0.1:8000/v1//") == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize("text", ["127.0.0.1:8000", "ftp://a", "http://", "http://a b", "http://ä", "http://a:99999"])
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--url"):
        endpoint_url(text)


@pytest.mark.parametrize(
    "text", ["ftp://u:hush-1@a", "http://u:hush-1@a", "http://a?key=hush-1", "http://u:hush-1@a:x"]
)
def test_a_secret_in_an_url_is_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        endpoint_url(text)

    assert "hush-1" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "hush-1\n", " hush-1", "hush-1é"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", key)

    with pytest.raises(UsageError, match="--api-key-env") as caught:
        api_key_in("SOME_KEY")

    assert "hush-1" not in str(caught.value)


def test_a_key_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "hush-1")

    assert api_key_in("SOME_KEY") == "hush-1"
    assert api_key_in(None) is None
