"""Which position of a prompt file's order is whose. No two load processes have the same.

Arrivals are dealt out one by one (arrival i is process i mod N's), so their positions are too. Users are not: one may
ask twice while another waits, and a process may have none. Processes of one machine therefore count together, so that
every row is used once a round; those of several machines take every N-th position, each its own.
"""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from harness.load.plan import LoadPlan

COUNTER = "positions"  # in the run's directory while it lasts: a byte for every position that was taken


def positions(plan: LoadPlan, *, is_open: bool) -> Iterator[int]:
    """This process's positions, ascending."""
    if is_open or plan.remote_workers or plan.workers == 1:
        return count(plan.worker, plan.workers)
    return counted_together(Path(plan.run_dir) / COUNTER)


def counted_together(path: Path) -> Iterator[int]:
    """Positions out of a file that several processes append to: where a byte came to lie is its writer's own."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while True:
            os.write(file, b"\0")  # the disk is full: the run ends, as for its rows
            yield os.lseek(file, 0, os.SEEK_CUR) - 1
    finally:
        os.close(file)
