"""Endpoints that flood, stall and lie, over TLS too: a run of its own against each, and handshakes without end."""

import ssl
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from endpoints import GENERATION, Attack, Case
from hostile import HANDSHAKES, HostileServer, made_certificate

from harness.load.wire.clock import RunClock
from harness.load.wire.exchange import ConnectionLost
from harness.load.wire.tls import MAX_EMPTY_BYTES
from harness.load.wire.transport import ConnectFailed, Late, Target, fetch

STALLS = ("no handshake", "a slow handshake")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return made_certificate(tmp_path_factory.mktemp("tls"))


def asked(server: HostileServer, ca_file: Path) -> tuple[int, bytes]:
    target = Target(server.base_url, {}, RunClock(time.monotonic_ns()), ca_file=str(ca_file))
    try:
        return fetch(target, "/v1/models", timeout_s=0.5 if server.way in STALLS else 20)
    finally:
        target.close()


@pytest.mark.timeout(60)  # well under a second, or hours
@pytest.mark.parametrize("way", HANDSHAKES)
def test_a_handshake_that_has_no_good_end_has_an_end(way: str, certificate: tuple[Path, Path]) -> None:
    with HostileServer(way, "nowhere", certificate) as server, pytest.raises((ConnectFailed, Late)) as caught:
        asked(server, certificate[0])

    assert isinstance(caught.value, Late) == (way in STALLS)


@pytest.mark.timeout(60)
def test_a_handshake_of_requests_to_begin_anew_is_cut_off_at_a_limit(certificate: tuple[Path, Path]) -> None:
    with HostileServer("endless requests", "nowhere", certificate) as server, pytest.raises(ConnectFailed) as caught:
        asked(server, certificate[0])

    assert str(caught.value) == f"TLS: more than {MAX_EMPTY_BYTES} bytes without content"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_long_answer_comes_whole_over_tls(version: ssl.TLSVersion, certificate: tuple[Path, Path]) -> None:
    with HostileServer("a page", "/v1/models", certificate) as server:
        server.context.maximum_version = version

        status, page = asked(server, certificate[0])

    assert (status, page) == (200, b"0123456789" * 100_000)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", ["no notify", "garbage records", "forged records", "a bare alert"])
def test_a_stream_that_breaks_below_its_tls_is_lost_and_no_more(way: str, certificate: tuple[Path, Path]) -> None:
    with HostileServer(way, "/v1/models", certificate) as server, pytest.raises(ConnectionLost):
        asked(server, certificate[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        Case("60 MB event", GENERATION, is_tls=True),
        Case("endless 100s", GENERATION, is_tls=False, api="chat", preflight=True),
        Case("endless requests", GENERATION, is_tls=True),
        Case("endless metrics", "/metrics", is_tls=True),
    ],
    ids=str,
)
def test_a_run_against_a_hostile_endpoint_ends_in_time_small_and_with_its_rows(case: Case, tmp_path: Path) -> None:
    ran = Attack(tmp_path).run(1, case)

    assert ran.wrong is None
