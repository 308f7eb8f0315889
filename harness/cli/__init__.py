"""The command line: parses, calls, prints, and turns what went wrong into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from harness import __version__
from harness.base.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, BreakevenError

TRACEBACK = "BREAKEVEN_TRACEBACK"

# command -> module in this package whose `command` it is; read when asked for, so that `decide` stays quick
COMMANDS = {
    "run": "run",
    "worker": "worker",
    "report": "report",
    "compare": "compare",
    "decide": "decide",
    "explain": "explain",
    "prices": "prices",
    "calibrate": "calibrate",
    "engine": "engine",
    "init": "init",
    "demand": "demand",
    "schema": "schema",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"harness.cli.{COMMANDS[name]}").command
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 3 done but do not trust it, 130 Ctrl-C.",
)
@click.version_option(__version__, prog_name="breakeven")
def breakeven() -> None:
    """What does a self-hosted LLM really serve, what does that cost, and when does it beat an API?

    \b
    Examples:
      breakeven run                                        the quickstart, on an embedded engine
      breakeven run --url http://127.0.0.1:8000 --backend vllm --instance g5.12xlarge
      breakeven report results/20260801T120000Z-chat-vllm-g5.12xlarge --api openai:gpt-4.1
      breakeven decide input.yaml
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(invoke(arguments))


def invoke(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        result: Any = breakeven.main(arguments, prog_name="breakeven", standalone_mode=False)
    except BreakevenError as error:
        complain(error)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.UsageError as error:
        context = f"\n\nhint: `{error.ctx.command_path} --help`" if error.ctx is not None else ""
        click.echo(f"error: {error.format_message().rstrip('.')}{context}", err=True)
        return EXIT_USAGE
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        click.echo(f"error: unexpected {type(error).__name__}: {error}", err=True)
        click.echo(f"\nhint: this is a bug; {TRACEBACK}=1 shows where. What was measured is kept.", err=True)
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def complain(error: BreakevenError) -> None:
    """One line, then where there is more: the end of a log, and the way out."""
    click.echo(f"error: {error}", err=True)
    if error.detail:
        click.echo("\n" + "\n".join(f"    {line}" for line in error.detail.splitlines()), err=True)
    if error.hint:
        click.echo(f"\nhint: {error.hint}", err=True)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise KeyboardInterrupt
