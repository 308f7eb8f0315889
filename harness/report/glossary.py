"""The field's words in a manager's: where they stand first, and all that a report uses at its end."""

import re
from collections.abc import Iterator
from dataclasses import replace

from markupsafe import Markup, escape

from harness.report.model import Cell, Report, Section, words_table
from harness.report.render.markdown import render_markdown

TERMS: dict[str, str] = {
    "goodput": "requests per second that the box serves within the latency limits; what is slower does not count",
    "SLO": "service level objective: the latency limits and the error rate that the service has to keep",
    "TTFT": "time to first token: from sending a request to the first word of its answer",
    "TPOT": "time per output token: the pace at which the rest of an answer comes",
    "ITL": "inter-token latency: the gap between two tokens, each by itself",
    "E2E": "end to end: from sending a request to the end of its answer",
    "p50": "the median: half of the requests are faster",
    "p95": "19 of 20 requests are faster",
    "p99": "99 of 100 requests are faster",
    "token": "what a model reads and writes in: about three quarters of an English word",
    "Mtok": "a million tokens",
    "req/s": "requests per second",
    "tok/s": "tokens per second",
    "draws": "the answer computed again and again, each time with every uncertain input somewhere within its range",
    "arm": "one of the ways to get the same work done that are compared: an API, or your own box",
    "stand-in": "an API of similar weights, where nobody is listed as hosting the very ones",
    "frontier API": "a vendor's large model, paid by the token",
    "peak to mean": "how much busier the busiest hour is than the average one",
    "people struck": "the same with nobody's time in it, for a team that has the people anyway",
    "KV cache": "what an engine keeps of the conversations it is in; when it is full, requests wait",
    "prefill": "reading a prompt, before the first token is written",
    "interval": "between these two values the true one lies in 19 of 20 cases",
    "closed": "a load of users who each wait for an answer before they send again",
    "open": "a load of arrivals that come at their rate whatever the server does",
}

_FOUND = re.compile("|".join(rf"\b{re.escape(term)}(?:s\b|\b)" for term in sorted(TERMS, key=len, reverse=True)))
_NOT_ALONE = {"open", "closed"}  # everyday words: explained at the end of a load's, never marked in a sentence


def _terms_in(text: str) -> Iterator[str]:
    for match in _FOUND.finditer(text):
        yield match[0] if match[0] in TERMS else match[0].removesuffix("s")


def with_glossary(report: Report) -> Report:
    """The report with the words that it uses explained at its end."""
    loads = {word for name, said in report.facts if name == "load" for word in _terms_in(said)}
    used = set(_terms_in(render_markdown(report))) - _NOT_ALONE | loads
    rows = [(Cell(term), meaning) for term, meaning in TERMS.items() if term in used]
    if not rows:
        return report
    words = Section("words", "Words used here", (words_table("In this report", ("word", "means"), rows),), folded=True)
    return replace(report, sections=(*report.sections, words))


def explained(text: str) -> Markup:
    """The text for a page, the first of each of these words with its meaning behind it."""
    parts, at, seen = [], 0, set(_NOT_ALONE)
    for match in _FOUND.finditer(text):
        term = match[0] if match[0] in TERMS else match[0].removesuffix("s")
        if term not in seen:
            seen.add(term)
            parts += [escape(text[at : match.start()])]
            parts += [Markup('<abbr title="{}">{}</abbr>').format(TERMS[term], match[0])]
            at = match.end()
    return Markup("").join([*parts, escape(text[at:])])
