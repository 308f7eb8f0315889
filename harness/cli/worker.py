"""`breakeven worker`: lend this machine to a run on another one."""

import platform
import socket
import tempfile
from pathlib import Path

import click

from harness import __version__
from harness.base.errors import UsageError
from harness.base.token import TOKEN_ENV, given_token
from harness.calibration.processor import usable_cores
from harness.calibration.quote import facts_for_a_run
from harness.cli.options import DIRECTORY, token_options
from harness.cli.outputs import makeable
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
    "--out",
    "out_dir",
    type=DIRECTORY,
    callback=makeable,
    default=Path("results"),
    help="Rows stay here until the master has them.",
)
@token_options
@click.option(
    "--allow-env", multiple=True, metavar="NAME", help="A variable that a run's --api-key-env may name; repeatable."
)
@click.option("--once", is_flag=True, help="Leave after one run.  [serve run after run until Ctrl-C]")
def command(
    master: str,
    processes: int,
    out_dir: Path,
    *,
    token_env: str | None,
    token_file: Path | None,
    allow_env: tuple[str, ...],
    once: bool,
) -> int:
    """Lend this machine's cores to a run that another machine conducts.

    The run waits for its workers: start it with --remote-workers. Both have the same token, which the run makes and
    shows where none is given: who has it may take part, and all that the two say is encrypted with it. Both need
    the same version of breakeven. An API key is read here, from the variable that the run's --api-key-env names, if
    --allow-env names it too; values of --header come over the encrypted wire. The load goes to whatever URL the run
    names.

    \b
    Examples:
      export BREAKEVEN_TOKEN=...                            what the run shows, on each machine
      breakeven worker --master 10.0.0.5 --processes 2      for this run on 10.0.0.5:
      breakeven run chat.yaml --url http://10.0.0.9:8000 --remote-workers 4 --listen 10.0.0.5:5557
    """
    host, port = _master(master)
    token = given_token(token_env, token_file)
    if token is None:
        raise UsageError(
            "a worker needs the token of its run",
            hint=f"export {TOKEN_ENV}=... as the run shows it, or --token-file FILE (mode 600), or --token-env NAME",
        )
    who = Who(__version__, platform.node(), usable_cores(), platform.python_version(), facts_for_a_run())
    _check_writable(out_dir)
    click.echo(f"waiting for a run at {master}; Ctrl-C ends", err=True)
    return Lender((host, port), token, processes, out_dir, list(allow_env), who).serve(once=once)


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
    host, port = address(text if text.rpartition(":")[2].isdecimal() else f"{text}:{PORT}")
    try:
        return socket.gethostbyname(host), port
    except OSError as error:
        raise UsageError(f"--master {host}: {error.strerror or error}", hint="HOST or HOST:PORT") from None
