"""What several commands read their options as, and how they write the file that one names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.base.errors import UsageError
from harness.base.token import TOKEN_ENV
from harness.rundir.manifest import MOST_REPLICAS

Command = Callable[..., Any]

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


def token_options(command: Command) -> Command:
    """Where the token comes from that a run and its workers on other machines share."""
    command = click.option("--token-file", type=FILE, help="The token that run and workers share: a file of mode 600.")(
        command
    )
    return click.option(
        "--token-env", metavar="NAME", help=f"The same from an environment variable.  [default: {TOKEN_ENV}]"
    )(command)
