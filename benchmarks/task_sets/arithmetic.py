"""Word problems with a number for an answer, within a tolerance where it is not a round one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from task_sets.names import FIRST, GOODS

EXACT = {"kind": "number"}
CENT = {"kind": "number", "absolute": 0.005, "relative": 0}
NEAR = {"kind": "number", "relative": 0.01}
Made = tuple[str, Fraction | float, dict[str, Any]]
PER_KIND = 6
END = " Work it out, then end with a line `Answer: <number>`."


def _shopping(rng: random.Random) -> Made:
    n, m = rng.randrange(2, 9), rng.randrange(2, 9)
    a, b = rng.randrange(150, 2_500), rng.randrange(150, 2_500)
    one, other = rng.sample(GOODS, 2)
    text = (
        f"A {one} costs {a / 100:.2f} euros and a {other} {b / 100:.2f}. What do {n} of the first and {m} of the "
        "second cost together, in euros?"
    )
    return text, Fraction(n * a + m * b, 100), CENT


def _discount(rng: random.Random) -> Made:
    price, off = rng.randrange(20, 400), rng.choice((5, 10, 15, 20, 25, 30, 40))
    text = f"A {rng.choice(GOODS)} of {price} dollars is reduced by {off} %. What does it cost now, in dollars?"
    return text, Fraction(price * (100 - off), 100), CENT


def _journey(rng: random.Random) -> Made:
    speed, minutes = rng.randrange(6, 26) * 5, rng.choice((15, 20, 30, 45, 90, 105, 150))
    return (
        f"A train goes {speed} km/h without a stop. How many kilometres does it go in {minutes} minutes?",
        Fraction(speed * minutes, 60),
        NEAR,
    )


def _average(rng: random.Random) -> Made:
    marks = [rng.randrange(40, 100) for _ in range(rng.randrange(4, 7))]
    return (
        f"{rng.choice(FIRST)} got {', '.join(map(str, marks))} points in the tests. What is the average?",
        Fraction(sum(marks), len(marks)),
        NEAR,
    )


def _growth(rng: random.Random) -> Made:
    amount, rate, years = rng.randrange(5, 60) * 100, rng.randrange(2, 9), rng.randrange(2, 6)
    text = (
        f"{amount} euros are saved at {rate} % interest a year, which is added to the savings each year. How many "
        f"euros are there after {years} years?"
    )
    return text, Fraction(amount) * (1 + Fraction(rate, 100)) ** years, NEAR


def _temperature(rng: random.Random) -> Made:
    start, down, up = rng.randrange(-6, 8), rng.randrange(8, 20), rng.randrange(1, 7)
    text = (
        f"In the evening it is {start} degrees. In the night it gets {down} degrees colder, and in the morning {up} "
        "degrees warmer again. How many degrees is it then?"
    )
    return text, Fraction(start - down + up), EXACT


def _circle(rng: random.Random) -> Made:
    radius = rng.randrange(3, 60)
    return (
        f"A round table has a radius of {radius} cm. What is its area in square centimetres?",
        math.pi * radius**2,
        NEAR,
    )


def _share(rng: random.Random) -> Made:
    part, whole = rng.randrange(5, 90), rng.choice((120, 125, 160, 200, 250, 400, 480))
    return f"{part} of {whole} parcels came late. How many per cent is that?", Fraction(part * 100, whole), NEAR


def _ratio(rng: random.Random) -> Made:
    a, b = rng.sample(range(2, 8), 2)
    unit = rng.randrange(6, 40)
    first, second = rng.sample(FIRST, 2)
    text = f"{first} and {second} share {unit * (a + b)} stamps in the ratio {a} to {b}. How many does {second} get?"
    return text, Fraction(unit * b), EXACT


def _unit(rng: random.Random) -> Made:
    amount, (one, other, factor) = rng.randrange(3, 90), rng.choice((
        ("hours", "minutes", 60), ("metres", "centimetres", 100), ("kilograms", "grams", 1_000),
        ("days", "hours", 24), ("weeks", "days", 7), ("dozen", "single pieces", 12),
    ))  # fmt: skip
    return f"How many {other} are {amount} {one}?", Fraction(amount * factor), EXACT


def _work(rng: random.Random) -> Made:
    a, b = rng.sample(range(2, 13), 2)
    text = f"One pump fills a tank in {a} hours, another in {b} hours. How many hours do both take together?"
    return text, Fraction(a * b, a + b), NEAR


def _retries(rng: random.Random) -> Made:
    cost, failure = rng.choice((2, 4, 5, 8, 10)), rng.choice((10, 20, 25, 50, 60))
    text = (
        f"A request costs {cost} cents and fails in {failure} % of all cases, each time anew; it is sent until it "
        "succeeds. How many cents does a success cost on average?"
    )
    return text, Fraction(cost * 100, 100 - failure), NEAR


KINDS: dict[str, Callable[[random.Random], Made]] = {
    "shopping": _shopping, "discount": _discount, "journey": _journey, "average": _average, "growth": _growth,
    "temperature": _temperature, "circle": _circle, "share": _share, "ratio": _ratio, "unit": _unit, "work": _work,
    "retries": _retries,
}  # fmt: skip


def tasks(rng: random.Random) -> list[dict[str, Any]]:
    """So many of each kind."""
    made = []
    for kind, make in KINDS.items():
        for number in range(1, PER_KIND + 1):
            text, result, checker = make(rng)
            exact = int(result) if result == int(result) else round(float(result), 6)
            made.append({
                "id": f"{kind}-{number:02}", "group": kind, "prompt": text + END, "checker": checker, "expected": exact,
            })  # fmt: skip
    return made
