"""What several commands read their options as, and how they write the file that one names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.base.errors import UsageError
from harness.base.people import DEFAULT_FTE, DEFAULT_USD_PER_YEAR, MOST_FTE, MOST_USD_PER_YEAR, PeopleSaid
from harness.base.token import TOKEN_ENV
from harness.base.weights_name import tells_weights
from harness.rundir.manifest import LONGEST_MODEL, MOST_REPLICAS

Command = Callable[..., Any]

_SAYS_NOTHING = frozenset({"auto", "default", "none", "unknown"})
BUNDLED_DEMANDS = ("document-search", "long-conversations", "support-agent", "support-agent-routed")
BOXES = click.IntRange(1, MOST_REPLICAS)
PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FACTS = click.Path(path_type=Path, dir_okay=False, exists=True)
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


def _amount(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """A finite number from 0 on that people cost or are."""
    most = MOST_FTE if param.name == "fte" else MOST_USD_PER_YEAR
    if value is not None and not 0 <= value <= most:
        raise click.BadParameter(f"{value:g} must be from 0 to {most:,.0f}", ctx, param)
    return value


def demand_options(command: Command) -> Command:
    """What a month asks for, or who operates the box where nobody says."""
    return _demand_options(command, "the run's own requests, no volume")


def demand_again_options(command: Command) -> Command:
    """The same of a run that may have a demand already."""
    return _demand_options(command, "the run's own demand, else its own requests, no volume")


def _demand_options(command: Command, default: str) -> Command:
    command = click.option(
        "--fte-usd-per-year",
        type=float,
        callback=_amount,
        metavar="USD",
        help=f"Without a demand: what a whole person costs a year.  [default: {DEFAULT_USD_PER_YEAR:,.0f}, assumed]",
    )(command)
    command = click.option(
        "--people",
        "fte",
        type=float,
        callback=_amount,
        metavar="FTE",
        help=f"Without a demand: people who operate the box; 0 strikes them.  [default: {DEFAULT_FTE:g}, assumed]",
    )(command)
    return click.option(
        "--demand",
        "demand_file",
        type=PATH,
        metavar="FILE|NAME|none",
        help=f"The month to price: your own file, {', '.join(BUNDLED_DEMANDS)}, or none.  [default: {default}]",
    )(command)


def people_of(fte: float | None, usd_per_year: float | None) -> PeopleSaid | None:
    """What the command line says of people; None: nothing."""
    return None if fte is None and usd_per_year is None else PeopleSaid(fte=fte, usd_per_year=usd_per_year)


def token_options(command: Command) -> Command:
    """Where the token comes from that a run and its workers on other machines share."""
    command = click.option("--token-file", type=FILE, help="The token that run and workers share: a file of mode 600.")(
        command
    )
    return click.option(
        "--token-env", metavar="NAME", help=f"The same from an environment variable.  [default: {TOKEN_ENV}]"
    )(command)
