"""Which position of a prompt file's order is whose. No two load processes have the same.

Arrivals are dealt out one by one (arrival i is process i mod N's), so their positions are too. Users are not: one may
ask twice while another waits, and a process may have none. Processes of one machine therefore count together, so that
every row is used once a round; those of several machines take every N-th position, each its own.
"""

from collections.abc import Iterator
from itertools import count, repeat

from harness.load.board import Board
from harness.load.plan import LoadPlan


def positions(plan: LoadPlan, board: Board, *, is_open: bool) -> Iterator[int]:
    """This process's positions, ascending."""
    if is_open or plan.remote_workers:
        return count(plan.worker, plan.workers)
    return shared_positions(board)


def shared_positions(board: Board) -> Iterator[int]:
    """The next that no process of this machine has, whoever asks."""
    return (board.take_position() for _ in repeat(None))
