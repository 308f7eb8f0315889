"""Texts and the JSON that is in them, each kind with its schema."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from task_sets.names import AIRPORTS, CITIES, COMPANIES, FIRST, GOODS, LAST, day

Made = tuple[str, dict[str, Any]]  # a text, and what is to be taken out of it

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
DAY: dict[str, Any] = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
AMOUNT: dict[str, Any] = {"type": "number", "minimum": 0}
PER_KIND = 9


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


def _invoice(rng: random.Random) -> Made:
    company, number, due = rng.choice(COMPANIES), f"INV-{rng.randrange(10_000, 99_999)}", day(rng)
    net, rate = rng.randrange(4_000, 90_000) / 100, rng.choice((7, 19, 20))
    currency = rng.choice(("EUR", "USD", "GBP"))
    text = rng.choice((
        f"Dear customer, please find attached invoice {number} of {company}. The net amount is {net:,.2f} {currency}, "
        f"to which {rate} % VAT is added. Kindly pay by {due}.",
        f"{company} - REMINDER\nInvoice no. {number} is still open.\nNet: {net:,.2f} {currency}\nVAT rate: {rate}%\n"
        f"Due date: {due}\nIf you have paid meanwhile, please ignore this letter.",
        f"Hi, accounting asked me to forward this: we owe {company} {net:,.2f} {currency} net (VAT {rate} percent "
        f"comes on top) for {number}; last day to pay is {due}.",
    ))  # fmt: skip
    return text, {
        "company": company, "invoice": number, "net": net, "currency": currency, "vat_percent": rate, "due": due,
    }  # fmt: skip


def _order(rng: random.Random) -> Made:
    name, city = f"{rng.choice(FIRST)} {rng.choice(LAST)}", rng.choice(CITIES)
    items = [
        {"article": article, "quantity": rng.randrange(1, 13)} for article in rng.sample(GOODS, rng.randrange(1, 4))
    ]
    listed = [f"{item['quantity']} x {item['article']}" for item in items]
    text = rng.choice((
        f"Hello, I would like to order {', '.join(listed)}. Please send it to {city}. Regards, {name}",
        f"ORDER FORM\nCustomer: {name}\nShip to: {city}\n" + "\n".join(f"- {line}" for line in listed),
        f"{name} called this morning. The parcel goes to {city} this time, and it should hold: {'; '.join(listed)}.",
    ))  # fmt: skip
    return text, {"customer": name, "city": city, "items": items}


def _flight(rng: random.Random) -> Made:
    start, end = rng.sample(AIRPORTS, 2)
    number, date = f"{rng.choice(('LX', 'BA', 'KL', 'AF'))}{rng.randrange(100, 999)}", day(rng)
    seat, hour = (
        f"{rng.randrange(1, 40)}{rng.choice('ABCDEF')}",
        f"{rng.randrange(5, 23):02}:{rng.randrange(0, 60, 5):02}",
    )
    text = rng.choice((
        f"Your booking is confirmed. Flight {number} from {start} to {end} on {date}, departure {hour}. Seat: {seat}.",
        f"Reminder: on {date} at {hour} your flight {number} leaves {start}. We wish you a pleasant stay in {end}! "
        f"You have seat {seat}.",
        f"I fly to {end} with {number}; we take off in {start} at {hour} on {date} and I am in {seat}.",
    ))  # fmt: skip
    return text, {"flight": number, "from": start, "to": end, "date": date, "departure": hour, "seat": seat}


def _incident(rng: random.Random) -> Made:
    host, minutes = f"{rng.choice(('db', 'web', 'cache', 'queue'))}-{rng.randrange(1, 30):02}", rng.randrange(4, 180)
    severity, date = rng.choice(("low", "medium", "high", "critical")), day(rng)
    cause = rng.choice(("a full disk", "an expired certificate", "a failed deploy", "a network loop", "a memory leak"))
    known = rng.random() < 0.6
    because = f"The cause was {cause}." if known else "The cause is not known yet."
    text = rng.choice((
        f"[{date}] {host} could not be reached for {minutes} minutes. Severity: {severity}. {because}",
        f"Post-mortem of {date}: users saw errors for {minutes} minutes because {host} was down. We rate this as "
        f"{severity}. {because}",
    ))  # fmt: skip
    return text, {
        "date": date, "host": host, "minutes": minutes, "severity": severity, "cause": cause if known else None,
    }  # fmt: skip


def _job(rng: random.Random) -> Made:
    company, city = rng.choice(COMPANIES), rng.choice(CITIES)
    title = rng.choice(("Data Engineer", "Site Reliability Engineer", "Backend Developer", "QA Analyst", "Tech Writer"))
    low = rng.randrange(40, 90) * 1_000
    high, remote = low + rng.randrange(5, 30) * 1_000, rng.random() < 0.5
    skills = rng.sample(("Python", "Go", "Kubernetes", "SQL", "Terraform", "Kafka", "Rust"), rng.randrange(2, 4))
    where = "This position is fully remote" if remote else "You work in our office, no remote work"
    text = rng.choice((
        f"{company} in {city} is hiring: {title}. Salary {low:,} to {high:,} EUR a year. You know {', '.join(skills)}. "
        f"{where}.",
        f"We look for a {title}! Must have: {', '.join(skills)}. We pay between {low:,} and {high:,} EUR. {where}. "
        f"Apply at {company}, {city}.",
    ))  # fmt: skip
    return text, {
        "title": title, "company": company, "city": city, "salary_min": low, "salary_max": high, "remote": remote,
        "skills": skills,
    }  # fmt: skip


def _meeting(rng: random.Random) -> Made:
    people = rng.sample(FIRST, 3)
    date, room = day(rng), rng.choice(("Oak", "Maple", "Birch", "Cedar"))
    tasks = [
        {"who": who, "what": what}
        for who, what in zip(
            people,
            rng.sample(
                ("send the offer", "update the plan", "call the supplier", "book the venue", "fix the build"), 3
            ),
            strict=True,
        )
    ][: rng.randrange(1, 4)]
    said = " ".join(f"{task['who']} will {task['what']}." for task in tasks)
    text = f"Notes of {date}, room {room}. Present: {', '.join(people)}. {said} Next meeting in two weeks."
    return text, {"date": date, "room": room, "present": people, "actions": tasks}


def _contact(rng: random.Random) -> Made:
    name, city = rng.choice(FIRST), rng.choice(CITIES)
    text = rng.choice((f"{name} lives in {city}.", f"My name is {name} and I live in {city}."))
    return text, {"name": name, "city": city}


def _stock(rng: random.Random) -> Made:
    article, count = rng.choice(GOODS), rng.randrange(2, 60)
    text = rng.choice(
        (f"There are {count} pieces of the {article} left.", f"We have {count} of the {article} in stock.")
    )
    return text, {"article": article, "count": count}


EXAMPLES = {  # the two easy kinds show one: even a very small model may solve some
    "contact": 'Text:\nOlga lives in Turin.\nJSON:\n{"name": "Olga", "city": "Turin"}\n\n',
    "stock": 'Text:\nThere are 3 pieces of the tea pot left.\nJSON:\n{"article": "tea pot", "count": 3}\n\n',
}
KINDS: dict[str, tuple[Callable[[random.Random], Made], dict[str, Any], str]] = {
    "contact": (_contact, _object(name=TEXT, city=TEXT), "name, city"),
    "stock": (_stock, _object(article=TEXT, count=COUNT), "article, count (a number)"),
    "invoice": (
        _invoice,
        _object(
            company=TEXT, invoice=TEXT, net=AMOUNT, currency={"enum": ["EUR", "USD", "GBP"]}, vat_percent=AMOUNT,
            due=DAY,
        ),
        "company, invoice (its number as written), net (a number), currency (EUR, USD or GBP), vat_percent (a number), "
        "due (YYYY-MM-DD)",
    ),
    "order": (
        _order,
        _object(
            customer=TEXT, city=TEXT,
            items={"type": "array", "minItems": 1, "items": _object(article=TEXT, quantity=COUNT)},
        ),
        "customer, city, items (a list of objects with article and quantity, in the order of the text)",
    ),
    "flight": (
        _flight,
        _object(**dict.fromkeys(("flight", "from", "to"), TEXT), date=DAY, departure=TEXT, seat=TEXT),
        "flight, from, to, date (YYYY-MM-DD), departure (HH:MM), seat",
    ),
    "incident": (
        _incident,
        _object(
            date=DAY, host=TEXT, minutes=COUNT, severity={"enum": ["low", "medium", "high", "critical"]},
            cause={"type": ["string", "null"]},
        ),
        "date (YYYY-MM-DD), host, minutes (a number), severity (low, medium, high or critical), cause (as written, "
        "with its article; null where it is not known)",
    ),
    "job": (
        _job,
        _object(
            title=TEXT, company=TEXT, city=TEXT, salary_min=COUNT, salary_max=COUNT, remote={"type": "boolean"},
            skills={"type": "array", "items": TEXT},
        ),
        "title, company, city, salary_min, salary_max (numbers), remote (true or false), skills (a list, in the order "
        "of the text)",
    ),
    "meeting": (
        _meeting,
        _object(
            date=DAY, room=TEXT, present={"type": "array", "items": TEXT},
            actions={"type": "array", "items": _object(who=TEXT, what=TEXT)},
        ),
        "date (YYYY-MM-DD), room, present (a list of names, in the order of the text), actions (a list of objects with "
        "who and what; what as written, without `will`)",
    ),
}  # fmt: skip


def tasks(rng: random.Random) -> list[dict[str, Any]]:
    """So many of each kind."""
    made = []
    for kind, (make, schema, keys) in KINDS.items():
        for number in range(1, PER_KIND + 1):
            text, expected = make(rng)
            prompt = (
                f"Extract the facts from the text as one JSON object with these keys: {keys}. Answer with the JSON "
                "object alone, without explanation and without a code fence.\n\n"
                f"{EXAMPLES.get(kind, '')}Text:\n{text}\nJSON:"
            )
            made.append({
                "id": f"{kind}-{number:02}", "group": kind, "prompt": prompt,
                "checker": {"kind": "json_schema", "schema": schema}, "expected": expected,
            })  # fmt: skip
    return made
