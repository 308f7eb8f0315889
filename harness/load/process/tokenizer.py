"""Asks the endpoint's own tokenizer: before the run for words, after it for answers without a count."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from harness.backends.openai_compat import OpenAiWire
from harness.load.prompts.texts import WORDS, Vocabulary
from harness.load.wire.transport import ConnectFailed, ConnectionLost, Target, fetch

MAX_QUESTIONS = 80  # to find the one-token words; 8 would do for most vocabularies
MAX_SECONDS = 20.0
COUNT_AFTERWARDS_S = 120.0  # for answers whose tokens the server did not count
BUSY_TIMEOUT_S = 60.0  # an engine may still be busy with what was cut
MIN_WORDS = 32  # fewer one-token words than this: estimate instead


@dataclass(slots=True)
class EndpointTokenizer:
    """Counts tokens through a route of the endpoint; `path` None when it has none."""

    target: Target
    wire: OpenAiWire
    model: str | None
    timeout_s: float
    path: str | None = None

    def find(self) -> None:
        """Find the route that works, if there is one."""
        for path in self.wire.tokenize_paths:
            self.path = path
            if self.count("the of and") is not None:
                return
        self.path = None

    def count(self, text: str) -> int | None:
        """Tokens of `text` as a prompt, BOS included; None when the endpoint cannot say."""
        if self.path is None:
            return None
        body = orjson.dumps(self.wire.tokenize_body(self.path, text, self.model))
        try:
            status, answer = fetch(self.target, self.path, body=body, timeout_s=self.timeout_s)
        except (ConnectFailed, ConnectionLost, TimeoutError):
            return None
        return self.wire.token_count(self.path, answer) if status == 200 else None


def build_vocabulary(tokenizer: EndpointTokenizer) -> Vocabulary:
    """The one-token words of the endpoint's vocabulary, or an inexact vocabulary where it cannot be asked."""
    inexact = Vocabulary(WORDS, exact=False)
    if tokenizer.path is None:
        return inexact
    one, two = tokenizer.count(" the"), tokenizer.count(" the the")
    if one is None or two is None or two - one != 1:
        return inexact
    overhead_tokens = one - 1
    deadline = time.monotonic() + MAX_SECONDS
    words: list[str] = []
    pending = [list(WORDS)]
    for _ in range(MAX_QUESTIONS):
        if not pending or time.monotonic() > deadline:
            break
        group = pending.pop()
        count = tokenizer.count("".join(" " + w for w in group))
        if count is None:
            return inexact
        if count - overhead_tokens == len(group):
            words += group
        elif len(group) > 1:
            middle = len(group) // 2
            pending += [group[:middle], group[middle:]]
    if len(words) < MIN_WORDS:
        return inexact
    return Vocabulary(tuple(sorted(words)), overhead_tokens)


def count_texts(tokenizer: EndpointTokenizer, texts: Iterable[str], within_s: float) -> Iterator[int]:
    """Tokens of each text, BOS left out; ends early where the endpoint stops telling, or takes too long."""
    deadline = time.monotonic() + within_s
    empty = tokenizer.count("") or 0
    for text in texts:
        count = tokenizer.count(text)
        if count is None or time.monotonic() > deadline:
            return
        yield count - empty


def count_answers(tokenizer: EndpointTokenizer, answers: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, int]]:
    """(request_id, tokens) of each answer's `text`; see `count_texts`."""
    tokenizer.timeout_s = BUSY_TIMEOUT_S
    counts = count_texts(tokenizer, (answer["text"] for answer in answers), COUNT_AFTERWARDS_S)
    return zip((answer["request_id"] for answer in answers), counts, strict=False)
