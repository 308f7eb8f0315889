"""Values that no message should have, and messages that have them."""

import math
import random
from dataclasses import asdict
from typing import Any, get_args

import msgpack

from harness import __version__
from harness.load.lines import name_of
from harness.load.protocol import (
    Broken,
    ClockFacts,
    Doing,
    Event,
    Held,
    Holding,
    Idle,
    Joined,
    Left,
    Live,
    Looked,
    Ready,
    Warned,
    Who,
)  # fmt: skip
from harness.load.remote import messages

OTHER_TOKEN = "another-token-of-somebody"
ESCAPE = "\x1b[2J\x1b]0;owned\x07\u202e\r"
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, -1e308, math.nan, math.inf, 2**63, -(2**63), "", "x", "x" * 100_000, "\x00", ESCAPE, [],
    {}, [None], [[]], {"": None}, "../../x", "/etc/passwd", b"", b"\xff\xfe",
)  # fmt: skip
WHO = Who(__version__, "elsewhere", 2, "3.11.0", None)
CLOCK = ClockFacts(0.0, 0.0, 0.0, 3)
LIVE = Live(
    t_s=1.0, process=7, cpu=0.2, loop_lag_p50_s=0.1, loop_lag_max_s=0.3, schedule_lag_max_s=0.0, in_flight=0,
    asked=None, events=0, shared_events=0, connections=0, clock_steps=0, found_closed=0, sent=0, finished=0, failed=0,
    not_sent=0, refused=0, unreachable=0, unreachable_s=0.0, last_error=None, output_tokens=0, ttft_p50_s=None,
    ttft_max_s=None, e2e_p50_s=None,
)  # fmt: skip
MESSAGES: tuple[messages.Message, ...] = (
    messages.Hello(WHO), messages.Welcome(0, "run"), messages.Refused("no", False), messages.Ping(1),
    messages.Pong(1, 2), messages.Say(b"alive {}"), messages.Kill(), messages.Over("gone", ""), messages.Bye(),
    messages.Part("records-7.jsonl", 0, b"{}\n"), messages.Got("0-x", 3),
)  # fmt: skip
EVENTS: tuple[Event, ...] = (
    Doing("busy"), Warned("hm"), Broken("the sampler", "why"), Holding(1, 2), Held(1), Idle(1), Looked(0.1, None),
    Ready(), LIVE, LIVE, LIVE, LIVE, Joined(WHO, CLOCK), Left("gone", CLOCK),
)  # fmt: skip


def changed(fields_of: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A message's fields with one of another value, one gone, or one too many."""
    out = dict(fields_of)
    if out and chance.random() < 0.8:
        out[chance.choice(list(out))] = chance.choice(VALUES)
    elif out and chance.random() < 0.5:
        del out[chance.choice(list(out))]
    else:
        out["more"] = chance.choice(VALUES)
    return out


def damaged(chance: random.Random) -> bytes:
    """A message of ours that is none, or is an odd one."""
    one = chance.choice(MESSAGES)
    fields_of = changed(asdict(one), chance)
    if isinstance(one, messages.Hello) and chance.random() < 0.5:
        fields_of = {"who": changed(asdict(WHO), chance)}
    name = chance.choice((name_of(type(one)),) * 9 + tuple(map(str, VALUES[:12])))
    packed = bytearray(msgpack.packb([name, fields_of]))
    if chance.random() < 0.2:
        packed[chance.randrange(len(packed))] = chance.randrange(256)
    return bytes(packed)


assert {type(one) for one in MESSAGES} == set(get_args(messages.Message))
