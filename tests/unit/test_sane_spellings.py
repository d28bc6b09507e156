"""Sources and modes are recognised in all the spellings that backends use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.hardware import InputSource
from dsm_drivers.sane.modes import (
    COLOR_MODES,
    DEEP_COLOR_MODES,
    DEEP_GRAY_MODES,
    GRAY_MODES,
    HALFTONE_MODES,
    LINEART_MODES,
)
from dsm_drivers.sane.names import Spellings, normalised
from dsm_drivers.sane.sources import match_sources

PLATEN, ADF, DUPLEX, FILM = InputSource

SOURCES = {
    PLATEN: ["Flatbed", "FlatBed", "Platen", "Normal", "Document Table", "Reflective", "Auto", "auto-selects"],
    ADF: [
        "ADF Front",
        "ADF Simplex",
        "ADF",
        "Automatic Document Feeder",
        "Automatic Document Feeder(left aligned)",
        "Automatic Document Feeder(centrally aligned)",
        "Document Feeder",
        "ADF (Simplex)",
        "Feeder, one-sided",
    ],
    DUPLEX: [
        "ADF Duplex",
        "Automatic Document Feeder(left aligned,Duplex)",
        "Automatic Document Feeder(centrally aligned,Duplex)",
        "Duplex",
        "Feeder (duplex, long edge)",
    ],
    FILM: [
        "Transparency Unit",
        "Transparency Adapter",
        "Transparency",
        "TPU",
        "TPU8x10",
        "Slide",
        "Slides",
        "Slide(s)",
        "TMA Slides",
        "Negative",
        "Positive",
        "Transparent Materials",
    ],
}
SPELLINGS = [(source, name) for source, names in SOURCES.items() for name in names]
WRITINGS = [
    str,
    str.upper,
    str.lower,
    lambda s: s.replace(" ", "-"),
    lambda s: s.replace(" ", "_"),
    lambda s: f" {s} ",
]


@pytest.mark.parametrize("write", WRITINGS)
@pytest.mark.parametrize(("source", "name"), SPELLINGS)
def test_every_spelling_of_a_source_in_every_writing(source, name, write):
    written = write(name)
    assert match_sources([written]) == {source: written}


@pytest.mark.parametrize("name", ["ADF Back", "adf-back", "Card Reader", "", "Camera"])
def test_what_is_no_source_of_ours(name):
    assert match_sources([name]) == {}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["Flatbed", "ADF Front", "ADF Back", "ADF Duplex"],
            {PLATEN: "Flatbed", ADF: "ADF Front", DUPLEX: "ADF Duplex"},
        ),
        (["ADF Duplex", "ADF Back", "ADF Front"], {ADF: "ADF Front", DUPLEX: "ADF Duplex"}),
        (["Auto", "Flatbed", "ADF"], {PLATEN: "Flatbed", ADF: "ADF"}),
        (["Auto", "ADF"], {PLATEN: "Auto", ADF: "ADF"}),
        (
            [
                "FlatBed",
                "Automatic Document Feeder(left aligned)",
                "Automatic Document Feeder(left aligned,Duplex)",
            ],
            {
                PLATEN: "FlatBed",
                ADF: "Automatic Document Feeder(left aligned)",
                DUPLEX: "Automatic Document Feeder(left aligned,Duplex)",
            },
        ),
        (["Normal", "Transparency", "Negative"], {PLATEN: "Normal", FILM: "Transparency"}),
        (["Reflective", "Negative", "Positive"], {PLATEN: "Reflective", FILM: "Positive"}),
        (["Flatbed", "ADF", "TMA Negatives", "TMA Slides"], {PLATEN: "Flatbed", ADF: "ADF", FILM: "TMA Slides"}),
        (
            ["Flatbed", "Transparency Adapter Infrared", "Transparency Adapter"],
            {PLATEN: "Flatbed", FILM: "Transparency Adapter"},
        ),
        (["ADF Back"], {}),
        ([], {}),
    ],
)
def test_lists_of_real_devices(names, expected):
    assert match_sources(names) == expected


MODES = {
    LINEART_MODES: [
        "Lineart",
        "Binary",
        "Black & White",
        "Monochrome",
        "Bitonal",
        "Threshold",
        "Line Art",
        "B/W Lineart",
    ],
    GRAY_MODES: ["Gray", "Grayscale", "True Gray", "8bit Gray", "Greyscale", "256 Grey Levels"],
    DEEP_GRAY_MODES: ["16 bits gray", "16bit Gray"],
    COLOR_MODES: ["Color", "24bitColor", "24bit Color", "24bit Color[Fast]", "RGB", "Colour", "Color (24 bit)"],
    DEEP_COLOR_MODES: ["48 bits color", "48bit Color"],
    HALFTONE_MODES: ["Halftone", "Gray[Error Diffusion]", "Error Diffusion", "Dither", "Halftone Gray"],
}
NO_MODE = ["Color Lineart", "Color Halftone", "Infrared", "Negative color", "Negative gray"]


@pytest.mark.parametrize("write", WRITINGS)
@pytest.mark.parametrize(("spellings", "name"), [(each, name) for each, names in MODES.items() for name in names])
def test_every_spelling_of_a_mode_is_one_kind_and_no_other(spellings, name, write):
    written = write(name)
    assert [each for each in MODES if each.find([written])] == [spellings]


@pytest.mark.parametrize("name", NO_MODE)
def test_modes_that_are_none_of_ours(name):
    assert [each for each in MODES if each.find([name])] == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["Black & White", "Gray[Error Diffusion]", "True Gray", "24bit Color[Fast]", "24bit Color"],
            ["Black & White", "True Gray", None, "24bit Color", None, "Gray[Error Diffusion]"],
        ),
        (
            ["Color", "Gray", "48 bits color", "16 bits gray", "Lineart"],
            ["Lineart", "Gray", "16 bits gray", "Color", "48 bits color", None],
        ),
        (["Lineart", "Halftone", "Gray", "Color"], ["Lineart", "Gray", None, "Color", None, "Halftone"]),
        (["Monochrome", "Grayscale", "Color"], ["Monochrome", "Grayscale", None, "Color", None, None]),
        (["Threshold", "Lineart"], ["Lineart", None, None, None, None, None]),
    ],
)
def test_mode_lists_of_real_devices(names, expected):
    assert [each.find(names) for each in MODES] == expected


@given(st.text())
def test_normalising_twice_is_normalising_once(name: str) -> None:
    assert normalised(normalised(name)) == normalised(name)


@given(st.lists(st.text()), st.lists(st.text(min_size=1), max_size=3).map(tuple))
def test_what_is_found_is_one_of_the_names_as_spelled(names: list[str], parts: tuple[str, ...]) -> None:
    found = Spellings((), parts).find(names)
    assert found is None or found in names
