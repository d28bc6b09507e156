"""Invented people, companies and sentences for the documents. ASCII: the font that Pillow brings has no more."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

_COMPANIES: Final = (
    ("Harbour & Finch", "Marine Insurance"),
    ("Lindqvist Paperworks", "Fine Stationery since 1904"),
    ("Northgate Surveyors", "Land and Buildings"),
    ("Ostrander Clinic", "Internal Medicine"),
    ("Tilbury Instruments", "Measuring and Weighing"),
    ("Merrow Housing", "Lettings and Care"),
)
_PEOPLE: Final = (
    "Ada Winterbourne", "Tobias Kerr", "Ines Calloway", "Henrik Vale", "Priya Nand", "Marta Olsen", "Jonas Field",
    "Ruth Abernathy",
)  # fmt: skip
_STREETS: Final = ("Quayside", "Mill Lane", "Orchard Road", "Station Street", "Cooper Row", "Larch Avenue")
_TOWNS: Final = ("Eastmere", "Wexcombe", "Port Allen", "Carrowby", "Dunmarsh", "Kettleford")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
SUBJECTS: Final = (
    "Renewal of your policy",
    "Survey of the north boundary",
    "Your enquiry of last week",
    "Delivery of the second instalment",
    "Change of our opening hours",
)
SENTENCES: Final = (
    "Thank you for your letter, which reached us on Tuesday and has been added to your file.",
    "We have looked into the matter and can confirm that the figures of the first statement were correct.",
    "Our surveyor will call on you in the week of the fourteenth to measure the remaining rooms.",
    "Please keep the enclosed copy with your papers; the original stays with us.",
    "The amount will be settled with the next payment, so that you need not do anything for now.",
    "Should any of the particulars below have changed, kindly let us know within thirty days.",
    "The work took three days longer than planned because the delivery from the mill was late.",
    "As agreed by telephone, we shall bear the cost of carriage for all four parcels.",
    "Both keys must be returned to the office at the end of the term, together with the inventory.",
    "The readings were taken twice, in the morning and after sunset, and differ by less than one per cent.",
    "You will find the new conditions overleaf; they replace those of the previous year.",
    "We regret the delay and hope that the arrangement described here is convenient.",
    "A second inspection is not required unless the seal has been broken.",
    "All drawings were checked against the register and signed by the person in charge.",
    "If you would rather discuss this in person, our office is open on weekdays from nine until five.",
)
GOODS: Final = (
    ("Copy paper A4, 80 g, box", 2150, 2890),
    ("Ring binders, grey", 240, 420),
    ("Toner cartridge, black", 5900, 9900),
    ("Desk lamp, brass", 3900, 6400),
    ("Labels, 70 x 37 mm", 690, 1250),
    ("Envelopes, windowed", 480, 960),
    ("Repair of one typewriter", 4500, 12000),
    ("Index cards, ruled", 210, 380),
    ("Ink, blue-black, 50 ml", 620, 940),
    ("Carriage and packing", 590, 1490),
    ("Drawing board, A2", 7400, 11900),
    ("Hours of service", 3800, 7200),
)
NOTES: Final = (
    "call back about the boiler before noon",
    "measured the hall again, nearly nine metres",
    "ask Marta for the second key",
    "three boxes went to the attic",
    "the grey folder is still with Henrik",
    "train at a quarter past six",
    "window in the back room does not close",
    "paint the door in spring, not now",
    "bring the letters of last year",
    "apples, bread, candles, string",
    "the meter reads lower than in june",
    "remember to thank the neighbours",
)


class Party(NamedTuple):
    """Somebody with an address."""

    name: str
    trade: str
    street: str
    town: str


def company(rng: Random) -> Party:
    name, trade = rng.choice(_COMPANIES)
    return Party(name, trade, *_address(rng))


def person(rng: Random) -> Party:
    return Party(rng.choice(_PEOPLE), "", *_address(rng))


def date(rng: Random) -> str:
    return f"{rng.randint(1, 28)} {rng.choice(_MONTHS)} {rng.randint(2019, 2025)}"


def paragraphs(rng: Random) -> Iterator[str]:
    """Without end; no sentence comes again before all were used."""
    unused: list[str] = []
    while True:
        if len(unused) < 6:
            unused = rng.sample(SENTENCES, len(SENTENCES))
        count = rng.randint(3, 6)
        yield " ".join(unused[:count])
        del unused[:count]


def _address(rng: Random) -> tuple[str, str]:
    return f"{rng.randint(1, 148)} {rng.choice(_STREETS)}", f"{rng.randint(10000, 98999)} {rng.choice(_TOWNS)}"
