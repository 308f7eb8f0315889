"""What a peer may do at the port where a run awaits its workers: without the token, with it, and as a worker gone bad.

    python strangers.py KIND HOST:PORT SEED     does it over and over, for a minute at most

The token is read from the variable that a worker reads it from.
"""

import random
import sys
import time

import gevent
from gone_bad import BAD, MOST_S, OUTSIDE, Worker
from knocks import WITHOUT, Port

PAUSE_S = 0.05


def main() -> None:
    """Do one of them over and over."""
    kind, address, seed = sys.argv[1:]
    host, _, number = address.partition(":")
    port = Port(host, int(number), random.Random(int(seed)), [])
    if kind in BAD:
        Worker(port, BAD[kind]).run()
        return
    until_s = time.monotonic() + MOST_S
    while time.monotonic() < until_s:
        (WITHOUT | OUTSIDE)[kind](port)
        gevent.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
