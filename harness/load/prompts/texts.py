"""Prompts of a wanted token length, all from the seed. No I/O: what the endpoint says comes in as numbers."""

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UsageError
from harness.scenario import FilePrompts, LengthSpread, Prompts, SessionPrompts
from harness.scenario.trace import MOONCAKE_BLOCK_TOKENS, TraceRow

CHARS_PER_TOKEN = 4  # the usual estimate for English, where an endpoint cannot count
DEFAULT_OUTPUT_TOKENS = 250

# Common English words that byte-pair vocabularies hold as one token with a leading space.
_WORDS = """
the of and to in is for on that with as was at by an be this which or from had not are but have one all
were her she there would their we him been has when who will no more if out so up said what its about
than into them can only other time new some could these two may first then do any like my now over such
our man me even most made after also well many must before back through years where much your way down
should because long each just state those people too little good world make very year still see work
life being under never day same another know while last might us great old off come since against go
came right used take three place small home use water part house high school end set side number night
group system public city law fact power order point light line start open white black land book music
word given best family course early young money question study free class body food river king space
paper heart
"""
WORDS: tuple[str, ...] = tuple(_WORDS.split())


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words that are one token each at this endpoint, and the tokens every prompt has besides (BOS)."""

    words: tuple[str, ...]
    overhead_tokens: int = 0
    exact: bool = True  # False: lengths are estimated at CHARS_PER_TOKEN

    def text(self, rng: random.Random, tokens: int) -> str:
        """Random words worth `tokens` tokens."""
        if not self.exact:
            return _estimated_text(self.words, rng, tokens)
        return "".join([" " + w for w in rng.choices(self.words, k=max(tokens - self.overhead_tokens, 1))])


def _estimated_text(words: Sequence[str], rng: random.Random, tokens: int) -> str:
    wanted_chars = tokens * CHARS_PER_TOKEN
    mean_chars = sum(map(len, words)) / len(words) + 1
    text = " ".join(rng.choices(words, k=int(wanted_chars / mean_chars) + 8))
    while len(text) < wanted_chars:
        text += " " + rng.choice(words)
    return text[:wanted_chars]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: its text, its length where it is known beforehand, and the tokens to ask for."""

    text: str
    tokens: int | None
    max_tokens: int
    messages: tuple[dict[str, str], ...] | None = None  # the conversation, where a chat route is asked


def draw_length(length: int | LengthSpread, rng: random.Random) -> int:
    """One token length: the number itself, or a normal draw cut at min and max."""
    if isinstance(length, int):
        return length
    drawn = round(rng.gauss(length.mean, length.stdev))
    return max(length.min, min(drawn, length.max) if length.max is not None else drawn)


class PromptSource:
    """Gives the n-th prompt of a user; the same seed, user and n give the same bytes in any process."""

    def __init__(self, prompts: Prompts, seed: int, vocabulary: Vocabulary, base_dir: Path) -> None:
        self._spec = prompts
        self._seed = seed
        self._vocabulary = vocabulary
        self._lines = read_prompt_file(prompts, base_dir) if isinstance(prompts, FilePrompts) else []
        self.prefix_tokens = getattr(prompts, "shared_prefix_tokens", 0)
        self.prefix = ""
        if self.prefix_tokens:
            rng = random.Random(f"{seed}/prefix")
            self.prefix = vocabulary.text(rng, self.prefix_tokens + vocabulary.overhead_tokens)

    def get(self, user: int | str, n: int) -> Prompt:
        """The n-th prompt of `user`, from 0; an open load, which has no users, gives itself a name."""
        spec = self._spec
        assert not isinstance(spec, SessionPrompts)  # those are had from a Conversation
        rng = random.Random(f"{self._seed}/{user}/{n}")
        if isinstance(spec, FilePrompts):
            return self._from_file(spec, rng)
        tokens = draw_length(spec.input_tokens, rng)
        own_tokens = max(tokens - self.prefix_tokens, 1)
        text = self.prefix + self._vocabulary.text(rng, own_tokens)
        max_tokens = draw_length(spec.output_tokens, rng)
        return Prompt(text, tokens if self._vocabulary.exact else None, max_tokens)

    def of_trace(self, n: int, row: TraceRow) -> Prompt:
        """The prompt of a trace's n-th request: of its length, sharing text where the log says that text was shared."""
        own_tokens = row.input_tokens
        text = ""
        for block in row.blocks:
            if own_tokens <= MOONCAKE_BLOCK_TOKENS:
                break
            rng = random.Random(f"{self._seed}/block/{block}")
            text += self._vocabulary.text(rng, MOONCAKE_BLOCK_TOKENS + self._vocabulary.overhead_tokens)
            own_tokens -= MOONCAKE_BLOCK_TOKENS
        if not row.blocks and row.input_tokens > self.prefix_tokens:
            text, own_tokens = self.prefix, row.input_tokens - self.prefix_tokens
        text += self._vocabulary.text(random.Random(f"{self._seed}/trace/{n}"), own_tokens)
        return Prompt(text, row.input_tokens if self._vocabulary.exact else None, row.output_tokens)

    def words(self, key: str, tokens: int) -> str:
        """Words worth exactly `tokens` tokens inside a text, drawn for `key`."""
        rng = random.Random(f"{self._seed}/{key}")
        return self._vocabulary.text(rng, tokens + self._vocabulary.overhead_tokens)

    def _from_file(self, spec: FilePrompts, rng: random.Random) -> Prompt:
        line = rng.choice(self._lines)
        text = f"{rng.getrandbits(32):08x} {line.text}" if spec.nonce else line.text
        if spec.output_tokens is not None:
            return Prompt(text, None, draw_length(spec.output_tokens, rng))
        return Prompt(text, None, line.max_tokens)


def read_prompt_file(spec: FilePrompts, base_dir: Path) -> list[Prompt]:
    """The prompts of a file.

    ShareGPT: a JSON list of `{conversations: [{from, value}...]}`, the first human turn is the prompt.
    JSONL and CSV: `prompt` (or `text`), `output_tokens` (optional).

    Raises:
        UsageError: no such file, wrong layout, no prompt in it.
    """
    path = base_dir / spec.path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"`prompts.path`: cannot read {path}: {error}") from None
    try:
        rows = _READERS[spec.format](text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is not {spec.format}: {error}", hint="see `prompts.format`") from None
    prompts = [p for p in map(_row_prompt, rows) if p is not None]
    if not prompts:
        raise UsageError(f"{path} holds no prompt", hint="JSONL and CSV need a `prompt` column")
    return prompts


def _sharegpt(text: str) -> list[dict[str, Any]]:
    rows = []
    for item in json.loads(text):
        turns = item.get("conversations") or item.get("conversation") or []
        human = next((t["value"] for t in turns if t.get("from") in {"human", "user"}), None)
        rows.append({"prompt": human})
    return rows


_READERS = {
    "sharegpt": _sharegpt,
    "jsonl": lambda text: [json.loads(line) for line in text.splitlines() if line.strip()],
    "csv": lambda text: list(csv.DictReader(text.splitlines())),
}


def _row_prompt(row: dict[str, Any]) -> Prompt | None:
    text = row.get("prompt") or row.get("text")
    if not text:
        return None
    return Prompt(str(text), None, int(row.get("output_tokens") or DEFAULT_OUTPUT_TOKENS))
