"""run.json: what was driven, by whom, with what."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, field, fields
from types import NoneType
from typing import Any

SCHEMA = 1


@dataclass(slots=True)
class RunManifest:
    """run.json: what was driven, by whom, with what. Engine facts are what the engine itself reported."""

    scenario: dict[str, Any]  # the whole scenario, defaults filled in
    scenario_digest: str
    backend: str
    engine: dict[str, Any]  # name, version, flags
    model: str | None
    quantization: str | None
    instance: dict[str, Any]  # id, purchase, usd_per_hour, replicas
    client: dict[str, Any]
    seed: int
    started_at: str  # UTC, ISO 8601
    started_monotonic_ns: int
    harness_version: str
    git_revision: str | None
    partial: bool = False
    schema: int = SCHEMA
    urls: list[str] = field(default_factory=list)
    arms: list[str] = field(default_factory=list)  # API arms asked for, "provider:model"
    demand: dict[str, Any] | None = None  # the demand priced, so that a report can be made again
    notes: list[str] = field(default_factory=list)
    salt: str | None = None  # what the prompts' words were drawn from; None: an older version's, the seed
    prompts_of: str | None = None  # the run whose prompts were sent again, byte for byte

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of run.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RunManifest:
        """From run.json; keys that are not known are left out.

        Raises:
            ValueError: a newer schema, a missing key, or a value of the wrong kind; names the key.
        """
        schema = data.get("schema", SCHEMA)
        if not isinstance(schema, int) or schema > SCHEMA:
            raise ValueError(f"`schema` is {schema!r}, this version of breakeven reads up to {SCHEMA}")
        for known in fields(cls):
            if known.name not in data:
                if known.default is MISSING and known.default_factory is MISSING:
                    raise ValueError(f"`{known.name}` is missing")
                continue
            kinds, words = _KINDS[known.type]
            if not isinstance(data[known.name], kinds):
                raise ValueError(f"`{known.name}` must be {words}, got {data[known.name]!r:.80}")
        _check_inside(data)
        engine = data["engine"]
        if engine.get("name") == "llama-server":  # as runs by --url called it before 2026-11-28
            data = data | {"engine": engine | {"name": "llama_server"}}
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})


def _check_inside(data: dict[str, Any]) -> None:
    """The parts that the analysis reads without asking."""
    for (part, key), (kinds, words) in _KINDS_INSIDE.items():
        value = (data.get(part) or {}).get(key)
        if value is not None and not isinstance(value, kinds):
            raise ValueError(f"`{part}.{key}` must be {words} or null, got {value!r:.80}")
    replicas = data["instance"].get("replicas")
    if replicas is not None and not 1 <= replicas <= MOST_REPLICAS:
        raise ValueError(f"`instance.replicas` must be from 1 to {MOST_REPLICAS}, got {replicas}")
    for part, texts in (("arms", data.get("arms")), ("client.served_models", data["client"].get("served_models"))):
        for text in texts or ():
            if not isinstance(text, str):
                raise ValueError(f"`{part}` must be a list of text, got {text!r:.80} in it")
    ended = data["client"].get("ended_early")
    if ended is not None and not {"text", "hint"} <= ended.keys():
        raise ValueError("`client.ended_early` must have `text` and `hint`")


MOST_REPLICAS = 1000
_KINDS_INSIDE: dict[tuple[str, str], tuple[tuple[type, ...], str]] = {
    ("instance", "id"): ((str,), "text"),
    ("instance", "purchase"): ((str,), "text"),
    ("instance", "usd_per_hour"): ((int, float), "a number"),
    ("instance", "replicas"): ((int,), "a whole number"),
    ("engine", "name"): ((str,), "text"),
    ("engine", "version"): ((str,), "text"),
    ("client", "served_models"): ((list,), "a list"),
    ("client", "ended_early"): ((dict,), "an object"),
}
# a field's annotation, which is text here -> what JSON may hold for it, and how that is called
_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    "dict[str, Any]": ((dict,), "an object"),
    "dict[str, Any] | None": ((dict, NoneType), "an object or null"),
    "list[str]": ((list,), "a list"),
    "str": ((str,), "text"),
    "str | None": ((str, NoneType), "text or null"),
    "int": ((int,), "a whole number"),
    "bool": ((bool,), "true or false"),
}
