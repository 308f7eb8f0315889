"""metrics.json and decision.json of an earlier analysis, checked before anybody computes with them."""

from pathlib import Path
from typing import TypeVar

from harness.base.errors import UsageError
from harness.base.yamlfile import validate
from harness.rundir import files
from harness.rundir.decision import DECISION_SCHEMA, Decision
from harness.rundir.result import Result
from harness.rundir.results import METRICS_SCHEMA, Metrics

AGAIN = "`breakeven report RUN` makes it again from the records"


Kind = TypeVar("Kind", bound=Result)


def read_metrics(run_dir: Path) -> Metrics:
    """metrics.json.

    Raises:
        UsageError: missing, of a newer version, or without what is read of it.
    """
    return _read(run_dir, "metrics.json", Metrics, METRICS_SCHEMA)


def read_decision(run_dir: Path) -> Decision:
    """decision.json.

    Raises:
        UsageError: missing, of a newer version, or without what is read of it.
    """
    return _read(run_dir, "decision.json", Decision, DECISION_SCHEMA)


def _read(run_dir: Path, name: str, kind: type[Kind], newest: int) -> Kind:
    data, where = files.read_json(run_dir, name), run_dir / name
    schema = data.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or not 1 <= schema <= newest:
        said = "is missing" if "schema" not in data else f"is {schema!r:.80}"
        raise UsageError(f"{where}: `schema` {said}, this version of breakeven reads up to {newest}", hint=AGAIN)
    return validate(kind, data, where=str(where), hint=AGAIN)
