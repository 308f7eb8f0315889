"""Method and provenance: where every number came from, what ran, and how to get it again."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.base.rounding import NA, whole
from harness.calibration.quote import quote
from harness.report.measured.steps import slo_words
from harness.report.model import Block, Cell, Code, Field, Table, Text, table_of
from harness.report.text import clean, number
from harness.report.trust.origins import origins_table
from harness.rundir.decision import Decision
from harness.rundir.results import Metrics
from harness.scenario import Slo

_TAKE_SCENARIO = 'import json,sys; json.dump(json.load(open(sys.argv[1]))["scenario"], open(sys.argv[2], "w"))'


def provenance_blocks(
    run_dir: Path, run: Mapping[str, Any], metrics: Metrics, decision: Decision | None
) -> tuple[Block, ...]:
    """The last section: numbers with their origin, engine, client, how to reproduce."""
    blocks: list[Block] = [
        Text(_method(run)),
        origins_table(metrics, decision),
        _facts("The engine, as it reports itself", _engine_facts(run)),
        _facts("The client and the run", _client_facts(run, metrics)),
        Text("The same work again; the scenario is kept in run.json:"),
        Code("\n".join(reproduce(run_dir, run))),
    ]
    notes = [clean(note) for note in run.get("notes") or []]
    return (*blocks, *(Text(f"Note: {note}") for note in notes))


def _method(run: Mapping[str, Any]) -> str:
    scenario = run.get("scenario") or {}
    loop, begin = _loop(scenario.get("load") or {})
    return (
        f"{loop}TTFT runs from {begin} to the first event with a generated token; TPOT is the time from first to "
        "last token over the tokens after the first; E2E runs to the last token's event. Tokens and seconds of a "
        "rate come from the same window. Failed requests keep their row, use capacity and give no tokens to "
        f"goodput. SLO: {slo_words(Slo.model_validate(scenario.get('slo') or {}))}."
    )


def _loop(load: Mapping[str, Any]) -> tuple[str, str]:
    """How the load is driven, and from which instant latencies run."""
    kind = load.get("kind")
    if kind == "closed" or load.get("over") == "users":
        said = "Closed loop: each user sends its next request when the last one ended. "
        return said, "the first byte sent"
    if kind is None:
        return "", "the first byte sent"
    said = "Open loop: requests are sent when they are due, whatever is in flight. "
    return said, "the instant the request was due (waiting for a free client is the user's wait)"


def _engine_facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    engine, instance = run.get("engine") or {}, run.get("instance") or {}
    facts = [
        ("backend", _or_unknown(run.get("backend"))),
        (
            "engine",
            " ".join(clean(engine[key]) for key in ("name", "version") if engine.get(key)) or "unknown: it did not say",
        ),
        ("flags", _flags(engine.get("flags"))),
        ("model", _or_unknown(run.get("model"))),
        ("quantisation", _or_unknown(run.get("quantization"))),
        ("instance", clean(instance.get("id") or "unknown") + _replicas(instance)),
    ]
    return facts + [("URL", clean(url)) for url in run.get("urls") or []]


def _replicas(instance: Mapping[str, Any]) -> str:
    replicas = number(instance.get("replicas"))
    return f", {whole(replicas)} replicas" if replicas and replicas > 1 else ""


def _or_unknown(value: Any) -> str:
    return clean(value) if value else "unknown: the engine did not say"


def _flags(flags: Any) -> str:
    if not flags:
        return "unknown: the engine did not say"
    if isinstance(flags, Mapping):
        return "; ".join(f"{clean(key)}={_flag(value)}" for key, value in flags.items())
    return "; ".join(_flag(value) for value in flags) if isinstance(flags, list | tuple) else clean(flags)


def _flag(value: Any) -> str:
    return clean(value if isinstance(value, str) else json.dumps(value, default=str))


def _client_facts(run: Mapping[str, Any], metrics: Metrics) -> list[tuple[str, str]]:
    facts = [
        ("started", clean(run.get("started_at") or NA)),
        ("seed", clean(run["seed"]) if run.get("seed") is not None else NA),
        ("scenario digest", clean(run.get("scenario_digest") or NA)),
        ("breakeven", clean(run.get("harness_version") or NA)),
        ("git revision", clean(run.get("git_revision") or "unknown: not run from a checkout")),
    ]
    client = run.get("client") or {}
    elsewhere = client.get("remote_workers") or []
    if len(elsewhere) < (number(client.get("workers")) or 1):
        facts.append(("client error", _client_error(client.get("calibration"), metrics)))
    facts += [_worker_elsewhere(worker, client, metrics) for worker in elsewhere]
    shown_apart = {"calibration", "remote_workers"}
    told = {key: value for key, value in client.items() if key not in shown_apart and value not in (None, [], {})}
    return facts + [(f"client {clean(key).replace('_', ' ')}", _flag(value)) for key, value in told.items()]


def _worker_elsewhere(worker: Mapping[str, Any], client: Mapping[str, Any], metrics: Metrics) -> tuple[str, str]:
    """A load process on another machine: where, how its clock stands to ours, what it adds."""
    clock = worker.get("clock") or {}
    known, moved, moved_error = (
        f"{x * 1000:.2f} ms" if x is not None else NA
        for x in (number(clock.get(key)) for key in ("error_s", "moved_s", "moved_error_s"))
    )
    adds = _client_error(worker.get("calibration"), metrics, int(number(client.get("workers")) or 1))
    return (
        f"client worker {(number(worker.get('worker')) or 0) + 1:.0f}",
        f"{clean(worker.get('host') or NA)}, {clean(worker.get('cores') or NA)} cores; its clock is known to {known} "
        f"and moved {moved} (give or take {moved_error}) during the run; {adds}",
    )


def _client_error(calibration: Any, metrics: Metrics, processes: int = 1) -> str:
    """What the client that measured adds at the run's heaviest load, from its own calibration.

    One of several `processes` on as many machines has its share of that load.
    """
    if not isinstance(calibration, Mapping) or "levels" not in calibration:
        return "not calibrated: `breakeven calibrate` on the machine that drives the load tells it"
    streams = max((step.peak_in_flight or 0 for step in metrics.steps), default=0)
    tokens_per_s = max((step.output_tokens_per_s or 0.0 for step in metrics.steps), default=0.0)
    return quote(calibration, math.ceil(streams / processes), tokens_per_s / processes)


def _facts(caption: str, facts: list[tuple[str, str]]) -> Table:
    value: Field[tuple[str, str]] = ("value", None, lambda fact: Cell(fact[1], code=True))
    return table_of(caption, facts, ("what", None, lambda fact: fact[0]), value)


def reproduce(run_dir: Path, run: Mapping[str, Any]) -> list[str]:
    """Shell lines that measure the same again and that render this report again.

    Everything is quoted for the shell: a URL or a model's name comes from outside.
    """
    scenario = run.get("scenario") or {}
    file = f"{clean(scenario.get('name') or 'scenario')}.json"
    take = shlex.join(["python3", "-c", _TAKE_SCENARIO, f"{run_dir.name}/run.json", file])
    command = ["breakeven", "run", file, *_endpoint(run), *_box(run.get("instance") or {})]
    command += [part for arm in run.get("arms") or [] for part in ("--api", clean(arm))]
    return [take, shlex.join(command), shlex.join(["breakeven", "report", run_dir.name])]


def _endpoint(run: Mapping[str, Any]) -> list[str]:
    """An engine that was started for the run is started again; any other is found at its address."""
    engine, client = run.get("engine") or {}, run.get("client") or {}
    if "slots" in engine and engine.get("name"):
        return ["--engine", clean(engine["name"])]
    options = ["--backend", clean(run["backend"])] if run.get("backend") else []
    options += [part for url in run.get("urls") or [] for part in ("--url", clean(url))]
    options += ["--model", clean(run["model"])] if run.get("model") else []
    options += [part for name in client.get("header_names") or [] for part in ("--header", f"{clean(name)}=...")]
    body = client.get("extra_body")
    return options + (["--extra-body", clean(json.dumps(body))] if body else [])


def _box(instance: Mapping[str, Any]) -> list[str]:
    named = (("--instance", "id"), ("--purchase", "purchase"), ("--usd-per-hour", "usd_per_hour"))
    options = [part for option, key in named if instance.get(key) for part in (option, clean(instance[key]))]
    replicas, driven = number(instance.get("replicas")), number(instance.get("replicas_driven"))
    if replicas and driven and replicas != driven:
        options += ["--replicas-per-instance", whole(replicas)]
    return options
