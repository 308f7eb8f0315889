"""Several runs of one scenario as one figure: the mean goodput, its interval and how far the runs lie apart."""

from collections.abc import Sequence
from typing import Any

from harness.base.errors import UsageError
from harness.base.stats import t_interval
from harness.report.compare.parity import UNKNOWN, flat, named_flags
from harness.report.model import RunFiles
from harness.rundir.manifest import RunManifest


def pool(runs: Sequence[RunFiles]) -> dict[str, Any]:
    """Goodput over repeated runs, in requests per second.

    `{"runs": [{"run_dir", "goodput_requests_per_s", "step", "at_least"}], "goodput": {"requests_per_s", "low",
    "high", "confidence", "n", "at_least"} | null, "spread": {"lowest", "highest", "share_of_mean"} | null, "note"}`.
    The interval is Student's t over the runs' own goodputs: it holds what changes from run to run, which no single
    run sees. Null where any run has no goodput: leaving that run out would flatter. Where any did not fill its box
    the mean is a lower bound: `at_least`, `high` null.

    Raises:
        UsageError: fewer than two runs, or runs that did not measure the same.
    """
    if len(runs) < 2:
        raise UsageError(
            f"pooling needs two runs or more, got {len(runs)}",
            hint="`breakeven run SCENARIO --repeat 3`, or name several run directories",
        )
    check_poolable(runs)
    rows = [_row(files) for files in runs]
    pooled: dict[str, Any] = {"runs": rows, "goodput": None, "spread": None, "note": None}
    values = [row["goodput_requests_per_s"] for row in rows]
    if None in values:
        why = runs[values.index(None)].metrics.why_no_goodput()
        return pooled | {"note": f"{values.count(None)} of {len(rows)} runs have no goodput ({why}): no mean is fair"}
    at_least = any(row["at_least"] for row in rows)
    interval = t_interval(values)
    assert interval.low is not None
    assert interval.high is not None
    goodput = {
        "requests_per_s": interval.mean,
        "low": max(interval.low, 0.0),
        "high": None if at_least else interval.high,
        "confidence": interval.confidence,
        "n": interval.n,
        "at_least": at_least,
    }
    lowest, highest = min(values), max(values)
    share = (highest - lowest) / interval.mean if interval.mean else None
    spread = {"lowest": lowest, "highest": highest, "share_of_mean": share}
    return pooled | {"goodput": goodput, "spread": spread}


def check_poolable(runs: Sequence[RunFiles]) -> None:
    """Whether all runs measured the same thing with the same client, to the end.

    Raises:
        UsageError: they did not; it names the first key of run.json that differs.
    """
    for files in runs:
        if files.run.partial:
            raise UsageError(
                f"{files.run_dir}: `partial` is true, a run that was cut short or has not ended is not pooled",
                hint="leave it out, or measure it again",
            )
    subjects = [_subject(files.run) for files in runs]
    for key in sorted({key for subject in subjects for key in subject}):
        first = subjects[0].get(key, UNKNOWN)
        for files, subject in zip(runs[1:], subjects[1:], strict=True):
            if subject.get(key, UNKNOWN) != first:
                raise UsageError(
                    f"these runs cannot be pooled: `{key}` is {first} in {runs[0].run_dir.name} "
                    f"and {subject.get(key, UNKNOWN)} in {files.run_dir.name}",
                    hint="`breakeven compare` sets unlike runs side by side",
                )


def _subject(run: RunManifest) -> dict[str, str]:
    """What must be the same, as `{"engine.version": printed value}`. Where an engine listens says nothing."""
    engine = {key: run.engine.get(key) for key in ("name", "version")}
    same = run.model_dump(include={"backend", "model", "quantization"})
    return flat(
        {
            **same,
            "scenario": {key: value for key, value in run.scenario.items() if key not in {"name", "seed"}},
            "engine": {**engine, "flags": named_flags(run)},
            "instance": {key: run.instance.get(key) for key in ("id", "replicas", "replicas_driven", "boxes")},
            "client": {key: run.client.get(key) for key in ("cpu", "cores", "python", "workers")},
        }
    )


def _row(files: RunFiles) -> dict[str, Any]:
    goodput = files.metrics.goodput
    return {
        "run_dir": str(files.run_dir),
        "goodput_requests_per_s": None if goodput is None else goodput.requests_per_s,
        "step": None if goodput is None else goodput.step,
        "at_least": goodput is not None and goodput.at_least,
    }
