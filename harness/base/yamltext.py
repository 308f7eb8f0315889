"""The text of a user's YAML or JSON file: read and parsed so that whatever is wrong is said in one line."""

import json
import sys
from pathlib import Path
from typing import IO, Any

import yaml

from harness.base.errors import UsageError
from harness.base.text import printable

_LARGEST_BYTES = 16 * 2**20  # a decision.json of ours has about one
_LARGEST_YAML = 2**20  # characters; JSON is read a hundred times faster
_MOST_NODES = 100_000  # of YAML, as written: ten seconds' work
_MOST_VALUES = 1_000_000  # with every alias written out
_LONGEST_NUMBER = 500  # characters: 59:59:59:... is a number of any size


def read_yaml(path: Path, *, what: str, hint: str | None = None) -> dict[str, Any]:
    """The mapping in a YAML (or JSON) file.

    Raises:
        UsageError: no such file, unreadable, not YAML (with line and column), or not a mapping.
    """
    try:
        with path.open("rb") as file:
            return parse_yaml(_text(file, f"{what} file {path}"), where=str(path))
    except FileNotFoundError:
        raise UsageError(f"no such {what} file: {path}", hint=hint) from None
    except OSError as error:
        raise UsageError(f"cannot read {what} file {path}: {error.strerror or error}") from None
    except ValueError:
        raise UsageError(f"no such {what} file: {str(path)!r}", hint=hint) from None  # a NUL in its name


def read_yaml_stdin() -> dict[str, Any]:
    """The mapping in what is piped in.

    Raises:
        UsageError: nothing can be read, it is not YAML, or not a mapping.
    """
    if sys.stdin is None:
        raise UsageError("cannot read stdin: it is closed")
    try:
        return parse_yaml(_text(sys.stdin.buffer, "stdin"), where="stdin")
    except OSError as error:
        raise UsageError(f"cannot read stdin: {error.strerror or error}") from None


def _text(file: IO[bytes], name: str) -> str:
    content = file.read(_LARGEST_BYTES + 1)  # never /dev/zero to its end
    if len(content) > _LARGEST_BYTES:
        raise UsageError(f"cannot read {name}: larger than {_LARGEST_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        hint = "it is UTF-16: save it as UTF-8" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        raise UsageError(
            f"cannot read {name}: not UTF-8 text (byte 0x{byte:02x} at {error.start})", hint=hint
        ) from None


def parse_yaml(text: str, *, where: str) -> dict[str, Any]:
    """The mapping in a YAML (or JSON) text; `where` names it in errors."""
    try:
        data = _parsed(text, where)
        _check_size(data, where)
    except yaml.YAMLError as error:
        raise UsageError(f"{where}{_yaml_place(error)}: not YAML: {_yaml_problem(error)}") from None
    except RecursionError:
        raise UsageError(f"{where}: nested too deeply") from None
    except (ValueError, OverflowError) as error:  # 2024-13-45, an integer of thousands of digits
        raise UsageError(f"{where}: a value that cannot be read: {str(error).split(';')[0]}") from None
    if not isinstance(data, dict):
        kind = "is empty" if data is None else f"holds {_KINDS.get(type(data), type(data).__name__)}"
        raise UsageError(f"{where} {kind}, expected a mapping of keys to values")
    return data


_KINDS: dict[type, str] = {list: "a list", str: "text", int: "a number", float: "a number", bool: "yes or no"}
_DEEPEST = 50  # levels; no file of ours has ten


def _parsed(text: str, where: str) -> Any:
    if not text.lstrip().startswith("{"):
        return _yaml(text, where)
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, where))
    except json.JSONDecodeError as error:
        try:  # a YAML flow mapping also starts with a brace
            return _yaml(text, where)
        except yaml.YAMLError:
            raise UsageError(f"{where}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None


def _yaml(text: str, where: str) -> Any:
    if len(text) > _LARGEST_YAML:
        raise UsageError(
            f"{where}: YAML of {len(text):,} characters, more than {_LARGEST_YAML >> 20} MiB", hint="JSON may be larger"
        )
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    """A key given twice is an error: YAML would silently take the last one, and a price would be another.

    And a tag is no way around what a value must look like: `!!int ""`, `!!timestamp x`.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"more than {_MOST_NODES:,} values", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.ScalarNode) and kind in _WRITTEN_AS:
            tag: str = self.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
            seen = tag.removeprefix(_TAG)
            if seen not in _WRITTEN_AS[kind]:
                self._refuse(node, f"{node.value!r} is no {kind}")
            if kind in ("int", "float") and len(node.value) > _LONGEST_NUMBER:
                self._refuse(node, f"a number of {len(node.value):,} characters")
        return super().construct_object(node, deep=deep)

    def _refuse(self, node: yaml.Node, problem: str) -> None:
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key `{printable(key.value)}` is given twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return node


_TAG = "tag:yaml.org,2002:"
_WRITTEN_AS = {"bool": ("bool",), "int": ("int",), "float": ("float", "int"), "timestamp": ("timestamp",)}


def _unique(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise UsageError(f"{where}: the key `{printable(key)}` is given twice")
        seen.add(key)
    return dict(pairs)


def _check_size(data: Any, where: str) -> None:
    """Refuse what is nested deeper than any file of ours, or inside itself (a YAML alias can do that).

    And the few lines whose aliases of aliases write out to more values than any machine holds.
    """
    too_deep = UsageError(f"{where}: nested deeper than {_DEEPEST} levels, or inside itself")
    known: dict[int, tuple[int, int]] = {}  # by id: an alias is looked at once, however often it is used

    def extent(value: Any, level: int) -> tuple[int, int]:
        """Values with every alias written out, and levels."""
        if isinstance(value, str) and not _is_text(value):
            raise UsageError(f"{where}: half of a surrogate pair in {printable(ascii(value))}")
        if not isinstance(value, dict | list):
            return 1, 0
        if level > _DEEPEST:
            raise too_deep
        if id(value) not in known:
            children = [*value, *value.values()] if isinstance(value, dict) else value
            inner = [extent(child, level + 1) for child in children]
            known[id(value)] = 1 + sum(n for n, _ in inner), 1 + max((levels for _, levels in inner), default=0)
        return known[id(value)]

    values, levels = extent(data, 1)
    if levels > _DEEPEST:
        raise too_deep
    if values > _MOST_VALUES:
        raise UsageError(f"{where}: more than {_MOST_VALUES:,} values once its aliases are written out")


def _is_text(value: str) -> bool:
    """Whether it can be written at all."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _yaml_place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""


def _yaml_problem(error: yaml.YAMLError) -> str:
    return printable(str(getattr(error, "problem", None) or str(error).splitlines()[0]))
