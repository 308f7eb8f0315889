"""Help that cuts no sentence and breaks no name."""

from collections.abc import Iterable

import click

_WHOLE = 10_000  # characters: click would cut a sentence to what fits one line
_KEEPS = "\u2011"  # a hyphen behind which no line ends


class Formatter(click.HelpFormatter):
    """Goes on in the next line behind a blank only: `long-conversations` and `--api-key-env` stay whole."""

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        super().write_text(text.replace("-", _KEEPS))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and what they are."""
        super().write_dl([(name, said.replace("-", _KEEPS)) for name, said in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        """All that was written."""
        return super().getvalue().replace(_KEEPS, "-")


class Context(click.Context):
    """Of every command."""

    formatter_class = Formatter


class Group(click.Group):
    """A group whose help says of each command the first sentence of its own, to its end."""

    context_class = Context

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, with help as all have it."""
        command = super().get_command(ctx, name)
        if command is not None:
            command.context_class = Context
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its sentence, on as many lines as that takes."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        said = [(name, known.get_short_help_str(_WHOLE)) for name, known in commands.items() if known is not None]
        with formatter.section("Commands"):
            formatter.write_dl(said)
