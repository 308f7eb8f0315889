"""A real sshd on loopback: a machine of its own as far as a driver can tell, with a home and an environment of its own.

`ssh` is put on the PATH with the key and the host's key that it needs; everything else of it is the real one.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"  # started by its whole path


class Host:
    """One machine that is reached by SSH; `name` as ssh takes it."""

    def __init__(self, place: Path, environment: Mapping[str, str]) -> None:
        self.home, self.path, self._place = place / "home", place / "bin", place
        self.home.mkdir(parents=True)
        self.path.mkdir()
        self._port = _free_port()
        self.name = f"ssh://127.0.0.1:{self._port}"
        for key in ("host_key", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / key)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (place / "authorized_keys").write_text((place / "key.pub").read_text())
        host_key = " ".join((place / "host_key.pub").read_text().split()[:2])
        (place / "known_hosts").write_text(f"[127.0.0.1]:{self._port} {host_key}\n")
        (place / "ssh_config").write_text(
            f"IdentityFile {place}/key\nIdentitiesOnly yes\nUserKnownHostsFile {place}/known_hosts\n"
            f"Host breakeven-*\n  HostName 127.0.0.1\n  Port {self._port}\n"  # as SkyPilot names its boxes
        )
        (place / "login").write_text(self._login(environment))
        (place / "login").chmod(0o755)
        (place / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self._port}\nHostKey {place}/host_key\nPidFile {place}/sshd.pid\n"
            f"AuthorizedKeysFile {place}/authorized_keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            f"PasswordAuthentication no\nMaxStartups 100\nForceCommand {place}/login\n"
        )
        (self.path / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {place}/ssh_config "$@"\n')
        (self.path / "ssh").chmod(0o755)
        self._server: subprocess.Popen[bytes] | None = None

    def set(self, environment: Mapping[str, str]) -> None:
        """Change the environment of what is run from now on."""
        (self._place / "login").write_text(self._login(environment))

    def start(self) -> None:
        """Let it be reached."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(parents=True, exist_ok=True)
        command = [SSHD, "-D", "-E", str(self._place / "sshd.log"), "-f", str(self._place / "sshd_config")]
        self._server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return
            assert time.monotonic() < until, (self._place / "sshd.log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Let nobody reach it; what runs there goes on."""
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            self._server.wait(20)
            self._server = None

    def _login(self, environment: Mapping[str, str]) -> str:
        """What every session runs: the command that was sent, at home there, in an environment of its own."""
        said = {"HOME": str(self.home), "PATH": f"{self.path}:{os.environ['PATH']}", "LANG": "C.UTF-8", **environment}
        words = " ".join(f"'{name}={value}'" for name, value in said.items())
        return f'#!/bin/sh\ncd {self.home}\nexec env -i {words} sh -c "$SSH_ORIGINAL_COMMAND"\n'


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
