"""What run.json keeps of a run as it goes: who answers, what broke, how it ended."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from harness.base.errors import BreakevenError
from harness.base.weights_name import tells_weights
from harness.engines.life.running import Engine
from harness.engines.weights.shape import kv_values_here, quantization_here
from harness.load.conduct.crew import OnEvent
from harness.load.protocol import Identified, Looked, Prepared, Unfit
from harness.load.run_events import BrokenPart, Elsewhere, Lost, RunEvent
from harness.load.spending.purse import Spent
from harness.load.spending.tariff import usd
from harness.rundir.driven import Driven
from harness.rundir.identity import Identity, SaidCount, SaidText, with_users_word
from harness.rundir.manifest import RunManifest
from harness.rundir.read import read_client, read_records

CONFIG = "config.json"
STARTED = "the engine that was started"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def note_event(manifest: RunManifest, event: RunEvent) -> bool:
    """Take in what a reader of the run must know; whether it is to be written down."""
    client = manifest.client
    match event:
        case Identified():
            _note_identity(manifest, event)
        case Unfit():
            client["unfit"] = [*client.get("unfit", []), asdict(event)]
        case Looked():
            manifest.via = event.via
        case Prepared():
            learned = event.learned
            client |= {"tokenizer": learned.tokenizer_path, "exact_lengths": learned.exact}
            client |= {"added_tokens": learned.overhead_tokens, "added_at_turns": learned.turn_tokens}
            if learned.answers_said is not None:
                manifest.notes.append(f"{learned.answers_said}.")
        case Spent():
            return _note_spent(manifest, event)
        case Elsewhere():
            client["remote_workers"] = [asdict(worker) for worker in event.workers]
        case Lost():
            client["lost_workers"] = [asdict(worker) for worker in event.workers]
        case BrokenPart():
            client.setdefault("broken_parts", []).append(asdict(event))
            manifest.notes.append(
                f"In load process {event.worker + 1} {event.part} failed after {event.t_s:.0f} s ({event.text}): "
                "what it would have told is missing from then on."
            )
        case _:
            return False
    return True


def pass_on(event: RunEvent, take: OnEvent) -> None:
    """Of a drive at another endpoint than the one under test: who that is, is no fact of the run."""
    if not isinstance(event, Identified | Unfit | Looked | Prepared):
        take(event)


def _note_spent(manifest: RunManifest, spent: Spent) -> bool:
    """What an API has cost so far; whether that is news."""
    before = manifest.driven
    if before is None:
        return False
    manifest.driven = before.model_copy(
        update={
            "spent_usd": usd(spent.spent_pico),
            "reserved_usd": usd(spent.reserved_pico),
            "stopped": spent.stopped is not None,
            "why": spent.stopped,
            "rate_limited": spent.rate_limited,
            "waited_s": spent.waited_s,
        }
    )
    return manifest.driven != before


def spending_said(driven: Driven) -> str:
    """What a driven API has cost, in a sentence."""
    price = driven.price
    of = (
        ""
        if price is None
        else f", at prices of {price.source}" + (f" ({price.checked_on})" if price.checked_on else "")
    )
    return (
        f"{driven.arm} was driven{of}: USD {driven.spent_usd:.6g} spent by its own usage and USD "
        f"{driven.reserved_usd:.6g} reserved for requests whose usage is unknown, of USD {driven.max_usd:.6g} at most."
    )


def _note_identity(manifest: RunManifest, event: Identified) -> None:
    """Who answers, and in which dialect it is spoken to; of an engine that we started more is known already."""
    said = _with_shape(event.identity, manifest.urls)
    manifest.backend = said.dialect or manifest.backend
    manifest.client["served_models"] = event.served_models
    manifest.model = manifest.model or event.model
    if manifest.identity is None:
        manifest.identity = said
        manifest.engine = {"name": said.engine, "version": said.version, "flags": event.flags}
        manifest.engine |= {
            key: fact.value
            for key, fact in (("slots", said.slots), ("context_tokens", said.context))
            if fact is not None
        }
        manifest.quantization = said.quantization.value if said.quantization is not None else None
    else:
        manifest.identity = manifest.identity.model_copy(update={"dialect": said.dialect})


def _with_shape(said: Identity, urls: Sequence[str]) -> Identity:
    """With what the weights' own config.json tells, where the endpoint is on this machine and so are they."""
    hosts = {urlsplit(url).hostname for url in urls}
    if said.weights is None or not hosts <= LOOPBACK:
        return said
    return _of_config(said, said.weights.value)


def _of_config(said: Identity, weights: str) -> Identity:
    """With what nobody else says of weights that lie here."""
    values, quantization = kv_values_here(weights), quantization_here(weights)
    update: dict[str, SaidCount | SaidText] = {}
    if values is not None:
        update["kv_values"] = SaidCount(value=values, said_by=CONFIG)
    if quantization is not None and said.quantization is None:
        update["quantization"] = SaidText(value=quantization, said_by=CONFIG)
    return said.model_copy(update=update)


def note_engine(
    manifest: RunManifest,
    engine: Engine,
    asked: str | None = None,
    *,
    weights: str | None = None,
    quantization: str | None = None,
) -> None:
    """The engine that we started with the model `asked` for, and what the user says of its weights.

    Raises:
        UsageError: the engine was started with others.
    """
    manifest.engine = {
        "name": engine.name,
        "version": engine.version,
        "flags": engine.flags,
        "slots": engine.slots,
        "context_tokens": engine.context_tokens,
    }
    said = _identity_of(engine, asked)
    said = said if asked is None else _of_config(said, os.path.realpath(asked) if Path(asked).exists() else asked)
    manifest.identity = with_users_word(said, weights, quantization, engine.name)
    told = manifest.identity.quantization
    manifest.model, manifest.quantization = engine.model, told.value if told is not None else None
    manifest.urls = [engine.base_url]


def _identity_of(engine: Engine, asked: str | None) -> Identity:
    """Of an engine that we started; one in a container sees its weights in a place that says nothing of them."""
    weights = engine.model
    if asked is not None and (weights is None or not tells_weights(weights)):
        weights = Path(asked).name if Path(asked).exists() else asked
    return Identity(
        engine=engine.name,
        version=engine.version,
        weights=SaidText(value=weights, said_by=STARTED) if weights else None,
        quantization=SaidText(value=engine.quantization, said_by=STARTED) if engine.quantization else None,
        context=SaidCount(value=engine.context_tokens, said_by=STARTED) if engine.context_tokens else None,
        slots=SaidCount(value=engine.slots, said_by=STARTED) if engine.slots else None,
        parallel=SaidCount(value=len(engine.gpus), said_by=STARTED) if engine.gpus else None,
    )


def note_replicas(manifest: RunManifest, engines: Sequence[Engine]) -> None:
    """All replicas of the engine that we started, and which GPUs each was told to use: "0,1 and 2,3"."""
    manifest.urls = [each.base_url for each in engines]
    told = [",".join(map(str, each.gpus)) for each in engines if each.gpus]
    if told and manifest.identity is not None:
        gpus = SaidText(value=" and ".join(told), said_by=STARTED)
        manifest.identity = manifest.identity.model_copy(update={"gpus": gpus})


def note_end(manifest: RunManifest, error: BreakevenError) -> BreakevenError:
    """Keep for the report what ended the run early."""
    manifest.client["ended_early"] = {"text": str(error), "hint": error.hint}
    return error


def cut_short_by(manifest: RunManifest, *, interrupted: bool) -> str:
    """Why a run that came to its end is not whole; empty where it is."""
    if interrupted:
        return "it was interrupted"
    if manifest.driven is not None and manifest.driven.stopped:
        return "its spending limit was reached"
    if "tasks_not_asked" in manifest.client:
        return f"{manifest.client['tasks_not_asked']} tasks were not asked in the time that a round has"
    if "lost_workers" in manifest.client:
        return "a load process was lost"
    return "a part of the client failed" if "broken_parts" in manifest.client else ""


def closed_connections(run_dir: Path) -> dict[str, int]:
    """How often a kept connection was found closed, for the report; nothing where none was."""
    client, resent = read_client(run_dir), read_records(run_dir)["resent"]
    told = {
        "kept_connections_found_closed": int(client["found_closed"].sum()) if "found_closed" in client else 0,
        "requests_written_again_that_nobody_read": int((resent > 0).sum()),
    }
    return {key: count for key, count in told.items() if count}
