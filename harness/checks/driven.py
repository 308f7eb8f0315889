"""Checks of an API that was driven and paid for: did its limits, of money and of rate, shape what was measured?"""

from collections.abc import Iterator

from harness.checks.finding import check
from harness.rundir.driven import Driven
from harness.rundir.result import Check


def driven_checks(driven: Driven | None) -> Iterator[Check]:
    """Findings of a run within a spending limit."""
    if driven is None:
        return
    if driven.stopped:
        text = f"the spending limit ended the run: {driven.why}"
        yield check(
            "spending_limit", "error", text, "raise --max-usd, or ask for less: what was measured before is kept"
        )
    if driven.is_rate_limited:
        text = (
            f"the API's rate limit refused {driven.rate_limited} requests, which were asked again, and requests waited "
            f"{driven.waited_s:.0f} s for it in all: that is in no latency, and the rate is the limit's, not the API's"
        )
        yield check("rate_limited", "warning", text, "load less, or have the account's limit raised")
