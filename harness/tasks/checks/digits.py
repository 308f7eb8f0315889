"""Numbers in a text, as people and models write them, each an exact fraction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_BLANK = "\u00a0\u2009\u202f"  # blanks that do not break group digits; a plain one parts two numbers
_RUN = rf"\d(?:[\d.,'’_{_BLANK}]{{0,400}}\d)?"
_NUMBER = re.compile(
    rf"""
    (?: (?<![\w)\]%])(?P<sign>[-+])(?:[$€£¥]\s?)? | (?<!\w)(?<!\w[.])(?:[$€£¥]\s?(?P<after>[-+])?)? )
    (?:
      (?<!/)(?:(?P<whole>\d{{1,9}})[ ]+)?(?P<top>\d{{1,15}})\s?/\s?(?P<bottom>\d{{1,15}})(?![.,]?\d)(?!\s?/)
      | (?P<run>{_RUN}|(?<![\w.])[.]\d{{1,400}})
        (?:[eE](?P<exponent>[-+]?\d{{1,3}})(?![\d.])|\s?[×x*]\s?10\^\{{?(?P<power>[-+]?\d{{1,3}})\}}?)?
    )
    (?P<percent>\s?(?:%|per\ ?cent\b))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ENGLISH = re.compile(rf"[1-9]\d{{0,2}}(?:[,'’_{_BLANK}]\d{{3}})+(?:\.\d+)?")  # 1,234.5
_EUROPEAN = re.compile(r"[1-9]\d{0,2}(?:(?:\.\d{3})+,\d+|(?:\.\d{3}){2,})")  # 1.234,5
_DECIMAL = re.compile(r"\d*[.,]?\d+")  # 3.14 3,14 .5
_TEX_FRACTION = re.compile(r"\\[dt]?frac\{(\d{1,15})\}\{(\d{1,15})\}")
_TEX = str.maketrans({"−": "-", "–": "-", "﹣": "-", "－": "-", "⁄": "/", "％": "%", "．": ".", "，": ","})


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    value: Fraction
    is_percent: bool
    end: int  # where it ends in the text

    def may_mean(self, other: Number) -> tuple[Fraction, ...]:
        """Its values, next to another: `25 %` is 25 and 0.25, unless the other is in per cent too."""
        if self.is_percent and not other.is_percent:
            return (self.value, self.value / 100)
        return (self.value,)


def numbers_in(text: str, start: int = 0) -> Iterator[Number]:
    """Every number of a `plain` text, in order."""
    for found in _NUMBER.finditer(text, start):
        negative = "-" in (found["sign"], found["after"])
        for value in _values(found):
            yield Number(-value if negative else value, found["percent"] is not None, found.end())


def plain(text: str) -> str:
    """The same with digits, signs and fractions in one form each: ½ and \\frac{1}{2} are 1/2, ３ is 3."""
    text = "".join(_one_form(c) for c in text.translate(_TEX)).translate(_TEX)
    text = text.replace("{,}", ",").replace("\\%", "%").replace("\\$", "$").replace("\\,", _BLANK[0])
    return _TEX_FRACTION.sub(r" \1/\2", text)


def _one_form(c: str) -> str:
    if c.isascii():
        return c
    if c.isdecimal():
        return str(unicodedata.decimal(c))
    return f" {unicodedata.normalize('NFKC', c)}" if unicodedata.decomposition(c).startswith("<fraction>") else c


def _values(found: re.Match[str]) -> list[Fraction]:
    """What a match says: one number, several with commas between, or none (a version, an address)."""
    if found["bottom"] is not None:
        whole, top, bottom = int(found["whole"] or 0), int(found["top"]), int(found["bottom"])
        return [whole + Fraction(top, bottom)] if bottom else []
    scale = Fraction(10) ** int(found["exponent"] or found["power"] or 0)
    value = _value(found["run"])
    if value is not None:
        return [value * scale]
    listed = [_value(part) for part in found["run"].split(",")]
    return [one for one in listed if one is not None]


def _value(run: str) -> Fraction | None:
    if _ENGLISH.fullmatch(run):
        return Fraction(re.sub(r"[^\d.]", "", run))
    if _EUROPEAN.fullmatch(run):
        return Fraction(run.replace(".", "").replace(",", "."))
    return Fraction(run.replace(",", ".")) if _DECIMAL.fullmatch(run) else None
