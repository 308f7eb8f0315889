"""https that fails: the hint names what mends it."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from load_helpers import run_load

from harness.base.errors import EndpointError


@contextlib.contextmanager
def tls_server(folder: Path, name: str) -> Iterator[tuple[int, Path]]:
    """Shakes hands and closes; its port and its certificate, self-signed for `name`."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", f"subjectAltName={name}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = listener.accept()
                with contextlib.suppress(OSError), raw, context.wrap_socket(raw, server_side=True):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], certificate
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_a_self_signed_certificate_leads_to_ca_file(tmp_path: Path) -> None:
    with tls_server(tmp_path, "IP:127.0.0.1") as (port, _), pytest.raises(EndpointError) as failed:
        run_load(tmp_path / "out", f"https://127.0.0.1:{port}")

    assert "self-signed" in str(failed.value)
    assert "--ca-file" in (failed.value.hint or "")


def test_a_certificate_for_another_name_leads_to_that_name(tmp_path: Path) -> None:
    with tls_server(tmp_path, "DNS:llm.internal") as (port, certificate), pytest.raises(EndpointError) as failed:
        run_load(tmp_path / "out", f"https://127.0.0.1:{port}", ca_file=str(certificate))

    assert "for another name" in (failed.value.hint or "")


def test_https_at_a_server_without_it_leads_to_http(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with plain:
                    plain.recv(65536)
                    plain.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(EndpointError) as failed:
        run_load(tmp_path / "out", f"https://127.0.0.1:{listener.getsockname()[1]}")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()

    assert "--url http://" in (failed.value.hint or "")
