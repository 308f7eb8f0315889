"""A spending limit: what was spent, what is held for requests under way, what stays reserved. In whole pico-USD."""

from dataclasses import dataclass, field, replace

from harness.base.errors import UsageError
from harness.load.spending.tariff import Bound, Tariff, Usage, usd


@dataclass(frozen=True, slots=True)
class Spent:
    """How a load's spending stands."""

    spent_pico: int = 0  # by the API's own usage
    reserved_pico: int = 0  # the worst case of those under way, and of those whose usage nobody knows
    rate_limited: int = 0  # requests that a rate limit refused, and that were asked again
    waited_s: float = 0.0  # that requests waited for a rate limit, in all
    stopped: str | None = None  # why no further request is begun; None: one may be
    is_final: bool = False  # the load has ended: nothing is under way


@dataclass(frozen=True, slots=True)
class Spending:
    """What a run may spend, at whose prices, and what of it is gone when a load begins."""

    max_pico: int
    tariff: Tariff
    before: Spent = Spent()
    elsewhere: dict[str, Tariff] = field(default_factory=dict)
    """Of other endpoints that the run asks, by what for: escalation, judging. None of one: nothing is billed there."""

    def after(self, spent: Spent | None) -> "Spending":
        """What is left for a further load, after one that has ended so; None: there was none."""
        return self if spent is None else replace(self, before=replace(spent, is_final=False))

    def of(self, role: str) -> "Spending | None":
        """The same money, at the prices of another endpoint; None: that one bills nothing."""
        return replace(self, tariff=self.elsewhere[role]) if role in self.elsewhere else None


class Purse:
    """Never holds more than there is: a request is reserved at its worst case before it is sent."""

    def __init__(self, spending: Spending) -> None:
        self.max_pico = spending.max_pico
        self.spent_pico = spending.before.spent_pico
        self.reserved_pico = spending.before.reserved_pico
        self.stopped = spending.before.stopped
        self._tariff = spending.tariff

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was ever spent or reserved."""
        return not self.spent_pico and not self.reserved_pico

    def most_pico(self, bound: Bound) -> int:
        """What is to be reserved for a request of at most so many tokens."""
        return self._tariff.most_pico(bound)

    def reserve(self, pico: int) -> bool:
        """Hold so much for a request; False, and never True again, where it is not there."""
        if self.stopped is None and self.spent_pico + self.reserved_pico + pico > self.max_pico:
            self.stopped = (
                f"of USD {usd(self.max_pico):.6g} at most, {usd(self.spent_pico):.6g} are spent and "
                f"{usd(self.reserved_pico):.6g} reserved; the next request may cost {usd(pico):.6g}"
            )
        if self.stopped is not None:
            return False
        self.reserved_pico += pico
        return True

    def release(self, pico: int) -> None:
        """What was held for a request that was surely not billed is free again."""
        self.reserved_pico -= pico

    def settle(self, pico: int, usage: Usage) -> None:
        """In place of what was held for a request, what it has cost. One that cost more than it could ends the load:
        what bounds the others is not known then either.
        """
        cost = self._tariff.cost_pico(usage)
        self.reserved_pico -= pico
        self.spent_pico += cost
        if cost > pico and self.stopped is None:
            self.stopped = (
                f"a request was billed {usage.input_tokens:,} tokens in and {usage.output_tokens:,} out, USD "
                f"{usd(cost):.6g}: more than it could cost by what it asked for, USD {usd(pico):.6g}"
            )


def below_one_request(max_pico: int, most_pico: int, *, has_spent: bool = False) -> UsageError:
    """The error of a limit that pays for no request."""
    what = "all requests that are sent beforehand" if has_spent else "one request"
    return UsageError(
        f"--max-usd {usd(max_pico):.6g} is below the worst case of {what}: one may cost USD {usd(most_pico):.6g}",
        hint="raise it, or ask for fewer tokens: shorter prompts, a lower output_tokens",
    )
