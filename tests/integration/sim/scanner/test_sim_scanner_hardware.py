"""The hardware outlives processes, follows the hands laid on it, and moves paper at its own pace."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from dsm_sim.scanner import Sheet, SimulatedScanner

GOOD, UNSUPPORTED, CANCELLED, BUSY, INVAL, EOF, JAMMED, NO_DOCS, COVER_OPEN, IO_ERROR = range(10)
CARD = {"width_mm": 85.0, "height_mm": 54.0}
CARD_AREA = {"br_x": 85.0, "br_y": 54.0}
HARD_SELECT, SOFT_SELECT, SOFT_DETECT = 2, 1, 4


def test_sheets_that_were_fed_are_gone_for_every_process(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner()
    scanner.load([Sheet(**CARD)] * 5)
    program = opened(scanner, source="ADF", **CARD_AREA)
    assert [program.page()["status"] for _ in range(2)] == [EOF, EOF]
    program("cancel")
    program("close")
    assert program("open", scanner.device)["status"] == GOOD
    program.kill()
    assert scanner.sheets_left == 3
    other = opened(scanner, source="ADF", **CARD_AREA)
    assert [other.page()["status"] for _ in range(4)] == [EOF, EOF, EOF, NO_DOCS]
    scanner.load([Sheet(**CARD)])
    assert other.page()["status"] == EOF, "paper may come while it is open"
    begun = [(event.load, event.sheet, event.image) for event in scanner.log() if event.event == "image-begin"]
    assert begun == [(1, 1, 1), (1, 2, 2), (1, 3, 3), (1, 4, 4), (1, 5, 5), (2, 1, 1)]


def test_one_process_at_a_time_however_it_ends(make_scanner: Any, run_program: Any) -> None:
    scanner = make_scanner()
    holder, other = run_program(scanner), run_program(scanner)
    assert holder("open", scanner.device)["status"] == GOOD
    assert other("open", scanner.device)["status"] == BUSY
    assert holder("open", scanner.device)["status"] == BUSY, "nor twice in one"
    holder("start")
    holder.kill()
    assert other("open", scanner.device)["status"] == GOOD
    other("close")
    assert run_program(scanner)("open", scanner.device)["status"] == GOOD


def test_two_scanners_are_used_side_by_side(make_scanner: Any, run_program: Any) -> None:
    one, other = make_scanner(), make_scanner(address="001:008")
    one.load([Sheet(**CARD)])
    first, second = run_program(one, other), run_program(one, other)
    assert first("open", one.device)["status"] == second("open", other.device)["status"] == GOOD
    for program in (first, second):
        program("set", "source", "ADF")
    assert first.page()["status"] == EOF
    assert second("start")["status"] == NO_DOCS


def test_a_scanner_is_found_as_it_was_left(tmp_path: Path) -> None:
    SimulatedScanner(tmp_path, address="002:003").load([Sheet()] * 2)
    again = SimulatedScanner(tmp_path, address="009:009")
    assert (again.device, again.sheets_left) == ("dsmsim:002:003", 2)
    assert again.load([Sheet()]) == 2
    again.empty_feeder()
    assert again.sheets_left == 0


# --------------------------------------------------------------------------------------------------- hands


def test_an_unplugged_scanner_fails_in_the_middle_and_comes_back_elsewhere(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner()
    program = opened(scanner)
    program("start")
    assert program("read", "/dev/null", 10_000) == {"status": GOOD, "bytes": 10_000}
    scanner.unplug()
    assert program("read")["status"] == IO_ERROR
    assert program("start")["status"] == IO_ERROR
    assert program("get", "page-loaded")["status"] == IO_ERROR
    assert program("devices")["names"] == []
    scanner.plug("001:031")
    assert program("start")["status"] == IO_ERROR, "the old handle is of no use any more"
    program("close")
    assert program("devices")["names"] == [scanner.device] == ["dsmsim:001:031"]
    assert program("open", scanner.device)["status"] == GOOD
    assert program.page()["status"] == EOF


@pytest.mark.parametrize("button", ["scan", "email", "file", "function"])
def test_a_press_is_kept_until_it_is_read_once(make_scanner: Any, opened: Any, button: Any) -> None:
    scanner = make_scanner()
    scanner.press(button)
    program = opened(scanner)
    for other in {"scan", "email", "file", "function"} - {button}:
        assert program("get", other)["value"] == 0
    assert [program("get", button)["value"] for _ in range(2)] == [1, 0]
    scanner.press(button)
    scanner.press(button)
    assert [program("get", button)["value"] for _ in range(2)] == [1, 0]
    assert [event.button for event in scanner.log() if event.event == "button"] == [button] * 2
    capabilities = program("option", button)["capabilities"]
    assert capabilities & HARD_SELECT
    assert capabilities & SOFT_DETECT
    assert not capabilities & SOFT_SELECT
    assert program("set", button, 1)["status"] != GOOD


def test_sensors_follow_paper_and_cover_while_idle(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner()
    program = opened(scanner)
    assert [program("get", name)["value"] for name in ("page-loaded", "cover-open")] == [0, 0]
    scanner.load([Sheet()])
    scanner.open_cover()
    assert [program("get", name)["value"] for name in ("page-loaded", "cover-open")] == [1, 1]
    scanner.close_cover()
    scanner.empty_feeder()
    assert [program("get", name)["value"] for name in ("page-loaded", "cover-open")] == [0, 0]
    assert program("get", "serial-number")["value"] == scanner.model.serial


@pytest.mark.parametrize(
    ("do", "undo", "status"), [("open_cover", "close_cover", COVER_OPEN), ("jam", "clear_jam", JAMMED)]
)
def test_cover_and_jam_stop_the_feeder_but_not_the_glass(
    make_scanner: Any, opened: Any, do: str, undo: str, status: int
) -> None:
    scanner = make_scanner()
    scanner.load([Sheet(**CARD)] * 3)
    program = opened(scanner, source="ADF", **CARD_AREA)
    program("start")
    program("read", "/dev/null", 1000)
    getattr(scanner, do)()
    assert [event.event for event in scanner.log()].count("jammed") == (do == "jam"), "at once, seen or not"
    assert program("read")["status"] == status
    assert program("start")["status"] == status
    program("set", "source", "Flatbed")
    assert program.page()["status"] == EOF
    getattr(scanner, undo)()
    program("set", "source", "ADF")
    assert program.page()["status"] == EOF


def test_what_lies_on_the_glass_stays_there(make_scanner: Any, opened: Any, tmp_path: Path) -> None:
    scanner = make_scanner()
    program = opened(scanner, mode="Gray", **CARD_AREA)
    empty = program.page(str(tmp_path / "empty"))
    assert empty["status"] == EOF
    assert set((tmp_path / "empty").read_bytes()) == {255}
    scanner.place_on_glass(Sheet(**CARD))
    for name in ("one", "two"):
        program.page(str(tmp_path / name))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert 0 in (tmp_path / "one").read_bytes()
    scanner.place_on_glass(None)
    program.page(str(tmp_path / "three"))
    assert set((tmp_path / "three").read_bytes()) == {255}


# -------------------------------------------------------------------------------------------- the call rules


def test_calls_out_of_order_are_refused(make_scanner: Any, opened: Any) -> None:
    program = opened(make_scanner(), **CARD_AREA)
    assert program("read")["status"] == INVAL
    assert program("start")["status"] == GOOD
    assert program("start")["status"] == INVAL
    program("cancel")
    assert program("start")["status"] == GOOD
    assert program("set", "mode", "Gray")["status"] == BUSY
    program("cancel")
    assert program("read")["status"] == CANCELLED
    assert program("set", "mode", "Gray")["status"] == GOOD
    assert program("set", "mode", "Sepia")["status"] == INVAL
    assert program("set", "threshold", 10)["status"] == INVAL, "inactive in Gray"
    assert program("io_mode", True)["status"] == UNSUPPORTED
    assert program("io_mode", False)["status"] == GOOD


def test_wishes_that_do_not_fit_are_taken_to_what_does(make_scanner: Any, opened: Any) -> None:
    program = opened(make_scanner())
    for name, wish, made in (("resolution", 99_999, 1200), ("br-x", 9999, 304.8), ("brightness", -500, -100)):
        assert program("set", name, wish)["info"] & 1
        assert program("get", name)["value"] == pytest.approx(made, abs=0.001)


@pytest.mark.parametrize("area", [{"tl_x": 50.0, "br_x": 20.0}, {"tl_y": 50.0, "br_y": 20.0}, {"br_x": 0.0}])
@pytest.mark.parametrize("unknown_length", [False, True])
def test_an_empty_area_has_no_pixels_and_is_refused(
    make_scanner: Any, opened: Any, area: dict[str, float], unknown_length: bool
) -> None:
    scanner = make_scanner(unknown_length=unknown_length)
    scanner.load([Sheet(width_mm=85.0, height_mm=25.0)])
    program = opened(scanner, source="ADF", **area)
    found = program("parameters")
    assert found["bytes_per_line"] == 3 * found["pixels_per_line"] >= 0
    assert 0 in (found["pixels_per_line"], 0 if unknown_length and "tl_y" in area else found["lines"])
    assert found["lines"] >= (-1 if unknown_length else 0)
    assert program("start")["status"] == INVAL
    assert scanner.sheets_left == 1, "no paper is moved for nothing"


def test_the_back_of_a_sheet_that_was_fed_for_its_front_alone_never_comes(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner()
    scanner.load([Sheet(**CARD)] * 4)
    program = opened(scanner, **CARD_AREA)
    for source in ("ADF", "ADF Duplex", "ADF", "ADF Duplex", "ADF Duplex"):
        program("set", "source", source)
        assert program.page()["status"] == EOF
    begun = [(event.sheet, event.side) for event in scanner.log() if event.event == "image-begin"]
    assert begun == [(1, "front"), (2, "front"), (3, "front"), (4, "front"), (4, "back")]


@pytest.mark.parametrize("way", ["cancel_after", "cancel_by_signal_after"])
def test_sane_cancel_ends_a_blocked_read_at_once(make_scanner: Any, opened: Any, way: str) -> None:
    scanner = make_scanner(model={"images_per_minute": 1})
    scanner.load([Sheet()] * 2)
    program = opened(scanner, source="ADF")
    assert program("start")["status"] == GOOD
    program(way, 0.1)
    assert program("read")["status"] == CANCELLED
    log = scanner.log()
    cancelled = next(event.t for event in log if event.event == "cancel")
    ended = next(event.t for event in log if event.event == "status")
    assert ended - cancelled < 0.5
    assert program("start")["status"] == GOOD, "the scanner goes on with the next sheet"
    assert scanner.sheets_left == 0


#: Sends the process a signal while sane_start notes in the log that it has begun.
_SIGNAL_IN_START = """
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t write(int file, const void *data, size_t length) {
  if (memmem(data, length, "\\"start\\"", 7)) raise(SIGALRM);
  return syscall(SYS_write, file, data, length);
}
"""


def test_a_cancel_is_not_lost_though_sane_start_has_just_begun(
    make_scanner: Any, opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "signal.so"
    command = ["cc", "-shared", "-fPIC", "-xc", "-", "-o", str(shim)]
    subprocess.run(command, input=_SIGNAL_IN_START, text=True, check=True)
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    scanner = make_scanner()
    scanner.load([Sheet(**CARD)])
    program = opened(scanner, source="ADF", **CARD_AREA)
    program("cancel_by_signal_after", 60)
    assert program("start")["status"] == CANCELLED
    assert scanner.sheets_left == 1


def test_a_cancel_of_before_does_not_end_a_start_nor_keep_it_busy(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(model={"images_per_minute": 120})
    scanner.load([Sheet(**CARD)])
    program = opened(scanner, source="ADF", **CARD_AREA)
    program("cancel")
    before = _cpu_s(program.process.pid)
    page = program.page()
    assert page["status"] == EOF
    log = {event.event: event.t for event in scanner.log()}
    assert log["image-end"] - log["image-begin"] > 0.15
    assert _cpu_s(program.process.pid) - before < 0.1, "it slept while the paper moved"


# ------------------------------------------------------------------------------------------------------ pace


def test_paper_moves_at_the_rated_pace_for_next_to_no_work(make_scanner: Any, opened: Any, photo: Any) -> None:
    """140 images a minute are a sheet in 0.857 s; four sheets end 3 of those and an A4 length after they began."""
    scanner = make_scanner(model={"images_per_minute": 140})
    picture = photo(620, 877)
    scanner.load([Sheet(front=picture, back=picture)] * 4)
    program = opened(scanner, source="ADF Duplex")
    before = _cpu_s(program.process.pid)
    while program.page()["status"] == EOF:
        pass
    log = scanner.log()
    began = next(event.t for event in log if event.event == "image-begin")
    ended = [event.t for event in log if event.event == "image-end"]
    sheet_s = 2 * 60 / 140
    expected = 3 * sheet_s + sheet_s * 297 / 327
    assert expected - 0.01 <= ended[-1] - began <= expected + 0.25
    fronts, backs = ended[::2], ended[1::2]
    for front, back in zip(fronts, backs, strict=True):
        assert back - front < 0.5 * sheet_s, "the back was taken in the same pass"
    assert (_cpu_s(program.process.pid) - before) / (ended[-1] - began) < 0.25


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_lines_come_while_the_paper_moves(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(model={"images_per_minute": 120})
    scanner.load([Sheet()])
    program = opened(scanner, source="ADF", mode="Gray")
    program("start")
    half = program("read", "/dev/null", 620 * 877 // 2)
    assert half["bytes"] == 620 * 877 // 2
    at_half = time.clock_gettime(time.CLOCK_MONOTONIC)
    program("read")
    log = scanner.log()
    began = next(event.t for event in log if event.event == "image-begin")
    ended = next(event.t for event in log if event.event == "image-end")
    whole_s = 297 / 327  # of the second that a sheet takes, the rest is the gap
    assert at_half - began >= whole_s / 2 - 0.01
    assert ended - began >= whole_s - 0.01
    assert ended - at_half > whole_s / 4, "the first half did not wait for the second"


def test_paper_waits_for_a_reader_that_falls_behind_the_memory(make_scanner: Any, opened: Any) -> None:
    """Without memory, the time in which the host did nothing is lost; with it, it is caught up."""
    took = {}
    for address, buffered in (("001:001", 0), ("001:002", 100)):
        scanner = make_scanner(address=address, model={"images_per_minute": 600, "buffered_images": buffered})
        scanner.load([Sheet()] * 2)
        program = opened(scanner, source="ADF", mode="Gray")
        program.page()
        resume = time.monotonic() + 0.4
        while time.monotonic() < resume:
            pass  # the host is busy with something else
        program.page()
        log = scanner.log()
        starts = [event.t for event in log if event.event == "image-begin"]
        took[buffered] = (
            next(event.t for event in log if event.event == "image-end" and event.image == 2) - starts[1]
        )
    sheet_s = 2 * 60 / 600
    assert took[0] >= sheet_s * 297 / 327 - 0.01
    assert took[100] < sheet_s / 2


@pytest.mark.parametrize(("source", "is_caught_up"), [("ADF", True), ("ADF Duplex", False)])
def test_the_memory_holds_images_of_one_side_or_of_two(
    make_scanner: Any, opened: Any, source: str, is_caught_up: bool
) -> None:
    """One image: a whole sheet if its front alone is taken, otherwise half of one."""
    scanner = make_scanner(model={"images_per_minute": 200, "buffered_images": 1})
    scanner.load([Sheet()] * 2)
    program = opened(scanner, source=source, mode="Gray")
    for _ in range(2 if source == "ADF Duplex" else 1):
        program.page()
    sheet_s = 2 * 60 / 200
    resume = time.monotonic() + 2 * sheet_s
    while time.monotonic() < resume:
        pass  # the host is busy with something else
    program.page()
    began, ended = ([e.t for e in scanner.log() if e.event == event][-1] for event in ("image-begin", "image-end"))
    assert (ended - began < 0.2 * sheet_s) == is_caught_up
    assert is_caught_up or ended - began >= sheet_s * (297 / 327 - 0.5) - 0.01


def test_each_pass_of_three_takes_the_time_of_a_pass(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(three_pass=True, model={"images_per_minute": 300})
    scanner.load([Sheet()])
    program = opened(scanner, source="ADF Duplex")
    while program.page()["status"] == EOF:
        pass
    began, ended = ([e.t for e in scanner.log() if e.event == event] for event in ("image-begin", "image-end"))
    took = [end - begin for begin, end in zip(began, ended, strict=True)]
    pass_s = 2 * 60 / 300 * 297 / 327
    assert min(took[:3]) >= pass_s - 0.01
    assert max(took[3:]) < pass_s / 2, "the back was seen in the passes of the front"


def test_a_slower_scanner_is_as_fast_as_its_reader_when_not_paced(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner()
    scanner.load([Sheet()] * 10)
    program = opened(scanner, source="ADF", mode="Gray")
    while program.page()["status"] == EOF:
        pass
    ends = [event.t for event in scanner.log() if event.event == "image-end"]
    assert len(ends) == 10
    assert ends[-1] - ends[0] < 3


def test_closing_tells_what_the_simulation_itself_has_cost(make_scanner: Any, opened: Any, photo: Any) -> None:
    scanner = make_scanner()
    scanner.place_on_glass(Sheet(front=photo(620, 877)))
    program = opened(scanner, resolution=400)
    before = _cpu_s(program.process.pid)
    assert program.page()["status"] == EOF
    used_s = _cpu_s(program.process.pid) - before
    program("close")
    program("open", scanner.device)
    program("close")
    scaling_s, nothing_s = (event.cpu_s for event in scanner.log() if event.event == "close")
    assert 0.3 * used_s < scaling_s < 1.2 * used_s + 0.03, "scaling is most of the work"
    assert nothing_s == 0, "each opening is counted by itself"


def test_waiting_for_paper_costs_nothing(make_scanner: Any, opened: Any) -> None:
    scanner = make_scanner(model={"images_per_minute": 120})
    scanner.load([Sheet(**CARD)])
    program = opened(scanner, source="ADF", **CARD_AREA)
    assert program.page()["status"] == EOF
    program("exit")
    log = {event.event: event for event in scanner.log()}
    assert 0 < log["close"].cpu_s < (log["image-end"].t - log["image-begin"].t) / 4


def test_memory_does_not_grow_with_the_picture(make_scanner: Any, opened: Any, photo: Any) -> None:
    scanner = make_scanner()
    scanner.load([Sheet(front=photo(2480, 3508))] * 2)
    program = opened(scanner, source="ADF", resolution=300)
    before = program("memory")["bytes"]
    assert program.page()["bytes"] == 2480 * 3508 * 3
    assert program("memory")["bytes"] - before < 4 << 20
