"""`breakeven rent reap`: what is past its expiry is ended, wherever it was rented."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from harness.base.errors import EXIT_DONE, EXIT_FAILED
from harness.base.text import printable
from harness.rent.driver import reap
from harness.rent.providers import providers_known


@click.command(name="reap")
@click.option("--all", "everything", is_flag=True, help="Also what is not past its expiry yet.")
@click.option("--host", "hosts", metavar="HOST", multiple=True, help="Also a host that was used from elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Print what is gone and what remains as JSON.")
def reap_command(everything: bool, hosts: tuple[str, ...], as_json: bool) -> int:
    """End every box that is past its expiry; ends with 1 while anything remains. Safe to run from cron.

    \b
    Examples:
      breakeven rent reap
      */10 * * * * breakeven rent reap --json >> reaped.jsonl
    """
    gone, remaining = [], []
    for provider in providers_known(hosts):
        ended, left = reap(provider, everything=everything, say=_say)
        gone += ended
        remaining += left
    if as_json:
        click.echo(json.dumps({"gone": [asdict(one) for one in gone], "remaining": [asdict(one) for one in remaining]}))
    else:
        for what, boxes in (("gone", gone), ("still there", remaining)):
            for box in boxes:
                click.echo(f"{what}: {box.id}, expired {box.expires_at}, USD {box.spent_usd():.4f}")
        if not gone and not remaining:
            click.echo("nothing to end")
    return EXIT_FAILED if remaining else EXIT_DONE


def _say(text: str) -> None:
    click.echo(printable(text, 500), err=True)
