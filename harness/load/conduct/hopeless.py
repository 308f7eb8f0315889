"""Whether a load has any sense left: an endpoint that refuses all, or is gone, is not asked to the end of a ladder."""

from collections.abc import Sequence

from harness.backends.faults import hint_for
from harness.base.errors import EndpointError, RefusedError
from harness.load.protocol import Live

REFUSALS_IN_A_ROW = 10  # the run's first ones
GONE_REQUESTS = 5
GONE_S = 15.0  # a server that restarts for a shorter time is waited for


def hopeless(live: Live, urls: Sequence[str]) -> EndpointError | None:
    """Why the load must end now, by the merged live sample of all processes; None where it may go on."""
    where = ", ".join(urls)
    if live.refused >= REFUSALS_IN_A_ROW and live.refused == live.failed and not live.finished:
        error, _, detail = (live.last_error or "").partition(": ")
        return RefusedError(
            f"{where} refuses every request, the run ends here: {live.last_error}", hint=hint_for(error, detail)
        )
    if live.unreachable >= GONE_REQUESTS and live.unreachable_s >= GONE_S:
        return EndpointError(
            f"{where} cannot be reached any more, for {live.unreachable_s:.0f} s: {live.last_error}",
            hint="what was measured before is kept; see the server's own log",
        )
    return None
