"""Two sheets at once, a feeder that says it is empty when it is not, and a device that sleeps."""

from __future__ import annotations

import pytest

USUAL = "source=Flatbed|ADF|ADF Duplex;mode=Gray;depth=8;resolution-range=50:600:1;width=215.9;height=297"
#: As the backends spell it.
FUJITSU = (
    "choices=df-action:Default:Continue:Stop;switches=df-skew:0|df-thickness:0|df-length:0;sensors=double-feed"
)
JAMMED = 6


FAMILY = ("df", "double", "multi", "mf-")


def settings_of(scanned):
    sets = [call.removeprefix("set ") for call in scanned.calls if call.startswith("set ")]
    return [each for each in sets if each.casefold().startswith(FAMILY)]


# ------------------------------------------------------------------------------------- two sheets at once


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (f"{FUJITSU}:0", ["df-action=Stop", "df-thickness=1"]),
        ("switches=df-thickness:0|df-length:0", ["df-thickness=1"]),  # canon_dr
        ("switches=double-feed:0", ["double-feed=1"]),  # kvs1025, kvs20xx
        ("switches=dfeed:0|dfstop:0", ["dfeed=1"]),  # kvs40xx
        ("switches=MultifeedDetection:0", ["MultifeedDetection=1"]),  # brother5
        ("choices=double-feed-detection-sensitivity:None:Low:High", ["double-feed-detection-sensitivity=Low"]),
        ("choices=double-feed-detection:None:Thin", ["double-feed-detection=Thin"]),  # epsonscan2
        ("choices=multifeed-detection:Continue:Stop;switches=mf-overlapping:0|mf-length:0",
         ["multifeed-detection=Stop", "mf-overlapping=1"]),  # pfufs
        ("choices=df-action:Default:Continue", []),
        ("zeros=0", []),
    ],
)  # fmt: skip
def test_it_is_looked_for_in_the_feeder_unless_configured(scan_odd, more, expected):
    scanned = scan_odd(f"{USUAL};{more}", source="ADF")
    assert scanned.error is None, scanned.message
    assert settings_of(scanned) == expected
    assert settings_of(scan_odd(f"{USUAL};{more}")) == []


def test_whoever_configures_it_has_decided(scan_odd):
    for options in ({"df-action": "Continue"}, {"df-length": True}):
        scanned = scan_odd(f"{USUAL};{FUJITSU}:0", options, source="ADF")
        assert len(settings_of(scanned)) == 1


@pytest.mark.parametrize("byte", [0, 5000])
@pytest.mark.parametrize(
    ("source", "image", "sheet"), [("ADF", 1, 1), ("ADF", 2, 2), ("ADFDuplex", 2, 1), ("ADFDuplex", 3, 2)]
)
def test_the_error_names_the_sheet(scan_odd, source, image, sheet, byte):
    moods = f"{USUAL};{FUJITSU}:1;pages=5;fail={image}:{byte}:{JAMMED}"
    scanned = scan_odd(moods, source=source, area=(0, 0, 4000, 4000))
    assert scanned.error == "MultipleFeed"
    assert scanned.message.startswith(f"two sheets were fed at once, at sheet {sheet} (sane_read of odd:0")
    assert len(scanned.frames) == (image if byte else image - 1)
    assert scanned.calls_at_error[-2:] == ["sense", "cancel"], (
        "the sensor is asked before the scanner is let go of"
    )


def test_fronts_of_hardware_that_takes_both_sides_are_counted_by_sheet(scan_odd):
    moods = USUAL.replace("Flatbed|ADF|ADF Duplex", "ADF Duplex") + f";{FUJITSU}:1;pages=6;fail=5:0:{JAMMED}"
    scanned = scan_odd(moods, source="ADF")
    assert "at sheet 3 " in scanned.message
    assert len(scanned.frames) == 2


@pytest.mark.parametrize("sensor", [f"{FUJITSU}:0", "switches=double-feed:1", "zeros=0"])
def test_a_jam_stays_a_jam(scan_odd, sensor):
    """Also where `double-feed` is the switch and not a sensor."""
    scanned = scan_odd(f"{USUAL};{sensor};fail=2:0:{JAMMED}", source="ADF")
    assert scanned.error == "ScannerJammed"
    assert "paper jam" in scanned.message


# ------------------------------------------------------------------------------- empty, or so it says


@pytest.mark.parametrize("sensor", ["page-loaded", "adf-loaded", "doc-in-adf"])
def test_the_feeder_is_asked_again_while_a_sensor_sees_paper(scan_odd, sensor):
    scanned = scan_odd(f"{USUAL};pages=3;hasty=2;sensors={sensor}:2", source="ADF", delays=[[], [], [0.01] * 2])
    assert scanned.error is None, scanned.message
    assert len(scanned.pages) == 3
    assert scanned.calls.count("start") == 3 + 2 * 2 + 1, "each sheet, the refusals between and the end"


def test_patience_ends_though_the_sensor_goes_on(scan_odd):
    scanned = scan_odd(f"{USUAL};pages=3;hasty=3;sensors=page-loaded:1", source="ADF", delays=[[], [], [0.01] * 2])
    assert scanned.error is None, scanned.message
    assert len(scanned.pages) == 1


@pytest.mark.parametrize("more", ["sensors=page-loaded:0", "switches=page-loaded:1", "zeros=0"])
def test_without_a_sensor_that_sees_paper_the_first_no_is_the_end(scan_odd, more):
    scanned = scan_odd(f"{USUAL};pages=3;{more}", source="ADF", delays=[[], [], [60]])
    assert len(scanned.pages) == 3
    assert scanned.calls.count("start") == 4


def test_the_sensor_is_not_asked_between_pages(scan_odd):
    scanned = scan_odd(f"{USUAL};pages=3;sensors=page-loaded:0", source="ADF")
    assert scanned.calls.count("sense") == 1


def test_a_cancel_ends_the_wait_for_the_feeder(scan_odd):
    moods = f"{USUAL};pages=3;hasty=9;sensors=page-loaded:1"
    scanned = scan_odd(moods, source="ADF", delays=[[], [], [60]], cancel_after_s=0.3)
    assert scanned.error == "Cancelled"
    assert len(scanned.pages) == 1


# -------------------------------------------------------------------------------------------- sensors


@pytest.mark.parametrize(
    ("sensors", "page_loaded", "cover_open", "double_feed"),
    [
        ("other:1", None, None, None),
        ("page-loaded:1|cover-open:0|double-feed:0", True, False, False),
        ("page-loaded:0|cover-open:1|double-feed:1", False, True, True),
        ("adf-loaded:1|adf-open:1|omr-df:1", True, True, True),
        ("doc-in-adf:0", False, None, None),
        ("cover-open:0|adf-open:1", None, True, None),
    ],
)
def test_sensors_of_all_spellings(scan_odd, sensors, page_loaded, cover_open, double_feed):
    scanned = scan_odd(f"{USUAL};sensors={sensors}", source="ADF", images=1, sensors=True)
    assert scanned.error is None, scanned.message
    found = {"page_loaded": page_loaded, "cover_open": cover_open, "double_feed": double_feed}
    assert scanned.sensors == [found, found]


def test_a_scanner_without_a_feeder_has_no_paper_in_it(scan_odd):
    moods = "source=Flatbed;mode=Gray;resolution=75;width=215;height=297;sensors=page-loaded:0|cover-open:0"
    scanned = scan_odd(moods, sensors=True)
    assert scanned.sensors[0] == {"page_loaded": None, "cover_open": False, "double_feed": None}


def test_what_can_be_set_is_no_sensor(scan_odd):
    scanned = scan_odd(f"{USUAL};switches=page-loaded:1|cover-open:1", source="ADF", images=1, sensors=True)
    assert set(scanned.sensors[0].values()) == {None}


# ---------------------------------------------------------------------------------------------- sleep


@pytest.mark.parametrize(
    ("mood", "error"),
    [
        ("refuse-open=9;refuse-opens=1", "ScannerIoError"),
        ("refuse-open=11;refuse-opens=1", "ScannerAccessDenied"),
        ("refuse-open=4;refuse-opens=1", "ScannerNotFound"),
        ("busy-open=1", "ScannerBusy"),
    ],
)
def test_opening_is_one_attempt(scan_odd, mood, error):
    scanned = scan_odd(f"{USUAL};{mood}", delays=[[60], [60], []])
    assert scanned.error == error
    assert scanned.calls.count("open") <= 1


def test_an_error_while_scanning_is_no_sleep(scan_odd):
    scanned = scan_odd(f"{USUAL};fail=1:0:9", delays=[[60], [60], []])
    assert scanned.error == "ScannerIoError"
    assert scanned.calls.count("open") == 1


# -------------------------------------------------------------------------------------------- long paper


def test_the_longest_sheet_is_told_beside_the_usual_one(scan_odd):
    moods = f"{USUAL};page-height=2700"
    scanned = scan_odd(moods, source="ADF", area=(0, 0, 8000, 35433), images=1, capabilities=True)
    assert scanned.error is None, scanned.message
    assert scanned.source("ADF")["maximum"]["height_mil"] == 14000
    assert scanned.source("ADF")["longest_mil"] == 106299
    assert scanned.source("Platen")["longest_mil"] == scanned.source("Platen")["maximum"]["height_mil"]
    assert scanned.frames[0]["height_px"] == 2657
