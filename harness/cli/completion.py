"""`breakeven completion`: what the shell needs to complete commands and options."""

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from harness.base.errors import UsageError
from harness.cli.options import write_file

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_BREAKEVEN_COMPLETE"


@click.command(name="completion")
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--print", "only_print", is_flag=True, help="Print the script, write nothing.")
def command(shell: str | None, only_print: bool) -> int:
    """Install shell completion: commands, options, values and files after Tab.

    SHELL is bash, zsh or fish; by default the one of $SHELL. Writes one file below your home and says which.

    \b
    Examples:
      breakeven completion
      breakeven completion zsh
      breakeven completion bash --print > /etc/bash_completion.d/breakeven
    """
    from harness.cli import breakeven  # the command that this one is of

    shell = shell or _own_shell()
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(breakeven, {}, "breakeven", _VARIABLE).source()
    if only_print:
        click.echo(script)
        return 0
    place, after = _place(shell)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {place.parent}: {error.strerror or error}") from None
    write_file(place, script)
    click.echo(f"{place}: read by every new {shell}{after}")
    return 0


def _own_shell() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        said = f"$SHELL is {name}" if name else "$SHELL is not set"
        raise UsageError(f"which shell? {said}", hint=f"`breakeven completion {SHELLS[0]}`, or {', '.join(SHELLS[1:])}")
    return name


def _place(shell: str) -> tuple[Path, str]:
    """Where the shell looks for a user's completions, and what else has to be so."""
    home = Path.home()
    data, config = (
        Path(os.environ.get(name) or home / below)
        for name, below in (("XDG_DATA_HOME", ".local/share"), ("XDG_CONFIG_HOME", ".config"))
    )
    match shell:
        case "bash":
            return data / "bash-completion" / "completions" / "breakeven", " that has bash-completion installed"
        case "zsh":
            return home / ".zfunc" / "_breakeven", " whose ~/.zshrc has `fpath+=~/.zfunc` before `compinit`"
        case _:
            return config / "fish" / "completions" / "breakeven.fish", ""
