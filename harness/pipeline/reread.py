"""metrics.json and decision.json of an earlier analysis, checked before anybody computes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from harness.base.errors import UsageError
from harness.base.yamlfile import validate
from harness.cost.verdict import SCHEMA as DECISION_SCHEMA
from harness.rundir import files
from harness.rundir.results import METRICS_SCHEMA, Metrics

AGAIN = "`breakeven report RUN` makes it again from the records"


class _Known(BaseModel):
    """What is read of a file; keys beside it are left as they are."""


class _Goodput(_Known):
    requests_per_s: float = Field(ge=0, allow_inf_nan=False)
    low: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    high: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    step: int | None = None


class _Check(_Known):
    code: str
    level: str
    message: str
    hint: str | None = None


class _Instance(_Known):
    usd_per_hour: float = Field(ge=0, allow_inf_nan=False)


class _Box(_Known):
    instance: _Instance
    goodput: _Goodput | None


class _Arm(_Known):
    name: str
    input: dict[str, Any]
    decision: dict[str, Any]


class _Decision(_Known):
    self_host: _Box
    arms: list[_Arm]
    checks: list[_Check] = []


def read_metrics(run_dir: Path) -> Metrics:
    """metrics.json.

    Raises:
        UsageError: missing, of a newer version, or without what is read of it.
    """
    return _typed(run_dir, "metrics.json", Metrics, METRICS_SCHEMA)


def read_decision(run_dir: Path) -> dict[str, Any]:
    """decision.json.

    Raises:
        UsageError: missing, of a newer version, or without what is read of it.
    """
    return _read(run_dir, "decision.json", _Decision, DECISION_SCHEMA)


Kind = TypeVar("Kind", bound=BaseModel)


def _read(run_dir: Path, name: str, model: type[BaseModel], newest: int) -> dict[str, Any]:
    data = files.read_json(run_dir, name)
    _checked(data, run_dir, name, model, newest)
    return data


def _typed(run_dir: Path, name: str, model: type[Kind], newest: int) -> Kind:
    return _checked(files.read_json(run_dir, name), run_dir, name, model, newest)


def _checked(data: dict[str, Any], run_dir: Path, name: str, model: type[Kind], newest: int) -> Kind:
    where, schema = run_dir / name, data.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or not 1 <= schema <= newest:
        said = "is missing" if "schema" not in data else f"is {schema!r:.80}"
        raise UsageError(
            f"{where}: `schema` {said}, this version of breakeven reads up to {newest}", hint=AGAIN
        )
    try:
        return validate(model, data, where=str(where))
    except UsageError as error:
        raise UsageError(str(error), hint=AGAIN) from None
