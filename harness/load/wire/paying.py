"""Requests that cost money: none is written before its worst case is reserved and the API's rate limit lets it.

What a request has cost is what its own usage says; where nobody knows, its worst case stays reserved. Surely unbilled
are those that never left (no connection) and those answered with 4xx.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import gevent
import gevent.event

from harness.backends.counts import billed_output
from harness.backends.wire import Answer
from harness.base.errors import UsageError
from harness.load.spending.bounds import most_billed
from harness.load.spending.pace import MOST_PAUSE_S, Pace
from harness.load.spending.purse import Purse, Spending, Spent, below_one_request
from harness.load.spending.tariff import Bound, Usage
from harness.load.wire.clock import RunClock
from harness.load.wire.exchange import Exchange
from harness.load.wire.headers import allowances
from harness.load.wire.reading import Reading
from harness.rundir.records import COLUMNS, RequestRecord

MOST_TRIES = 20  # of a request that a rate limit refuses
MOST_WAIT_S = 600.0  # of a request for a rate limit
LOOK_S = 0.02  # for one under way to end
TOO_MANY = 429
CHARS_PER_TOKEN = 4  # as rate limits count a prompt beforehand
_NO_MONEY = re.compile(r"insufficient_quota|insufficient (balance|credit)|exceeded your current quota|billing", re.I)

T = TypeVar("T")


@dataclass(slots=True)
class Due:
    """What is reserved for a request under way: its worst case, each time it is written."""

    most_pico: int
    is_last: bool  # it is not asked again
    writes: int = 1


class Till:
    """All that a load process spends, and how it waits for the API's rate limits."""

    def __init__(self, spending: Spending, clock: RunClock, on_stop: Callable[[UsageError | None], None]) -> None:
        self.purse = Purse(spending)
        self.waiting: set[gevent.Greenlet] = set()  # requests that the rate limit holds up
        self._clock = clock
        self._on_stop = on_stop
        self._pace = Pace()
        self._in_flight = 0
        self._rate_limited = spending.before.rate_limited
        self._waited_s = spending.before.waited_s
        self._never = gevent.event.Event()
        self._has_stopped = False  # and it was told of

    def spent(self, *, is_final: bool = False) -> Spent:
        """How it stands."""
        purse, waited_s = self.purse, round(self._waited_s, 3)
        return Spent(
            purse.spent_pico, purse.reserved_pico, self._rate_limited, waited_s, purse.stopped, is_final=is_final
        )

    def until_taken(self, row: RequestRecord, send: Callable[[bool], T]) -> T:
        """Send a request until no rate limit refuses it; each try that was refused has a row of its own. `send` is told
        whether it is the last try.
        """
        plan = replace(row)
        for n in range(1, MOST_TRIES + 1):
            sent = send(n == MOST_TRIES)
            if not row.retried:
                return sent
            for name in COLUMNS:
                setattr(row, name, getattr(plan, name))
            again = uuid.uuid5(uuid.UUID(plan.request_id), str(n))
            row.request_id = str(again)
        raise AssertionError("the last try is not asked again")

    def admit(self, body: Mapping[str, Any], row: RequestRecord, *, is_last: bool) -> Due:
        """Wait until the rate limit lets this request go, and reserve its worst case. Does not come back where that is
        not there any more.

        Raises:
            UsageError: it cannot be bounded, or is sent beforehand, or as the first, and not even it can be paid.
        """
        bound = most_billed(body)
        most_pico = self.purse.most_pico(bound)
        self._wait(bound, row)
        self._reserve(most_pico, row)
        self._in_flight += 1
        self._pace.sent(_counted(bound))
        return Due(most_pico, is_last)

    def _wait(self, bound: Bound, row: RequestRecord) -> None:
        began_s = self._clock.now_s()
        if self._wait_s(bound, began_s) <= 0:
            return
        greenlet = gevent.getcurrent()
        self.waiting.add(greenlet)
        try:
            while (wait_s := self._wait_s(bound, began_s)) > 0:
                gevent.sleep(min(wait_s, LOOK_S))
        finally:
            self.waiting.discard(greenlet)
            self._waited_s += self._clock.now_s() - began_s
        row.scheduled_s = self._clock.now_s()  # what it waited for is neither the server nor this client

    def _wait_s(self, bound: Bound, began_s: float) -> float:
        now_s = self._clock.now_s()
        if self.purse.stopped is not None or now_s > began_s + MOST_WAIT_S:
            return 0.0
        return self._pace.wait_s(now_s, _counted(bound), self._in_flight)

    def _reserve(self, most_pico: int, row: RequestRecord) -> None:
        was_untouched = self.purse.is_untouched
        if self.purse.reserve(most_pico):
            return
        error = below_one_request(self.purse.max_pico, most_pico, has_spent=not was_untouched)
        self._stop(error if was_untouched else None)
        if row.preflight:
            raise error
        self._never.wait()

    def _stop(self, error: UsageError | None = None) -> None:
        if not self._has_stopped:
            self._has_stopped = True
            self._on_stop(error)

    def write_again(self, due: Due) -> bool:
        """Whether a request that nobody read may be written a second time: that is paid for anew."""
        if not self.purse.reserve(due.most_pico):
            self._stop()
            return False
        due.writes += 1
        return True

    def settle(self, due: Due, row: RequestRecord, reading: Reading, exchange: Exchange) -> None:
        """It is over, one way or the other: what it has cost, and whether it is to be asked again."""
        self._in_flight -= 1
        self.purse.release(due.most_pico * (due.writes - exchange.attempts))  # that was never written
        status = exchange.status or 0
        if exchange.attempts:
            usage = _usage(reading, exchange)
            if 400 <= status < 500:
                self.purse.release(due.most_pico)
            elif usage is not None:
                self.purse.settle(due.most_pico, usage)
        if self.purse.stopped is not None:
            self._stop()
        if status:
            self._heed(due, row, exchange)

    def _heed(self, due: Due, row: RequestRecord, exchange: Exchange) -> None:
        now_s, headers = self._clock.now_s(), exchange.headers
        self._pace.told(now_s, allowances(headers, datetime.now(UTC)) if headers is not None else [])
        if exchange.status != TOO_MANY:
            self._pace.served()
            return
        pause_s = exchange.retry_after_s
        sent_s = now_s if exchange.sent_ns is None else self._clock.from_monotonic_s(exchange.sent_ns)
        self._pace.refused(now_s, sent_s, pause_s, self._in_flight + 1)
        can_wait = (pause_s is None or pause_s <= MOST_PAUSE_S) and not _NO_MONEY.search(row.error_detail or "")
        row.retried = can_wait and not due.is_last and self.purse.stopped is None and row.error == "http_429"
        self._rate_limited += row.retried


def _counted(bound: Bound) -> int:
    return bound.input_tokens // CHARS_PER_TOKEN + bound.output_tokens


def _usage(reading: Reading, exchange: Exchange) -> Usage | None:
    """What an answer that has come to its end says it used; None where it has not, or does not say."""
    answer: Answer = reading.answer
    has_ended = answer.done or exchange.complete
    output_tokens = billed_output(answer)
    if not exchange.is_success or not has_ended or answer.error is not None:
        return None
    if answer.prompt_tokens is None or output_tokens is None:
        return None
    return Usage(answer.prompt_tokens, output_tokens, answer.cached_tokens or 0, answer.written_tokens)
