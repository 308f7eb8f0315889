"""A selector that wakes within microseconds of its timeout: epoll's own timeout is whole milliseconds."""

import select
import selectors
import sys

if sys.platform == "linux":

    class PreciseEpollSelector(selectors.EpollSelector):
        """Waits with `select` on the epoll descriptor itself, whose timeout is in microseconds."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            """Ready descriptors, waiting at most `timeout` seconds."""
            if timeout is not None and timeout > 0:
                # The selector is made when a server starts, so its number is below select's limit of 1024.
                select.select([self.fileno()], [], [], timeout)
                timeout = 0
            return super().select(timeout)


def precise_selector() -> selectors.BaseSelector:
    """The best selector here; kqueue's timeouts are fine as they are."""
    return PreciseEpollSelector() if sys.platform == "linux" else selectors.DefaultSelector()
