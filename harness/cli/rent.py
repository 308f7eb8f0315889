"""`breakeven rent`: a box is rented, measured on, and gone again."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from harness.base.errors import EXIT_DONE, EXIT_FAILED, UsageError
from harness.base.text import printable
from harness.base.yamlfile import validate
from harness.cli.groups import Group
from harness.cli.options import PATH
from harness.cli.outputs import makeable
from harness.cli.rent_cloud import install_command, show_cloud, write_task
from harness.cli.rent_reap import reap_command
from harness.demand.demand import load_demand
from harness.prices.catalog import resolve_api
from harness.rent.driver import Rent, end_box
from harness.rent.ledger import Book, new_ledger, read_ledger
from harness.rent.plan import Cell, RentPlan, bound_of, cells_of, read_plan, sent_with
from harness.rent.providers import provider_of
from harness.rundir.files import create_run_dir

PLAN_COPY = "plan.yaml"
HOST = click.option(
    "--host", metavar="HOST", help="A machine of your own, as ssh takes it, instead of the plan's provider."
)


@click.group(name="rent", cls=Group)
def command() -> None:
    """Rent a box, measure on it, and be certain that it is gone.

    `local` makes the box on this machine, to try a plan out: everything but the renting is as on a cloud.
    """


command.add_command(reap_command)
command.add_command(install_command)


@command.command(name="plan")
@click.argument("plan_file", metavar="PLAN", type=PATH)
@HOST
@click.option("--sky", "sky_file", metavar="FILE", type=PATH, help="Write what SkyPilot would be given; `-`: print it.")
def plan_command(plan_file: Path, host: str | None, sky_file: Path | None) -> int:
    """Say what a plan would do, how long that takes and what it costs at most; nothing is spent.

    A cloud's plan is held against SkyPilot's own parser and catalogue, where it is installed.

    \b
    Examples:
      breakeven rent plan examples/rent-local.yaml
      breakeven rent plan examples/rent-g5.yaml --sky rent-g5.sky.yaml
    """
    plan = read_plan(plan_file, host=host)
    _refuse_unusable(plan)
    if sky_file is not None:
        write_task(plan, sky_file)
        if str(sky_file) == "-":
            return EXIT_DONE
    _show(plan, cells_of(plan, plan_file.parent))
    return EXIT_DONE


def _refuse_unusable(plan: RentPlan) -> None:
    """What each measurement would refuse, once a box is paid for.

    Raises:
        UsageError: an API that nobody lists, or a demand that the box has not.
    """
    for api in plan.apis:
        resolve_api(api)
    if plan.demand is not None:
        place = Path(plan.demand)
        if place.exists() or place.name != plan.demand:
            raise UsageError(
                f"the plan's `demand` is a file, {plan.demand}: no file of yours but scenarios goes to the box",
                hint="a bundled demand's name, or `breakeven report RUN --demand FILE` afterwards",
            )
        load_demand(place)


def _refuse_unset(plan: RentPlan) -> None:
    missing = [name for name in plan.env if name not in os.environ]
    if missing:
        raise UsageError(f"the plan's `env` names {missing[0]}, which is not set here")


def _show(plan: RentPlan, cells: tuple[Cell, ...]) -> None:
    bound = bound_of(plan, cells)
    price = plan.hourly_usd()
    click.echo(f"{plan.name}: {len(cells)} measurements on one {plan.instance} ({plan.provider}) at USD {price:g}/h")
    for cell in cells:
        click.echo(f"  {cell.words}: at most {cell.most_s / 60:.0f} min, the engine's installation included")
    click.echo(f"  all of it      at most {bound.hours:.2f} h, USD {bound.usd:.2f}")
    capped = ", before all is measured if need be" if bound.is_capped else ""
    click.echo(f"  the budget     ends it at {bound.capped_hours:.2f} h, USD {bound.capped_usd:.2f}{capped}")
    if plan.until == "decided" and plan.demand and plan.apis:
        click.echo("  the answer     ends it too, once no measurement can change it (`until: everything` measures all)")
    click.echo("  the box        ends itself a few minutes after that, whatever becomes of this machine")
    show_cloud(plan)


@command.command(name="run")
@click.argument("plan_file", metavar="[PLAN]", type=PATH, required=False)
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@click.option(
    "--out", "out_dir", type=PATH, callback=makeable, default=Path("results"), help="Parent of the run's folder."
)
@HOST
@click.option("--resume", metavar="DIR", type=PATH, help="Go on with what an earlier run left unmeasured.")
def run_command(plan_file: Path | None, yes: bool, out_dir: Path, host: str | None, resume: Path | None) -> int:
    """Rent the box, measure everything on it, bring it home, end the box.

    Ends with 0 where everything was measured and the box is gone, 3 where something is missing, 1 where anything may
    still be rented (`breakeven rent reap` ends it).

    \b
    Examples:
      breakeven rent run examples/rent-local.yaml --yes
      breakeven rent run plan.yaml --host me@gpu-1
      breakeven rent run --resume results/20260801T120000Z-rent-llama
    """
    if (plan_file is None) == (resume is None):
        raise UsageError("name a plan, or --resume an earlier run's folder", hint="`breakeven rent run --help`")
    if resume is not None and host is not None:
        raise UsageError("--resume goes on where the run was: it takes no --host")
    if resume is not None:
        ledger = read_ledger(resume)
        plan = validate(RentPlan, ledger.plan, where=f"{resume}: plan")
        _refuse_unusable(plan)
        _refuse_unset(plan)
        book, base_dir = Book(resume, ledger), resume
        cells = cells_of(plan, base_dir)
        if [cell.id for cell in cells] != [cell.id for cell in ledger.cells]:
            raise UsageError(
                f"{resume}: its scenarios were changed since it was begun", hint="a new `rent run` of a plan"
            )
    else:
        assert plan_file is not None
        plan = read_plan(plan_file, host=host)
        _refuse_unusable(plan)
        _refuse_unset(plan)
        cells = cells_of(plan, plan_file.parent)
        _show(plan, cells)
        if not yes:
            click.confirm("rent it?", abort=True)
        folder = create_run_dir(out_dir, datetime.now(UTC), "rent", plan.name)
        book, base_dir = Book(folder, new_ledger(plan, cells)), folder
        _keep(plan, plan_file, folder)
    book.note()
    with _ended_by_signals():
        outcome = Rent(plan, base_dir, book, provider_of(plan), _say).go(cells)
    why = f" ({outcome.why_ended})" if outcome.why_ended else ""
    click.echo(f"{outcome.measured} of {len(cells)} measured{why}, USD {outcome.spent_usd:.4f} spent: {book.folder}")
    if not outcome.is_gone:
        click.echo(f"the box is not known to be gone: `breakeven rent down {book.folder}`", err=True)
    return outcome.exit_code


@command.command(name="down")
@click.argument("folder", metavar="DIR", type=PATH)
def down_command(folder: Path) -> int:
    """End the box of a run now, whoever rented it and whatever it does; 1 where it is not known to be gone.

    \b
    Example:
      breakeven rent down results/20260801T120000Z-rent-llama
    """
    ledger = read_ledger(folder)
    plan = validate(RentPlan, ledger.plan, where=f"{folder}: plan")
    if ledger.box is None or ledger.phase == "gone":
        click.echo("nothing to end")
        return EXIT_DONE
    box = ledger.box.box()
    if not end_box(provider_of(plan), box, _say):
        return EXIT_FAILED
    click.echo(f"gone: {box.id}, USD {box.spent_usd():.4f}")
    return EXIT_DONE


def _keep(plan: RentPlan, plan_file: Path, folder: Path) -> None:
    """The plan and its scenarios, so that the run can go on from its folder alone."""
    (folder / PLAN_COPY).write_text(plan_file.read_text(encoding="utf-8"), encoding="utf-8")
    for name in plan.scenarios:
        beside = plan_file.parent / name
        if beside.is_file():
            for path in (beside, *sent_with(beside).values()):
                place = folder / path.relative_to(plan_file.parent)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)


def _say(text: str) -> None:
    click.echo(printable(text, 500), err=True)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A terminal that goes away ends the box too, as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGHUP, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
