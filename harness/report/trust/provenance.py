"""Method and provenance: where every number came from, what ran, and how to get it again."""

import json
import math
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from harness.base.rounding import NA, significant, whole
from harness.base.units import MS_PER_S
from harness.calibration.quote import quote
from harness.report.measured.server import silence_words
from harness.report.measured.steps import goodput_words, slo_words
from harness.report.model import Block, Cell, Code, RunFiles, Table, Text, words_table
from harness.report.money.money import checked_words
from harness.report.text import clean, input_words, percent, price
from harness.rundir.decision import Decision
from harness.rundir.identity import BY_USER, SaidText
from harness.rundir.manifest import InstanceFacts, RunManifest
from harness.rundir.results import Metrics
from harness.scenario import Scenario

_TAKE_SCENARIO = 'import json,sys; json.dump(json.load(open(sys.argv[1]))["scenario"], open(sys.argv[2], "w"))'


_AGAIN = "The same work again; the scenario is kept in run.json:"


def provenance_blocks(files: RunFiles) -> tuple[Block, ...]:
    """The last section: numbers with their origin, engine, client, how to reproduce."""
    run, metrics = files.run, files.metrics
    return (
        *([] if run.imported is not None else [Text(_method(files.scenario))]),
        origins_table(metrics, files.decision),
        _facts("The engine, as it reports itself", _engine_facts(files)),
        _facts("The client and the run", _client_facts(run, metrics)),
        Text(_AGAIN if run.imported is None else "The same report again:"),
        Code("\n".join(reproduce(files))),
        *(Text(f"Note: {clean(note)}") for note in run.notes),
    )


def _method(scenario: Scenario) -> str:
    loop = "Closed loop: each user sends its next request when the last one ended"
    begin = "the first byte sent"
    if scenario.load.is_open:
        loop = "Open loop: requests are sent when they are due, whatever is in flight"
        begin = "the instant the request was due (waiting for a free client is the user's wait)"
    return (
        f"{loop}. TTFT runs from {begin} to the first event with a generated token; TPOT is the time from first to "
        "last token over the tokens after the first; E2E runs to the last token's event. Tokens and seconds of a "
        "rate come from the same window. Failed requests keep their row, use capacity and give no tokens to "
        f"goodput. SLO: {slo_words(scenario.slo)}."
    )


def _engine_facts(files: RunFiles) -> list[tuple[str, str]]:
    run, boxed = files.run, files.decision.self_host.instance.taken_as if files.decision is not None else ""
    return [
        ("engine that answered", files.engine or "unknown: it did not say"),
        ("dialect spoken (backend)", _or_unknown(run.backend)),
        *([("stands between", clean(run.via.words()))] if run.via is not None else []),
        ("flags", _flags(run.engine.get("flags"))),
        ("model", _or_unknown(run.model)),
        ("weights", _said(run.identity.weights if run.identity is not None else None)),
        ("quantisation", _or_unknown(run.quantization)),
        ("instance", (files.instance or "unknown") + (f", {boxed}" if boxed else "")),
        *([("box, as it says itself", clean(run.box.words()))] if run.box is not None else []),
        *([("its own counters", silent)] if (silent := silence_words(files.metrics)) else []),
        *(("URL", clean(url)) for url in run.urls),
    ]


def _or_unknown(value: Any) -> str:
    return clean(value) if value else "unknown: the engine did not say"


def _said(fact: SaidText | None) -> str:
    return "unknown: nobody said" if fact is None else f"{clean(fact.value)} (says {clean(fact.said_by)})"


def _by_user(fact: SaidText | None) -> list[str]:
    return [fact.value] if fact is not None and fact.said_by == BY_USER else []


def _flags(flags: Any) -> str:
    if not flags:
        return "unknown: the engine did not say"
    if isinstance(flags, Mapping):
        return "; ".join(f"{clean(key)}={_flag(value)}" for key, value in flags.items())
    return "; ".join(_flag(value) for value in flags) if isinstance(flags, list | tuple) else clean(flags)


def _flag(value: Any) -> str:
    return clean(value if isinstance(value, str) else json.dumps(value, default=str))


def _client_facts(run: RunManifest, metrics: Metrics) -> list[tuple[str, str]]:
    facts = [
        ("started", clean(run.started_at)),
        ("seed", str(run.seed)),
        ("scenario digest", clean(run.scenario_digest)),
        ("breakeven", clean(run.harness_version)),
        ("git revision", clean(run.git_revision or "unknown: not run from a checkout")),
    ]
    elsewhere, processes = run.client.get("remote_workers") or [], run.client.get("workers") or 1
    if len(elsewhere) < processes:
        facts.append(("client error", _client_error(run.client.get("calibration"), metrics)))
    facts += [_worker_elsewhere(worker, processes, metrics) for worker in elsewhere]
    shown_apart = {"calibration", "remote_workers"}
    told = {key: value for key, value in run.client.items() if key not in shown_apart and value not in (None, [], {})}
    return facts + [(f"client {clean(key).replace('_', ' ')}", _flag(value)) for key, value in told.items()]


def _worker_elsewhere(worker: Mapping[str, Any], processes: int, metrics: Metrics) -> tuple[str, str]:
    """A load process on another machine: where, how its clock stands to ours, what it adds."""
    clock = worker["clock"] or {}
    known, moved, moved_error = (
        NA if clock.get(key) is None else f"{clock[key] * MS_PER_S:.2f} ms"
        for key in ("error_s", "moved_s", "moved_error_s")
    )
    adds = _client_error(worker["calibration"], metrics, processes)
    return (
        f"client worker {worker['worker'] + 1}",
        f"{clean(worker['host'] or NA)}, {worker['cores'] or NA} cores; its clock is known to {known} "
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
    return words_table(caption, ("what", "value"), [(what, Cell(value, code=True)) for what, value in facts])


def reproduce(files: RunFiles) -> list[str]:
    """Shell lines that measure the same again and that render this report again.

    Everything is quoted for the shell: a URL or a model's name comes from outside.
    """
    run, place = files.run, files.run_dir.name
    if run.imported is not None:
        names = map(clean, run.imported.files)
        again = ["breakeven", "import", *names, *_box(run.instance), *_options("--api", run.arms)]
        return [shlex.join(again), shlex.join(["breakeven", "report", place])]
    file = f"{files.scenario.name}.json"
    take = shlex.join(["python3", "-c", _TAKE_SCENARIO, f"{place}/run.json", file])
    command = ["breakeven", "run", file, *_endpoint(run), *_box(run.instance), *_options("--api", run.arms)]
    return [take, shlex.join(command), shlex.join(["breakeven", "report", place])]


def _options(name: str, values: Iterable[Any]) -> list[str]:
    return [part for value in values if value for part in (name, clean(value))]


def _endpoint(run: RunManifest) -> list[str]:
    """An engine that was started for the run is started again; any other is found at its address."""
    name, body = run.engine.get("name"), run.client.get("extra_body")
    if "slots" in run.engine and name:
        return ["--engine", clean(name)]
    return [
        *_options("--backend", [run.backend]),
        *_options("--url", run.urls),
        *_options("--model", [run.model]),
        *_options("--weights", _by_user(run.identity.weights if run.identity is not None else None)),
        *_options("--quantization", _by_user(run.identity.quantization if run.identity is not None else None)),
        *_options("--header", [f"{header}=..." for header in run.client.get("header_names") or []]),
        *_options("--extra-body", [json.dumps(body)] if body else []),
    ]


def _box(instance: Mapping[str, Any]) -> list[str]:
    named = (("--instance", "id"), ("--purchase", "purchase"), ("--usd-per-hour", "usd_per_hour"))
    options = [part for option, key in named for part in _options(option, [instance.get(key)])]
    facts = InstanceFacts.model_validate(instance)
    if facts.is_filled:
        options += ["--replicas-per-instance", whole(facts.per_instance)]
    elif facts.boxes is not None:
        options += ["--boxes", whole(facts.boxes)]
    return options


Fact = tuple[str, str, str, str]  # number, value, origin, source


def origins_table(metrics: Metrics, decision: Decision | None) -> Table:
    """What was measured, then what the decision lists or assumes."""
    rows = _measured_rows(metrics)
    if decision is not None:
        rows += [row for row in _stated_rows(decision) if row[0] != "goodput"]  # what was measured says more
    return _rests_on(rows)


def decided_on_table(decision: Decision) -> Table:
    """What a decision without a run rests on."""
    return _rests_on(_stated_rows(decision))


def _rests_on(rows: list[Fact]) -> Table:
    return words_table("Every number that the verdict rests on", ("number", "value", "origin", "source"), rows)


def _measured_rows(metrics: Metrics) -> list[Fact]:
    step, where = metrics.at_slo, metrics.why_no_goodput()
    if step is not None:
        where = (
            f"step {step.number}, {step.load.words}, {significant(step.window.length_s)} s window, "
            f"{whole(step.requests)} requests"
        )
    rows = [("goodput", goodput_words(metrics).removeprefix("goodput").lstrip(": "), "measured", where)]
    if step is not None:
        lengths = f"{significant(step.mean_input_tokens)} in / {significant(step.mean_output_tokens)} out"
        rows.append(("mean tokens of a request", lengths, "measured", where))
    return rows


def _stated_rows(decision: Decision) -> list[Fact]:
    """The facts of decision.json."""
    rows: list[Fact] = []
    for fact in decision.provenance:
        shown = _unset(fact.what) if fact.value is None else _with_unit(fact.value, clean(fact.unit))
        date = f", {checked_words(fact.date)}" if fact.date else ""
        rows.append((input_words(fact.what), shown, fact.kind, f"{clean(fact.source)}{date}"))
    return rows


def _with_unit(value: float, unit: str) -> str:
    return percent(value) if unit == "share" else f"{price(value)} {unit}".strip()


def _unset(what: str) -> str:
    return "no limit: until success" if what == "max_retries" else "not given"
