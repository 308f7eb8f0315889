"""What `breakeven rent` says of a cloud's plan, and `rent install`."""

from pathlib import Path

import click

from harness.base.errors import EXIT_DONE, UsageError
from harness.cli.installing import shown_progress
from harness.rent.plan import RentPlan
from harness.rent.sky.check import check
from harness.rent.sky.clouds import CLOUDS
from harness.rent.sky.install import PINNED_CLOUD, install, version
from harness.rent.sky.task import instance_type, task_of

_INDENT = " " * 17


@click.command(name="install")
@click.option("--cloud", default=PINNED_CLOUD, show_default=True, help=f"One of {', '.join(CLOUDS)}.")
def install_command(cloud: str) -> int:
    """Install SkyPilot, once, in an environment of its own in the cache: what rents on clouds.

    \b
    Examples:
      breakeven rent install
      breakeven rent install --cloud gcp
    """
    with shown_progress() as progress:
        install(cloud, progress)
    click.echo(f"SkyPilot {version()} is installed for {cloud}", err=True)
    return EXIT_DONE


def show_cloud(plan: RentPlan) -> None:
    """How a cloud's plan is rented, and whether SkyPilot takes it; of a plan of no cloud nothing.

    Raises:
        UsageError: SkyPilot refuses it.
    """
    if plan.provider not in CLOUDS:
        return
    where = f" in {plan.rented_in}" if plan.rented_in else ", in whichever region has it"
    click.echo(f"  rented         {instance_type(plan)} {plan.rented_as.replace('_', ' ')} at {plan.provider}{where}")
    if plan.rented_as != plan.purchase:
        click.echo(f"{_INDENT}nobody rents `{plan.purchase}` by the hour: that is the answer's price, not the bill's")
    if plan.rented_as == "spot":
        click.echo(f"{_INDENT}a spot box may be taken away in the middle of a measurement, which is then made again")
    click.echo(f"  SkyPilot       {check(plan)}")


def write_task(plan: RentPlan, path: Path) -> None:
    """Write a cloud plan's task where a person can read it.

    Raises:
        UsageError: the plan is of no cloud, or the file cannot be written.
    """
    if plan.provider not in CLOUDS:
        raise UsageError(f"the plan's provider is {plan.provider}: SkyPilot has no part in it")
    if str(path) == "-":
        click.echo(task_of(plan), nl=False)
        return
    try:
        path.write_text(task_of(plan), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
