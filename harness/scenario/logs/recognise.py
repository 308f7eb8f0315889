"""Which layout a log has: told by its columns, by what the user says of them, or not at all."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from harness.base.errors import UsageError
from harness.base.text import printable
from harness.scenario.logs.layout import Columns, Layout
from harness.scenario.logs.table import LAYOUTS, NAMED

NAMES = {
    "arrival_s": "arrival", "time": "arrival", "input_tokens": "input_tokens", "output_tokens": "output_tokens",
    "cached_input_tokens": "cached_input_tokens", "cache_write_tokens": "cache_write_tokens",
    "reasoning_tokens": "reasoning_tokens", "images": "images", "model": "model", "session": "session",
    "status": "status", "prompt": "prompt",
}  # fmt: skip
"""What a column can be named as, and the field that it is."""

_WORDS = {
    "time": ("time", "stamp", "when", "date", "created", "arriv"),
    "input_tokens": ("prompt", "input", "context", "request"),
    "output_tokens": ("completion", "output", "generated", "answer", "response"),
}


def known_layouts() -> str:
    """Their names, for a message."""
    return ", ".join(layout.name for layout in LAYOUTS if not layout.refused)


def layout_of(path: Path, columns: Collection[str], named: Mapping[str, str]) -> Layout:
    """The layout of a log with these columns; `named` (ours: theirs) goes before it.

    Raises:
        UsageError: none is known, it is no log, or a column that it needs is missing.
    """
    there = set(columns)
    found = next((lay for lay in LAYOUTS if any(there.issuperset(known) for known in lay.known_by)), None)
    if found is not None and found.refused:
        if not named:
            raise UsageError(f"{path} is {found.refused}")
        found = None  # who names the columns knows better
    if found is None and not named:
        raise _unknown(path, columns)
    layout = _with_named(path, found or NAMED, there, named)
    has = layout.fields
    needed = [("input_tokens", (*has.input_tokens, *has.input_beside)), ("output_tokens", has.output_tokens)]
    for what, wanted in needed if layout.may_be_untimed else [("time", has.arrival), *needed]:
        if not any(is_there(column, there) for column in wanted):
            raise _missing(path, layout, what, wanted, columns)
    return layout


def is_there(column: str, columns: Collection[str]) -> bool:
    """Whether a column, or the one that it lies in, is there."""
    return column in columns or column.partition("/")[0] in columns


def _with_named(path: Path, layout: Layout, there: set[str], named: Mapping[str, str]) -> Layout:
    own: dict[str, Columns] = {}
    for ours, theirs in named.items():
        if ours not in NAMES:
            near = difflib.get_close_matches(ours, NAMES, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(NAMES)}"
            raise UsageError(f"no column of a log is named `{printable(ours)}`", hint=hint)
        column = theirs if theirs in there else theirs.replace(".", "/")
        if not is_there(column, there):
            near = difflib.get_close_matches(theirs, there, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"it has {_shown(there)}"
            raise UsageError(f"{path} has no column `{printable(theirs)}` to be `{ours}`", hint=hint)
        own[NAMES[ours]] = (column,)
    if not own:
        return layout
    unit = layout.unit if "arrival" not in own else None
    return replace(layout, fields=replace(layout.fields, **own), unit=unit)


def _unknown(path: Path, columns: Collection[str]) -> UsageError:
    guess = " ".join(f"--column {ours}={_likely(words, columns)}" for ours, words in _WORDS.items())
    return UsageError(
        f"{path} has the columns {_shown(columns)}: no known layout of a trace",
        hint=f"name them: {guess} (in a scenario `load.columns`); known: {known_layouts()}",
    )


def _likely(words: tuple[str, ...], columns: Collection[str]) -> str:
    """The first column with one of the words in it, for a hint."""
    return printable(next((name for word in words for name in columns if word in name.lower()), "..."), 60)


def _missing(path: Path, layout: Layout, what: str, wanted: Columns, columns: Collection[str]) -> UsageError:
    usual = f" (usually `{wanted[0]}`)" if wanted and layout.name != NAMED.name else ""
    laid_out = "" if layout.name == NAMED.name else f" is laid out as {layout.name} but"
    return UsageError(
        f"{path}{laid_out} has no column for {what}{usual}, only {_shown(columns)}",
        hint=f"if another column says it: --column {what}=NAME (in a scenario `load.columns`)",
    )


def _shown(columns: Collection[str]) -> str:
    return printable(", ".join(str(name) for name in columns), 120)
