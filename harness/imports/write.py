"""What a tool tells becomes a run directory: run.json, records.parquet, steps.jsonl; without rows tool_summary.json."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.base.people import PeopleSaid
from harness.base.whole import written_whole
from harness.imports.files import as_seen
from harness.imports.laid_out import LAID_OUT
from harness.imports.placing import placed
from harness.imports.rows import table_of, write_rows
from harness.imports.scenario import scenario_of
from harness.imports.told import Part, Told
from harness.rundir import files
from harness.rundir.identity import Identity, with_users_word
from harness.rundir.imported import Imported
from harness.rundir.manifest import RunManifest
from harness.rundir.recorder import LineFile
from harness.rundir.tool_summary import TOOL_SUMMARY, ToolSummary


@dataclass(frozen=True, slots=True)
class Beside:
    """What the user says that no tool's file tells."""

    instance: Mapping[str, Any] = field(default_factory=dict)
    arms: Sequence[str] = ()
    demand: Mapping[str, Any] | None = None
    people: PeopleSaid | None = None  # of a run without one
    slo: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    weights: str | None = None
    quantization: str | None = None
    notes: tuple[str, ...] = ()


def runs_of(told: Told) -> list[tuple[Part, ...]]:
    """The parts that make one run: those by users, and those by rate, whose latencies count from another instant."""
    by_users = tuple(part for part in told.parts if part.load.users is not None)
    by_rate = tuple(part for part in told.parts if part.load.users is None)
    return [parts for parts in (by_users, by_rate) if parts]


@contextmanager
def run_directory(
    out: Path, told: Told, parts: Sequence[Part], paths: Sequence[Path], beside: Beside
) -> Iterator[Path]:
    """A new run directory of these parts; whatever goes wrong meanwhile, it is gone again.

    Raises:
        UsageError: it cannot be made, or what the user says of the weights is contradicted.
    """
    names = ", ".join(map(str, paths))
    with as_seen(names, told.tool):
        manifest = _manifest(told, parts, paths, beside)
    began = datetime.fromisoformat(manifest.started_at)
    box = str(beside.instance.get("id") or "unpriced")
    place = files.create_run_dir(out, began, manifest.scenario["name"], "imported", box)
    try:
        with as_seen(names, told.tool):
            _fill(place, manifest, told, parts)
        yield place
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _fill(place: Path, manifest: RunManifest, told: Told, parts: Sequence[Part]) -> None:
    if told.has_rows:
        steps = placed(parts)
        with written_whole(place / f"{files.RECORDS}.parquet") as path:
            write_rows(path, [table_of(step, url=(told.urls or ("",))[0]) for step in steps])
        ran = [step.ran for step in steps]
    else:
        steps_told = [p.summary.model_copy(update={"step": i}) for i, p in enumerate(parts) if p.summary is not None]
        files.write_json(place, TOOL_SUMMARY, ToolSummary(steps=tuple(steps_told)).to_dict())
        ran = []
    lines = LineFile(place / files.STEPS)
    for step in ran:
        lines.add(step.to_dict())
    lines.close()
    files.write_manifest(place, manifest)


def _manifest(told: Told, parts: Sequence[Part], paths: Sequence[Path], beside: Beside) -> RunManifest:
    scenario = scenario_of(told, parts, dict(beside.slo))
    said = with_users_word(Identity(), beside.weights, beside.quantization, f"{told.tool}'s file")
    knows_due = all(part.rows is None or part.rows.scheduled_s is not None for part in parts)
    return RunManifest(
        scenario=scenario.model_dump(mode="json"),
        scenario_digest=scenario.digest(),
        backend=told.backend,
        engine={"name": told.engine, "version": None, "flags": None},
        model=beside.model or told.model,
        quantization=said.quantization.value if said.quantization is not None else None,
        instance=dict(beside.instance),
        client={},
        seed=scenario.seed,
        started_at=told.started_at or datetime.now(UTC).isoformat(timespec="seconds"),
        started_monotonic_ns=0,
        harness_version=__version__,
        git_revision=None,
        urls=list(told.urls),
        arms=list(beside.arms),
        demand=dict(beside.demand) if beside.demand is not None else None,
        people=beside.people,
        notes=[*told.notes, *told.doubts, *beside.notes],
        identity=said,
        imported=Imported(
            tool=told.tool,
            version=told.version,
            layout=told.layout,
            files=tuple(path.name for path in paths),
            rows="all" if told.has_rows else "none",
            differences=told.differences,
            unknown=_unknown(told, knows_due=knows_due),
            knows_due=knows_due,
            laid_out=told.laid_out,
            command=told.command,
        ),
    )


def _unknown(told: Told, *, knows_due: bool) -> tuple[str, ...]:
    found = [*told.unknown]
    if told.started_at is None:
        found.append("when it was measured: the date is that of the import")
    if told.has_rows and not knows_due:
        found.append("when each request was due: latencies count from when it was sent, and no lateness is known")
    if told.laid_out:
        found.append(LAID_OUT)
    return (*found, "engine, its version and flags", "how busy the client was")
