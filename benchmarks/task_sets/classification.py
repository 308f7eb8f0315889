"""Messages and the one label that fits: what a customer wants, and how a reviewer feels."""

from __future__ import annotations

import random
from typing import Any

from task_sets.names import CITIES, FIRST, GOODS

INTENTS: dict[str, tuple[str, ...]] = {
    "billing": (
        "I was charged twice for order {order}, please look into it.",
        "Why is there a fee of {amount} dollars on my statement that nobody mentioned?",
        "The invoice for the {goods} shows the wrong VAT number.",
        "My card was debited although the payment page said it failed.",
        "Can I get a copy of the receipt for {order}? My accountant needs it.",
        "You still bill me each month although I cancelled in spring.",
        "The coupon was accepted, but the total that I paid is the full price.",
        "I paid by bank transfer last week and you keep sending reminders.",
    ),
    "shipping": (
        "Where is my parcel? {order} should have been here on Monday.",
        "Tracking has said 'in transit' for nine days now.",
        "Can you deliver to a pick-up point in {city} instead of my home?",
        "The courier claims to have left the {goods} with a neighbour, but nobody has it.",
        "How long does delivery to {city} take?",
        "Please change the street of {order} before it leaves your warehouse.",
        "Half of my order came, when does the rest follow?",
        "Does the express option arrive on Saturdays too?",
    ),
    "returns": (
        "The {goods} does not fit, how do I send it back?",
        "I'd like to swap the {goods} for the larger one.",
        "My return reached you two weeks ago; when will you give me my money back?",
        "Is it still possible to give {order} back after 40 days?",
        "You sent the wrong colour, I want to exchange it.",
        "Please email me a return label for {order}.",
        "I opened the box. May I still send the {goods} back?",
        "It was a gift and they already own one; can it go back to you?",
    ),
    "technical": (
        "The app closes itself whenever I open my basket.",
        "Your site shows error 502 since this morning.",
        "The {goods} does not switch on any more after the update.",
        "Search gives no results in Firefox, in Chrome it works.",
        "Uploading a photo stops at 99 percent every time.",
        "The device can't find my wireless network.",
        "Push notifications arrive three times each.",
        "After the latest version the settings page stays blank.",
    ),
    "account": (
        "I forgot my password and the reset mail never comes.",
        "Please change the email address that I sign in with.",
        "How do I delete my profile and all data in it?",
        "I am locked out after too many attempts to sign in.",
        "Can two people share one login, or do we need a second user?",
        "My last name has changed, how do I update it in my profile?",
        "Turn on two-factor sign-in for me, please.",
        "Someone signed in as me from {city}, and I was never there.",
    ),
    "sales": (
        "Do you have the {goods} in green, too?",
        "What is the difference between the basic and the pro plan?",
        "We are a school: is there a discount for 200 pieces?",
        "When will the {goods} be in stock again?",
        "Could {name} from your team give us a demo before we buy?",
        "Is the {goods} suitable for children under six?",
        "Which of your lamps would you recommend for a small study?",
        "Do you offer gift wrapping if I order a {goods} today?",
    ),
}  # fmt: skip
FEELINGS: dict[str, tuple[str, ...]] = {
    "positive": (
        "Best {goods} I ever owned, I would buy it again tomorrow.",
        "Arrived a day early and works like a charm.",
        "I was sceptical, but after a month I can't find a single fault.",
        "My whole family fights over the {goods}, that good it is.",
        "Not cheap, yet worth every cent.",
        "Support in {city} solved my problem within minutes, wonderful people.",
        "Exactly as described, and it looks even better than in the pictures.",
        "Finally a {goods} that does what it promises.",
    ),
    "negative": (
        "Broke on the second day and nobody answers my mails.",
        "Looks fine in the photo, feels like a toy in the hand.",
        "I wish I could give no star at all.",
        "The {goods} is so loud that I moved it to the cellar.",
        "Great, another charger that melts. Thanks for nothing.",
        "Third replacement in a year, and I am done with this brand.",
        "What a waste of {amount} dollars.",
        "It would be a good {goods} if it ever worked.",
    ),
    "neutral": (
        "The {goods} is 30 cm long and comes in a brown box.",
        "I bought it in {city} on a Tuesday.",
        "It is the same model as last year's with another number on it.",
        "It does its job; nothing to complain of, nothing to praise.",
        "The manual is in six languages.",
        "Some things are better than in the old one, some are worse.",
        "I have only just unpacked the {goods} and can't say anything yet.",
        "Two batteries are needed; they are not part of the delivery.",
    ),
}  # fmt: skip


def tasks(rng: random.Random) -> list[dict[str, Any]]:
    """Each message once, with names of its own."""
    made = []
    for group, labels, what in (
        ("intent", INTENTS, "customer's message by what it is about"),
        ("sentiment", FEELINGS, "review by how its author feels about the product or service"),
    ):
        names = ", ".join(labels)
        for label, messages in labels.items():
            for number, message in enumerate(messages, start=1):
                text = message.format(
                    order=f"#{rng.randrange(10_000, 99_999)}", amount=rng.randrange(5, 90), goods=rng.choice(GOODS),
                    city=rng.choice(CITIES), name=rng.choice(FIRST),
                )  # fmt: skip
                prompt = (
                    f"Classify the {what}. Answer with exactly one of these words and nothing else: {names}.\n\n{text}"
                )
                made.append({
                    "id": f"{label}-{number:02}", "group": group, "prompt": prompt, "checker": {"kind": "normalised"},
                    "expected": label,
                })  # fmt: skip
    return made
