"""`breakeven worker`: lend this machine to a run on another one."""

import platform
import socket
import tempfile
from pathlib import Path

import click

from harness import __version__
from harness.base.errors import UsageError
from harness.calibration.processor import usable_cores
from harness.calibration.quote import facts_for_a_run
from harness.cli.options import DIRECTORY
from harness.load.protocol import Who
from harness.load.remote.muster import address
from harness.load.remote.serve import Lender

PORT = 5557


@click.command(name="worker")
@click.option("--master", required=True, metavar="HOST[:PORT]", help="Where `breakeven run` listens.")
@click.option(
    "--processes", type=click.IntRange(1, 256), default=1, help="Load processes to lend; one keeps one core busy."
)
@click.option(
    "--out", "out_dir", type=DIRECTORY, default=Path("results"), help="Rows stay here until the master has them."
)
@click.option("--once", is_flag=True, help="Leave after one run.  [serve run after run until Ctrl-C]")
def command(master: str, processes: int, out_dir: Path, *, once: bool) -> int:
    """Lend this machine's cores to a run that another machine conducts.

    The run waits for its workers: start it with --remote-workers. The two speak unencrypted, so let them meet in a
    private network or through `ssh -L 5557:127.0.0.1:5557 MASTER`. Both need the same version of breakeven. An API
    key is read here, from the variable that the run's --api-key-env names; values of --header come over the wire.

    \b
    Examples:
      breakeven worker --master 10.0.0.5 --processes 2      on each of two machines, for this run on 10.0.0.5:
      breakeven run chat.yaml --url http://10.0.0.9:8000 --remote-workers 4 --listen 10.0.0.5:5557
    """
    host, port = _master(master)
    who = Who(__version__, platform.node(), usable_cores(), platform.python_version(), facts_for_a_run())
    _check_writable(out_dir)
    click.echo(f"waiting for a run at {master}; Ctrl-C ends", err=True)
    return Lender((host, port), processes, out_dir, who).serve(once=once)


def _check_writable(out_dir: Path) -> None:
    """Before anybody counts on this machine: rows can be kept here."""
    had_it = out_dir.exists()
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out_dir):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write to --out {out_dir}: {error.strerror}", hint="name another place with --out DIR"
        ) from None
    if not had_it:
        out_dir.rmdir()


def _master(text: str) -> tuple[str, int]:
    host, port = address(text if text.rpartition(":")[2].isdigit() else f"{text}:{PORT}")
    try:
        return socket.gethostbyname(host), port
    except OSError as error:
        raise UsageError(f"--master {host}: {error.strerror or error}", hint="HOST or HOST:PORT") from None
