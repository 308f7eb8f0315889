"""`breakeven explain`: how a published figure comes about, and what its own inputs give."""

import json
from dataclasses import asdict

import click

from harness.cli.groups import Group
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
    section = ""
    for finding in findings:
        if finding.section != section:
            section = finding.section
            click.echo(("\n" if finding is not findings[0] else "") + section)
            click.echo(f"  {'':42} {'printed':>10} {'recomputed':>19} {'today':>12}  unit")
        click.echo(_line(finding))
        if finding.why:
            click.echo(f"      {finding.why}")


def _line(finding: Finding) -> str:
    printed = "(blank)" if finding.printed is None else _shown(finding.printed)
    today = "n/a" if finding.today is None else _shown(finding.today)
    return f"  {finding.what:42} {printed:>10} {_shown(finding.recomputed):>19} {today:>12}  {finding.unit}".rstrip()


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"
