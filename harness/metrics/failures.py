"""Failures by their kind, with the words that were said of them."""

import re
from collections import defaultdict

from harness.metrics.windows import Words
from harness.rundir.of_step import ErrorOfStep, SaidOfError

MOST_SAID = 3  # different words of a kind


def errors_of(kinds: Words, said: Words) -> tuple[ErrorOfStep, ...]:
    """One for each kind among failures, commonest first."""
    words_of: dict[str, list[str | None]] = defaultdict(list)
    for kind, words in zip(kinds, said, strict=True):
        words_of[str(kind)].append(words)
    found = [ErrorOfStep(kind=kind, requests=len(words), said=_said(words)) for kind, words in words_of.items()]
    return tuple(sorted(found, key=lambda error: -error.requests))


def _said(all_words: list[str | None]) -> tuple[SaidOfError, ...]:
    """The commonest words; those that differ in their numbers (a port, an id, milliseconds) are the same."""
    alike: dict[str, list[str]] = defaultdict(list)
    for words in all_words:
        if words:
            alike[re.sub(r"[\w.:-]*\d[\w.:-]*", "#", words)].append(words)
    commonest = sorted(alike.values(), key=lambda same: -len(same))
    return tuple(SaidOfError(words=same[0], requests=len(same)) for same in commonest[:MOST_SAID])
