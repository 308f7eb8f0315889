"""Real proxies in front of a test's own server, each on a free loopback port with a config of its own.

with nginx(tmp_path, server.port, "proxy_buffering off;") as port: ...
with haproxy(tmp_path, server.port, "option http-no-delay") as port: ...

They run in the foreground as children of the test, write nowhere but into its folder, and need no rights. Where they
are missing a test fails, it does not skip.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

SBIN = "/usr/sbin"  # where Debian puts them, and many a user's PATH does not look
START_S = 20.0
STOP_S = 30.0
TEMP_PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def program(name: str) -> str:
    """Where a program is that Debian's package of the same name brings; fails the test where it is nowhere."""
    found = shutil.which(name) or shutil.which(name, path=SBIN)
    if found is None:
        pytest.fail(f"no {name} on this machine: apt-get install {name}", pytrace=False)
    return found


@contextmanager
def nginx(folder: Path, upstream_port: int, location: str = "", *, http: str = "", server: str = "") -> Iterator[int]:
    """Debian's nginx with its own defaults but for these lines, each put where it is named; gives its port."""
    port, config = free_port(), folder / "nginx.conf"
    temp_paths = "".join(f"  {name}_temp_path {folder / name};\n" for name in TEMP_PATHS)
    listen = f"listen 127.0.0.1:{port}{' ssl' if 'ssl_certificate' in server else ''};"
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder / 'nginx.pid'};\nerror_log {folder / 'nginx.log'} warn;\n"
        f"events {{ worker_connections 256; }}\nhttp {{\n  access_log off;\n{temp_paths}  {http}\n"
        f"  server {{\n    {listen}\n    {server}\n"
        f"    location / {{ proxy_pass http://127.0.0.1:{upstream_port}; {location} }}\n  }}\n}}\n"
    )
    command = [program("nginx"), "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(config)]
    with child(command, port, folder / "nginx.out"):
        yield port


@contextmanager
def haproxy(folder: Path, upstream_port: int, *options: str, server_s: float = 30.0) -> Iterator[int]:
    """Debian's HAProxy with its own defaults but for these lines; gives its port. `server_s`: its timeout."""
    port, config = free_port(), folder / "haproxy.cfg"
    lines = [
        "defaults", "mode http", "timeout connect 2s", "timeout client 30s", f"timeout server {server_s * 1000:.0f}ms",
        *options, "listen front", f"bind 127.0.0.1:{port}", f"server engine 127.0.0.1:{upstream_port}",
    ]  # fmt: skip
    config.write_text("\n".join(lines) + "\n")
    with child([program("haproxy"), "-db", "-f", str(config)], port, folder / "haproxy.out"):
        yield port


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def child(
    command: Sequence[str],
    port: int,
    said: Path,
    *,
    start_s: float = START_S,
    environment: dict[str, str] | None = None,
) -> Iterator[None]:
    """A server in the folder of the file that has what it says, from when it listens to the end of the block."""
    with said.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=said.parent, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline_s = time.monotonic() + start_s
        while not _listens(port):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline_s, f"{command[0]} does not listen"
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
