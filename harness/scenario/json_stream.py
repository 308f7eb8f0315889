"""JSON values out of a long text, decoded one at a time as it is read: a list's items, or values one after another."""

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

CHUNK_CHARS = 1 << 20
SPLIT_CHARS = 16  # a number or a word that a chunk ends in is no longer than this
SHOWN_CHARS = 60
_BLANKS = re.compile(r"[ \t\n\r]+")


class NotJson(ValueError):
    """What is wrong in which line."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def json_problem(error: Exception) -> str:
    """Why the decoder stopped, in a few words."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).split(";")[0]


class JsonStream:
    """A text, and how far it was read."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decoder = json.JSONDecoder()
        self._text, self._at = "", 0
        self._line = 1
        self._has_more = True

    def items(self) -> Iterator[tuple[int, Any]]:
        """(line where it begins, value), in order.

        Raises:
            NotJson: it is none, or ends too early.
        """
        if self._next() != "[":
            while self._next():
                yield self._line, self._value()
            return
        self._at += 1
        if self._next() != "]":
            yield self._line, self._value()
        while self._next() == ",":
            self._at += 1
            self._next()
            yield self._line, self._value()
        if self._next() != "]":
            raise NotJson(self._line, f"the list goes on or ends here, got {self._shown()}")
        self._at += 1
        if self._next():
            raise NotJson(self._line, f"more after the end of the list: {self._shown()}")

    def _next(self) -> str:
        """The next character that is no blank, "" at the end; it is not passed."""
        while True:
            begins = self._at
            blanks = _BLANKS.match(self._text, begins)
            self._at = blanks.end() if blanks is not None else begins
            self._line += self._text.count("\n", begins, self._at)
            if self._at < len(self._text) or not self._has_more:
                return self._text[self._at : self._at + 1]
            self._read(CHUNK_CHARS)

    def _read(self, chars: int) -> None:
        more = self._file.read(chars)
        self._text, self._at, self._has_more = self._text[self._at :] + more, 0, bool(more)

    def _value(self) -> Any:
        wanted = CHUNK_CHARS
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if not self._has_more or not _may_be_cut(error, len(self._text)):
                    raise NotJson(self._line, f"{json_problem(error)}: {self._shown()}") from None
                self._read(wanted)
                wanted *= 2  # so that a long value is not begun too often
            else:
                self._line += self._text.count("\n", self._at, end)
                self._at = end
                return value

    def _shown(self) -> str:
        return repr(self._text[self._at : self._at + SHOWN_CHARS]) if self._next() else "the end of the file"


def _may_be_cut(error: Exception, length: int) -> bool:
    """Whether more text could make it right: it is open at its end."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= length - SPLIT_CHARS
