"""The pins of the tests' LiteLLM proxy, and that a test without it fails."""

import re
import shutil
from pathlib import Path

import litellm_proxy
import pytest

TAMPERED = {"1.82.7", "1.82.8", "1.107.0"}  # releases of LiteLLM on the package index


def pinned() -> list[tuple[str, str]]:
    """(what is asked for, its hashes) of each package."""
    lines = [line for line in litellm_proxy.PINS.read_text().splitlines() if line and not line.startswith("#")]
    packages = re.findall(r"^(\S.*?) \\\n((?:    --hash=\S+(?: \\\n|$))+)", "\n".join(lines), re.MULTILINE)
    assert sum(1 + hashes.count("--hash") for _, hashes in packages) == len(lines)  # and nothing else stands there
    return packages


def test_every_package_of_the_proxy_is_pinned_by_version_and_hash() -> None:
    for asked, hashes in pinned():
        assert re.match(r"[a-z0-9-]+==[0-9][0-9.]*(post[0-9]+)?( ;|$)", asked), asked
        assert re.fullmatch(r"(    --hash=sha256:[0-9a-f]{64}( \\\n)?)+", hashes), asked


def test_the_pinned_litellm_is_none_that_was_tampered_with() -> None:
    assert litellm_proxy.version() not in TAMPERED
    assert f"litellm=={litellm_proxy.version()}" in litellm_proxy.PINS.with_name("requirements.in").read_text()


@pytest.mark.parametrize("stamp", [None, b"litellm==1.0\n"], ids=["nothing is there", "other pins are"])
def test_where_the_proxy_of_these_pins_is_missing_the_test_fails_and_says_how_to_get_it(
    stamp: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if stamp is not None:
        litellm_proxy.stamp().parent.mkdir(parents=True)
        litellm_proxy.stamp().write_bytes(stamp)

    with pytest.raises(pytest.fail.Exception, match=r"^no LiteLLM proxy of these pins on this machine: make litellm$"):
        litellm_proxy.program()


def test_the_proxy_of_these_pins_is_not_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    litellm_proxy.stamp().parent.mkdir(parents=True)
    shutil.copyfile(litellm_proxy.PINS, litellm_proxy.stamp())
    said: list[str] = []

    litellm_proxy.install(said.append)

    assert said == []
