"""One answer as it comes in: its token events with their stamps, and in the end whether it was any good."""

from dataclasses import dataclass, field

from harness.backends.counts import settle_counts
from harness.backends.ends import bad_end, is_full
from harness.backends.faults import BROKE_EARLY, EMPTY, ONLY_END_MARK, ONLY_REASONING, UNFINISHED
from harness.backends.wire import MAX_DETAIL_CHARS, MAX_EXAMPLE_CHARS, Answer, Reader, error_detail
from harness.load.wire.bounds import MAX_WHOLE_BYTES, Oversize, most_events
from harness.load.wire.exchange import Exchange
from harness.load.wire.sse import ErrorEvent, SseParser

MAX_BODY_BYTES = 1 << 20  # that are kept of what is no answer: for its words
SAME_ARRIVAL_NS = 200_000  # what one write sent may take two reads to come
LEAST_TOKEN_NS = 50_000  # no server decodes one stream's tokens faster
UNLIKE = 2.0  # times as much text as the other arrivals brought, or as little


@dataclass(slots=True)
class Reading:
    """Follows one answer: finds the token events in its bytes and keeps their stamps."""

    reader: Reader | None  # None: not streaming
    arrivals: list[int] | None  # None: nobody wants them
    most_events: int = most_events(None)
    sse: SseParser = field(default_factory=SseParser)
    body: bytearray = field(default_factory=bytearray)
    first_ns: int | None = None
    last_ns: int | None = None
    max_gap_ns: int | None = None
    events: int = 0  # of any kind
    shared_events: int = 0  # token events that came out of one read with others: they share a stamp
    first_events: int = 0  # token events of the first arrival
    first_chars: int = 0  # that it brought
    first_tokens: int | None = None  # that it brought, where the server said so with it
    error: bytes | None = None  # the payload of the first event that was called so
    answer: Answer = field(default_factory=Answer)  # what it came to, once it has ended

    def on_bytes(self, exchange: Exchange, piece: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            Oversize: it goes beyond a limit.
        """
        if not self.events or self.reader is None:
            self._keep(piece, is_answer=self.reader is None and exchange.is_success)
        if self.reader is not None and exchange.is_success:
            exchange.is_over = self._events(self.sse.feed(piece), exchange.arrived_ns)
            exchange.awaits_first = self.first_ns is None
        else:
            exchange.awaits_first = False

    def _keep(self, piece: bytes, *, is_answer: bool) -> None:
        if len(self.body) < (MAX_WHOLE_BYTES if is_answer else MAX_BODY_BYTES):
            self.body += piece
        elif is_answer:
            raise Oversize(f"the answer has more than {MAX_WHOLE_BYTES} bytes, in one piece")

    def drop(self) -> None:
        """It went beyond a limit: what it said is of no use any more."""
        self.body.clear()
        self.sse = SseParser()
        if self.reader is not None:
            self.reader.answer.text.clear()
            self.reader.answer.aside.clear()

    @property
    def saw_event(self) -> bool:
        """Whether it is a stream at all."""
        return self.events > 0

    def close(self, arrived_ns: int) -> None:
        """The body has ended."""
        if self.reader is not None:
            self._events(self.sse.close(), arrived_ns)

    def take_answer(self, answer: Answer) -> Answer:
        """What it came to, with its counts settled; an event that was called `error` is one, whatever it holds."""
        self.answer = answer
        answer.finish_reason = answer.finish_reason and answer.finish_reason[:MAX_EXAMPLE_CHARS]
        if self.error is not None:
            answer.error = answer.error or error_detail(self.error) or "event: error"
        settle_counts(answer)
        return answer

    @property
    def is_whole(self) -> bool:
        """Whether a stream so far has its finish reason and its counts."""
        answer = self.answer if self.reader is None else self.reader.answer
        return answer.finish_reason is not None and answer.output_tokens is not None

    @property
    def says_its_end(self) -> bool:
        """Whether the answer itself said how it ended: what HTTP or the clock did afterwards is no part of it."""
        return self.answer.done or self.answer.error is not None

    def _events(self, events: list[bytes], arrived_ns: int) -> bool:
        """Take events; whether one of them was the answer's end mark: what comes after it is no part of the answer."""
        reader, tokens = self.reader, 0
        assert reader is not None
        answer = reader.answer
        self.events += len(events)
        if self.events > self.most_events:
            raise Oversize(f"the stream has more than {self.most_events} events")
        for event in events:
            if answer.done:
                break
            if event.__class__ is ErrorEvent:
                self.error = self.error or event
                continue
            if not reader.feed(event):
                continue
            tokens += 1
            if self.last_ns is None:
                self.first_ns = arrived_ns
            else:
                gap_ns = arrived_ns - self.last_ns
                if self.max_gap_ns is None or gap_ns > self.max_gap_ns:
                    self.max_gap_ns = gap_ns
            self.last_ns = arrived_ns
            if self.arrivals is not None:
                self.arrivals.append(arrived_ns)
        if tokens > 1:
            self.shared_events += tokens
        if tokens and arrived_ns - (self.first_ns or 0) <= SAME_ARRIVAL_NS:
            self._note_first(answer)
        return answer.done

    def _note_first(self, answer: Answer) -> None:
        self.first_events = answer.token_events
        self.first_chars = len(answer.generated)
        self.first_tokens = answer.output_tokens

    def tpot_share(self) -> float | None:
        """Which share of the output tokens came after the first arrival, of one choice: what TPOT is over.

        0: none did, or faster than any server decodes, or fewer events than were held back for the first arrival, whose
        instant is then the proxy's more than theirs. None: no token came, or nothing was streamed. Reasoning that was
        not sent is no part of it. What the first arrival brought is the server's own word where it counts as it goes;
        else one token an event where there are as many; else its share of the events, or of the text, where it brought
        another amount than the others did (a first token sent on its own).
        """
        answer = self.answer
        events, later = answer.token_events, answer.token_events - self.first_events
        if self.first_ns is None or self.last_ns is None:
            return None
        is_held_back = 1 < self.first_events > later
        if self.last_ns - self.first_ns < later * LEAST_TOKEN_NS or later <= 0 or is_held_back:
            return 0.0
        total = answer.output_tokens
        if total and self.first_tokens and self.first_tokens < total:
            return (total - self.first_tokens) / total / answer.choices
        sent = 1.0
        if total and answer.reasoning_tokens and not any(answer.aside):
            sent = max(total - answer.reasoning_tokens, later) / total
        chars = len(answer.generated)
        share = later / events
        if chars and (total is None or total * sent > events):
            by_text = 1 - self.first_chars / chars
            usual = 1 / UNLIKE <= (1 - by_text) * events / self.first_events <= UNLIKE
            share = share if usual else by_text
        return min(sent * share, 1.0) / answer.choices


def broke_off(reading: Reading) -> str:
    """Where in its stream an answer broke off that HTTP calls incomplete."""
    if not reading.saw_event:
        return BROKE_EARLY
    assert reading.reader is not None
    answer = reading.reader.answer
    return UNFINISHED if answer.done and not answer.finish_reason else "the answer broke off"


def judge(exchange: Exchange, reading: Reading, asked: int | None = None) -> tuple[str | None, str | None]:
    """Why an answer that came to its end has failed, or (None, None). `asked`: how many tokens it might have.

    HTTP 200 is no success and neither is `[DONE]`. Success is a good end (`harness.backends.ends`) and at least one
    token, of those that were asked for all where the end says so. A server that never says why it ended is taken at
    its word where it counted the tokens and set its end mark.
    """
    status, answer = exchange.status or 0, reading.answer
    body = bytes(reading.body)
    if not exchange.is_success:
        return f"http_{status}", error_detail(body) or None
    if answer.error is not None:
        return "error_event", answer.error
    if reading.reader is not None and not reading.saw_event:
        if not body.strip():
            return "no_tokens", EMPTY
        kind = exchange.content_type or "no content type"
        return "not_sse", f"{kind}: {body[:MAX_DETAIL_CHARS].decode('utf-8', 'replace').strip()[:120]}"
    if answer.finish_reason is None:
        return _judge_unfinished(answer)
    error = bad_end(answer.finish_reason)
    if error is not None:
        return error, _end_words(answer, asked)
    if not answer.token_events or (answer.token_events == 1 < (answer.output_tokens or 0) and not answer.generated):
        return "no_tokens", ONLY_REASONING if answer.output_tokens else None
    if is_full(answer.finish_reason) and asked is not None and _most_tokens(answer) < asked:
        return "short", _end_words(answer, asked)
    return None, None


def _judge_unfinished(answer: Answer) -> tuple[str | None, str | None]:
    if answer.words is not None:
        return "error_event", answer.words
    if answer.done and answer.token_events and answer.output_tokens:
        return None, None
    if answer.done and not answer.token_events and not answer.unreadable:
        return "no_tokens", ONLY_END_MARK
    if answer.unreadable:
        return "truncated", f"{UNFINISHED}; {answer.unreadable} of its events could not be read: {answer.example}"
    return "truncated", UNFINISHED


def _most_tokens(answer: Answer) -> float:
    """How many tokens a choice had at most: by the count, else by the bytes of its text; an event is one or more."""
    most = answer.output_tokens
    if most is None:
        most = len(answer.generated.encode("utf-8", "replace"))
    return max(most, answer.token_events) / answer.choices


def _end_words(answer: Answer, asked: int | None) -> str:
    count = answer.output_tokens if answer.output_tokens is not None else f"{answer.token_events} events,"
    return f"ended with `{answer.finish_reason}` after {count} of {'unknown' if asked is None else asked} tokens"
