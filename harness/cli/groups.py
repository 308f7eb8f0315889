"""Groups of commands whose help says of each what the first sentence of its own help says, to its end."""

import click

_WHOLE = 10_000  # characters: click would cut a sentence to what fits one line


class Group(click.Group):
    """A group that cuts no sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its sentence, on as many lines as that takes."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        said = [(name, known.get_short_help_str(_WHOLE)) for name, known in commands.items() if known is not None]
        with formatter.section("Commands"):
            formatter.write_dl(said)
