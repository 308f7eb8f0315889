"""The options of `breakeven run`, checked before anything is started."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from harness.backends import BACKENDS
from harness.base.errors import UsageError
from harness.base.token import given_token
from harness.base.yamlfile import validate
from harness.cli.ca_file import check_ca_file
from harness.cli.demand_asked import demand_asked
from harness.cli.headers import parse_headers
from harness.cli.spending import budget_of, check_payable
from harness.cost.needed import needed_goodput
from harness.cost.own_prices import load_prices
from harness.demand.demand import demand_from_dict
from harness.engines import ENGINES
from harness.engines.endpoint import api_key_in, endpoint_url
from harness.engines.gpus.layout import Asked
from harness.load.remote.muster import address
from harness.pipeline.options import RunOptions
from harness.prices.catalog import find_instance, known_instance, quote_for, resolve_api
from harness.prices.price_file import InstanceRow, UserPrices
from harness.rundir.box import BoxFacts
from harness.rundir.files import read_json, read_manifest
from harness.rundir.manifest import LONGEST_MODEL, InstanceFacts, taken_as, with_boxes
from harness.scenario import Scenario, SearchLoad, TaskPrompts
from harness.scenario.prompt_survey import survey_prompts

ALL = "all"  # every engine that this machine can have, one after the other
EMBEDDED_ENGINE = "llama_cpp_python"
EMBEDDED_INSTANCE = "c7i.large"  # what a small CPU box rents for; the report says that it is assumed


def run_options(scenario: Scenario, base_dir: Path, given: dict[str, Any]) -> RunOptions:
    """Everything checked before anything is started."""
    urls = [endpoint_url(url) for url in given["urls"]]
    _check_each_once(urls)
    if urls and given["engine"]:
        raise UsageError("--url and --engine exclude each other", hint="--engine starts one, --url drives one")
    gpus = Asked(given["gpus"], given["tensor_parallel"], given["replicas"])
    if urls and gpus != Asked():
        raise UsageError(
            "--gpus, --tensor-parallel and --replicas are of an engine that is started here",
            hint="each replica that runs already is driven by a --url of its own; leave them out, or --url",
        )
    engine = None if urls else (given["engine"] or EMBEDDED_ENGINE)
    if given["backend"] == ALL and (urls or given["engine"]):
        raise UsageError("--backend all starts every engine itself", hint="leave --url and --engine out")
    asked = given["backend"] if given["backend"] != ALL else None
    backend = asked or (None if engine is None else ENGINES[engine].backend)
    if engine is not None and backend != ENGINES[engine].backend:
        raise UsageError(
            f"--backend {backend} does not fit --engine {engine}", hint=f"it speaks {ENGINES[engine].backend}"
        )
    if backend is not None and scenario.request.api not in BACKENDS[backend].apis:
        known = ", ".join(BACKENDS[backend].apis)
        raise UsageError(f"`request.api`: {backend} has no `{scenario.request.api}` route", hint=f"it has {known}")
    demand, people = demand_asked(given)
    prices = load_prices(given["prices_file"])
    for reference in given["apis"]:
        resolve_api(reference, prices)
    extra_body, budget = _extra_body(given["extra_body"]), budget_of(given, prices, scenario)
    if budget is not None:
        check_payable(budget.spending, scenario, backend, extra_body)
    if given["ca_file"] is not None and not given["ca_file"].is_file():
        raise UsageError(f"--ca-file: no such file: {given['ca_file']}")
    check_ca_file(given["ca_file"])
    if given["usd_per_hour"] is not None and not math.isfinite(given["usd_per_hour"]):
        raise UsageError(f"--usd-per-hour must be a finite number, got {given['usd_per_hour']}")
    if len(given["model"] or "") > LONGEST_MODEL:
        raise UsageError(f"--model has {len(given['model']):,} characters, at most {LONGEST_MODEL:,}")
    api_key_in(given["api_key_env"])
    survey_prompts(scenario, base_dir)
    _check_tasks(scenario, given, prices)
    instance, notes = _instance(engine, given)
    box, facts = known_instance(instance["id"], prices), _box_facts(given["box_facts"])
    notes += _other_box(box, facts)
    if given["prompts_of"]:
        notes.append(f"The prompts are those of {given['prompts_of'].name} again: a server's cache may know them.")
    return RunOptions(
        scenario=scenario,
        base_dir=base_dir,
        backend=backend,
        out_dir=given["out_dir"],
        urls=urls,
        engine=engine,
        gpus=gpus,
        model=given["model"] or (budget.model if budget is not None else None),
        weights=given["weights"],
        quantization=given["quantization"],
        instance=instance,
        box_gpus=box.gpu_count if box is not None else None,
        box_facts=facts,
        arms=given["apis"],
        demand=demand,
        people=people,
        headers=parse_headers(given["headers"], has_key=given["api_key_env"] is not None),
        api_key_env=given["api_key_env"],
        ca_file=str(given["ca_file"]) if given["ca_file"] else None,
        extra_body=extra_body,
        budget=budget,
        keep_arrivals=given["arrivals"],
        preflight=not given["no_preflight"],
        gpu_urls=[endpoint_url(url).removesuffix("/metrics") for url in given["gpu_urls"]],
        **_workers(given),
        **_prompts_of(scenario, given["prompts_of"]),
        notes=notes,
        with_functions=True,
    )


def _workers(given: Mapping[str, Any]) -> dict[str, Any]:
    """How many load processes in all, how many of them elsewhere, and where those connect to."""
    remote = given["remote_workers"]
    here = given["workers"] if given["workers"] is not None else (0 if remote else 1)
    if not here + remote:
        raise UsageError("--workers 0 leaves nobody to drive the load", hint="--workers 1, or --remote-workers N")
    if remote and not given["urls"]:
        raise UsageError("--remote-workers drive an endpoint that they can reach", hint="name it with --url")
    address(given["listen"])
    token = given_token(given["token_env"], given["token_file"]) or ""
    return {"workers": here + remote, "remote_workers": remote, "listen": given["listen"], "token": token}


def _check_tasks(scenario: Scenario, given: Mapping[str, Any], prices: UserPrices) -> None:
    """Whoever helps a task run out can be asked, before anything is.

    Raises:
        UsageError: a URL, a key or a price of theirs that cannot be used, or load processes elsewhere.
    """
    spec = scenario.prompts
    if not isinstance(spec, TaskPrompts):
        return
    if given["remote_workers"]:
        raise UsageError(
            "--remote-workers do not drive a task run: its tasks are dealt out on one machine", hint="--workers N"
        )
    for key, other in (("escalate", spec.escalate), ("judge", spec.judge)):
        if other is not None:
            with said_of(f"`prompts.{key}`"):
                endpoint_url(other.url)
                api_key_in(other.api_key_env)
                if other.api is not None:
                    resolve_api(other.api, prices)


@contextmanager
def said_of(key: str) -> Iterator[None]:
    """What is wrong with a part of the scenario, though it is said as of an option."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{key}: {error}", hint=error.hint) from None


def _prompts_of(scenario: Scenario, run_dir: Path | None) -> dict[str, Any]:
    """The salt of the run whose prompts are to be sent again."""
    if run_dir is None:
        return {}
    manifest = read_manifest(run_dir)
    if manifest.salt is None:
        raise UsageError(f"--prompts-of {run_dir}: a run of an older version, which kept no salt")
    mine = scenario.model_dump(mode="json")
    for key in ("prompts", "seed"):
        if manifest.scenario.get(key) != mine[key]:
            raise UsageError(
                f"--prompts-of {run_dir}: its `{key}` is {manifest.scenario.get(key)}, the scenario's {mine[key]}",
                hint="its prompts come again only where both are the same",
            )
    return {"salt": manifest.salt, "prompts_of": run_dir.resolve().name}


def _check_each_once(urls: list[str]) -> None:
    """Two names of one server would be counted as two.

    Raises:
        UsageError: a URL that is given twice.
    """
    seen: set[str] = set()
    for url in urls:
        address = url.removesuffix("/v1").lower()
        if address in seen:
            raise UsageError(f"--url {url} is given twice", hint="each replica once; --workers N shares the load")
        seen.add(address)


def _instance(engine: str | None, given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the box is, and what about it is assumed."""
    name, notes = given["instance"], []
    if name is None and engine is not None and given["usd_per_hour"] is None:
        name = EMBEDDED_INSTANCE
        notes.append(f"No --instance was given: this machine is priced as a {name}, which is assumed.")
    replicas, ours = given["replicas_per_instance"], given["replicas"] or 1
    if replicas is not None and replicas < ours:
        raise UsageError(f"--replicas {ours} are started on this instance, --replicas-per-instance says {replicas}")
    instance = {
        "id": name,
        "purchase": given["purchase"],
        "usd_per_hour": given["usd_per_hour"],
        "replicas": 1,  # of one instance, where nothing else was said
        "replicas_driven": max(len(given["urls"]), ours),
        "boxes": None,
    }
    is_one_box = ours > 1 and given["boxes"] is None and replicas is None  # all that one start made
    instance = with_boxes(instance, 1 if is_one_box else given["boxes"], replicas)
    facts = InstanceFacts.model_validate(instance)
    said = taken_as(facts.driven, facts.per_instance, facts.instances)
    if said and not is_one_box:
        notes.append(f"{said}, as asked for: the goodput of one is assumed to be its share.")
    return instance, notes


def _box_facts(path: Path | None) -> BoxFacts | None:
    return validate(BoxFacts, read_json(path.parent, path.name), where=str(path)) if path is not None else None


def _other_box(named: InstanceRow | None, facts: BoxFacts | None) -> list[str]:
    """A word on a box that its cloud calls another type than it is priced as."""
    told = facts.instance if facts is not None else None
    if named is None or told is None or told.type is None or named.provider != told.cloud or named.id == told.type:
        return []
    return [f"The box is a {told.type}, as its cloud says, and it is priced as a {named.id}."]


def hourly_usd(options: RunOptions, prices_file: Path | None) -> float | None:
    """USD per hour of all boxes driven: the user's own price, else the catalogue's; None where no box is named."""
    own, boxes = options.instance["usd_per_hour"], InstanceFacts.model_validate(options.instance).instances
    if own is None and options.instance["id"] is None:
        return None
    if own is None:
        found = find_instance(options.instance["id"], load_prices(prices_file))
        own = quote_for(found, options.instance["purchase"]).usd_per_hour
    return float(own) * math.ceil(boxes or 1)


def goodput_to_reach(options: RunOptions, prices_file: Path | None) -> Mapping[str, float | None]:
    """What a search may stop at: known when it is told both what to serve and what to compare with."""
    is_search = isinstance(options.scenario.load, SearchLoad)
    has_price = options.instance["id"] or options.instance["usd_per_hour"]
    if not is_search or not options.arms or options.demand is None or not has_price:
        return {}
    demand = demand_from_dict(dict(options.demand))
    return needed_goodput(options.instance, options.arms, demand, prices_file=prices_file)


def _extra_body(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"--extra-body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise UsageError(
            f"--extra-body is a JSON {type(data).__name__}, expected an object", hint="""--extra-body '{"top_k": 1}'"""
        )
    return data
