"""What a load process is told on its standard input: where to begin, then commands. Its end: the parent is gone."""

from collections.abc import Callable

from gevent.fileobject import FileObject

from harness.load.lines import Malformed, name_of
from harness.load.protocol import Begin, Command, command_of

STDIN = 0


class Inbox:
    """The lines of standard input; waiting for one holds nobody else up."""

    def __init__(self) -> None:
        self._lines = FileObject(STDIN, "rb", closefd=False)

    def first(self) -> Begin | None:
        """Wait for the first line; None when the parent went away before it came.

        Raises:
            Malformed: it is no plan.
        """
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            return None
        command = command_of(line)
        if not isinstance(command, Begin):
            raise Malformed(f"`{name_of(type(command))}` before the plan")
        return command

    def listen(
        self,
        on_command: Callable[[Command], None],
        on_malformed: Callable[[Malformed], None],
        on_end: Callable[[], None],
    ) -> None:
        """Hand on every further command, until the input ends."""
        for line in self._lines:
            try:
                command = command_of(line)
            except Malformed as error:
                on_malformed(error)
            else:
                on_command(command)
        on_end()
