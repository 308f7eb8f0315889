"""`breakeven run`: measure, analyse, report."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from harness.backends import BACKENDS
from harness.base.errors import EXIT_INTERRUPTED, UsageError
from harness.cli import complain
from harness.cli.dry_run import print_estimate, shape_note, start_notes
from harness.cli.gpu_options import gpu_options
from harness.cli.junit import junit_option, write_junit
from harness.cli.metrics_port import metrics_option, served
from harness.cli.options import BOXES, FACTS, PATH, demand_options, token_options, weights_options
from harness.cli.outputs import makeable
from harness.cli.progress import RunDisplay
from harness.cli.report import as_dict, print_analyses
from harness.cli.run_all import engines_here, run_all
from harness.cli.run_options import ALL, goodput_to_reach, hourly_usd, run_options
from harness.cli.run_repeat import run_repeat
from harness.cli.web_page import WebPage, web_option
from harness.engines import ENGINES
from harness.load.run_events import RunEvent
from harness.pipeline.analyse import Analysis, analyse_run
from harness.pipeline.measure import measure
from harness.pipeline.noting import spending_said
from harness.pipeline.options import Measured, RunOptions
from harness.prices.record import PURCHASES
from harness.scenario import find_scenario, load_scenario
from harness.scenario.estimate import estimate

QUICKSTART = "quickstart"


@click.command(name="run")
@click.argument("scenario", default=QUICKSTART)
@click.option(
    "--url", "urls", multiple=True, metavar="URL", help="Endpoint to drive; several are replicas of one model."
)
@click.option(
    "--backend",
    type=click.Choice([*sorted(BACKENDS), ALL]),
    help="Its dialect.  [default with --url: that of whoever answers]",
)
@click.option("--engine", type=click.Choice(sorted(ENGINES)), help="Engine to start when there is no --url.")
@gpu_options
@click.option("--model", help="Model name to ask for; for an engine we start, a model file.")
@weights_options
@click.option("--instance", metavar="ID", help="What the box is, e.g. g5.12xlarge; `breakeven prices list` shows all.")
@click.option("--box-facts", type=FACTS, hidden=True, help="What a rented box says of itself, for run.json.")
@click.option("--purchase", type=click.Choice(PURCHASES), default="on_demand", help="How the box is paid for.")
@click.option("--usd-per-hour", type=click.FloatRange(min=0, min_open=True), help="Your own price of the box.")
@click.option(
    "--replicas-per-instance", type=BOXES, help="An instance has N equal replicas, of which one a --url is driven."
)
@click.option("--boxes", type=BOXES, help="So many instances are what is driven.  [several --url need it to be priced]")
@click.option("--api", "apis", multiple=True, metavar="PROVIDER:MODEL", help="API to compare with; may be repeated.")
@click.option(
    "--max-usd",
    metavar="USD",
    help="Drive the first --api at --url, and never spend more: each request is reserved at its worst case.",
)
@demand_options
@click.option("--prices", "prices_file", type=PATH, help="Your own prices (YAML); they win over the catalogue's.")
@click.option(
    "--out", "out_dir", type=PATH, callback=makeable, default=Path("results"), help="Parent of the run's directory."
)
@click.option(
    "--header", "headers", multiple=True, metavar="NAME: VALUE", help="Sent with every request; never written down."
)
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the bearer token.")
@click.option("--ca-file", type=PATH, help="CA certificates (PEM) for https.")
@click.option("--extra-body", metavar="JSON", help="Keys added to every request's JSON body; null drops one.")
@click.option(
    "--workers",
    type=click.IntRange(0, 256),
    help="Load processes here; each takes its exact share of users or arrivals.  [default: 1, or 0 where"
    " --remote-workers drive]",
)
@click.option(
    "--remote-workers",
    type=click.IntRange(0, 256),
    default=0,
    show_default=False,
    help="Load processes of other machines to wait for: `breakeven worker --master ...` there.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:5557",
    help="Where they connect to: an address of this machine. Who has the token may, encrypted.",
)
@token_options
@click.option(
    "--gpu-metrics",
    "gpu_urls",
    multiple=True,
    metavar="URL",
    help="DCGM-exporter of the box that serves, e.g. http://box:9400.  [this machine's GPUs need none]",
)
@click.option("--arrivals", is_flag=True, help="Keep every token's arrival (arrivals.parquet), for ITL.")
@click.option(
    "--repeat",
    "times",
    type=click.IntRange(1, 100),
    default=1,
    help="Measure N times, each in a directory of its own; then mean, interval and spread.",
)
@click.option(
    "--prompts-of",
    type=PATH,
    metavar="RUN",
    help="Send the very prompts of an earlier run again, which a server's cache may know.  [default: new ones]",
)
@click.option(
    "--no-preflight", is_flag=True, help="Begin the load without one request of its own shape to each URL beforehand."
)
@click.option("--dry-run", is_flag=True, help="Say what it would take: requests, tokens, seconds, USD.")
@metrics_option
@web_option
@junit_option
@click.option("--json", "as_json", is_flag=True, help="Print the metrics and the decision as JSON.")
def command(scenario: str, times: int, dry_run: bool, as_json: bool, **given: Any) -> int:
    """Measure what an endpoint serves under SCENARIO, and say what that costs and when it pays.

    SCENARIO is a YAML file or the name of a bundled one. With no argument and no --url: the quickstart on an
    embedded engine, no GPU needed.

    \b
    Examples:
      breakeven run
      breakeven run chat.yaml --url http://127.0.0.1:8000 --backend vllm --instance g5.12xlarge
      breakeven run chat.yaml --url https://api.example.com --api-key-env API_KEY --model some-model
      breakeven run chat.yaml --url https://api.example.com --api openai:gpt-4o-mini --max-usd 2
      breakeven run chat.yaml --backend all --instance c7i.large
      breakeven run chat.yaml --url http://127.0.0.1:8000 --backend vllm --repeat 3
      breakeven run chat.yaml --url http://127.0.0.1:8000 --backend vllm --dry-run
    """
    path = find_scenario(scenario)
    options = run_options(load_scenario(path), path.parent, {**given, "times": times})
    if dry_run:
        engines = engines_here() if given["backend"] == ALL else [options.engine]
        notes = [] if options.urls else [note for name in engines for note in start_notes(options, name)]
        print_estimate(options, hourly_usd(options, given["prices_file"]), notes, as_json=as_json)
        return 0
    if times > 1 and given["prompts_of"]:
        raise UsageError("--repeat and --prompts-of exclude each other", hint="a repeat has lengths of its own")
    if times > 1 and given["backend"] == ALL:
        raise UsageError("--repeat and --backend all exclude each other", hint="name one --engine to repeat")
    done: list[Analysis] = []

    def run_one(own: RunOptions) -> tuple[Measured, Analysis]:
        measured, analysis = _run_one(own, given, as_json=as_json)
        done.append(analysis)
        write_junit(given["junit_file"], done)
        return measured, analysis

    if given["backend"] == ALL:
        return run_all(options, run_one)
    if times > 1:
        return run_repeat(times, lambda n: run_one(_repeated(options, n)), as_json=as_json)
    measured, analysis = run_one(options)
    if analysis.decision is None and analysis.metrics.steps and options.budget is None:
        click.echo("nothing was priced: say what the box is with --instance ID or --usd-per-hour", err=True)
    if measured.failure is not None:
        complain(measured.failure)
        return measured.failure.exit_code
    return EXIT_INTERRUPTED if measured.interrupted else analysis.exit_code


def _run_one(options: RunOptions, given: dict[str, Any], *, as_json: bool) -> tuple[Measured, Analysis]:
    """Measure, analyse and print one run."""
    usd_per_hour = hourly_usd(options, given["prices_file"])
    needed = goodput_to_reach(options, given["prices_file"])
    plan = estimate(options.scenario, None, options.base_dir)
    if plan["prompts"]:
        click.echo(f"prompts: {plan['prompts']}", err=True)
    if shape := shape_note(options, plan):
        click.echo(f"warning: {shape}", err=True)
    began = time.monotonic()
    max_usd = options.budget.driven.max_usd if options.budget is not None else None
    planned_s = plan["seconds"] if plan["tasks"] is None else None  # rounds take as long as they take
    labels = {"scenario": options.scenario.name, "backend": options.backend or "", "model": options.model or ""}
    with (
        served(given["metrics_place"], labels) as metrics,
        WebPage(given["web_place"]) as page,
        RunDisplay(planned_s, usd_per_hour, max_usd, options.scenario.slo) as display,
    ):

        def on_event(event: RunEvent) -> None:
            display.on_event(event)
            metrics.on_event(event)
            page.on_event(event)

        measured = measure(replace(options, usd_per_hour=usd_per_hour, needed_goodput=needed), on_event)
    click.echo(f"measured for {time.monotonic() - began:.0f} s, analysing", err=True)
    analysis = analyse_run(
        measured.run_dir, apis=given["apis"], demand_file=given["demand_file"], prices_file=given["prices_file"]
    )
    if analysis.run.driven is not None:
        click.echo(spending_said(analysis.run.driven), err=True)
    if as_json:
        click.echo(json.dumps(as_dict(analysis)))
    elif measured.failure is None or analysis.metrics.steps:
        print_analyses([analysis])
    else:
        click.echo(f"no load was sent; what was seen is in {measured.run_dir}", err=True)
    return measured, analysis


def _repeated(options: RunOptions, n: int) -> RunOptions:
    """The n-th repeat, from 0: lengths and arrivals are drawn afresh, else all of one draw's luck would be in each."""
    scenario = options.scenario
    return replace(options, scenario=scenario.model_copy(update={"seed": scenario.seed + n}))
