"""Every command's help, in terminals of 80 and 100 columns."""

import re
from collections.abc import Iterator

import click
import pytest

from harness.cli import breakeven


def walk(command: click.Command, ctx: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, ctx
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            sub = command.get_command(ctx, name)
            assert sub is not None
            yield from walk(sub, sub.context_class(sub, info_name=name, parent=ctx, terminal_width=ctx.terminal_width))


def every(width: int) -> dict[str, tuple[click.Command, click.Context]]:
    root = breakeven.context_class(breakeven, info_name="breakeven", terminal_width=width)
    return {ctx.command_path: (command, ctx) for command, ctx in walk(breakeven, root)}


NAMES = sorted(every(100))


@pytest.mark.parametrize("name", NAMES)
def test_what_an_option_does_is_said_in_a_sentence_that_ends(name: str) -> None:
    command, ctx = every(100)[name]

    said = [record[1] for p in command.params if isinstance(p, click.Option) and (record := p.get_help_record(ctx))]

    assert [text for text in said if not text.rstrip().endswith((".", "?", "]"))] == []
    assert [text for text in said if text.startswith("[")] == []  # a default alone says nothing


@pytest.mark.parametrize("name", NAMES)
def test_what_a_command_does_is_said_in_a_sentence_that_ends(name: str) -> None:
    command, _ = every(100)[name]

    assert (command.help or "").strip().split("\n\n")[0].rstrip().endswith((".", "?"))


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(every(100)[name][0], click.Group)])
def test_no_sentence_of_a_list_of_commands_is_cut(name: str, width: int) -> None:
    command, ctx = every(width)[name]

    commands = command.get_help(ctx).split("Commands:\n")[1].split("\n\n")[0]

    sentences = [" ".join(text.split()) for text in re.split(r"(?m)^  [a-z-]+(?=  )", commands)[1:]]
    assert isinstance(command, click.Group)
    assert len(sentences) == len(command.list_commands(ctx))
    assert [text for text in sentences if not text.endswith(".") or text.endswith("...")] == []


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_an_example_is_wider_than_the_terminal(name: str, width: int) -> None:
    command, ctx = every(width)[name]

    wide = [line for line in command.get_help(ctx).splitlines() if len(line) > width]

    assert [line for line in wide if width == 100 or not line.startswith(("    ", "      "))] == []


@pytest.mark.parametrize("command", ["run", "report", "decide"])
def test_the_help_names_the_demands_that_are_bundled(command: str) -> None:
    found, ctx = every(100)[f"breakeven {command}"]

    said = " ".join(found.get_help(ctx).split())

    assert all(name in said for name in ("support-agent", "document-search", "long-conversations"))
