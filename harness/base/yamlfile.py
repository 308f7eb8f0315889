"""YAML and JSON from a user: validated so that whatever is wrong is said in one line."""

import difflib
import re
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.base.errors import UsageError
from harness.base.text import printable
from harness.base.yamltext import parse_yaml, read_yaml, read_yaml_stdin

__all__ = ["Label", "Strict", "parse_yaml", "read_yaml", "read_yaml_stdin", "validate"]

Model = TypeVar("Model", bound=BaseModel)

_LONGEST_TEXT = 5000  # characters; a path has at most 4096
_LONGEST_COMPLAINT = 500  # a validator may repeat what it was given
_LONGEST_SHOWN = 80  # characters of a value that a message repeats


Label = Annotated[str, Field(max_length=200)]  # a name that is printed


class Strict(BaseModel):
    """A part of a user's file: frozen; unknown keys, NaN, infinity, and true or false for a number are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=_LONGEST_TEXT)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, data: Any) -> Any:
        """Pydantic would take true for 1, and YAML's `yes` and `on` are true."""
        for name, field in cls.model_fields.items() if isinstance(data, dict) else ():
            value = data.get(name)
            if _holds_bool(value) and field.annotation is not Any and not _may_be_bool(field.annotation):
                raise PydanticCustomError(_BOOL, "must not be true or false", {"key": name, "given": value})
        return data


_BOOL = "true_is_no_number"


def _holds_bool(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return isinstance(value, bool) or any(isinstance(one, bool) or _holds_bool(one) for one in inner)


def _may_be_bool(annotation: Any) -> bool:
    """Whether it is bool, or a model, which checks its own fields."""
    if annotation is bool or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return True
    return any(_may_be_bool(argument) for argument in get_args(annotation))


def validate(model: type[Model], data: dict[str, Any], *, where: str, hint: str | None = None) -> Model:
    """`data` as a `model`; `hint`: the way out, where it is always the same.

    Raises:
        UsageError: the first thing wrong, with the key's full path, the value, and near names for an unknown key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = _meant(error.errors(include_url=False))
        first = problems[0]
        path = _path_of(first, model)
        others = {_path_of(problem, model) for problem in problems} - {path}
        more = f" (and {len(others)} more)" if others else ""
        said = f"{where}: {printable(_complaint(path, first), _LONGEST_COMPLAINT)}{more}"
        raise UsageError(said, hint=hint or _hint(model, first, path)) from None


def _meant(problems: list[Any]) -> list[Any]:
    """Without those of a union's other branch: who writes a mapping where a number would do means the mapping."""
    for problem in problems:
        if problem["type"] == _BOOL:  # told of the whole mapping, meant of one key
            problem["loc"] = (*problem["loc"], problem["ctx"]["key"])
            problem["input"] = problem["ctx"]["given"]
    meant = [
        problem
        for problem in problems
        if not (isinstance(problem["input"], dict) and problem["type"] in {"int_type", "float_type"})
    ]
    return meant or problems


def _path_of(problem: Any, model: type[BaseModel]) -> str:
    *inside, last = problem["loc"] or ("",)
    if problem["type"] != "extra_forbidden":
        return printable(_key_path(problem["loc"], model))
    parent = _key_path(tuple(inside), model)  # an unknown key is named as it was written
    return printable(f"{parent}.{last}" if parent else str(last))


def _key_path(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """`load.users[1]`: pydantic's location without the tags of unions, which are no keys of the file."""
    out = ""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            out += f"[{part}]"
            continue
        nested = _models_in(current)
        fields = {name: f for m in nested for name, f in m.model_fields.items()}
        tagged = [m for m in nested if part in (_tag_of(m), m.__name__)]
        if tagged and (len(nested) > 1 or part not in fields):  # of several kinds, which may have a key of that name
            current = tagged[0]
            continue
        if part in fields:
            current = fields[part].annotation
        elif part in {"int", "list", "float", "constrained-int"} or "[" in part or "-" in part:
            continue
        out += f".{part}" if out else part
    return out


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in get_args(annotation) for m in _models_in(argument)]


def _tag_of(model: type[BaseModel]) -> str | None:
    kind = model.model_fields.get("kind")
    tags = get_args(kind.annotation) if kind is not None else ()
    return tags[0] if tags else None


def _complaint(path: str, problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key `{path}`"
    if problem["type"] == "missing":
        return f"`{path}` is missing"
    if problem["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        key, said = f"{path}.kind" if path else "kind", problem["ctx"]
        if problem["type"] == "union_tag_not_found":
            return f"`{key}` is missing"
        return f"`{key}` must be one of {said['expected_tags']}, got {_shown(said['tag'])}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    message = message.replace("input should be", "must be").replace("a valid tuple", "a valid list")
    message = re.sub(r"a valid dictionary or .*", "a mapping of keys to values", message)
    value = problem.get("input")
    shown = "" if isinstance(value, dict | BaseModel) else f", got {_shown(value)}"
    return f"`{path}`: {message}{shown}" if path else message


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _hint(model: type[Model], problem: Any, path: str) -> str | None:
    if problem["type"] != "extra_forbidden":
        hint = problem.get("ctx", {}).get("hint")  # a validator of ours knows the way out
        return hint if isinstance(hint, str) else _hint_for_share(problem) or _hint_for_text(problem)
    unknown = path.rsplit(".", 1)[-1]
    if unknown == "currency":
        return "every price is in USD: convert it, and leave the key out"
    names = _all_keys(model)
    near = _near(unknown, names)
    return f"did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else None


def _hint_for_share(problem: Any) -> str | None:
    """Where a share was wanted and a percentage was given."""
    value, limits = problem.get("input"), problem.get("ctx", {})
    is_share = 1 in (limits.get("lt"), limits.get("le"))
    if not is_share or not isinstance(value, int | float) or not 1 < value < 100:
        return None
    return f"is {value:g} meant as {value / 100:g}?"


def _hint_for_text(problem: Any) -> str | None:
    """Where a number was wanted and text was given that looks like one."""
    value = problem.get("input")
    if not isinstance(value, str) or not problem["type"].startswith(("float_", "int_")):
        return None
    text = value.strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    if text.endswith("%"):
        return f"{text} is written {number / 100:g}"
    return "it is text: leave the quotes out; and YAML takes 1e3 for text, write 1.0e+3"


def _near(word: str, names: list[str]) -> list[str]:
    """At most three names that may have been meant; only those about as close as the closest."""
    close = difflib.get_close_matches(word, [name for name in dict.fromkeys(names) if name != word], n=3)
    ratios = {name: difflib.SequenceMatcher(None, name, word).ratio() for name in close}
    return [name for name in close if ratios[name] > max(ratios.values()) - 0.15]


def _all_keys(model: type[BaseModel]) -> list[str]:
    nested = [m for field in model.model_fields.values() for m in _models_in(field.annotation)]
    return [*model.model_fields, *(name for m in nested for name in _all_keys(m))]
