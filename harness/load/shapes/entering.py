"""At which turn a user's first conversation is entered: spread evenly, so that every turn is there from the start.

Who would all begin at the first turn, and whose conversations are longer than a step, would ask short prompts alone.
Pure: users who come together are a group, known to every load process, whoever drives them.
"""

GOLDEN = 0.6180339887498949  # multiples of it spread evenly over [0, 1), however many there are


class Entering:
    """The groups in which users come."""

    def __init__(self, turns: int) -> None:
        self._turns = turns
        self._turn_of: list[int] = []

    def expect(self, users: int, *, first_alone: bool = False) -> None:
        """Users with numbers below `users` come; those who are not known yet come together.

        `first_alone`: the first one asks before the others come, and is a turn ahead of where it began by then.
        """
        first = len(self._turn_of)
        count = users - first
        if count > 0:
            phase = first * GOLDEN % 1
            turns = [int(self._turns * (rank + phase) / count) for rank in spread(count)]
            self._turn_of += [(turn + (first_alone and i > 0)) % self._turns for i, turn in enumerate(turns)]

    def turn(self, user: int) -> int:
        """The turn that `user` enters at, from 0."""
        return self._turn_of[user]


def spread(count: int) -> list[int]:
    """The numbers below `count` in an order whose every beginning is spread evenly: some of a group may go first."""
    rank_of = [0] * count
    for rank, i in enumerate(sorted(range(count), key=lambda i: i * GOLDEN % 1)):
        rank_of[i] = rank
    return rank_of
