"""What the device adjusts itself, film, halftones: what is offered, what is set, what the next job inherits."""

from __future__ import annotations

import pytest

DEVICE = "source=Flatbed|ADF;mode=Lineart|Gray|Color;depth=8;resolution-range=50:600:1;width=215.9;height=297"
TONES = "numbers=brightness:-50:50:10:0|contrast:-100:100:1:0|sharpness:-2:2:1:0|threshold:0:255:1:0"
#: As most backends have it: each where it makes sense.
USUAL = f"{DEVICE};{TONES};inactive=threshold@Gray|threshold@Color"
FILM = "source=Flatbed|Transparency Unit;mode=Gray|Color;depth=8;resolution-range=50:600:1;width=100;height=100"


def settings_of(scanned, *names):
    """The values to which these options were set, in order."""
    sets = [call.removeprefix("set ") for call in scanned.calls if call.startswith("set ")]
    return [each for each in sets if each.split("=")[0] in names]


def offered(scan_odd, moods, source="Platen", options=None):
    scanned = scan_odd(moods, options, capabilities=True, area=None)
    assert scanned.error is None, scanned.message
    return scanned.source(source)


# ------------------------------------------------------------------------------------------- offered


@pytest.mark.parametrize(
    ("moods", "expected"),
    [
        (USUAL, ["brightness", "contrast", "sharpness", "threshold"]),
        (DEVICE, []),
        # Where a bilevel mode has no brightness, the threshold does the same.
        (f"{USUAL}|brightness@Lineart|contrast@Lineart", ["brightness", "contrast", "sharpness", "threshold"]),
        (f"{USUAL}|sharpness@Lineart", ["brightness", "contrast", "threshold"]),
        # brother4: its fast colour adjusts nothing.
        (f"{USUAL}|brightness@Color|contrast@Color", ["sharpness", "threshold"]),
        (f"{USUAL}|threshold@Lineart|brightness@Lineart", ["contrast", "sharpness"]),
        (f"{DEVICE};numbers=brightness:0:0:0:0|contrast:0:100:1:50|threshold:7:7:0:7", []),
        # 0 is not on the grid: the image could not be left alone.
        (f"{DEVICE};numbers=brightness:-5:5:2:1", []),
        (f"{DEVICE};numbers=emphasis:-128:127:1:0", ["sharpness"]),
        (f"{DEVICE};choices=brightness:low:high", []),
    ],
)
def test_what_is_offered_can_be_made_in_every_mode(scan_odd, moods, expected):
    assert offered(scan_odd, moods)["adjustments"] == expected


def test_what_is_configured_is_not_offered_and_stays(scan_odd):
    options = {"brightness": 20}
    assert offered(scan_odd, USUAL, options=options)["adjustments"] == ["contrast", "sharpness", "threshold"]
    scanned = scan_odd(USUAL, options, adjust={"contrast": 100})
    assert settings_of(scanned, "brightness") == ["brightness=20"]
    assert scan_odd(USUAL, options, adjust={"brightness": 100}).error == "ScannerUnsupported"


# ----------------------------------------------------------------------------------------------- set


@pytest.mark.parametrize(
    ("adjust", "color", "expected"),
    [
        ({"brightness": 1000, "contrast": -1000}, "Grayscale8", ["brightness=50", "contrast=-100"]),
        ({"brightness": -333}, "RGB24", ["brightness=-20"]),
        ({"brightness": 40}, "RGB24", ["brightness=0"]),
        ({"sharpness": 100}, "RGB24", ["sharpness=2"]),
        ({"sharpness": -30}, "RGB24", ["sharpness=-1"]),
        ({"threshold": 200}, "BlackAndWhite1", ["threshold=200"]),
        ({"threshold": 0}, "BlackAndWhite1", ["threshold=0"]),
        ({}, "RGB24", []),
        ({}, "BlackAndWhite1", []),
    ],
)
def test_the_ports_numbers_become_the_devices(scan_odd, adjust, color, expected):
    scanned = scan_odd(USUAL, adjust=adjust, color=color)
    assert scanned.error is None, scanned.message
    assert settings_of(scanned, "brightness", "contrast", "sharpness", "threshold") == expected


@pytest.mark.parametrize(("percent", "asked"), [(0, 0), (50, 128), (100, 255)])
def test_a_threshold_in_percent(scan_odd, percent, asked):
    moods = f"{DEVICE};numbers=threshold:0:100:1:50"
    scanned = scan_odd(moods, adjust={"threshold": asked}, color="BlackAndWhite1")
    assert settings_of(scanned, "threshold") == [f"threshold={percent}"]


@pytest.mark.parametrize(
    ("adjust", "level"),
    [
        ({"brightness": 1000}, 1),
        ({"brightness": -1000}, 255),
        ({"brightness": 500, "contrast": 700}, 64),
        ({"brightness": 100, "threshold": 60}, 47),
    ],
)
def test_brightness_of_a_bilevel_mode_without_it_is_its_threshold(scan_odd, adjust, level):
    moods = f"{USUAL}|brightness@Lineart|contrast@Lineart"
    scanned = scan_odd(moods, adjust=adjust, color="BlackAndWhite1")
    assert scanned.error is None, scanned.message
    assert settings_of(scanned, "brightness", "contrast", "threshold") == [f"threshold={level}"]


def test_what_the_device_cannot_adjust_is_refused_before_a_page_moves(scan_odd):
    scanned = scan_odd(DEVICE, adjust={"brightness": 10, "sharpness": 10})
    assert scanned.error == "ScannerUnsupported"
    assert "brightness, sharpness" in scanned.message
    assert "start" not in scanned.calls


def test_adjusting_follows_the_area(scan_odd):
    calls = scan_odd(USUAL, adjust={"brightness": 500}).calls
    last_of_area = max(number for number, call in enumerate(calls) if call.startswith(("set tl", "set br-")))
    assert last_of_area < calls.index("set brightness=30") < calls.index("start")


@pytest.mark.parametrize("keeps", [0, 1])
def test_the_next_job_inherits_nothing(scan_odd, keeps):
    """Values outlive sane_close, but not sane_exit; 7 is where the device's maker has put the threshold."""
    moods = f"{USUAL.replace('threshold:0:255:1:0', 'threshold:0:255:1:7')};keeps={keeps}"
    job = {"adjust": {"brightness": 1000, "threshold": 90}, "color": "BlackAndWhite1"}
    scanned = scan_odd(moods, earlier=[job, job], color="BlackAndWhite1")
    assert scanned.error is None, scanned.message
    assert settings_of(scanned, "brightness", "threshold") == [
        *["brightness=50", "threshold=90"] * 2,
        *["brightness=0", "threshold=7"],
    ]


def test_what_is_inactive_is_set_back_when_it_can_be(scan_odd):
    moods = f"{USUAL}|sharpness@Gray;keeps=1"
    asked = [{"adjust": {"sharpness": 100}, "color": "RGB24"}, {"color": "Grayscale8"}]
    assert settings_of(scan_odd(moods, earlier=asked, color="Grayscale8"), "sharpness") == ["sharpness=2"]
    assert settings_of(scan_odd(moods, earlier=asked, color="RGB24"), "sharpness") == [
        "sharpness=2",
        "sharpness=0",
    ]


# ---------------------------------------------------------------------------------------------- film

ALL_FILMS = ["ColorSlideFilm", "ColorNegativeFilm", "BlackandWhiteNegativeFilm"]


@pytest.mark.parametrize(
    ("more", "films"),
    [
        ("choices=film-type:Positive Film:Negative Film", ALL_FILMS),
        ("choices=film-type:Positive Slide:Positive Film:Negative Slide", ALL_FILMS),
        ("choices=film-type:Color Negative", ALL_FILMS[1:]),
        ("switches=negative:0", ALL_FILMS),
        ("zeros=0", ALL_FILMS[:1]),
    ],
)
def test_films_that_the_device_develops(scan_odd, more, films):
    found = offered(scan_odd, f"{FILM};{more}", "Film")
    assert found["films"] == films
    assert offered(scan_odd, f"{FILM};{more}")["films"] == [], "only the film source has any"


@pytest.mark.parametrize(
    ("more", "film", "expected"),
    [
        ("choices=film-type:Negative Film:Positive Film", "ColorSlideFilm", ["film-type=Positive Film"]),
        ("choices=film-type:Positive Film:Negative Film", "ColorNegativeFilm", ["film-type=Negative Film"]),
        ("choices=film-type:Slide:Color Negative:B&W Negative", ALL_FILMS[2], ["film-type=B&W Negative"]),
        ("choices=film-type:Slide:Color Negative:B&W Negative", ALL_FILMS[1], ["film-type=Color Negative"]),
        ("switches=negative:0", "BlackandWhiteNegativeFilm", ["negative=1"]),
        ("switches=negative:0", "ColorSlideFilm", []),
        ("zeros=0", "ColorSlideFilm", []),
        ("choices=film-type:Positive Film:Negative Film", None, []),
    ],
)
def test_the_film_is_made_known(scan_odd, more, film, expected):
    scanned = scan_odd(f"{FILM};{more}", source="Film", film=film)
    assert scanned.error is None, scanned.message
    assert settings_of(scanned, "film-type", "negative") == expected
    assert scanned.calls.count("start") == 1


def test_a_negative_is_not_left_behind(scan_odd):
    moods = f"{FILM};switches=negative:0;keeps=1"
    for film in (None, "ColorSlideFilm"):
        scanned = scan_odd(moods, source="Film", film=film, earlier=[{"film": "ColorNegativeFilm"}])
        assert settings_of(scanned, "negative") == ["negative=1", "negative=0"]


def test_a_source_for_negatives(scan_odd):
    moods = FILM.replace("Transparency Unit", "TMA Slides|TMA Negatives")
    assert offered(scan_odd, moods, "Film")["films"] == ALL_FILMS
    negative = scan_odd(moods, source="Film", film="ColorNegativeFilm", earlier=[{"film": "ColorSlideFilm"}])
    assert settings_of(negative, "source")[-1] == "source=TMA Negatives"
    slide = scan_odd(moods, source="Film", film="ColorSlideFilm", earlier=[{"film": "ColorNegativeFilm"}])
    assert settings_of(slide, "source")[-1] == "source=TMA Slides"


@pytest.mark.parametrize(
    ("source", "film"),
    [("Film", "ColorNegativeFilm"), ("Platen", "ColorSlideFilm"), ("Platen", "ColorNegativeFilm")],
)
def test_a_film_that_the_device_does_not_develop_is_refused(scan_odd, source, film):
    scanned = scan_odd(FILM, source=source, film=film)
    assert scanned.error == "ScannerUnsupported"
    assert film in scanned.message
    assert "start" not in scanned.calls


# ----------------------------------------------------------------------------------------- halftones


@pytest.mark.parametrize(
    ("modes", "halftone"),
    [
        ("Lineart|Halftone lineart|Gray", True),
        ("Lineart|Gray|Color", False),
        ("Lineart|Halftone|Gray", False),  # says so, but delivers 8 bits
        ("Lineart|Color Halftone|Color", False),
    ],
)
def test_halftones_are_offered_where_they_are_black_and_white(scan_odd, modes, halftone):
    assert offered(scan_odd, DEVICE.replace("Lineart|Gray|Color", modes))["halftone"] is halftone


def test_halftones_are_another_mode_than_black_and_white(scan_odd):
    moods = DEVICE.replace("Lineart|Gray|Color", "Lineart|Halftone lineart|Gray")
    plain = scan_odd(moods, color="BlackAndWhite1")
    dots = scan_odd(moods, color="BlackAndWhite1", halftone=True)
    assert settings_of(plain, "mode")[-1] == "mode=Lineart"
    assert settings_of(dots, "mode")[-1] == "mode=Halftone lineart"
    assert dots.error is None, dots.message
    assert scan_odd(moods, color="Grayscale8", halftone=True).error == "ScannerUnsupported"
    assert scan_odd(DEVICE, color="BlackAndWhite1", halftone=True).error == "ScannerUnsupported"
