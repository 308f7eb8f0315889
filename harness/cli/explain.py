"""`breakeven explain`: how a published figure comes about, and what its own inputs give."""

import json
from dataclasses import asdict
from textwrap import wrap

import click

from harness.cli.groups import Group
from harness.cli.width import columns
from harness.cost.article import Finding, audit


@click.group(name="explain", cls=Group)
def command() -> None:
    """Recompute published figures, each difference with its reason.

    \b
    Example:
      breakeven explain article
    """


@command.command(name="article")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def article(as_json: bool) -> None:
    """The audit of "The Real Costs of Serving an LLM in Production (2026 Edition)".

    Its support agent is scenarios/demand/support-agent.yaml. Printed beside recomputed, why they differ, and what would
    be right today, by the price list at hand.
    """
    findings = audit()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    section, widths = "", [0] * len(_TITLES)
    for finding in findings:
        if finding.section != section:
            section = finding.section
            shown = [_TITLES, *(_cells(one) for one in findings if one.section == section)]
            widths = _widths(shown)
            click.echo(("\n" if finding is not findings[0] else "") + section)
            click.echo(_aligned(_TITLES, widths))
        click.echo(_aligned(_cells(finding), widths))
        if finding.why:
            indent = " " * 6
            for line in wrap(finding.why, columns(), initial_indent=indent, subsequent_indent=indent):
                click.echo(line)


_LEAST = 12  # columns of what a figure is
_TITLES = ("", "printed", "recomputed", "today", "unit")


def _cells(finding: Finding) -> tuple[str, ...]:
    printed = "(blank)" if finding.printed is None else _shown(finding.printed)
    today = "n/a" if finding.today is None else _shown(finding.today)
    return finding.what, printed, _shown(finding.recomputed), today, finding.unit


def _widths(shown: list[tuple[str, ...]]) -> list[int]:
    """Each column as wide as what stands in it, but the first no wider than the terminal leaves it."""
    what, *others = (max(map(len, column)) for column in zip(*shown, strict=True))
    return [max(_LEAST, min(what, columns() - 2 - sum(others) - 2 * len(others))), *others]


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    what, *numbers, unit = cells
    *before, last = wrap(what, widths[0]) or [""]
    shown = [number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True)]
    line = "  ".join(["  " + last.ljust(widths[0]), *shown, unit]).rstrip()
    return "\n".join([*(f"  {part}" for part in before), line])


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"
