"""How the SANE driver goes through a job: statuses, feeder, patience, cancel, odd devices."""

from __future__ import annotations

import pytest

STATUSES = {
    "SANE_STATUS_UNSUPPORTED": "ScannerUnsupported",
    "SANE_STATUS_CANCELLED": "Cancelled",
    "SANE_STATUS_DEVICE_BUSY": "ScannerBusy",
    "SANE_STATUS_INVAL": "ScannerInvalid",
    "SANE_STATUS_JAMMED": "ScannerJammed",
    "SANE_STATUS_NO_DOCS": "ScannerNoDocuments",
    "SANE_STATUS_COVER_OPEN": "ScannerCoverOpen",
    "SANE_STATUS_IO_ERROR": "ScannerIoError",
    "SANE_STATUS_NO_MEM": "ScannerNoMemory",
    "SANE_STATUS_ACCESS_DENIED": "ScannerAccessDenied",
}
CODES = dict(
    enumerate(
        [
            "ScannerUnsupported",
            "Cancelled",
            "ScannerBusy",
            "ScannerInvalid",
            "EOF",
            "ScannerJammed",
            "ScannerNoDocuments",
            "ScannerCoverOpen",
            "ScannerIoError",
            "ScannerNoMemory",
            "ScannerAccessDenied",
            "ScannerWarmingUp",
            "ScannerLocked",
        ],
        1,
    )
)
#: The `test` backend ends its reader with an asynchronous pthread_cancel, which deadlocks (one time in 25 or so)
#: if it hits the reader in its first malloc. Nothing but another try helps.
BACKEND_MAY_HANG = {"limit_s": 5, "tries": 4}
#: A device like many: glass and feeder, three modes, A4.
USUAL = "source=Flatbed|ADF;mode=Lineart|Gray|Color;depth=8|16;resolution-range=50:600:1;width=215.9;height=297"


# ------------------------------------------------------------------------------------------ statuses


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("source", ["Platen", "ADF"])
def test_every_status_of_a_read_is_an_error_of_its_own(scan, status, source):
    scanned = scan({"read-return-value": status}, source=source, **BACKEND_MAY_HANG)
    assert scanned.error == STATUSES[status]
    assert status in scanned.message
    assert "test:0" in scanned.message


def test_an_early_end_of_the_frame_is_a_short_page(scan):
    scanned = scan({"read-return-value": "SANE_STATUS_EOF"}, **BACKEND_MAY_HANG)
    assert scanned.error is None
    assert scanned.rows == [0]
    assert scanned.frames[0]["height_px"] == 75


@pytest.mark.parametrize("code", [code for code in CODES if code not in (2, 5)])
def test_every_status_at_a_byte_of_a_page_ends_the_job_there(scan_odd, code):
    scanned = scan_odd(f"{USUAL};fail=2:5000:{code}", source="ADF", area=(0, 0, 4000, 4000))
    assert scanned.error == CODES[code]
    assert f"{code})" in scanned.message
    assert len(scanned.frames) == 2
    assert scanned.calls[-3:] == ["cancel", "close", "exit"]
    assert scanned.calls_at_error[-1] == "cancel", "the scanner is let go of at once, not when it is closed"


def test_a_status_that_nobody_knows_is_told_by_its_number(scan_odd):
    scanned = scan_odd(f"{USUAL};fail=1:0:77")
    assert scanned.error == "ScannerError"
    assert "77" in scanned.message


@pytest.mark.parametrize(
    ("code", "error"),
    [(4, "ScannerNotFound"), (9, "ScannerIoError"), (10, "ScannerNoMemory"), (11, "ScannerAccessDenied")],
)
def test_what_opening_may_answer(scan_odd, code, error):
    scanned = scan_odd(f"{USUAL};refuse-open={code}")
    assert scanned.error == error
    assert "odd:0" in scanned.message


def test_a_device_that_is_not_there_is_not_found(scan):
    scanned = scan(device="test:9")
    assert scanned.error == "ScannerNotFound"
    assert "test:9" in scanned.message


def test_a_missing_libsane_is_told_with_a_remedy(scan_odd, tmp_path):
    (tmp_path / "sane.py").write_text("raise ImportError('libsane.so.1: cannot open shared object file')\n")
    scanned = scan_odd(USUAL, environment={"PYTHONPATH": str(tmp_path)})
    assert scanned.error == "DriverError"
    assert "libsane.so.1" in scanned.message
    assert "make setup" in scanned.message


def test_a_handle_that_does_not_answer_like_its_object_is_not_used(scan_odd):
    assert scan_odd(f"{USUAL};unstable=4").error is None
    scanned = scan_odd(f"{USUAL};unstable=6")
    assert scanned.error == "DriverError"
    assert "python-sane" in scanned.message
    assert scanned.calls[:2] == ["open", "close"]


# ---------------------------------------------------------------------------------------- patience


def test_a_busy_device_is_waited_for(scan_odd):
    scanned = scan_odd(f"{USUAL};busy-start=3", delays=[[0.01] * 3, []])
    assert scanned.error is None, scanned.message
    assert scanned.rows == [75]


def test_a_device_that_stays_busy_is_given_up(scan_odd):
    scanned = scan_odd(f"{USUAL};busy-start=4", delays=[[0.01] * 3, []])
    assert scanned.error == "ScannerBusy"
    assert "SANE_STATUS_DEVICE_BUSY, 3" in scanned.message


def test_a_lamp_is_waited_for_apart_from_other_users(scan_odd):
    scanned = scan_odd(f"{USUAL};busy-start=2;warm-start=5", delays=[[0.01] * 2, [0.01] * 5])
    assert scanned.error is None, scanned.message


def test_a_lamp_that_stays_cold_is_given_up(scan_odd):
    scanned = scan_odd(f"{USUAL};warm-start=6", delays=[[], [0.01] * 5])
    assert scanned.error == "ScannerWarmingUp"


def test_a_refused_start_is_tried_once_more(scan_odd):
    assert scan_odd(f"{USUAL};inval-start=1").error is None
    assert scan_odd(f"{USUAL};inval-start=2").error == "ScannerInvalid"


# ------------------------------------------------------------------------------------------- pages


def test_a_feeder_ends_with_its_paper(scan):
    scanned = scan(source="ADF")
    assert scanned.error is None
    assert scanned.rows == [75] * 10


@pytest.mark.parametrize("late", [0, 1])
def test_start_for_each_page_and_one_cancel_at_the_end(scan_odd, late):
    scanned = scan_odd(f"{USUAL};pages=3;late={late}", source="ADF")
    assert scanned.error is None, scanned.message
    assert scanned.rows == [75] * 3
    assert len(set(scanned.pages)) == 3
    assert [call for call in scanned.calls if not call.startswith("set")] == [
        "open",
        *["start"] * 4,
        "cancel",
        "close",
        "exit",
    ]


@pytest.mark.parametrize("late", [0, 1])
def test_an_empty_feeder_wants_paper(scan_odd, late):
    scanned = scan_odd(f"{USUAL};pages=0;late={late}", source="ADF")
    assert scanned.error == "ScannerNoDocuments"
    assert "load paper" in scanned.message
    assert scanned.calls.count("cancel") == 1


@pytest.mark.parametrize("images", [1, 2])
def test_no_sheet_is_started_beyond_the_images_asked_for(scan_odd, images):
    scanned = scan_odd(f"{USUAL};pages=5", source="ADF", images=images)
    assert len(scanned.pages) == images
    assert scanned.calls.count("start") == images
    assert scanned.calls.count("cancel") == 1


def test_a_platen_is_started_once(scan_odd):
    scanned = scan_odd(USUAL)
    assert [call for call in scanned.calls if call in ("start", "cancel")] == ["start", "cancel"]


def test_a_page_that_ends_early_has_fewer_lines(scan_odd):
    scanned = scan_odd(f"{USUAL};rows=20;stray=31")
    assert scanned.error is None
    assert scanned.frames[0]["height_px"] == 75
    assert scanned.rows == [20]


def test_lines_beyond_the_height_are_left_out(scan_odd):
    scanned = scan_odd(f"{USUAL};rows=90;pages=2", source="ADF")
    assert scanned.error is None, scanned.message
    assert scanned.rows == [75, 75]


def test_reads_that_bring_nothing_are_repeated(scan_odd):
    scanned = scan_odd(f"{USUAL};zeros=3;lines=-1;rows=30")
    assert scanned.rows == [30]
    assert scanned.frames[0]["height_px"] is None


def test_both_sides_by_adf_mode(scan_odd):
    moods = f"{USUAL};adf-mode=Simplex|Duplex;pages=4"
    scanned = scan_odd(moods, source="ADFDuplex", capabilities=True)
    assert [each["source"] for each in scanned.capabilities["sources"]] == ["Platen", "ADF", "ADFDuplex"]
    assert len(scanned.pages) == 4
    assert scanned.calls.index("set source=ADF") < scanned.calls.index("set adf-mode=Duplex")
    assert "set adf-mode=Simplex" in scan_odd(moods, source="ADF").calls


def test_both_sides_by_a_switch(scan_odd):
    scanned = scan_odd(f"{USUAL};duplex=1", source="ADFDuplex")
    assert scanned.calls.index("set source=ADF") < scanned.calls.index("set duplex=1")
    simplex = scan_odd(f"{USUAL};duplex=1", {"source": "ADF", "duplex": True}, source="ADF").calls
    assert [call for call in simplex if call.startswith("set duplex")] == ["set duplex=1", "set duplex=0"]


def test_one_side_from_hardware_that_takes_both_drops_every_second_image(scan_odd):
    moods = USUAL.replace("Flatbed|ADF", "Flatbed|ADF Duplex") + ";pages=6"
    both = scan_odd(moods, source="ADFDuplex")
    fronts = scan_odd(moods, source="ADF")
    assert len(both.pages) == 6
    assert fronts.pages == both.pages[0::2]
    assert scan_odd(moods, source="ADF", images=2).pages == both.pages[0:4:2]


# ------------------------------------------------------------------------------------------ cancel


@pytest.mark.parametrize("answer", [0, 2, 4, 5, 9])
def test_cancel_ends_a_read_that_hangs_whatever_it_then_says(scan_odd, answer):
    scanned = scan_odd(f"{USUAL};block=1;after-cancel={answer}", cancel_after_s=0.3)
    assert scanned.error == "Cancelled"
    assert "close" in scanned.calls


def test_cancel_ends_the_wait_for_a_busy_device(scan_odd):
    scanned = scan_odd(f"{USUAL};busy-start=9", delays=[[60], []], cancel_after_s=0.3)
    assert scanned.error == "Cancelled"


def test_cancel_ends_a_slow_page(scan):
    slow = {"read-delay": True, "read-delay-duration": 200000}
    scanned = scan(slow, dpi=600, area=(0, 0, 8000, 11000), color="RGB24", cancel_after_s=0.3)
    assert scanned.error == "Cancelled"


@pytest.mark.parametrize("source", ["Platen", "ADF"])
def test_cancel_after_a_whole_page_is_a_cancelled_job(scan_odd, source):
    scanned = scan_odd(f"{USUAL};pages=3", source=source, cancel_after_page=1)
    assert scanned.error == "Cancelled"
    assert scanned.rows == [75]
    assert scanned.calls.count("start") == 1


def test_cancel_while_the_caller_is_elsewhere_makes_one_sane_cancel(scan_odd):
    scanned = scan_odd(f"{USUAL};pages=5", source="ADF", cancel_after_bytes=1)
    assert scanned.error == "Cancelled"
    assert len(scanned.frames) == 1
    assert scanned.calls.count("cancel") == 1


def test_cancels_at_all_moments_leave_the_device_good(scan_odd):
    """Also while it is being closed, which the last of the jobs runs into."""
    scanned = scan_odd(f"{USUAL};pages=3", source="ADF", color="RGB24", area=(0, 0, 3000, 3000), storm=60)
    assert scanned.error is None, scanned.message
    assert scanned.cancelled > 20
    assert len(scanned.pages) == 3
    assert [len(page) for page in scanned.pages] == [225 * 225 * 3] * 3
    assert scanned.scratch == []


# ------------------------------------------------------------------------------------- odd devices


def test_resolution_that_is_clamped_in_silence_is_not_scanned_with(scan_odd):
    scanned = scan_odd(f"{USUAL};clamp=200", dpi=300)
    assert scanned.error == "ScannerMismatch"
    assert "300" in scanned.message
    assert "200" in scanned.message
    assert "start" not in scanned.calls


def test_resolution_that_only_the_frame_betrays_is_not_scanned_with(scan_odd):
    scanned = scan_odd(f"{USUAL};deliver=200", dpi=300)
    assert scanned.error == "ScannerMismatch"
    assert "300" in scanned.message
    assert "200" in scanned.message
    assert scanned.pages == []


@pytest.mark.parametrize("dpi", [0, 1201, 99999])
def test_absurd_resolutions_are_refused(scan, dpi):
    scanned = scan(dpi=dpi)
    assert scanned.error == "ScannerMismatch"
    assert str(dpi) in scanned.message


def test_two_axes(scan_odd):
    moods = "mode=Gray;x-resolution=100|200|300;y-resolution=100|150;width=100;height=100"
    scanned = scan_odd(moods, dpi=(200, 150), area=(0, 0, 1000, 2000), capabilities=True)
    assert scanned.error is None, scanned.message
    source = scanned.source("Platen")
    assert source["x_resolutions_dpi"] == [100, 200, 300]
    assert source["y_resolutions_dpi"] == [100, 150]
    assert source["square_only"] is False
    frame = scanned.frames[0]
    assert (frame["width_px"], frame["height_px"]) == (200, 300)


def test_resolution_as_text(scan_odd):
    moods = "mode=Gray;resolution-text=100dpi|300dpi|600dpi;width=100;height=100"
    scanned = scan_odd(moods, dpi=300, capabilities=True)
    assert scanned.error is None, scanned.message
    assert scanned.source("Platen")["x_resolutions_dpi"] == [100, 300, 600]
    assert "set resolution=300dpi" in scanned.calls


def test_one_resolution(scan_odd):
    scanned = scan_odd("mode=Gray;resolution=240;width=100;height=100", dpi=240, capabilities=True)
    assert scanned.error is None, scanned.message
    assert scanned.source("Platen")["x_resolutions_dpi"] == [240]


def test_a_device_without_resolution_is_measured(scan_odd):
    scanned = scan_odd("mode=Gray;width=254;height=254", dpi=100, area=(0, 0, 1000, 1000), capabilities=True)
    assert scanned.error is None, scanned.message
    assert scanned.source("Platen")["x_resolutions_dpi"] == [100]


def test_a_device_without_geometry_gives_all_that_it_has(scan_odd):
    moods = "mode=Gray;resolution=100|200"
    source = scan_odd(moods, capabilities=True, area=None).source("Platen")
    assert source["minimum"] == source["maximum"] == {"width_mil": 1965, "height_mil": 1965}
    assert scan_odd(moods, dpi=100, area=(0, 0, 1965, 1965)).rows == [196]
    part = scan_odd(moods, dpi=100, area=(0, 0, 1000, 1000))
    assert part.error == "ScannerMismatch"
    assert "49.8 mm" in part.message


def test_a_device_without_any_option(scan_odd):
    scanned = scan_odd("", capabilities=True, dpi=100, area=None)
    source = scanned.source("Platen")
    assert source["colors"] == ["Grayscale8"]
    assert source["x_resolutions_dpi"] == [300]


def test_geometry_in_pixels(scan_odd):
    moods = "mode=Gray;resolution=100|200;width=640;height=480;pixels=1"
    scanned = scan_odd(moods, dpi=200, area=(500, 100, 1000, 2000), capabilities=True)
    assert scanned.error is None, scanned.message
    assert scanned.source("Platen")["maximum"] == {"width_mil": 3200, "height_mil": 2400}
    frame = scanned.frames[0]
    assert (frame["width_px"], frame["height_px"]) == (200, 400)
    assert {"set tl-x=100", "set tl-y=20", "set br-x=300", "set br-y=420"} <= set(scanned.calls)


def test_geometry_is_opened_before_it_is_narrowed(scan_odd):
    scanned = scan_odd(USUAL, area=(1000, 2000, 3000, 4000))
    moved = [call.split()[1] for call in scanned.calls if call.startswith(("set tl", "set br"))]
    assert [each.split("=")[0] for each in moved] == [
        *["tl-x", "br-x", "tl-y", "br-y"],
        *["br-x", "br-y", "tl-x", "tl-y"],
    ]
    assert moved[0] == "tl-x=0"
    assert moved[4].startswith("br-x=101.6")


def test_an_area_beyond_the_glass_is_refused(scan_odd):
    scanned = scan_odd(USUAL, area=(0, 0, 8500, 12000))
    assert scanned.error == "ScannerMismatch"
    assert "304.8" in scanned.message
    assert "297.0" in scanned.message


def test_a_coarse_grid_is_tolerated(scan_odd):
    scanned = scan_odd(f"{USUAL};quant=1", dpi=300, area=(0, 0, 8500, 11000))
    assert scanned.error is None, scanned.message
    assert scanned.frames[0]["width_px"] == 2539


def test_a_longer_sheet_is_made_known_before_the_area(scan_odd):
    moods = f"{USUAL};page-height=2700"
    scanned = scan_odd(moods, source="ADF", area=(0, 0, 8000, 14000), capabilities=True, images=1)
    assert scanned.error is None, scanned.message
    assert scanned.source("ADF")["maximum"]["height_mil"] == 14000
    assert scanned.source("Platen")["maximum"]["height_mil"] == 11692
    assert scanned.frames[0]["height_px"] == 1050


@pytest.mark.parametrize(("width_mm", "longest_mil"), [(215.9, 14000), (304.8, 18600)])
def test_a_feeder_of_metres_takes_sheets_in_proportion_to_its_width(scan_odd, width_mm, longest_mil):
    moods = USUAL.replace("width=215.9;height=297", f"width={width_mm};height=1000")
    scanned = scan_odd(moods, source="ADF", area=(0, 0, 8000, 10000), capabilities=True, images=1)
    assert scanned.source("ADF")["maximum"]["height_mil"] == longest_mil


def test_a_page_height_in_the_configuration_lifts_the_limit(scan_odd):
    moods = f"{USUAL};page-height=2700"
    scanned = scan_odd(moods, {"page-height": 900.0}, capabilities=True, area=None)
    assert scanned.source("ADF")["maximum"]["height_mil"] == 35433


def test_a_sheet_fed_device_without_sources_is_a_feeder(scan_odd):
    moods = "kind=sheetfed scanner;mode=Gray;resolution=100;width=100;height=100;pages=2"
    scanned = scan_odd(moods, source="ADF", dpi=100)
    assert len(scanned.pages) == 2


def test_modes_without_depth_option(scan_odd):
    moods = "mode=Lineart|Gray|24bit Color[Fast];resolution=100;width=100;height=100"
    colors = scan_odd(moods, capabilities=True, area=None).source("Platen")["colors"]
    assert colors == ["BlackAndWhite1", "Grayscale8", "RGB24"]


def test_a_frame_of_another_colour_is_not_delivered(scan_odd):
    moods = "mode=Gray;implied-depth=16;resolution=100;width=100;height=100"
    scanned = scan_odd(moods, dpi=100)
    assert scanned.error == "ScannerMismatch"
    assert "Grayscale8" in scanned.message
    assert "Grayscale16" in scanned.message


# ----------------------------------------------------------------------------------- configuration


def test_software_helpers_are_off_unless_configured(scan_odd):
    assert "set swcrop=0" in scan_odd(USUAL).calls
    assert "set swcrop=0" not in scan_odd(USUAL, {"swcrop": True}).calls


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"no-such": 1}, ["no-such", "resolution"]),
        ({"depth": 7}, ["depth = 7", "1, 8, 16"]),
        ({"depth": "eight"}, ["depth = eight", "1, 8, 16"]),
        ({"read-limit": 1}, ["read-limit = 1", "true or false"]),
        ({"test-picture": "Mona Lisa"}, ["test-picture = Mona Lisa", '"Grid"']),
        ({"resolution": 1300}, ["resolution = 1300", "1 to 1200"]),
        ({"gamma-table": 5}, ["gamma-table", "can not be set"]),
        ({"enable-test-options": True, "int-inexact": 5}, ["int-inexact = 5"]),
        ({"enable-test-options": True, "button": True}, ["button", "can not be set"]),
        ({"enable-test-options": True, "string": "ü€"}, ["string"]),
    ],
)
def test_a_raw_option_that_cannot_be_is_named_with_what_can(scan, options, parts):
    scanned = scan(options)
    assert scanned.error == "ScannerInvalid"
    assert "\n" not in scanned.message
    for part in parts:
        assert part in scanned.message


@pytest.mark.parametrize(
    "options",
    [
        {"read-limit-size": 997, "read-limit": True},  # the second makes the first active
        {"three-pass-order": "BGR", "three-pass": True},  # active in colour modes alone
        {"read-limit-size": 997},  # nothing makes it active
    ],
)
def test_raw_options_wait_until_they_are_active(scan, options):
    assert scan(options).error is None


def test_raw_options_of_every_type_are_set(scan):
    options = {
        "enable-test-options": True,
        "bool-soft-select-soft-detect": True,
        "int-constraint-range": 42,
        "int-constraint-word-list": -42,
        "fixed": 3,
        "fixed-constraint-word-list": 12.1,
        "string": "größe",
        "string-constraint-string-list": "Second entry",
    }
    assert scan(options).error is None
