"""What the load processes of one machine know of each other's requests: memory that they share."""

import fcntl
import mmap
import os
import struct

_TAKEN, _REST, _COUNT = struct.calcsize("q"), struct.calcsize("d"), struct.calcsize("i")


class Board:
    """What each load process has under way at each replica, until when a replica rests, and how many rows of a prompt
    file are taken.

    The processes of one machine share it through the file `fd`; each writes its own row of counts alone. Without a
    file it is one process's own. Processes on other machines are not seen: there the places of users and arrivals,
    which are dealt over the whole load, keep the shares even.
    """

    def __init__(self, workers: int, replicas: int, fd: int | None = None) -> None:
        self._replicas, self._fd = replicas, fd
        length = _TAKEN + replicas * (_REST + _COUNT * workers)
        if fd is not None:
            os.truncate(fd, length)  # the same for all who share it
        whole = memoryview(mmap.mmap(-1 if fd is None else fd, length))
        self._taken = whole[:_TAKEN].cast("q")
        rests, counts = whole[_TAKEN : _TAKEN + _REST * replicas], whole[_TAKEN + _REST * replicas :]
        self.rests_until_s = rests.cast("d")  # of the run; 0: it has not failed since it served
        self._counts = counts.cast("i")

    def take_position(self) -> int:
        """The next of a prompt file's order, from 0, that nobody has."""
        if self._fd is not None:
            fcntl.lockf(self._fd, fcntl.LOCK_EX)
        position = self._taken[0]
        self._taken[0] = position + 1
        if self._fd is not None:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)
        return position

    def add(self, worker: int, replica: int, n: int) -> None:
        """`n` more of a process are under way there."""
        self._counts[worker * self._replicas + replica] += n

    def under_way(self, replica: int) -> int:
        """Of all processes."""
        return sum(self._counts[replica :: self._replicas])

    def forget(self, worker: int) -> None:
        """A process died, and its connections with it."""
        for replica in range(self._replicas):
            self._counts[worker * self._replicas + replica] = 0
