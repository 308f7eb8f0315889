"""The command line: parses, calls, prints, and turns what went wrong into one line and an exit code."""

import builtins
import errno
import importlib
import keyword
import os
import resource
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

import click
from click.shell_completion import CompletionItem

from harness import __version__
from harness.base.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, BreakevenError, UsageError
from harness.base.text import printable
from harness.cli.defaults import apply, mistakes_name_their_place
from harness.cli.groups import Context

TRACEBACK = "BREAKEVEN_TRACEBACK"
_LONGEST_LINE = 480  # of an error, and of a hint: they may quote a file or a server

# command -> what the help of all says of it: the first line of its own. The command is `command` of the module of
# that name in this package (list_.py where the name is Python's own), read when it is asked for, so that nobody waits
# for what he does not use.
COMMANDS = {
    "run": "Measure what an endpoint serves under SCENARIO, and say what that costs and when it pays.",
    "worker": "Lend this machine's cores to a run that another machine conducts.",
    "import": "Make a run of what another load tool measured, and say what that costs and when it pays.",
    "report": "Compute figures, decision and reports of one or more run directories again.",
    "compare": "Put two or more runs beside each other; the first is what the others are compared with.",
    "list": "The runs of a folder: what each measured, what it answered, whether to trust it.",
    "open": "Open a run's report in the browser.",
    "decide": "At which monthly volumes a rented box beats an API.",
    "explain": "Recompute published figures, each difference with its reason.",
    "prices": "Instance and API prices with source and date.",
    "calibrate": "Drive a server whose schedule is known, and say how wrong the client's times are.",
    "engine": "Install, start, ask and stop an engine on this machine.",
    "rent": "Rent a box, measure on it, and be certain that it is gone.",
    "init": "Write a commented scenario to PATH (default scenario.yaml) and its JSON Schema beside it.",
    "demand": "What a month asks for: demand files.",
    "completion": "Install shell completion: commands, options, values and files after Tab.",
    "schema": "The JSON Schema of a file, for an editor or another program; without NAME a line for each.",
}


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """Output that nobody reads any more (`| head`) ends a command with 0; any other broken pipe is a bug.

    Click would end both with 1 and without a word.
    """
    try:
        yield
    except BrokenPipeError as error:
        if not _nobody_reads(sys.__stdout__):
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is not yet written goes there at the end
        raise click.exceptions.Exit(0) from None


def _nobody_reads(output: TextIO | None) -> bool:
    if output is None:
        return False
    poll = select.poll()
    poll.register(output.fileno(), 0)
    return any(state & select.POLLERR for _, state in poll.poll(0))


def module_of(name: str) -> str:
    """The module of a command: `list` is in list_.py, since a module of a package becomes a name in it."""
    return f"{name}_" if keyword.iskeyword(name) or hasattr(builtins, name) else name


class _Commands(click.Group):
    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"harness.cli.{module_of(name)}").command
        assert isinstance(command, click.Command)
        command.context_class = Context
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None and not ctx.resilient_parsing:
            apply(ctx, command, name, rest)
        return name, command, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=said) for name, said in COMMANDS.items() if name.startswith(incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with readers_may_leave():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with readers_may_leave(), mistakes_name_their_place(ctx):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
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
    try:
        code = invoke(arguments)
    except KeyboardInterrupt:  # while the end was being said
        code = EXIT_INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to interrupt
    sys.exit(code)


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
        click.echo(f"error: {printable(error.format_message().rstrip('.'), _LONGEST_LINE)}{context}", err=True)
        return EXIT_USAGE
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        refused = _refused_by_the_system(error)
        if refused is not None:
            complain(refused)
            return refused.exit_code
        click.echo(f"error: unexpected {type(error).__name__}: {printable(str(error), _LONGEST_LINE)}", err=True)
        click.echo(f"\nhint: this is a bug; {TRACEBACK}=1 shows where. What was measured is kept.", err=True)
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def _refused_by_the_system(error: Exception) -> BreakevenError | None:
    """What a machine's limits or a place that went away forbid; None where it is something else."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return UsageError(f"too many open files: the limit is {most}", hint="`ulimit -n 1024` before it, or more")
    if isinstance(error, OSError) and error.filename is not None:
        hint = "was it removed, or its disk taken away? What was measured is kept as far as its place is still there"
        return BreakevenError(f"cannot go on with {error.filename}: {error.strerror or error}", hint=hint)
    return None


def complain(error: BreakevenError) -> None:
    """One line, then where there is more: the end of a log, and the way out."""
    click.echo(f"error: {printable(str(error), _LONGEST_LINE)}", err=True)
    if error.detail:
        lines = (printable(line.expandtabs(), _LONGEST_LINE) for line in error.detail.splitlines())
        click.echo("\n" + "\n".join(f"    {line}" for line in lines), err=True)
    if error.hint:
        click.echo(f"\nhint: {printable(error.hint, _LONGEST_LINE)}", err=True)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise KeyboardInterrupt
