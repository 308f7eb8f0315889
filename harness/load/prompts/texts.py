"""Prompts of a wanted token length. Lengths and order come from the scenario's seed, the words from the run's salt: a
server that keeps what it has seen must not know a run's prompts from the run before. No I/O: what the endpoint says
comes in as numbers.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from harness.load.prompts.file_rows import FileRows, Taken
from harness.load.prompts.prompt import Prompt, draw_length
from harness.load.prompts.tasks import RoundAsks
from harness.scenario import Prompts, SyntheticPrompts
from harness.scenario.prompts import CHARS_PER_TOKEN
from harness.scenario.trace import TraceRow

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
    """Words that are one token each at this endpoint, and the tokens every prompt has besides (BOS, chat template)."""

    words: tuple[str, ...]
    overhead_tokens: int = 0
    exact: bool = True  # False: lengths are estimated at CHARS_PER_TOKEN
    turn_tokens: tuple[int, ...] = ()  # what a conversation has besides at its first turns; none: the same at each

    def text(self, rng: random.Random, tokens: int) -> str:
        """Random words worth `tokens` tokens."""
        if not self.exact:
            return _estimated_text(self.words, rng, tokens)
        return "".join([" " + w for w in rng.choices(self.words, k=max(tokens - self.overhead_tokens, 1))])

    def added_tokens(self, turn: int) -> int:
        """What a conversation has besides its messages at a turn, from 0: past those known it grows on as it did."""
        if not self.exact:
            return 0
        known = self.turn_tokens or (self.overhead_tokens,)
        if turn < len(known):
            return known[turn]
        growth = known[-1] - known[-2] if len(known) > 1 else 0
        return known[-1] + growth * (turn - len(known) + 1)


def _estimated_text(words: Sequence[str], rng: random.Random, tokens: int) -> str:
    wanted_chars = tokens * CHARS_PER_TOKEN
    mean_chars = sum(map(len, words)) / len(words) + 1
    text = " ".join(rng.choices(words, k=int(wanted_chars / mean_chars) + 8))
    while len(text) < wanted_chars:
        text += " " + rng.choice(words)
    return text[:wanted_chars]


class PromptSource:
    """Gives the n-th prompt of a user, or the next row of a file.

    The same seed, salt, user and n give the same bytes in any process; so do seed, salt and a row's position.
    """

    def __init__(
        self,
        prompts: Prompts,
        seed: int,
        salt: str,
        vocabulary: Vocabulary,
        rows: FileRows | None = None,
        asks: RoundAsks | None = None,
    ) -> None:
        self._spec = prompts
        self._seed = seed
        self._salt = salt
        self.vocabulary = vocabulary
        self.rows = rows
        self.asks = asks  # of a task run's round: had from there
        self._taken: Taken | None = None  # the row that was asked for last
        self.prefix_tokens = getattr(prompts, "shared_prefix_tokens", 0)
        self.prefix = ""
        if self.prefix_tokens:
            self.prefix = self.words("prefix", self.prefix_tokens)

    def get(self, user: int | str, n: int) -> Prompt:
        """The n-th prompt of `user`, from 0, or a file's next, whoever asks; an open load, which has no users, gives
        itself a name.
        """
        if self.rows is not None:
            self._taken = self.rows.take()
            return self.rows.prompt(self._taken)
        spec = self._spec
        assert isinstance(spec, SyntheticPrompts)  # conversations are had from a Conversation
        rng = random.Random(f"{self._seed}/{user}/{n}")
        tokens = draw_length(spec.input_tokens, rng)
        own_tokens = max(tokens - self.prefix_tokens, 1)
        text = self.prefix + self._text(f"{user}/{n}", own_tokens)
        max_tokens = draw_length(spec.output_tokens, rng)
        return Prompt(text, tokens if self.vocabulary.exact else None, max_tokens)

    def put_back(self) -> None:
        """The prompt that was given last is not sent."""
        if self.rows is not None and self._taken is not None:
            self.rows.put_back(self._taken)

    def of_trace(self, n: int, row: TraceRow) -> Prompt:
        """The prompt of a trace's n-th request: of its length, sharing text where the log says that text was shared."""
        own_tokens = row.input_tokens
        text = ""
        for block in row.blocks:
            if own_tokens <= row.block_tokens:
                break
            text += self.words(f"block/{block}", row.block_tokens)
            own_tokens -= row.block_tokens
        if not row.blocks and row.input_tokens > self.prefix_tokens:
            text, own_tokens = self.prefix, row.input_tokens - self.prefix_tokens
        text += self._text(f"trace/{n}", own_tokens)
        return Prompt(text, row.input_tokens if self.vocabulary.exact else None, row.output_tokens)

    def words(self, key: str, tokens: int) -> str:
        """Words worth exactly `tokens` tokens inside a text, drawn for `key`."""
        return self._text(key, tokens + self.vocabulary.overhead_tokens)

    def _text(self, key: str, tokens: int) -> str:
        return self.vocabulary.text(random.Random(f"{self._salt}/{key}"), tokens)
