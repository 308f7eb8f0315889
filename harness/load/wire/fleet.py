"""Which replica a request goes to: the one with the least to do, by all load processes of this machine together."""

from collections.abc import Callable

from harness.load.board import Board
from harness.load.wire.transport import Target

REST_S = 1.0  # a replica that fails has nothing in flight, and would draw every request
MAX_REST_S = 60.0


class Fleet:
    """The replicas of one endpoint, as one load process sees them."""

    def __init__(self, targets: list[Target], board: Board, worker: int, now_s: Callable[[], float]) -> None:
        self.targets = targets
        self._board = board
        self._worker = worker
        self._now_s = now_s

    def take(self, place: int) -> Target:
        """The replica with the fewest under way; ties go by `place`, a number of the whole load: a user's, an
        arrival's. One that failed is asked last while it rests, and then by one request alone until it serves.
        """
        board, now_s, replicas = self._board, self._now_s(), len(self.targets)

        def rank(replica: int) -> tuple[bool, int, int]:
            return board.rests_until_s[replica] > now_s, board.under_way(replica), (replica - place) % replicas

        chosen = min(range(replicas), key=rank)
        if board.rests_until_s[chosen]:
            board.rests_until_s[chosen] = now_s + REST_S
        board.add(self._worker, chosen, 1)
        return self.targets[chosen]

    def give_back(self, target: Target) -> None:
        """What was taken is over."""
        self._board.add(self._worker, self.targets.index(target), -1)

    def served(self, target: Target) -> None:
        """It answered well."""
        self._board.rests_until_s[self.targets.index(target)] = 0.0

    def failed(self, target: Target, rest_s: float | None) -> None:
        """It failed, and asks for so long a pause; None: it does not say."""
        rest_s = min(max(REST_S, rest_s or 0.0), MAX_REST_S)
        self._board.rests_until_s[self.targets.index(target)] = self._now_s() + rest_s

    def rests(self, target: Target) -> bool:
        """Whether others are asked first."""
        return self._board.rests_until_s[self.targets.index(target)] > self._now_s()


class Seat:
    """A user's or an arrival's place at a replica; a conversation keeps it, since its history is cached there."""

    def __init__(self, fleet: Fleet, place: int) -> None:
        self._fleet = fleet
        self._place = place
        self._target: Target | None = None

    def sit(self) -> Target:
        """The replica to ask; another than before where that one rests."""
        if self._target is not None and self._fleet.rests(self._target):
            self.leave()
        if self._target is None:
            self._target = self._fleet.take(self._place)
        return self._target

    def leave(self) -> None:
        """Not needed any more."""
        if self._target is not None:
            self._fleet.give_back(self._target)
            self._target = None
