"""`breakeven rent reap`: what is past its expiry is ended, wherever it was rented."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from harness.base.errors import EXIT_DONE, EXIT_FAILED, BreakevenError, UsageError
from harness.base.text import printable
from harness.rent import aws
from harness.rent.box import Provider
from harness.rent.driver import end_box
from harness.rent.providers import providers_known
from harness.rent.sweep import Sweep, Thing, Wanted

AWS = "aws"
CLOUDS = ("local", "ssh", AWS)


@click.command(name="reap")
@click.option("--all", "everything", is_flag=True, help="Also what is not past its expiry, or does not say when.")
@click.option("--box", "ids", metavar="ID", multiple=True, help="End this box only, whatever its expiry (repeatable).")
@click.option("--dry-run", is_flag=True, help="List what would be ended; end nothing.")
@click.option(
    "--cloud",
    "clouds",
    multiple=True,
    type=click.Choice(CLOUDS),
    help="Look there only (repeatable); otherwise everywhere, on AWS where boto3 and credentials are.",
)
@click.option("--region", "regions", multiple=True, help="Of AWS (repeatable); otherwise every one that is enabled.")
@click.option("--host", "hosts", metavar="HOST", multiple=True, help="Also a host that was used from elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Print what is gone and what remains as JSON.")
def reap_command(
    everything: bool,
    ids: tuple[str, ...],
    dry_run: bool,
    clouds: tuple[str, ...],
    regions: tuple[str, ...],
    hosts: tuple[str, ...],
    as_json: bool,
) -> int:
    """End every box that is past its expiry, and look that it is gone. Safe to run from cron.

    Ends with 1 while anything of ours remains that has to go, does not say when it has to, or could not be looked for.

    \b
    Examples:
      breakeven rent reap
      breakeven rent reap --cloud aws --region eu-central-1 --dry-run
      */10 * * * * breakeven rent reap --json >> reaped.jsonl
    """
    if regions and clouds and AWS not in clouds:
        raise UsageError("--region is AWS's", hint="--cloud aws")
    if everything and ids:
        raise UsageError("--all and --box: one of them")
    wanted, done = Wanted(everything, ids), Sweep()
    for name, provider in providers_known(hosts):
        if name in clouds or not (clouds or regions):
            done.add(_by_provider(name, provider, wanted, dry_run=dry_run))
    if AWS in clouds or not clouds:
        is_asked = AWS in clouds or bool(regions)
        done.add(_on_aws(regions, wanted, dry_run=dry_run, is_asked=is_asked))
    if as_json:
        click.echo(json.dumps(done.to_dict()))
    else:
        _print(done, dry_run)
    return EXIT_DONE if done.is_clean else EXIT_FAILED


def _by_provider(name: str, make: Callable[[], Provider], wanted: Wanted, *, dry_run: bool) -> Sweep:
    try:
        provider = make()
        due = [box for box in provider.boxes() if wanted.has(box)]
        gone = [] if dry_run else [box for box in due if end_box(provider, box, _say)]
    except (BreakevenError, OSError, ValueError) as error:  # one that cannot say does not keep the others' boxes alive
        return Sweep(unseen=[Thing(name, why=printable(str(error), 300))])
    remaining = [Thing(name, box) for box in due if box not in gone]
    return Sweep(gone=[Thing(name, box) for box in gone], remaining=remaining)


def _on_aws(regions: tuple[str, ...], wanted: Wanted, *, dry_run: bool, is_asked: bool) -> Sweep:
    if is_asked:
        aws.needed()
    if not aws.is_installed():
        return Sweep(passed_over=[Thing(AWS, why="boto3 is not installed")])
    from harness.rent.aws.reap import reap as reap_aws

    return reap_aws(regions, wanted, dry_run=dry_run, is_asked=is_asked, say=_say)


def _print(done: Sweep, dry_run: bool) -> None:
    told = {
        "gone": done.gone,
        "would be ended" if dry_run else "still there": done.remaining,
        "not readable, left alone": done.unreadable,
        "could not look": done.unseen,
    }
    for what, things in told.items():
        for thing in things:
            click.echo(f"{what}: {printable(str(thing), 500)}")
    if not any(told.values()):
        click.echo("nothing to end")
    for thing in done.passed_over:
        click.echo(f"not looked at: {thing}", err=True)


def _say(text: str) -> None:
    click.echo(printable(text, 500), err=True)
