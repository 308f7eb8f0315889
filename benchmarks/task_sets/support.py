"""Conversations with a shop's support agent: a policy, some turns, and a last question that can be checked."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from task_sets.names import CITIES, FIRST, GOODS

PER_KIND = 11
AGENT = "You are the support agent of a shop."
SCHEMA = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "category": {"enum": ["billing", "shipping", "returns", "technical"]},
        "urgent": {"type": "boolean"},
    },
    "required": ["order", "category", "urgent"],
    "additionalProperties": False,
}
Made = tuple[str, list[str], dict[str, Any], Any]  # policy, turns, checker, expected


def _return_window(rng: random.Random) -> Made:
    allowed, ago = rng.choice((14, 30, 45, 60)), rng.randrange(5, 75)
    goods = rng.choice(GOODS)
    policy = f"Articles may be returned within {allowed} days of purchase, in any condition."
    turns = [
        f"Hi, this is {rng.choice(FIRST)}. I bought a {goods} {ago} days ago.",
        "I opened it and used it once. Does that matter?",
        "So may I still return it today? Answer with one word only, yes or no.",
    ]
    return policy, turns, {"kind": "normalised"}, "yes" if ago <= allowed else "no"


def _refund(rng: random.Random) -> Made:
    price, fee, pieces = rng.randrange(20, 200), rng.choice((4, 5, 6, 8)), rng.randrange(2, 6)
    kept = rng.randrange(1, pieces)
    goods = rng.choice(GOODS)
    policy = (
        f"The price of returned articles is refunded in full, less a handling fee of {fee} euros per return parcel."
    )
    turns = [
        f"I ordered {pieces} pieces of your {goods} at {price} euros each.",
        f"I keep {kept} and send all others back in one parcel.",
        "How many euros do I get back? End with a line `Answer: <number>`.",
    ]
    return policy, turns, {"kind": "number", "absolute": 0.005, "relative": 0}, (pieces - kept) * price - fee


def _shipping(rng: random.Random) -> Made:
    base, per_kg, free = rng.choice((3, 4, 5)), rng.choice((1, 2)), rng.choice((80, 100, 150))
    weight, value, city = rng.randrange(1, 9), rng.randrange(30, 200), rng.choice(CITIES)
    policy = (
        f"Shipping costs {base} euros plus {per_kg} euros per kilogram. From an order value of {free} euros on it is "
        "free."
    )
    turns = [
        f"My basket is worth {value} euros. Can you send it to {city}?",
        f"It all weighs {weight} kg.",
        "What does the shipping cost me, in euros? Answer 0 if it is free. End with a line `Answer: <number>`.",
    ]
    return policy, turns, {"kind": "number"}, 0 if value >= free else base + per_kg * weight


def _ticket(rng: random.Random) -> Made:
    order = f"{rng.choice('ABCD')}-{rng.randrange(1_000, 9_999)}"
    category, problem = rng.choice((
        ("billing", "I was charged twice"), ("shipping", "the parcel has been under way for two weeks"),
        ("returns", "it is too small and I want to send it back"), ("technical", "it does not switch on"),
    ))  # fmt: skip
    urgent = rng.random() < 0.5
    policy = "A ticket is urgent only if the customer says that it cannot wait."
    turns = [
        f"Hello, it is about order {order}: {problem}.",
        "It really cannot wait, I leave tomorrow." if urgent else "No hurry, some time this month is fine.",
        "Write the ticket for this as a JSON object with the keys order, category (billing, shipping, returns or "
        "technical) and urgent (true or false). Answer with the JSON object alone, without a code fence.",
    ]
    expected = {"order": order, "category": category, "urgent": urgent}
    return policy, turns, {"kind": "json_schema", "schema": SCHEMA}, expected


def _remember(rng: random.Random) -> Made:
    order, name, goods = f"R{rng.randrange(10_000, 99_999)}", rng.choice(FIRST), rng.choice(GOODS)
    policy = "Greet customers by their name. Order numbers are never changed or shortened."
    turns = [
        f"My name is {name} and my order number is {order}.",
        f"I wanted to ask whether the {goods} comes with a guarantee.",
        "Fine. Please repeat my order number so that I know you have it. Answer with the number alone.",
    ]
    return policy, turns, {"kind": "regex", "pattern": rf"\b{order}\b"}, None


def _level(rng: random.Random) -> Made:
    silver, gold = rng.choice((200, 300)), rng.choice((800, 1_000))
    level = rng.choice(("basic", "silver", "gold"))
    low, high = {"basic": (80, silver), "silver": (silver, gold), "gold": (gold, 2 * gold)}[level]
    spent = rng.randrange(low, high)
    first = rng.randrange(20, spent - 20)
    policy = (
        f"Customers who spent {silver} euros or more in a year are silver, from {gold} euros on gold, all others basic."
    )
    turns = [
        f"This year I placed two orders. The first was over {first} euros.",
        f"The second one came to {spent - first} euros.",
        "Which level am I? Answer with one word only: basic, silver or gold.",
    ]
    return policy, turns, {"kind": "normalised"}, level


KINDS: dict[str, Callable[[random.Random], Made]] = {
    "return_window": _return_window, "refund": _refund, "shipping": _shipping, "ticket": _ticket,
    "remember": _remember, "level": _level,
}  # fmt: skip


def tasks(rng: random.Random) -> list[dict[str, Any]]:
    """So many of each kind."""
    made = []
    for kind, make in KINDS.items():
        for number in range(1, PER_KIND + 1):
            policy, turns, checker, expected = make(rng)
            task = {
                "id": f"{kind}-{number:02}", "group": kind,
                "messages": [{"role": "system", "content": f"{AGENT} {policy} Answer briefly."}],
                "turns": turns, "checker": checker,
            }  # fmt: skip
            made.append(task if expected is None else {**task, "expected": expected})
    return made
