"""What several commands read their options as, and how they write the file that one names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.base.errors import UsageError
from harness.base.token import TOKEN_ENV
from harness.base.weights_name import tells_weights
from harness.rundir.manifest import LONGEST_MODEL, MOST_REPLICAS

Command = Callable[..., Any]

_SAYS_NOTHING = frozenset({"auto", "default", "none", "unknown"})
BOXES = click.IntRange(1, MOST_REPLICAS)
PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
DIRECTORY = click.Path(path_type=Path, file_okay=False)


def write_file(path: Path, text: str) -> None:
    """Write a file that the user has named.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None


def _weights(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A name that says which weights they are."""
    said = _short_text(ctx, param, value)
    if said is not None and not tells_weights(said):
        raise click.BadParameter(
            f"{said!r} says no weights; a hub's id (meta-llama/Llama-3.1-8B-Instruct), or family and size", ctx, param
        )
    return said


def _quantization(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A word that says how they are stored."""
    said = _short_text(ctx, param, value)
    if said is not None and said.lower() in _SAYS_NOTHING:
        raise click.BadParameter(f"{said!r} does not say how; bf16 or f16 where they are not quantised", ctx, param)
    return said


def _short_text(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    if not value.strip() or not value.isprintable() or len(value) > LONGEST_MODEL:
        shown = f"{value[:60]!r}"
        raise click.BadParameter(f"{shown} is no name of 1 to {LONGEST_MODEL:,} printable characters", ctx, param)
    return value.strip()


def weights_options(command: Command) -> Command:
    """What nobody tells of the weights."""
    command = click.option(
        "--quantization", callback=_quantization, metavar="Q", help="How they are quantised: Q4_K_M, awq, fp8, bf16."
    )(command)
    return click.option(
        "--weights", callback=_weights, metavar="ID", help="Which weights are served, where the engine does not tell."
    )(command)


def token_options(command: Command) -> Command:
    """Where the token comes from that a run and its workers on other machines share."""
    command = click.option("--token-file", type=FILE, help="The token that run and workers share: a file of mode 600.")(
        command
    )
    return click.option(
        "--token-env", metavar="NAME", help=f"The same from an environment variable.  [default: {TOKEN_ENV}]"
    )(command)
