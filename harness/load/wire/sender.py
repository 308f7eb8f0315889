"""Sends one request and writes down what happened, whatever happens."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
import orjson
from geventhttpclient.response import HTTPParseError

from harness.backends.counts import reply_tokens, token_source, tokens_asked
from harness.backends.openai_compat import OpenAiWire
from harness.backends.wire import MAX_EXAMPLE_CHARS, Answer, Ask, Constraint, Headers
from harness.base.errors import UsageError
from harness.base.units import NS_PER_S
from harness.load.plan import LoadPlan
from harness.load.prompts.prompt import Prompt
from harness.load.wire.bounds import Oversize, most_bytes, most_events
from harness.load.wire.clock import RunClock
from harness.load.wire.coding import Packed
from harness.load.wire.exchange import ConnectionLost, Exchange
from harness.load.wire.fleet import Fleet
from harness.load.wire.paying import Due, Till
from harness.load.wire.reading import Reading, broke_off, judge
from harness.load.wire.refusal import with_what_is_known
from harness.load.wire.sockets import LOOKOUT
from harness.load.wire.totals import Timed, Totals
from harness.load.wire.transport import ConnectFailed, Target
from harness.rundir.recorder import Recorder
from harness.rundir.records import NOT_FAILURES, RequestRecord
from harness.scenario import Scenario

_OWN_FAULTS = set(range(400, 500)) - {408, 425, 429}  # statuses that another replica would give too
_AFTER_THE_END = frozenset({"timeout", "reset", "truncated"})  # what may befall an answer that is over
MOST_WAITING = 1000


class Cut(Exception):
    """Thrown into a request under way whose step was ended early; its row says `cut_at_end`."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a request, for whoever asked: the row is written already."""

    row: RequestRecord
    reply: str  # generated text without reasoning, "" where there was none
    retry_after_s: float | None  # that the answer asks for
    reply_tokens: int | None = None
    headers: Headers | None = None  # of the answer, where one came
    fingerprint: object = None  # that the answer gave of its server


class Sender:
    """Sends requests, each to the replica that it is given; each leaves exactly one row."""

    def __init__(
        self,
        plan: LoadPlan,
        scenario: Scenario,
        clock: RunClock,
        recorder: Recorder,
        fleet: Fleet,
        till: Till | None = None,
    ) -> None:
        self.request = scenario.request
        self.clock = clock
        self.recorder = recorder
        self.fleet = fleet
        self.live = Totals()
        self.till = till  # of an API that is paid for; None: nothing is
        self._under_way: dict[gevent.Greenlet, tuple[RequestRecord, Exchange, Reading]] = {}
        self._plan = plan
        self._reuses_prefix = scenario.wants_prefix_reuse
        self.constraint: Constraint | None = None  # of what a round asks
        self.process = plan.process

    def speak(self, wire: OpenAiWire, model: str | None) -> None:
        """The dialect and the model of all that is sent from now on.

        Raises:
            UsageError: the server would refuse every request.
        """
        self.wire, self.model = wire, model
        self.path = self.request.path or wire.path(self.request.api, stream=self.request.stream)
        complaint = wire.complaint(self._ask(Prompt("x", None, 1, constraint=self.constraint), "0"))
        if complaint is not None:
            raise UsageError(
                f"{wire.name} would refuse every request, or not do as asked: {complaint}",
                hint="see --extra-body, and `request.omit` in the scenario"
                if self.constraint is None
                else "`constrained: none`, another `request.api`, or --extra-body",
            )

    def send(self, prompt: Prompt, row: RequestRecord, target: Target) -> Sent:
        """Send one request; `row` comes with its plan (ids, step, scheduled_s) and leaves with its outcome.

        A kill of the greenlet (the end of the run) is written down as `cut_at_end`, then goes on. To an API that is
        paid for it is sent when it can be paid and the rate limit lets it, and again where that refused it.

        Raises:
            Cut: the step was ended early.
        """
        if self.till is None:
            return self._send(prompt, row, target)
        return self.till.until_taken(row, lambda is_last: self._send(prompt, row, target, is_last=is_last))

    def _send(self, prompt: Prompt, row: RequestRecord, target: Target, *, is_last: bool = True) -> Sent:
        ask = self._ask(prompt, row.request_id)
        row.url, row.process, row.requested_output_tokens = target.url, self.process, tokens_asked(ask)
        reader = self.wire.reader(self.request.api) if self.request.stream else None
        asked = row.requested_output_tokens
        arrivals: list[int] | None = None if self.recorder.arrivals is None else []
        reading, exchange = Reading(reader, arrivals, most_events(asked)), Exchange(most_bytes(asked))
        body = self.wire.body(ask)
        due = self._admitted(body, row, is_last=is_last)
        if self.till is not None and due is not None:
            exchange.may_write_again = partial(self.till.write_again, due)
        LOOKOUT.glance()  # others wait for their first token; a hundred requests may begin and end here together
        self._begin(target, row, exchange, reading)
        try:
            self._exchange(target, orjson.dumps(body), row, reading, exchange)
        except (gevent.GreenletExit, Cut):
            row.error = "cut_at_end"
            raise
        finally:
            self._end(target)
            self._fill(row, prompt, reading, exchange, target)
            if self.till is not None and due is not None:
                self.till.settle(due, row, reading, exchange)
            self._note_health(target, row, exchange)
            LOOKOUT.glance()
            self._write(row, reading)
            LOOKOUT.glance()
        if exchange.rest_s:
            gevent.sleep(exchange.rest_s)
        answer = reading.answer
        return Sent(
            row, answer.reply, exchange.retry_after_s, reply_tokens(answer), exchange.headers, answer.fingerprint
        )

    def _admitted(self, body: Mapping[str, Any], row: RequestRecord, *, is_last: bool) -> Due | None:
        if self.till is None:
            return None
        try:
            return self.till.admit(body, row, is_last=is_last)
        except Cut:
            self.drop(row, "the API's rate limit held it up until the load was over")
            raise

    def drop(self, row: RequestRecord, detail: str | None = None) -> None:
        """Write down an arrival that was not let out: by the cap on requests in flight, or as `detail` says."""
        row.error, row.error_detail, row.process = "not_sent", detail, self.process
        self.recorder.records.add(row.to_dict())
        self.live.not_sent += 1

    def cut_under_way(self) -> None:
        """End every request under way with `cut_at_end`, soon; those that wait for a rate limit are not sent."""
        self.cut_waiting()
        for greenlet in list(self._under_way):
            greenlet.kill(Cut, block=False)

    def cut_waiting(self) -> None:
        """What waits for an API's rate limit is not sent."""
        for greenlet in list(self.till.waiting) if self.till is not None else ():
            greenlet.kill(Cut, block=False)

    def under_way(self, due_from_s: float, due_before_s: float) -> int:
        """How many requests are under way that were due in this time."""
        rows = [row for row, _, _ in self._under_way.values()]
        return sum(row.scheduled_s is not None and due_from_s <= row.scheduled_s < due_before_s for row in rows)

    def waiting(self, longer_than_s: float) -> list[tuple[str, float, float]]:
        """(request_id, scheduled_s, seconds waited so far) of those without a first token for so long, the longest
        first; no more than 1,000, so that the line stays short.
        """
        now_s = self.clock.now_s()
        waits = [
            (row.request_id, row.scheduled_s, now_s - self.clock.from_monotonic_s(exchange.sent_ns))
            for row, exchange, reading in self._under_way.values()
            if row.scheduled_s is not None and exchange.sent_ns is not None and reading.first_ns is None
        ]
        late = [wait for wait in waits if wait[2] > longer_than_s]
        return sorted(late, key=lambda wait: -wait[2])[:MOST_WAITING]

    def tokens(self) -> int:
        """Output tokens that have come so far, of requests under way as events."""
        under_way = (reading.reader for _, _, reading in self._under_way.values())
        return self.live.token_events + sum(reader.answer.token_events for reader in under_way if reader is not None)

    def first_tokens(self) -> list[Timed]:
        """How long the latest first tokens took, from sending, of ended requests and of those under way."""
        seconds = self.clock.from_monotonic_s
        under_way = [
            Timed(seconds(reading.first_ns), seconds(reading.first_ns) - seconds(exchange.sent_ns))
            for _, exchange, reading in self._under_way.values()
            if reading.first_ns is not None and exchange.sent_ns is not None
        ]
        return [*self.live.ttft, *under_way]

    def _ask(self, prompt: Prompt, request_id: str) -> Ask:
        request = self.request
        return Ask(
            prompt=prompt.text,
            max_tokens=prompt.max_tokens,
            api=request.api,
            stream=request.stream,
            temperature=request.temperature,
            force_length=request.force_length,
            model=self.model,
            messages=prompt.messages,
            extra_body=self._plan.extra_body,
            omit=request.omit,
            rename=request.rename,
            cache_salt=None if self._reuses_prefix else request_id,
            constraint=prompt.constraint,
        )

    def _exchange(self, target: Target, body: bytes, row: RequestRecord, reading: Reading, exchange: Exchange) -> None:
        headers = f"x-request-id: {row.request_id}\r\n"
        timeout = gevent.Timeout(self.request.timeout_s)
        try:
            with timeout:
                target.request("POST", self.path, reading.on_bytes, exchange, body=body, headers=headers)
            reading.close(exchange.arrived_ns)
        except gevent.Timeout as caught:
            if caught is not timeout:
                raise
            row.error, row.error_detail = "timeout", f"no whole answer in {self.request.timeout_s:g} s"
            if reading.is_whole:
                row.error_detail += ": all of it had come, but neither an end mark nor the end of the response"
        except ConnectFailed as error:
            row.error, row.error_detail = "connect", str(error)
        except ConnectionLost as error:
            row.error, row.error_detail = "reset", str(error)
        except Packed as error:
            row.error = "bad_encoding" if exchange.is_success else f"http_{exchange.status}"
            row.error_detail = str(error)
        except Oversize as error:
            reading.drop()
            row.error = "oversize" if exchange.status is None or exchange.is_success else f"http_{exchange.status}"
            row.error_detail = str(error)
        except HTTPParseError as error:
            cut = exchange.status is not None
            where = f"{broke_off(reading)}, " if cut else ""
            row.error, row.error_detail = ("truncated" if cut else "reset"), f"{where}HTTP: {error}"

    def _begin(self, target: Target, row: RequestRecord, exchange: Exchange, reading: Reading) -> None:
        assert row.scheduled_s is not None
        self.live.late_s = max(self.live.late_s, self.clock.now_s() - row.scheduled_s)
        self._under_way[gevent.getcurrent()] = row, exchange, reading
        target.in_flight += 1
        self.live.sent += 1
        self.live.in_flight += 1

    def _end(self, target: Target) -> None:
        self._under_way.pop(gevent.getcurrent(), None)
        target.in_flight -= 1
        self.live.in_flight -= 1

    def _fill(self, row: RequestRecord, prompt: Prompt, reading: Reading, exchange: Exchange, target: Target) -> None:
        seconds = self.clock.from_monotonic_s
        row.sent_s = seconds(exchange.sent_ns) if exchange.sent_ns is not None else None
        row.headers_s = seconds(exchange.headers_ns) if exchange.headers_ns is not None else None
        row.first_token_s = seconds(reading.first_ns) if reading.first_ns is not None else None
        row.finished_s = seconds(reading.last_ns) if reading.last_ns is not None else None
        has_ended = exchange.complete or exchange.is_over
        row.answered_s = seconds(exchange.arrived_ns) if has_ended else None
        row.max_gap_s = reading.max_gap_ns / NS_PER_S if reading.max_gap_ns is not None else None
        row.clock = "kernel" if exchange.kernel_clock else "user"
        row.http_status = exchange.status
        answer = reading.take_answer(self._answer(row, reading, exchange))
        row.prompt_tokens = answer.prompt_tokens if answer.prompt_tokens is not None else prompt.tokens
        row.cached_tokens = answer.cached_tokens
        row.output_tokens = answer.output_tokens
        row.token_source = token_source(answer)
        row.reasoning_tokens = answer.reasoning_tokens
        row.tpot_share = reading.tpot_share()
        row.events, row.first_events = answer.token_events, reading.first_events or None
        row.finish_reason = answer.finish_reason
        row.server_queue_s, row.server_prefill_s = answer.server_queue_s, answer.server_prefill_s
        row.server_decode_s, row.server_total_s = answer.server_decode_s, answer.server_total_s
        row.resent = max(exchange.attempts - 1, 0)
        if row.error is None or (row.error in _AFTER_THE_END and reading.says_its_end):
            row.error, row.error_detail = judge(exchange, reading, row.requested_output_tokens)
            row.error_detail = with_what_is_known(exchange, target.route(self.path), row.error_detail)
        strike = target.secrets.strike
        row.error_detail, row.unreadable_events = strike(row.error_detail), answer.unreadable
        row.finish_reason, row.unreadable_example = (  # what is struck may be shorter than what stands for it
            text and text[:MAX_EXAMPLE_CHARS] for text in map(strike, (row.finish_reason, answer.example))
        )
        if prompt.is_judged and row.error is None:
            self.recorder.answers.add({"request_id": row.request_id, "text": answer.reply})
        is_counted = row.error in {None, "cut_at_end"} and not row.repeat
        if answer.output_tokens is None and answer.generated and is_counted:
            self.recorder.texts.add({"request_id": row.request_id, "text": answer.generated})

    def _note_health(self, target: Target, row: RequestRecord, exchange: Exchange) -> None:
        """A replica that fails in an instant looks idle; what the request itself is to blame for says nothing."""
        if row.error is None:
            self.fleet.served(target)
        elif row.error not in NOT_FAILURES and (row.http_status or 0) not in _OWN_FAULTS:
            self.fleet.failed(target, exchange.retry_after_s)

    def _answer(self, row: RequestRecord, reading: Reading, exchange: Exchange) -> Answer:
        if reading.reader is not None:
            return reading.reader.answer
        if not exchange.is_success or not exchange.complete or exchange.headers is None:
            return Answer()
        row.finished_s = self.clock.from_monotonic_s(exchange.arrived_ns)
        return self.wire.read_body(self.request.api, bytes(reading.body), exchange.headers)

    def _write(self, row: RequestRecord, reading: Reading) -> None:
        self.recorder.records.add(row.to_dict())
        if self.recorder.arrivals is not None and reading.arrivals and not row.repeat:
            zero_ns = self._plan.started_monotonic_ns
            stamps = [(ns - zero_ns) // 1000 for ns in reading.arrivals]
            self.recorder.arrivals.add({"request_id": row.request_id, "arrival_us": stamps})
        self.live.note(row, reading.shared_events, self.clock.now_s())
