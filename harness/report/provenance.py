"""Method and provenance: where every number came from, what ran, and how to get it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.report.measured import goodput_words, load_words, slo_words, window_s
from harness.report.model import Block, Cell, Code, Column, Row, Table, Text
from harness.report.money import instance_words, source_of
from harness.report.text import NA, amount, clean, number, percent, price, significant, volume, whole

_TAKE_SCENARIO = (
    'import json,sys; json.dump(json.load(open(sys.argv[1]))["scenario"], open(sys.argv[2], "w"))'
)
_SIDE_BY_SIDE = (Column("what", right=False), Column("value", right=False))


def provenance_blocks(
    run_dir: Path, run: Mapping[str, Any], metrics: Mapping[str, Any], decision: Mapping[str, Any] | None
) -> tuple[Block, ...]:
    """The last section: numbers with their origin, engine, client, how to reproduce."""
    blocks: list[Block] = [
        Text(_method(run)),
        _origins(metrics, decision),
        _facts("The engine, as it reports itself", _engine_facts(run)),
        _facts("The client and the run", _client_facts(run)),
        Text("The same work again; the scenario is kept in run.json:"),
        Code("\n".join(reproduce(run_dir, run))),
    ]
    notes = [clean(note) for note in run.get("notes") or []]
    return (*blocks, *(Text(f"Note: {note}") for note in notes))


def _method(run: Mapping[str, Any]) -> str:
    scenario = run.get("scenario") or {}
    kind = (scenario.get("load") or {}).get("kind")
    loop = {
        "closed": "Closed loop: each user sends its next request when the last one ended. ",
        "open": "Open loop: requests are sent when they are due, whatever is in flight. ",
    }.get(str(kind), "")
    return (
        f"{loop}TTFT runs from the first byte sent to the first event with a generated token; TPOT is the "
        "time from first to last token over the tokens after the first; E2E runs to the last token's event. "
        "Tokens and seconds of a rate come from the same window. Failed requests keep their row, use "
        f"capacity and give no tokens to goodput. SLO: {slo_words(scenario.get('slo'))}."
    )


def _origins(metrics: Mapping[str, Any], decision: Mapping[str, Any] | None) -> Table:
    rows = [
        *_measured_rows(metrics),
        *(_listed_rows(decision) if decision else []),
        *(_assumed_rows(decision) if decision else []),
    ]
    return Table(
        caption="Every number that the verdict rests on",
        columns=(
            Column("number", right=False),
            Column("value", right=False),
            Column("origin", right=False),
            Column("source", right=False),
        ),
        rows=tuple(Row(tuple(Cell(text) for text in row)) for row in rows),
    )


def _measured_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    goodput = metrics.get("goodput") or {}
    step = next((s for s in metrics.get("steps") or [] if s.get("step") == goodput.get("step")), None)
    where = "no step met the SLO"
    if step is not None:
        where = (
            f"step {whole(step.get('step'))}, {load_words(step)}, {significant(window_s(step))} s window, "
            f"{whole(step.get('requests'))} requests"
        )
    rows = [("goodput", goodput_words(metrics).removeprefix("goodput").lstrip(": "), "measured", where)]
    if step is not None:
        sent, got = step.get("mean_input_tokens"), step.get("mean_output_tokens")
        lengths = f"{significant(sent)} in / {significant(got)} out"
        rows.append(("mean tokens of a request", lengths, "measured", where))
    return rows


def _listed_rows(decision: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    instance = (decision.get("self_host") or {}).get("instance") or {}
    origin = "listed" if instance.get("source") else "assumed"
    rows = [
        (
            f"{clean(instance.get('id') or 'instance')}, {instance_words(instance) or 'place unknown'}",
            f"{price(instance.get('usd_per_hour'))} USD/h",
            origin,
            _source(instance),
        )
    ]
    for arm in decision.get("arms") or []:
        listed = arm.get("price") or {}
        cached = number(listed.get("cached_input_usd_per_mtok"))
        value = (
            f"{price(listed.get('input_usd_per_mtok'))} in / {price(listed.get('output_usd_per_mtok'))} out"
            f"{f' / {price(cached)} cached' if cached is not None else ''} USD per Mtok"
        )
        resolved = "/".join(clean(arm[key]) for key in ("provider", "model") if arm.get(key))
        rows.append(
            (
                resolved or clean(arm.get("name")),
                value,
                "listed" if listed.get("source") else "assumed",
                _source(listed),
            )
        )
    return rows


def _source(listed: Mapping[str, Any]) -> str:
    return source_of(listed).replace("\n", ", ")


def _assumed_rows(decision: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    arm = next(iter(decision.get("arms") or []), None)
    given = (arm or {}).get("input") or {}
    work, box = given.get("workload") or {}, given.get("self_host") or {}
    name = (decision.get("demand") or {}).get("name")
    demand = f"demand {clean(name)}" if name else "demand"
    tasks = number(work.get("tasks_per_month"))
    profile = work.get("hourly_profile")
    rows = [
        ("tasks a month", "not given" if tasks is None else volume(tasks), demand),
        ("task", _classes(work.get("classes")), demand),
        ("retries", f"{percent(work.get('retry_failure_rate'))} fail, {_most(work)}", demand),
        (
            "response cache",
            f"{percent(work.get('response_cache_hit_rate'))} of tasks answered from it",
            demand,
        ),
        (
            "peak to mean",
            f"from {len(profile)} hourly weights" if profile else significant(work.get("peak_to_mean")),
            demand,
        ),
        ("load limit", f"{percent(box.get('max_load'))} of goodput at the peak", "decision input"),
        ("instances at least", whole(box.get("min_instances")), "decision input"),
        ("fixed cost, self-host", f"{amount(box.get('fixed_usd_per_month'))} USD a month", demand),
        (
            "tokens of the same text",
            "1.0 × the measured model's, for every arm",
            "tokenizers were not compared",
        ),
    ]
    return [(what, value, "assumed", source) for what, value, source in rows] if arm else []


def _classes(classes: Any) -> str:
    shown = [
        f"{clean(c.get('name') or 'task')} {whole(c.get('input_tokens'))} in / "
        f"{whole(c.get('output_tokens'))} out"
        + (f", weight {significant(c.get('weight'))}" if len(classes) > 1 else "")
        for c in classes or []
    ]
    return "; ".join(shown) or NA


def _most(work: Mapping[str, Any]) -> str:
    most = work.get("max_retries")
    if most is None:
        return "retried until success"
    return f"retried at most {whole(most)} times" if most else "none retried"


def _engine_facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    engine, instance = run.get("engine") or {}, run.get("instance") or {}
    facts = [
        ("backend", _or_unknown(run.get("backend"))),
        (
            "engine",
            " ".join(clean(engine[key]) for key in ("name", "version") if engine.get(key))
            or "unknown: it did not say",
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


def _client_facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("started", clean(run.get("started_at") or NA)),
        ("seed", clean(run["seed"]) if run.get("seed") is not None else NA),
        ("scenario digest", clean(run.get("scenario_digest") or NA)),
        ("breakeven", clean(run.get("harness_version") or NA)),
        ("git revision", clean(run.get("git_revision") or "unknown: not run from a checkout")),
    ]
    client = run.get("client") or {}
    calibration = client.get("calibration")
    facts.append(("client error", _flags(calibration) if calibration else "not calibrated on this machine"))
    return facts + [
        (f"client {clean(key)}", _flag(value)) for key, value in client.items() if key != "calibration"
    ]


def _facts(caption: str, facts: list[tuple[str, str]]) -> Table:
    return Table(
        caption, _SIDE_BY_SIDE, tuple(Row((Cell(what), Cell(value, code=True))) for what, value in facts)
    )


def reproduce(run_dir: Path, run: Mapping[str, Any]) -> list[str]:
    """Shell lines that measure the same again and that render this report again.

    Everything is quoted for the shell: a URL or a model's name comes from outside.
    """
    scenario = run.get("scenario") or {}
    file = f"{clean(scenario.get('name') or 'scenario')}.json"
    command = ["breakeven", "run", file]
    urls = [clean(url) for url in run.get("urls") or []]
    if run.get("backend"):
        command += ["--backend", clean(run["backend"])]
    instance = run.get("instance") or {}
    for option, key in (("--instance", "id"), ("--purchase", "purchase")):
        if instance.get(key):
            command += [option, clean(instance[key])]
    command += [part for url in urls for part in ("--url", url)]
    command += [part for arm in run.get("arms") or [] for part in ("--api", clean(arm))]
    take = shlex.join(["python3", "-c", _TAKE_SCENARIO, f"{run_dir.name}/run.json", file])
    return [take, shlex.join(command), shlex.join(["breakeven", "report", run_dir.name])]
