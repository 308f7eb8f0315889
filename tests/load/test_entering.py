"""At which turn users enter, worked by hand."""

import pytest

from harness.load.shapes.entering import Entering, spread


def turns(entering: Entering, *users: int) -> list[int]:
    return [entering.turn(user) for user in users]


def test_one_user_begins_at_the_first_turn() -> None:
    entering = Entering(20)
    entering.expect(1)

    assert turns(entering, 0) == [0]


def test_users_who_come_together_enter_a_like_number_of_turns_apart() -> None:
    entering = Entering(20)
    entering.expect(8)

    # 20 / 8 = 2.5 apart: 0, 2.5, 5, ...
    assert sorted(turns(entering, *range(8))) == [0, 2, 5, 7, 10, 12, 15, 17]


def test_more_users_than_turns_are_at_every_turn_equally() -> None:
    entering = Entering(4)
    entering.expect(12)

    assert sorted(turns(entering, *range(12))) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_who_comes_first_of_a_group_is_spread_too() -> None:
    entering = Entering(20)
    entering.expect(8)

    # two of eight go on in a smaller step: half a conversation apart, not at its beginning both
    assert turns(entering, 0, 1) == [0, 12]
    assert sorted(spread(8)) == list(range(8))


def test_who_comes_later_is_spread_among_themselves_and_the_others_stay() -> None:
    entering = Entering(20)
    entering.expect(2)
    before = turns(entering, 0, 1)
    entering.expect(2)
    entering.expect(6)

    assert turns(entering, 0, 1) == before == [0, 10]
    # four more, 5 apart, from 2 x 0.618 = 0.236 of such a part on
    assert sorted(turns(entering, *range(2, 6))) == [1, 6, 11, 16]


def test_the_first_user_who_asks_alone_is_a_turn_ahead_by_the_time_the_others_come() -> None:
    entering = Entering(9)
    entering.expect(3, first_alone=True)

    # it is at 1 when they begin: 1, 4, 7
    assert entering.turn(0) == 0
    assert sorted(turns(entering, 1, 2)) == [4, 7]


@pytest.mark.parametrize(("users", "count"), [(1, 1), (3, 2), (64, 7)])
def test_every_turn_is_one_that_the_conversation_has(users: int, count: int) -> None:
    entering = Entering(count)
    entering.expect(1, first_alone=True)
    entering.expect(users)

    assert set(turns(entering, *range(users))) <= set(range(count))
