"""https: the user's CA file is trusted, nothing else is, and arrival stamps are Python's."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_server import FaultyServer
from load_helpers import records_of, run_load

from harness.base.errors import EndpointError


@contextlib.contextmanager
def tls_in_front_of(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """Terminates TLS and passes bytes on to `port`; its own port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(raw: socket.socket) -> None:
        try:
            client = context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return
        with client, socket.create_connection(("127.0.0.1", port)) as upstream:
            back = threading.Thread(target=pump, args=(upstream, client))
            back.start()
            pump(client, upstream)
            back.join()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def test_an_endpoint_with_the_users_ca_is_driven_and_stamped_in_python(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    with FaultyServer() as server, tls_in_front_of(server.port, *certificate) as port:
        measured = run_load(tmp_path, f"https://127.0.0.1:{port}/ok", ca_file=str(certificate[0]))

    rows = records_of(measured)
    good = rows[rows["error"].isna()]
    assert len(good) > 0
    assert set(good["output_tokens"]) == {5}
    assert set(good["clock"]) == {"user"}
    assert (good["sent_s"] < good["first_token_s"]).all()


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    with (
        FaultyServer() as server,
        tls_in_front_of(server.port, *certificate) as port,
        pytest.raises(EndpointError, match=r"TLS: .*(?i:certificate)"),
    ):
        run_load(tmp_path, f"https://127.0.0.1:{port}/ok")
