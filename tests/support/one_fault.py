"""A server that is faultless but for what a test gives it: `with OneFault(post) as server: server.base`.

`post` (and `get`, where it is given) answers one `Exchange`; whatever it does not do, `good` does. The base URL has a
path, so that paths are seen as the client makes them: `server.url("api/paas/v4")`.
"""

from collections.abc import Callable
from typing import Any

from faulty_exchange import Exchange
from faulty_server import FaultyServer, good, probe

Answer = Callable[[Exchange], Any]


class OneFault(FaultyServer):
    """Its `requests` are kept as those of the faulty server."""

    def __init__(self, post: Answer = good, get: Answer = probe) -> None:
        super().__init__()
        self._post, self._get = post, get

    @property
    def base(self) -> str:
        return self.url()

    def url(self, way: str = "at") -> str:
        """A base URL: the first segment of its path is the server's own, the rest is what the client makes of it."""
        return f"http://127.0.0.1:{self.port}/at" + ("" if way == "at" else f"/{way}")

    def answer(self, exchange: Exchange) -> None:
        self.requests.append(exchange)
        exchange.count = len(self.generations())
        if exchange.method == "GET":
            self._get(exchange)
        elif exchange.path.endswith("tokenize"):
            exchange.whole(404, b"{}")
        else:
            self._post(exchange)
