"""Invented names that the texts are made with."""

import random
from datetime import date, timedelta

FIRST = ("Amara", "Bruno", "Chen", "Daria", "Elias", "Fatima", "Goran", "Hana", "Ivo", "Jana", "Kofi", "Lena", "Mateo",
         "Noor", "Oskar", "Priya", "Rosa", "Samir", "Tilda", "Wim")  # fmt: skip
LAST = ("Abara", "Berger", "Castillo", "Dubois", "Eriksen", "Fontana", "Garnier", "Horvat", "Iversen", "Jovanovic",
        "Keller", "Lindqvist", "Moreau", "Nowak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Weber")  # fmt: skip
COMPANIES = ("Alder & Finch", "Bluewater Logistics", "Corvid Systems", "Dunelm Foods", "Ember Robotics",
             "Fjord Textiles", "Granite Insurance", "Harbour Press", "Ironwood Tools", "Juniper Health")  # fmt: skip
CITIES = ("Antwerp", "Bilbao", "Cork", "Dresden", "Esbjerg", "Florence", "Graz", "Haarlem", "Iasi", "Jena", "Krakow")
AIRPORTS = ("Lisbon", "Zurich", "Oslo", "Vienna", "Dublin", "Athens", "Warsaw", "Prague", "Malaga", "Helsinki")
GOODS = ("desk lamp", "garden hose", "coffee grinder", "rain jacket", "yoga mat", "wall clock", "bread knife",
         "bike pump", "floor mat", "picture frame")  # fmt: skip
_FIRST_DAY = date(2025, 1, 6)


def day(rng: random.Random) -> str:
    """A day as ISO 8601 writes it."""
    return (_FIRST_DAY + timedelta(days=rng.randrange(700))).isoformat()
