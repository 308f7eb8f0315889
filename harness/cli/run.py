"""`breakeven run`: measure, analyse, report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import orjson

from harness.analyse import Analysis, analyse_run
from harness.backends import BACKENDS
from harness.cli import complain
from harness.cli.progress import RunDisplay
from harness.cli.report import as_dict, print_analyses
from harness.cli.run_all import run_all
from harness.cost.needed import needed_goodput
from harness.demand import demand_from_dict, load_demand
from harness.engines import ENGINES
from harness.errors import EXIT_INTERRUPTED, UsageError
from harness.estimate import estimate
from harness.measure import Measured, RunOptions, measure
from harness.prices.catalog import find_instance, load_user_prices, quote_for, resolve_api
from harness.prices.record import PURCHASES
from harness.scenario import Scenario, SearchLoad, find_scenario, load_scenario

QUICKSTART = "quickstart"
ALL = "all"  # every engine that this machine can have, one after the other
EMBEDDED_ENGINE = "llama_cpp_python"
EMBEDDED_INSTANCE = "c7i.large"  # what a small CPU box rents for; the report says that it is assumed

_PATH = click.Path(path_type=Path)


@click.command(name="run")
@click.argument("scenario", default=QUICKSTART)
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="Endpoint to drive; several are replicas of one model.",
)
@click.option(
    "--backend",
    type=click.Choice([*sorted(BACKENDS), ALL]),
    help="Its dialect.  [default with --url: openai]",
)
@click.option("--engine", type=click.Choice(sorted(ENGINES)), help="Engine to start when there is no --url.")
@click.option("--model", help="Model name to ask for; for an engine we start, a model file.")
@click.option(
    "--instance", metavar="ID", help="What the box is, e.g. g5.12xlarge; `breakeven prices list` shows all."
)
@click.option("--purchase", type=click.Choice(PURCHASES), default="on_demand", show_default=True)
@click.option(
    "--usd-per-hour", type=click.FloatRange(min=0, min_open=True), help="Your own price of the box."
)
@click.option(
    "--replicas-per-instance",
    type=click.IntRange(min=1),
    help="One of N equal replicas is driven: goodput x N.",
)
@click.option(
    "--api", "apis", multiple=True, metavar="PROVIDER:MODEL", help="API to compare with; may be repeated."
)
@click.option("--demand", "demand_file", type=_PATH, help="Monthly demand to price (YAML).")
@click.option(
    "--prices", "prices_file", type=_PATH, help="Your own prices (YAML); they win over the catalogue's."
)
@click.option(
    "--out",
    "out_dir",
    type=_PATH,
    default=Path("results"),
    show_default=True,
    help="Parent of the run's directory.",
)
@click.option(
    "--header", "headers", multiple=True, metavar="K=V", help="Sent with every request; never written down."
)
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the bearer token.")
@click.option("--ca-file", type=_PATH, help="CA certificates (PEM) for https.")
@click.option("--extra-body", metavar="JSON", help="Keys added to every request's JSON body.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Load processes; each takes its exact share of users or arrivals.",
)
@click.option(
    "--gpu-metrics",
    "gpu_urls",
    multiple=True,
    metavar="URL",
    help="DCGM-exporter of the box that serves, e.g. http://box:9400.  [this machine's GPUs need none]",
)
@click.option("--arrivals", is_flag=True, help="Keep every token's arrival (arrivals.parquet), for ITL.")
@click.option("--dry-run", is_flag=True, help="Say what it would take: requests, tokens, seconds, USD.")
@click.option("--json", "as_json", is_flag=True, help="Print the metrics and the decision as JSON.")
def command(scenario: str, dry_run: bool, as_json: bool, **given: Any) -> int:
    """Measure what an endpoint serves under SCENARIO, and say what that costs and when it pays.

    SCENARIO is a YAML file or the name of a bundled one. With no argument and no --url: the quickstart on an
    embedded engine, no GPU needed.

    \b
    Examples:
      breakeven run
      breakeven run chat.yaml --url http://127.0.0.1:8000 --backend vllm --instance g5.12xlarge
      breakeven run chat.yaml --url https://api.example.com --api-key-env API_KEY --model some-model
      breakeven run chat.yaml --backend all --instance c7i.large
      breakeven run chat.yaml --url http://127.0.0.1:8000 --backend vllm --dry-run
    """
    path = find_scenario(scenario)
    options = _options(load_scenario(path), path.parent, given)
    usd_per_hour = _usd_per_hour(options, given["prices_file"])
    if dry_run:
        _print_estimate(options, usd_per_hour, as_json=as_json)
        return 0
    if given["backend"] == ALL:
        return run_all(options, lambda own: _run_one(own, given, as_json=as_json)[1], complain)
    measured, analysis = _run_one(options, given, as_json=as_json)
    if analysis.decision is None:
        click.echo("nothing was priced: say what the box is with --instance ID or --usd-per-hour", err=True)
    if measured.failure is not None:
        complain(measured.failure)
        return measured.failure.exit_code
    return EXIT_INTERRUPTED if measured.interrupted else analysis.exit_code


def _run_one(options: RunOptions, given: dict[str, Any], *, as_json: bool) -> tuple[Measured, Analysis]:
    """Measure, analyse and print one run."""
    usd_per_hour = _usd_per_hour(options, given["prices_file"])
    needed = _needed_goodput(options, given["prices_file"])
    measured = _measure(replace(options, usd_per_hour=usd_per_hour, needed_goodput=needed), usd_per_hour)
    analysis = analyse_run(
        measured.run_dir,
        apis=given["apis"],
        demand_file=given["demand_file"],
        prices_file=given["prices_file"],
    )
    if as_json:
        click.echo(json.dumps(as_dict(analysis)))
    else:
        print_analyses([analysis])
    return measured, analysis


def _options(scenario: Scenario, base_dir: Path, given: dict[str, Any]) -> RunOptions:
    """Everything checked before anything is started."""
    urls = [_url(url) for url in given["urls"]]
    if urls and given["engine"]:
        raise UsageError(
            "--url and --engine exclude each other", hint="--engine starts one, --url drives one"
        )
    engine = None if urls else (given["engine"] or EMBEDDED_ENGINE)
    if given["backend"] == ALL and (urls or given["engine"]):
        raise UsageError("--backend all starts every engine itself", hint="leave --url and --engine out")
    asked = given["backend"] if given["backend"] != ALL else None
    backend = asked or ("openai" if engine is None else ENGINES[engine].backend)
    if engine is not None and backend != ENGINES[engine].backend:
        raise UsageError(
            f"--backend {backend} does not fit --engine {engine}", hint=f"it speaks {ENGINES[engine].backend}"
        )
    if scenario.request.api not in BACKENDS[backend].apis:
        known = ", ".join(BACKENDS[backend].apis)
        raise UsageError(
            f"`request.api`: {backend} has no `{scenario.request.api}` route", hint=f"it has {known}"
        )
    demand = load_demand(given["demand_file"]).to_dict() if given["demand_file"] else None
    prices = load_user_prices(given["prices_file"]) if given["prices_file"] else None
    for reference in given["apis"]:
        resolve_api(reference, prices)
    if given["ca_file"] is not None and not given["ca_file"].is_file():
        raise UsageError(f"--ca-file: no such file: {given['ca_file']}")
    instance, notes = _instance(engine, given)
    return RunOptions(
        scenario=scenario,
        base_dir=base_dir,
        backend=backend,
        out_dir=given["out_dir"],
        urls=urls,
        engine=engine,
        model=given["model"],
        instance=instance,
        arms=given["apis"],
        demand=demand,
        headers=_headers(given["headers"]),
        api_key_env=_api_key_env(given["api_key_env"]),
        ca_file=str(given["ca_file"]) if given["ca_file"] else None,
        extra_body=_extra_body(given["extra_body"]),
        keep_arrivals=given["arrivals"],
        gpu_urls=[_url(url).removesuffix("/metrics") for url in given["gpu_urls"]],
        workers=given["workers"],
        notes=notes,
    )


def _instance(engine: str | None, given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the box is, and what about it is assumed."""
    name, notes = given["instance"], []
    if name is None and engine is not None and given["usd_per_hour"] is None:
        name = EMBEDDED_INSTANCE
        notes.append(f"No --instance was given: this machine is priced as a {name}, which is assumed.")
    replicas = given["replicas_per_instance"]
    if replicas:
        notes.append(
            f"One of {replicas} equal replicas was driven: the instance's goodput is its {replicas}-fold, assumed."
        )
    instance = {
        "id": name,
        "purchase": given["purchase"],
        "usd_per_hour": given["usd_per_hour"],
        "replicas": replicas or 1,  # goodput is multiplied by it
        "replicas_driven": max(len(given["urls"]), 1),
    }
    return instance, notes


def _usd_per_hour(options: RunOptions, prices_file: Path | None) -> float | None:
    own = options.instance["usd_per_hour"]
    if own is not None or options.instance["id"] is None:
        return float(own) if own is not None else None
    prices = load_user_prices(prices_file) if prices_file else None
    return quote_for(find_instance(options.instance["id"], prices), options.instance["purchase"]).usd_per_hour


def _needed_goodput(options: RunOptions, prices_file: Path | None) -> Mapping[str, float | None]:
    """What a search may stop at: known when it is told both what to serve and what to compare with."""
    is_search = isinstance(options.scenario.load, SearchLoad)
    has_price = options.instance["id"] or options.instance["usd_per_hour"]
    if not is_search or not options.arms or options.demand is None or not has_price:
        return {}
    demand = demand_from_dict(dict(options.demand))
    return needed_goodput(options.instance, options.arms, demand, prices_file=prices_file)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(
            f"--url `{text}` is not an http:// or https:// URL", hint="--url http://127.0.0.1:8000"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"--url {parts.scheme}://{parts.hostname}...: user, password, ? and # do not belong there",
            hint="a token goes in with --api-key-env NAME or --header K=V",
        )
    try:
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"--url `{text}`: {error}") from None
    return text.rstrip("/")


def _headers(pairs: Sequence[str]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        name = name.strip()
        if not separator or not name or any(c in name + value for c in "\r\n") or not name.isascii():
            raise UsageError(f"--header `{name}...` is not K=V", hint="--header 'X-Team=search'")
        headers[name] = value
    return headers


def _api_key_env(name: str | None) -> str | None:
    if name is not None and not os.environ.get(name):
        raise UsageError(
            f"--api-key-env {name}: no such environment variable, or it is empty", hint=f"export {name}=..."
        )
    return name


def _extra_body(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"--extra-body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(
            f"--extra-body is a JSON {type(data).__name__}, expected an object",
            hint="""--extra-body '{"top_k": 1}'""",
        )
    return data


def _measure(options: RunOptions, usd_per_hour: float | None) -> Measured:
    planned_s = estimate(options.scenario, None, options.base_dir)["seconds"]
    began = time.monotonic()
    with RunDisplay(planned_s, usd_per_hour) as display:
        measured = measure(options, display.on_event)
    click.echo(f"measured for {time.monotonic() - began:.0f} s, analysing", err=True)
    return measured


def _print_estimate(options: RunOptions, usd_per_hour: float | None, *, as_json: bool) -> None:
    plan = estimate(options.scenario, usd_per_hour, options.base_dir)
    if as_json:
        click.echo(json.dumps(plan))
        return
    low, high = plan["requests"]
    click.echo(
        f"{options.scenario.name}: {plan['seconds']:.0f} s of load in {plan['steps']} steps, nothing is sent now"
    )
    click.echo(f"  requests       {low:,} to {high:,}   ({plan['basis']})")
    for name in ("input_tokens", "output_tokens"):
        few, many = plan[name]
        click.echo(f"  {name.replace('_', ' '):14} {few:,} to {many:,}")
    usd = plan["instance_usd"]
    click.echo(
        f"  instance       {'n/a (no --instance)' if usd is None else f'USD {usd:.4f} at USD {usd_per_hour}/h'}"
    )
