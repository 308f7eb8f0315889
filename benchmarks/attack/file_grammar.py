"""Files of users as no user should have them: good ones of every kind, changed by a seed."""

import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from tiny_gguf import model_bytes

MOST_TEXT = 400_000
DECISION = """\
workload:
  classes: [{name: a, weight: 3, input_tokens: 800, output_tokens: 250}]
  tasks_per_month: 400000
self_host: {usd_per_hour: 5.672, goodput_requests_per_s: 0.6, fixed_usd_per_month: 30}
api: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}
"""
FILE_SCENARIO = "name: f\nload: {kind: closed, users: [1], step_s: 9}\nprompts: {kind: file, path: %s, format: %s}\n"
JSON_LINES = (
    '{"prompt": "one", "output_tokens": 7}\n{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}\n'
    '{"text": "two"}\n{"messages": [{"role": "user", "content": [{"type": "text", "text": "t"}]}]}\n'
)
SHAREGPT = (
    '[{"id": "a", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]},\n'
    ' {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}]\n'
)
MOONCAKE = "".join(
    f'{{"timestamp": {n * 900000}, "input_length": {80 + n}, "output_length": 25, "hash_ids": [0, {n}]}}\n'
    for n in range(9)
)
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
    f"2023-11-16 {n:02d}:17:03.9799600,{4000 + n},{n + 9}\n" for n in range(24)
)
OURS = "".join(f'{{"arrival_s": {n * 9000}, "input_tokens": 5, "output_tokens": 3}}\n' for n in range(4))
BURST = (
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,m,4,8,12,a\n7,m,9,0,9,a\n900,m,5,6,11,a\n"
)


def _text(*parts: str) -> bytes:
    return ROOT.joinpath(*parts).read_bytes()


SCENARIOS = tuple(_text("scenarios", f"{name}.yaml") for name in ("chat", "open", "ramp", "search", "sessions"))
DEMANDS = tuple(path.read_bytes() for path in sorted((ROOT / "scenarios" / "demand").glob("*.yaml")))
PRICES = (_text("examples", "prices.yaml"),)
TRACES = {
    "csv": (_text("scenarios", "trace.csv")[:600].rpartition(b"\n")[0] + b"\n", AZURE.encode(), BURST.encode()),
    "jsonl": (MOONCAKE.encode(), OURS.encode()),
}
PROMPTS = {
    "jsonl": (JSON_LINES.encode(),),
    "csv": (
        b'prompt,output_tokens\n"one, and ""two""",7\nthree,\n',
        b'messages\n"[{""role"":""user"",""content"":""a""}]"\n',
    ),
    "sharegpt": (SHAREGPT.encode(),),
}
MODEL = model_bytes()
CERTIFICATE = (
    Path(certifi.where()).read_bytes().partition(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n"
)

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 0.5, -0.0, 1e308, -1e308, 1e-320, float("nan"), float("inf"), 10**30, 10**400,
    2**63, "", " ", "x", "7", "nan", "1e999", "5%", "y" * 80_000, "\x00", "\x1b[2Jx", "\u2028", "\u202e", "\x85",
    "../../x", "/dev/zero", "/", "=1+1", "[red]x[/red]", "{{ 7 }}", "<b>", "a\nb", [], {}, [None], [[]], [1] * 2000,
    {"": None}, {"x": {"y": [1]}}, {7: 7}, {None: 1}, [float("nan")], ["a"], "2026-13-45", "!!int", "-" * 300,
)  # fmt: skip
WORDS: tuple[str, ...] = (
    "!!python/object/apply:os.system [id]", '!!int ""', "!!timestamp x", "!!float .nan", "!!binary x", "!!set {a, b}",
    "!!omap [a: 1]", "!!null x", "!!bool 7", "!x y", "&a [*a]", "*a", "&a {b: *a}", "<<: *a", "? x", "- - -",
    "0x" + "f" * 900, "59:" * 900 + "59", "1e400", "-.inf", ".nan", "2026-99-99", "2026-01-01T99:99:99Z", "0o9",
    "1__0", "~", "|", ">", "'", '"', "{", "]", "@", "`", "%", "\t", "---", "...", "[" * 2000, "{a: " * 300,
    "[" * 40 + "]" * 40, "x" * 80_000, "'\\ud800'", '"\\ud800"', '"\\x1b[31m"', "\u2028", "\x85", "9" * 400,
    "9" * 5000, "-9", "1.5", "true", "null", "''", "12.0", "=cmd", "\x1b[2J", "9999-12-31 23:59:59",
    "10000-01-01 00:00:00", "0001-01-01 00:00:00", "1-1-1 1:1", "-0", "1e18", "NaN", "inf",
)  # fmt: skip
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
_NUMBER = re.compile(r"(?<![\w.#-])\d{1,12}(\.\d{1,9})?(?![\w.:-])")
_SCALAR = re.compile(r"(?<=[:,\[{ ] )[^\s,:\[\]{}#]+|(?<=,)[^,\n]+")


def changed(seed_file: bytes, chance: random.Random) -> bytes:
    """The same file with one to three changes."""
    content = seed_file
    for _ in range(chance.choice((1, 1, 2, 3))):
        content = chance.choice(_CHANGES)(content, chance)
        if len(content) > MOST_TEXT:
            break
    return content


def _of_text(change: Callable[[str, random.Random], str]) -> Callable[[bytes, random.Random], bytes]:
    return lambda content, chance: change(content.decode("utf-8", "replace"), chance).encode("utf-8", "surrogatepass")


def _data(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(text, yaml.CSafeLoader) if len(text) < 20_000 and "&" not in text else None
    except Exception:  # PyYAML raises whatever it stumbles over
        return None


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            _places(value[key], found)
    return found


def _value(text: str, chance: random.Random) -> str:
    """One value of the data becomes any other, or goes, or comes under another name."""
    lines = text.splitlines(keepends=True)
    if text.lstrip().startswith('{"') and len(lines) > 1:  # JSON lines
        at = chance.randrange(len(lines))
        lines[at] = _value(lines[at].strip(), chance) + "\n"
        return "".join(lines)
    data = _data(text)
    if not isinstance(data, dict | list) or not data:
        return _word(text, chance)
    inside, key = chance.choice(_places([data], []))
    what = chance.random()
    if what < 0.1 and isinstance(inside, dict):
        del inside[key]
    elif what < 0.2 and isinstance(inside, dict):
        inside[chance.choice((f"{key}x", "kind", "\x1b[2J", "x" * 80_000, "nam", 7, None, "items"))] = inside[key]
    elif what < 0.25 and isinstance(inside, list):
        inside += [inside[key]] * chance.choice((1, 50, 3000))
    else:
        inside[key] = chance.choice(VALUES)
    try:
        return json.dumps(data) if chance.random() < 0.4 else yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    except (TypeError, ValueError, yaml.YAMLError, RecursionError):
        return _word(text, chance)


def _word(text: str, chance: random.Random) -> str:
    """One word, number or cell becomes another."""
    found = list(_SCALAR.finditer(text))
    if not found:
        return text + chance.choice(WORDS)
    at = chance.choice(found)
    return text[: at.start()] + chance.choice(WORDS) + text[at.end() :]


def _number(text: str, chance: random.Random) -> str:
    """A number becomes one that may well be meant, and seldom is."""
    found = list(_NUMBER.finditer(text))
    if not found:
        return _word(text, chance)
    at = chance.choice(found)
    value = float(at[0])
    near = (0, 1, value * 1000, value / 1000, value + 0.5, 1e9, 1e-9, 1e15, 999_999_999, 1e12, 1e-300, 8760, 100)
    number = chance.choice(near)
    return text[: at.start()] + (str(int(number)) if number == int(number) else repr(number)) + text[at.end() :]


def _insert(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    what = chance.choice(("\x00", "\u2028", "\ufeff", "\r", "\t", '"', "'", ":", "\n", "\x1b[31m", "\ud800", *WORDS))
    return text[:at] + what + text[at:]


def _line(text: str, chance: random.Random) -> str:
    """A line twice, often, gone, or elsewhere."""
    lines = text.splitlines(keepends=True) or [""]
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    what = chance.randrange(4)
    if what == 0:
        lines[at:at] = [lines[at]] * chance.choice((1, 1, 2000))
    elif what == 1:
        del lines[at]
    elif what == 2:
        lines.insert(to, lines.pop(at))
    else:
        lines[at] = lines[at].lstrip() if chance.random() < 0.5 else "   " + lines[at]
    return "".join(lines)


def _key(text: str, chance: random.Random) -> str:
    """More at the end: a bomb, an unknown key, a document."""
    more = (BOMB, "x: 1\n", "name: again\n", "---\na: b\n", "? [a]\n: b\n", "7: 7\n", "? {}\n", "\x1b[2J: 1\n",
            "x" * 80_000 + ": 1\n", "a: &b {c: *b}\n", "<<: {name: z}\n", "a: " + "[" * 5000 + "\n",
            "{" * 900)  # fmt: skip
    return text.rstrip("\n") + "\n" + chance.choice(more)


def _flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content or b"x")
    for _ in range(chance.choice((1, 1, 3, 30))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _coded(content: bytes, chance: random.Random) -> bytes:
    """Another coding, other line ends, or something that is no text."""
    text = content.decode("utf-8", "replace")
    return chance.choice((
        b"\xef\xbb\xbf" + content, text.encode("utf-16"), text.encode("utf-32"), content.replace(b"\n", b"\r"), b"",
        content.replace(b"\n", b"\r\n"), b"\n" * 5000, b"\x00" * 100, b"\x1f\x8b" + content, content * 20,
    ))  # fmt: skip


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *[_of_text(_value)] * 5, *[_of_text(_word)] * 3, *[_of_text(_number)] * 7, *[_of_text(_insert)] * 2,
    *[_of_text(_line)] * 2, _of_text(_key), _flipped, _cut, _coded,
)  # fmt: skip
