"""Each quirk does what it says, and a scanner without it does not."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dsm_sim.scanner import Fault, Sheet, read_mark

GOOD, UNSUPPORTED, CANCELLED, BUSY, INVAL, EOF, JAMMED, NO_DOCS, COVER_OPEN, IO_ERROR, NO_MEM, ACCESS_DENIED = (
    range(12)
)
WARMING_UP = 12
INEXACT, RELOAD_OPTIONS, RELOAD_PARAMS = 1, 2, 4
GRAY_FRAME, RGB_FRAME, RED, GREEN, BLUE = range(5)
#: A small sheet, so that tests are quick, and its pixels at 75 dpi.
CARD = {"width_mm": 85.0, "height_mm": 54.0}
CARD_AREA = {"br_x": 85.0, "br_y": 54.0}
CARD_PX = (251, 159)


def cards(count: int, **more: Any) -> list[Sheet]:
    return [Sheet(**CARD, draws_back=True, **more)] * count


def mark_of(page: bytes) -> Any:
    return read_mark(Image.frombytes("L", CARD_PX, page))


# ----------------------------------------------------------------------------------- opening and listing


@pytest.mark.parametrize(("named", "status"), [("io-error", IO_ERROR), ("device-busy", BUSY), ("inval", INVAL)])
def test_opening_fails_so_many_times_after_each_sleep(
    make_scanner: Any, run_program: Any, named: str, status: int
) -> None:
    scanner = make_scanner(opening_fails=2, opening_fails_with=named)
    for _ in range(2):
        scanner.fall_asleep()
        programs = [run_program(scanner) for _ in range(3)]
        statuses = [program("open", scanner.device)["status"] for program in programs]
        assert statuses == [status, status, GOOD], "and that over processes"
        programs[-1]("close")
        assert programs[0]("open", scanner.device)["status"] == GOOD
        programs[0].kill()


def test_without_the_quirk_sleep_does_no_harm(make_scanner: Any, run_program: Any) -> None:
    scanner = make_scanner()
    scanner.fall_asleep()
    assert run_program(scanner)("open", scanner.device)["status"] == GOOD


@pytest.mark.parametrize(("named", "status"), [("device-busy", BUSY), ("warming-up", WARMING_UP)])
def test_the_lamp_warms_up_after_sleep(make_scanner: Any, opened: Any, named: str, status: int) -> None:
    scanner = make_scanner(warming_up_s=0.3, warming_up_with=named)
    scanner.fall_asleep()
    program = opened(scanner)
    statuses = []
    while (found := program("start")["status"]) != GOOD:
        statuses.append(found)
    assert set(statuses) == {status}
    began = next(event.t for event in scanner.log() if event.event == "open")
    lit = next(event.t for event in scanner.log() if event.event == "image-begin")
    assert lit - began >= 0.29


def test_a_frozen_list_knows_only_what_sane_init_found(make_scanner: Any, run_program: Any) -> None:
    scanner = make_scanner(frozen_list=True)
    program = run_program(scanner)
    before = scanner.device
    scanner.plug("001:005")
    assert program("devices")["names"] == [before]
    assert program("open", scanner.device)["status"] == INVAL
    assert program("open", before)["status"] == IO_ERROR
    program("exit")
    program("init")
    assert program("devices")["names"] == ["dsmsim:001:005"]
    assert program("open", scanner.device)["status"] == GOOD


def test_a_list_that_is_not_frozen_follows_the_plug(make_scanner: Any, run_program: Any) -> None:
    scanner = make_scanner()
    program = run_program(scanner)
    scanner.unplug()
    assert program("devices")["names"] == []
    assert program("open", "dsmsim:001:004")["status"] == INVAL
    scanner.plug("003:011")
    assert program("devices")["names"] == ["dsmsim:003:011"]


def test_a_rotating_list_begins_with_another_scanner_each_time(make_scanner: Any, run_program: Any) -> None:
    scanners = [make_scanner(address=f"001:00{n}", rotating_list=True) for n in (1, 2, 3)]
    first = [run_program(*scanners)("devices")["names"][0] for _ in range(3)]
    assert sorted(first) == [scanner.device for scanner in scanners]
    steady = [make_scanner(address=f"002:00{n}") for n in (1, 2)]
    assert {run_program(*steady)("devices")["names"][0] for _ in range(3)} == {steady[0].device}


# ------------------------------------------------------------------------------------------------ feeding


def test_no_docs_comes_late(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(no_docs_late=True)
    scanner.load(cards(1))
    program = opened(scanner, source="ADF", **CARD_AREA)
    assert program.page()["status"] == EOF
    assert program("start")["status"] == GOOD
    assert program("read")["status"] == NO_DOCS
    scanner.load(cards(1))
    assert program.page()["status"] == EOF, "and it goes on with new paper"


def test_a_hasty_start_is_told_that_the_feeder_is_empty(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(hasty_start_s=0.2)
    scanner.load(cards(3))
    program = opened(scanner, source="ADF Duplex", **CARD_AREA)
    assert [program.page()["status"] for _ in range(2)] == [EOF, EOF], "a back side follows its front at any pace"
    refusals = 0
    while program("start")["status"] == NO_DOCS:
        refusals += 1
        assert scanner.sheets_left == 2
    assert refusals > 0
    ended = [event.t for event in scanner.log() if event.event == "image-end"][-1]
    began = [event.t for event in scanner.log() if event.event == "image-begin"][-1]
    assert began - ended >= 0.2


def test_backs_are_upside_down(make_scanner: Any, opened: Any, tmp_path: Path) -> None:
    turns = {}
    for name, has_quirk in (("001:001", True), ("001:002", False)):
        scanner = make_scanner(address=name, backs_upside_down=has_quirk)
        scanner.load(cards(2))
        pages = opened(scanner, source="ADF Duplex", mode="Gray", **CARD_AREA).images(tmp_path)
        turns[has_quirk] = [(mark_of(page).side, mark_of(page).rotation) for page in pages]
    assert turns[True] == [("front", 0), ("back", 180)] * 2
    assert turns[False] == [("front", 0), ("back", 0)] * 2


def test_another_resolution_is_delivered_than_is_set(make_scanner: Any, opened: Any) -> None:
    program = opened(make_scanner(delivered_dpi=150), resolution=300, **CARD_AREA)
    assert program("get", "resolution")["value"] == 300
    assert program("start")["pixels_per_line"] == 2 * CARD_PX[0]
    assert opened(make_scanner(address="001:007"), resolution=300, **CARD_AREA)("start")["pixels_per_line"] == 1004


def test_the_area_follows_the_page_size(make_scanner: Any, opened: Any) -> None:
    program = opened(make_scanner(page_size_first=True), source="ADF")
    assert program("option", "br-y")["maximum"] == pytest.approx(279.4, abs=0.01)
    assert program("option", "br-x")["maximum"] == pytest.approx(215.9, abs=0.01)
    cut = program("set", "br-y", 297)
    assert cut["info"] & INEXACT
    assert program("get", "br-y")["value"] == pytest.approx(279.4, abs=0.01)
    assert program("set", "page-height", 420)["info"] & RELOAD_OPTIONS
    program("set", "br-y", 420)
    assert program("get", "br-y")["value"] == 420
    program("set", "source", "Flatbed")
    assert program("option", "page-height")["capabilities"] & 32, "on the glass it is inactive"
    assert program("option", "br-y")["maximum"] == pytest.approx(431.8, abs=0.01)


def test_without_the_quirk_there_is_no_page_size(make_scanner: Any, opened: Any) -> None:
    program = opened(make_scanner(), source="ADF")
    assert program("option", "page-height") == {"option": None}
    assert program("option", "br-y")["maximum"] == 1000


# -------------------------------------------------------------------------------------------------- frames


def test_lines_are_padded_with_rubbish(make_scanner: Any, opened: Any, photo: Any, tmp_path: Path) -> None:
    scanner, picture = make_scanner(line_padding=5), photo(*CARD_PX)
    scanner.load([Sheet(front=picture, **CARD, is_marked=False)])
    program = opened(scanner, source="ADF", **CARD_AREA)
    page = program.page(str(tmp_path / "raw"))
    stride = CARD_PX[0] * 3 + 5
    assert (page["bytes_per_line"], page["bytes"]) == (stride, stride * CARD_PX[1])
    raw = (tmp_path / "raw").read_bytes()
    lines = [raw[at : at + stride] for at in range(0, len(raw), stride)]
    assert b"".join(line[:-5] for line in lines) == Image.open(picture).tobytes()
    assert {line[-5:] for line in lines} == {b"\xa5" * 5}


def test_colour_comes_in_three_frames(make_scanner: Any, opened: Any, photo: Any, tmp_path: Path) -> None:
    scanner, pictures = make_scanner(three_pass=True), [photo(*CARD_PX, name=name) for name in "ab"]
    scanner.load([Sheet(front=pictures[0], back=pictures[1], **CARD, is_marked=False)])
    program = opened(scanner, source="ADF Duplex", **CARD_AREA)
    for picture in pictures:
        for plane, band in zip((RED, GREEN, BLUE), Image.open(picture).split(), strict=True):
            page = program.page(str(tmp_path / "raw"))
            assert (page["format"], page["last_frame"]) == (plane, int(plane == BLUE))
            assert (tmp_path / "raw").read_bytes() == band.tobytes()
    assert program("start")["status"] == NO_DOCS
    assert program("set", "mode", "Gray")["status"] == GOOD
    assert program("parameters")["format"] == GRAY_FRAME


@pytest.mark.parametrize("tail_mm", [0, 20])
def test_the_length_is_unknown_until_the_paper_ends(
    make_scanner: Any, opened: Any, tmp_path: Path, tail_mm: int
) -> None:
    scanner = make_scanner(unknown_length=True, grey_tail_mm=tail_mm)
    scanner.load([Sheet(**CARD, is_blank=True, is_marked=False)])
    program = opened(scanner, source="ADF", mode="Gray", br_x=85.0, br_y=297.0)
    page = program.page(str(tmp_path / "raw"))
    lines = round((54 + tail_mm) * 75 / 25.4)
    assert (page["lines"], page["bytes"]) == (-1, lines * CARD_PX[0])
    below = (tmp_path / "raw").read_bytes()[CARD_PX[0] * CARD_PX[1] :]
    assert below == b"\xc0" * len(below)


def test_each_setting_is_rounded_and_reloads_everything(make_scanner: Any, opened: Any) -> None:
    program = opened(make_scanner(inexact_mm=2.5))
    for name, value in (("br-x", 99.0), ("brightness", 3), ("mode", "Gray")):
        assert program("set", name, value)["info"] == INEXACT | RELOAD_OPTIONS | RELOAD_PARAMS
    assert program("get", "br-x")["value"] == 97.5
    exact = opened(make_scanner(address="001:005"))
    assert exact("set", "br-x", 99.0)["info"] == RELOAD_PARAMS
    assert exact("set", "brightness", 3)["info"] == 0
    assert exact("get", "br-x")["value"] == 99.0


# -------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("jammed", JAMMED),
        ("cover-open", COVER_OPEN),
        ("double-feed", JAMMED),
        ("io-error", IO_ERROR),
        ("no-mem", NO_MEM),
    ],
)
def test_a_fault_happens_once_at_its_byte_of_its_image(
    make_scanner: Any, opened: Any, what: Any, status: int
) -> None:
    scanner = make_scanner(faults=(Fault(what=what, image=3, byte=12_345),))
    scanner.load(cards(4))
    program = opened(scanner, source="ADF Duplex", **CARD_AREA)
    assert [program.page()["status"] for _ in range(2)] == [EOF, EOF]
    failed = program.page()
    assert (failed["status"], failed["bytes"]) == (status, 12_345)
    events = [event for event in scanner.log() if event.event in ("fault", "status")]
    assert [(event.event, event.call, event.what or event.status) for event in events] == [
        ("fault", "read", what),
        ("status", "read", {"double-feed": "jammed"}.get(what, what)),
    ]
    if status in (JAMMED, COVER_OPEN):
        assert [program("start")["status"] for _ in range(2)] == [status, status], "until somebody sees to it"
    scanner.clear_jam()
    scanner.close_cover()
    expected = [1, 2, 4] if what == "double-feed" else [1, 2, 3, 4]
    while program.page()["status"] == EOF:
        pass
    begun = [event.sheet for event in scanner.log() if event.event == "image-begin"]
    assert sorted(set(begun)) == expected, "it goes on with the next sheet, and once only"
    assert begun.count(2) == 1, "the back of the sheet that failed is lost with it"
    assert scanner.sheets_left == 0


@pytest.mark.parametrize("at", ["start", "read"])
@pytest.mark.parametrize("what", ["jammed", "double-feed"])
def test_a_jam_is_in_the_log_once_it_can_be_cleared(make_scanner: Any, opened: Any, what: Any, at: Any) -> None:
    scanner = make_scanner(faults=(Fault(what=what, at=at, image=2),))
    scanner.load(cards(3))
    program = opened(scanner, source="ADF", **CARD_AREA)
    assert program.page()["status"] == EOF
    assert "jammed" not in [event.event for event in scanner.log()]
    assert program.page()["status"] == JAMMED
    happened = [event.event for event in scanner.log()]
    assert happened.count("jammed") == 1
    assert happened.index("fault") < happened.index("jammed") < happened.index("status")


def test_a_double_feed_is_logged_with_the_sheet_that_nobody_saw(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(faults=(Fault(what="double-feed", image=1, byte=1),))
    scanner.load(cards(3))
    opened(scanner, source="ADF", **CARD_AREA).page()
    assert [(e.sheet, e.unseen) for e in scanner.log() if e.event == "double-feed"] == [(1, 2)]


@pytest.mark.parametrize(("action", "status"), [("Default", EOF), ("Continue", EOF), ("Stop", JAMMED)])
def test_an_option_says_what_a_double_feed_does(make_scanner: Any, opened: Any, action: str, status: int) -> None:
    scanner = make_scanner(double_feed_options=True, faults=(Fault(what="double-feed", image=1, byte=100),))
    scanner.load(cards(3))
    program = opened(scanner, source="ADF", df_action=action, **CARD_AREA)
    assert program.page()["status"] == status
    assert program("get", "double-feed")["value"] == 1
    scanner.clear_jam()
    assert program.page()["status"] == EOF
    assert program("get", "double-feed")["value"] == 0
    assert [event.sheet for event in scanner.log() if event.event == "image-begin"] == [1, 3]
    assert [event.event for event in scanner.log()].count("jammed") == (1 if action == "Stop" else 0)


def test_a_fault_that_always_comes_comes_once_an_image(make_scanner: Any, opened: Any) -> None:
    fault = Fault(what="double-feed", byte=100, times=0)
    scanner = make_scanner(double_feed_options=True, faults=(fault,))
    scanner.load(cards(4))
    program = opened(scanner, source="ADF", **CARD_AREA)
    while program.page()["status"] == EOF:
        pass
    assert [(e.sheet, e.unseen) for e in scanner.log() if e.event == "double-feed"] == [(1, 2), (3, 4)]


def test_without_the_quirk_there_are_no_double_feed_options(make_scanner: Any, opened: Any) -> None:
    program = opened(make_scanner())
    assert program("option", "df-action") == program("option", "double-feed") == {"option": None}


def test_a_fault_can_be_meant_for_one_load_and_come_again(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(faults=(Fault(what="io-error", load=2, image=1, at="start", times=2),))
    scanner.load(cards(1))
    program = opened(scanner, source="ADF", **CARD_AREA)
    assert program.page()["status"] == EOF
    scanner.load(cards(1))
    assert [program("start")["status"] for _ in range(3)] == [IO_ERROR, IO_ERROR, GOOD], "no sheet is lost by it"


def test_a_fault_at_the_last_byte_comes_instead_of_the_end(make_scanner: Any, opened: Any) -> None:
    size = CARD_PX[0] * CARD_PX[1]
    scanner = make_scanner(faults=(Fault(what="io-error", image=1, byte=size),))
    scanner.load(cards(1))
    failed = opened(scanner, source="ADF", mode="Gray", **CARD_AREA).page()
    assert (failed["status"], failed["bytes"]) == (IO_ERROR, size)


@pytest.mark.parametrize(("at", "step"), [("start", ("start",)), ("read", ("read",)), ("cancel", ("cancel",))])
def test_a_hang_ends_with_the_process_only(make_scanner: Any, opened: Any, at: Any, step: tuple[str]) -> None:
    scanner = make_scanner(faults=(Fault(what="hang", at=at),))
    scanner.load(cards(2))
    program = opened(scanner, source="ADF", **CARD_AREA)
    if at != "start":
        assert program("start")["status"] == GOOD
    program("cancel_after", 0.05)
    program.begin(*step)
    assert program.is_silent(0.4), "sane_cancel does not end it either"
    assert [event.what for event in scanner.log() if event.event == "fault"] == ["hang"]
    program.kill()
    again = opened(scanner, source="ADF", **CARD_AREA)
    assert again.page()["status"] == EOF, "another process can use the scanner at once"


def test_a_hang_in_open_keeps_the_scanner_until_the_process_ends(make_scanner: Any, run_program: Any) -> None:
    scanner = make_scanner(faults=(Fault(what="hang", at="open"),))
    stuck, other = run_program(scanner), run_program(scanner)
    stuck.begin("open", scanner.device)
    assert stuck.is_silent(0.3)
    assert [(event.event, event.call, event.what) for event in scanner.log()] == [("fault", "open", "hang")]
    assert other("open", scanner.device)["status"] == BUSY
    stuck.kill()
    assert other("open", scanner.device)["status"] == GOOD, "and once only"


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("unsupported", UNSUPPORTED),
        ("device-busy", BUSY),
        ("inval", INVAL),
        ("io-error", IO_ERROR),
        ("no-mem", NO_MEM),
        ("access-denied", ACCESS_DENIED),
        ("warming-up", WARMING_UP),
    ],
)
@pytest.mark.parametrize("at", ["open", "start"])
def test_a_call_fails_as_often_as_it_is_told_to(
    make_scanner: Any, run_program: Any, what: Any, status: int, at: Any
) -> None:
    scanner = make_scanner(faults=(Fault(what=what, at=at, times=2),))
    scanner.load(cards(1))
    program = run_program(scanner)
    opened = [program("open", scanner.device)["status"] for _ in range(3 if at == "open" else 1)]
    assert opened == ([status, status, GOOD] if at == "open" else [GOOD])
    program("set", "source", "ADF")
    started = [program("start")["status"] for _ in range(1 if at == "open" else 3)]
    assert started == ([GOOD] if at == "open" else [status, status, GOOD])
    told = [(event.call, event.status) for event in scanner.log() if event.event == "status"]
    assert told == [(at, what)] * 2
    assert scanner.sheets_left == 0, "no sheet was lost by it"


def test_a_failed_opening_leaves_the_scanner_to_others(make_scanner: Any, run_program: Any) -> None:
    scanner = make_scanner(faults=(Fault(what="io-error", at="open"),))
    program, other = run_program(scanner), run_program(scanner)
    assert program("open", scanner.device)["status"] == IO_ERROR
    assert other("open", scanner.device)["status"] == GOOD


@pytest.mark.parametrize("at", ["start", "read"])
def test_a_hang_until_cancel_ends_with_sane_cancel(make_scanner: Any, opened: Any, at: Any) -> None:
    scanner = make_scanner(faults=(Fault(what="hang-until-cancel", at=at),))
    scanner.load(cards(2))
    program = opened(scanner, source="ADF", **CARD_AREA)
    program("cancel_after", 0.05)
    assert program.page()["status"] == CANCELLED
    happened = [event.event for event in scanner.log()]
    assert happened.index("fault") < happened.index("cancel") < happened.index("status")
    assert program.page()["status"] == EOF


@pytest.mark.parametrize("at", ["open", "start", "read", "cancel", "close"])
def test_a_crash_is_one(make_scanner: Any, run_program: Any, at: Any) -> None:
    byte = 5000 if at == "read" else 0
    scanner = make_scanner(faults=(Fault(what="crash", at=at, byte=byte),))
    program = run_program(scanner)
    with pytest.raises(EOFError):
        for step in (("open", scanner.device), ("start",), ("read",), ("cancel",), ("close",)):
            program(*step)
            assert step[0] != at
    assert program.process.wait() == -signal.SIGSEGV
    survivor = run_program(scanner)
    assert survivor("open", scanner.device)["status"] == GOOD, "and once only"


def test_the_same_page_is_delivered_again(make_scanner: Any, opened: Any, tmp_path: Path) -> None:
    scanner = make_scanner(faults=(Fault(what="replay", at="start", image=2, times=3),))
    scanner.load(cards(2))
    pages = opened(scanner, source="ADF Duplex", mode="Gray", **CARD_AREA).images(tmp_path)
    assert len(pages) == 7
    assert pages[0] == pages[1] == pages[2] == pages[3] != pages[4]
    seen = [(mark_of(page).sheet, mark_of(page).side) for page in pages[3:]]
    assert seen == [(1, "front"), (1, "back"), (2, "front"), (2, "back")], "no page is lost by it"


def test_the_first_image_of_a_batch_has_none_before_it_to_repeat(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(faults=(Fault(what="replay", at="start", image=1),))
    scanner.load(cards(2))
    program = opened(scanner, source="ADF", **CARD_AREA)
    assert [program.page()["status"] for _ in range(3)] == [EOF, EOF, NO_DOCS]
    assert not [event for event in scanner.log() if event.event == "fault"], "it has not happened"
    scanner.load(cards(1))
    assert [program.page()["status"] for _ in range(3)] == [EOF, EOF, NO_DOCS], "and is still to come"
    begun = [(event.load, event.sheet) for event in scanner.log() if event.event == "image-begin"]
    assert begun == [(1, 1), (1, 2), (1, 2), (2, 1)]


def test_a_replay_that_cannot_happen_hides_no_other_fault(make_scanner: Any, opened: Any) -> None:
    replay, failure = (Fault(what=what, at="start", image=1) for what in ("replay", "io-error"))  # type: ignore[arg-type]  # words
    scanner = make_scanner(faults=(replay, failure))
    scanner.load(cards(1))
    program = opened(scanner, source="ADF", **CARD_AREA)
    assert [program.page()["status"] for _ in range(2)] == [IO_ERROR, EOF]


def test_memory_is_lost_with_each_image(make_scanner: Any, opened: Any) -> None:
    grown = {}
    for address, leaked in (("001:001", 1 << 22), ("001:002", 0)):
        scanner = make_scanner(address=address, leaked_bytes=leaked)
        program = opened(scanner, **CARD_AREA)
        program.page()
        before = program("memory")["bytes"]
        for _ in range(8):
            assert program.page()["status"] == EOF
        grown[leaked] = program("memory")["bytes"] - before
    assert grown[1 << 22] >= 8 << 22
    assert grown[0] < 1 << 20


def test_another_source_takes_its_time(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(source_change_s=0.2)
    scanner.load(cards(2))
    program = opened(scanner, source="ADF", **CARD_AREA)
    for source in ("ADF", "Flatbed", "Flatbed"):
        program("set", "source", source)
        program.page()
    log = scanner.log()
    starts = [event.t for event in log if event.event == "start"]
    begins = [event.t for event in log if event.event == "image-begin"]
    took = [begin - start for start, begin in zip(starts, begins, strict=True)]
    assert took[1] >= 0.2
    assert max(took[0], took[2]) < 0.2


def test_a_source_change_can_be_cancelled(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(source_change_s=60)
    scanner.load(cards(1))
    program = opened(scanner, source="ADF", **CARD_AREA)
    program.page()
    program("set", "source", "Flatbed")
    program("cancel_after", 0.05)
    assert program("start")["status"] == CANCELLED


@pytest.mark.parametrize("keeps", [True, False])
def test_values_of_options_outlive_close(make_scanner: Any, opened: Any, keeps: bool) -> None:
    scanner = make_scanner(keeps_options=keeps)
    program = opened(scanner, mode="Lineart", br_x=50.0)
    program("close")
    program("open", scanner.device)
    assert program("get", "mode")["value"] == ("Lineart" if keeps else "Color")
    assert program("get", "br-x")["value"] == (50.0 if keeps else 210.0)
    program("close")
    program("exit")
    program("init")
    program("open", scanner.device)
    assert program("get", "mode")["value"] == "Color", "but not sane_exit"
