"""How far a long step of an install or a start has come, for whoever waits for it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


@contextmanager
def shown_progress() -> Iterator[Callable[[str], None]]:
    """A line that moves on a terminal; elsewhere a line for each new thing that is done. On stderr."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        with console.status("starting") as shown:
            yield lambda line: shown.update(escape(line))
        return
    said: set[str] = set()

    def say(line: str) -> None:
        what = line.split(",")[0]
        if what not in said:
            said.add(what)
            print(line, file=sys.stderr, flush=True)

    yield say
