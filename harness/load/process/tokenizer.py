"""Asks the endpoint's own tokenizer: before the run for words, after it for answers without a count."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from harness.backends.openai_compat import OpenAiWire
from harness.backends.said import ChatPrompt, read_said
from harness.backends.wire import Messages
from harness.load.prompts.texts import WORDS, Vocabulary
from harness.load.wire.exchange import ConnectionLost
from harness.load.wire.transport import ConnectFailed, Late, Target, fetch
from harness.scenario import Scenario, SessionPrompts

MAX_QUESTIONS = 80  # to find the one-token words; 8 would do for most vocabularies
MAX_SECONDS = 20.0  # looking for words; all questions before the load end within TOKENIZE_S
TOKENIZE_S = 30.0
ANSWER_S = 5.0  # one question gets at most this, and at most timeout_s
COUNT_AFTERWARDS_S = 120.0  # for answers whose tokens the server did not count
BUSY_TIMEOUT_S = 60.0  # an engine may still be busy with what was cut
MIN_WORDS = 32  # fewer one-token words than this: estimate instead
MOST_AROUND = 16_384  # tokens of a chat template around a conversation
TEMPLATE_WORDS = 8  # of each message by which a chat template's tokens are found
TEMPLATE_TURNS = 16  # of a conversation that are asked about; further ones grow as the last of them did


@dataclass(slots=True)
class EndpointTokenizer:
    """Counts tokens through a route of the endpoint; `path` None when it has none."""

    target: Target
    wire: OpenAiWire
    model: str | None
    timeout_s: float
    path: str | None = None
    ends: float = float("inf")  # on the monotonic clock: it is not asked after that
    was_late: bool = False  # a question had no answer in its time
    is_silent: bool = False  # the last question had no answer

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
        answer = self._ask(self.path, self.wire.tokenize_body(self.path, text, self.model))
        return None if answer is None else _possible(self.wire.token_count(self.path, answer), text.encode())

    def count_chat(self, messages: Messages) -> int | None:
        """Tokens of a conversation, its template's included; None when the endpoint cannot say."""
        wire = self.wire
        if wire.template_path is not None:
            answer = self._ask(wire.template_path, {"messages": list(messages)})
            prompt = read_said(ChatPrompt, answer).prompt
            return None if prompt is None else self.count(prompt)
        if wire.chat_tokenize_path is None:
            return None
        answer = self._ask(wire.chat_tokenize_path, wire.chat_tokenize_body(messages, self.model))
        sent = orjson.dumps(list(messages))
        return None if answer is None else _possible(wire.token_count(wire.chat_tokenize_path, answer), sent)

    def _ask(self, path: str, body: Mapping[str, object]) -> bytes | None:
        self.is_silent = True
        timeout_s = min(self.timeout_s, self.ends - time.monotonic())
        if timeout_s <= 0:
            return None
        try:
            status, answer = fetch(self.target, path, body=orjson.dumps(body), timeout_s=timeout_s)
            self.is_silent = status != 200
        except Late:
            self.was_late = True
            return None
        except (ConnectFailed, ConnectionLost):
            return None
        return answer if status == 200 else None


def _possible(count: int | None, sent: bytes) -> int | None:
    """A count that a text can have: a token is a byte of it at least, and what stands around it has an end."""
    return count if count is not None and count <= len(sent) + MOST_AROUND else None


def learn_words(tokenizer: EndpointTokenizer, scenario: Scenario) -> Vocabulary:
    """The words to make prompts of; lengths are estimated where it cannot be asked, or its time ends."""
    tokenizer.find()
    found = build_vocabulary(tokenizer)
    if scenario.request.api != "chat" or not found.exact:
        return found
    spec = scenario.prompts
    if not isinstance(spec, SessionPrompts):
        return replace(found, overhead_tokens=next(_template_tokens(tokenizer, 1), found.overhead_tokens))
    turns, has_system = min(spec.turns, TEMPLATE_TURNS), spec.shared_prefix_tokens > 0
    return replace(found, turn_tokens=tuple(_template_tokens(tokenizer, turns, has_system=has_system)))


def _template_tokens(tokenizer: EndpointTokenizer, turns: int, *, has_system: bool = False) -> Iterator[int]:
    """What the chat template adds to a conversation at each of its turns, as far as the endpoint tells."""
    text = " the" * TEMPLATE_WORDS
    messages = [{"role": "system", "content": text}] if has_system else []
    for _ in range(turns):
        messages.append({"role": "user", "content": text})
        tokens, own_tokens = tokenizer.count_chat(messages), TEMPLATE_WORDS * len(messages)
        if tokens is None or tokens < own_tokens:  # it counted something else
            return
        yield tokens - own_tokens
        messages.append({"role": "assistant", "content": text})


def build_vocabulary(tokenizer: EndpointTokenizer) -> Vocabulary:
    """The one-token words of the endpoint's vocabulary, or an inexact vocabulary where it cannot be asked."""
    inexact = Vocabulary(WORDS, exact=False)
    if tokenizer.path is None:
        return inexact
    one, two = tokenizer.count(" the"), tokenizer.count(" the the")
    if not one or two is None or two - one != 1:
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


def count_texts(tokenizer: EndpointTokenizer, texts: Iterable[str], within_s: float) -> Iterator[int | None]:
    """Tokens of each text, BOS left out, None where an answer is no count; ends early where the endpoint stops
    answering, or takes too long.
    """
    deadline = time.monotonic() + within_s
    empty = tokenizer.count("") or 0
    for text in texts:
        count = tokenizer.count(text)
        if tokenizer.is_silent or time.monotonic() > deadline:
            return
        yield count - empty if count is not None and count >= empty else None


def count_answers(tokenizer: EndpointTokenizer, answers: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, int]]:
    """(request_id, tokens) of each answer's `text` that could be counted; see `count_texts`."""
    tokenizer.timeout_s = BUSY_TIMEOUT_S
    counts = count_texts(tokenizer, (answer["text"] for answer in answers), COUNT_AFTERWARDS_S)
    for answer, tokens in zip(answers, counts, strict=False):
        if tokens is not None:
            yield answer["request_id"], tokens
