"""The acquisition process and its end at the agent: pages come through, and a driver that crashes, hangs, lies or
chatters ends in one typed error within its limit, with nothing left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image

from dsm_device.acquisition import messages
from dsm_device.acquisition.messages import Encoding, PageAcquired, PageStarted
from dsm_device.acquisition.process import Acquisition, Limits, PageReport
from dsm_device.errors import (
    Cancelled,
    DriverError,
    DsmError,
    ScannerCrashed,
    ScannerError,
    ScannerHung,
    ScannerJammed,
    ScannerNoDocuments,
    SpoolError,
)
from dsm_device.hardware import Area, ColorProcessing, InputSource, OptionValue, ScanSettings
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.treatment import Treatment

SETTINGS = ScanSettings(InputSource.ADF, ColorProcessing.GRAYSCALE_8, 100, 100, Area(0, 0, 1000, 1000))
SPEC = PageSpec("png", ColorProcessing.GRAYSCALE_8, 100, 100, 100, 100, 100)
SHORT = Limits(open_s=1.0, page_s=1.0, rows_s=1.0, cancel_s=1.0)

FAULTY = '''
"""A driver that goes wrong as the option `fault` says."""
import ctypes, os, subprocess, sys, threading, time
from dsm_device.errors import Cancelled, ScannerJammed, ScannerNoDocuments
from dsm_device.hardware import *

INFO = ScannerInfo("faulty", "Test", "Faulty")

class Page:
    def __init__(self, scanner, n):
        self.frame = Frame(ColorProcessing.GRAYSCALE_8, 100, 100, 100, 100, 100)
        self.scanner, self.n, self.rows = scanner, n, 0

    def read_into(self, buffer):
        fault = self.scanner.fault
        if self.n == 2 and self.rows == 0:
            getattr(self.scanner, "fault_" + fault, lambda: None)()
        rows = min(len(buffer) // 100, 100 - self.rows)
        buffer[: rows * 100] = bytes([self.n]) * (rows * 100)
        self.rows += rows
        return rows * 100

class Scanner:
    def __init__(self, options):
        self.fault = options.get("fault", "")
        self.marker = options.get("marker", "")
        self.stopped = threading.Event()

    def capabilities(self):
        if self.fault == "open_hang":
            time.sleep(1000)
        source = SourceCapabilities(
            InputSource.ADF, (ColorProcessing.GRAYSCALE_8,), (100,), (100,), Size(1, 1), Size(1000, 1000)
        )
        return Capabilities(INFO, (source,))

    def pages(self, settings):
        if self.fault == "empty":
            raise ScannerNoDocuments
        for n in (1, 2, 3):
            yield Page(self, n)

    def fault_segfault(self): print("last words", file=sys.stderr, flush=True); ctypes.string_at(1)
    def fault_segfault_when_told(self):
        while not os.path.exists(self.marker):
            time.sleep(0.001)
        ctypes.string_at(1)
    def fault_exit(self): os._exit(7)
    def fault_jam(self): raise ScannerJammed
    def fault_bug(self): raise ZeroDivisionError("oops")
    def fault_hang(self): time.sleep(1000)
    def fault_wait_for_cancel(self):
        self.stopped.wait(1000)
        raise Cancelled("cancelled")
    def fault_child_hangs(self):
        child = subprocess.Popen(["sleep", "1000"])
        open(self.marker, "w").write(str(child.pid))
        time.sleep(1000)
    def fault_daemon(self):
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        open(self.marker, "w").write(str(child.pid))
        time.sleep(1000)
    def fault_chatter(self):
        os.write(1, b"backend says hello\\n" * 20000)
        os.write(2, b"backend complains\\n" * 20000)

    def cancel(self):
        self.stopped.set()

    def close(self):
        if self.marker and self.fault == "":
            open(self.marker, "w").write("closed")

class Driver:
    def scanners(self): return [INFO]
    def open(self, device, options, scratch): return Scanner(options)
'''


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A makers' package with a driver `faulty`, found as an installed one is: by its entry point."""
    site = tmp_path_factory.mktemp("site")
    (site / "faulty_driver.py").write_text(textwrap.dedent(FAULTY))
    metadata = site / "faulty_driver-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-driver\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[dsm_device.drivers]\nfaulty = faulty_driver:Driver\nbroken = no_such_module:Driver\n"
    )
    return {**os.environ, "PYTHONPATH": str(site)}


Drive = Callable[..., list[PageReport]]


@pytest.fixture
def drive(environment: dict[str, str], tmp_path: Path) -> Drive:
    """Scan with the faulty driver; ``during`` is awaited after each report, and may cancel."""

    def run(
        fault: str = "",
        limits: Limits = SHORT,
        during: Callable[[Acquisition, PageReport], Awaitable[None]] | None = None,
        spec: PageSpec = SPEC,
        **options: OptionValue,
    ) -> list[PageReport]:
        async def scan() -> list[PageReport]:
            reports: list[PageReport] = []
            async with Acquisition(limits, environment) as acquisition:
                await acquisition.open("faulty", "", {"fault": fault, **options}, tmp_path)
                async for report in acquisition.scan(SETTINGS, (spec,), tmp_path):
                    reports.append(report)
                    if during:
                        await during(acquisition, report)
            return reports

        return asyncio.run(scan())

    return run


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_pages_come_through_in_order(drive: Drive):
    pages = [report for report in drive() if isinstance(report, PageAcquired)]
    assert [page.n for page in pages] == [1, 2, 3]
    for page in pages:
        with Image.open(page.path) as image:
            assert image.size == (100, 100)
            assert image.getextrema() == (page.n, page.n)


def test_a_page_that_is_written_when_it_is_whole_is_not_silent_meanwhile(drive: Drive):
    """Otherwise a large one, turned or straightened, would count as hung."""
    turned = dataclasses.replace(SPEC, treatment=Treatment(rotation=90))
    reports = drive(spec=turned)
    kinds = [type(report) for report in reports]
    assert Encoding in kinds[: kinds.index(PageAcquired)]


def test_the_scanner_is_released_at_the_end(drive: Drive, tmp_path: Path):
    drive(marker=str(tmp_path / "marker"))
    assert (tmp_path / "marker").read_text() == "closed"


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("segfault", ScannerCrashed, ["SIGSEGV", "page 2"]),
        ("exit", ScannerCrashed, ["exit status 7", "page 2"]),
        ("hang", ScannerHung, ["1 s", "page 2"]),
        ("open_hang", ScannerHung, ["1 s", "opening"]),
        ("jam", ScannerJammed, ["jam"]),
        ("empty", ScannerNoDocuments, ["no paper"]),
        ("bug", ScannerError, ["ZeroDivisionError"]),
    ],
)
def test_what_goes_wrong_in_the_driver_is_one_typed_line(
    drive: Drive, fault: str, error: type[DsmError], words: list[str]
):
    with pytest.raises(error) as caught:
        drive(fault)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_page_that_was_reported_survives_the_crash_of_the_next(drive: Drive, tmp_path: Path):
    marker = tmp_path / "go"

    async def crash_after_first_page(_: Acquisition, report: PageReport) -> None:
        if isinstance(report, PageAcquired):
            marker.touch()

    with pytest.raises(ScannerCrashed):
        drive("segfault_when_told", during=crash_after_first_page, marker=str(marker))
    with Image.open(tmp_path / "page-00001.part") as image:
        assert image.getextrema() == (1, 1)


def test_a_hung_backend_s_own_children_are_ended_too(drive: Drive, tmp_path: Path):
    with pytest.raises(ScannerHung):
        drive("child_hangs", marker=str(tmp_path / "child"))
    assert not is_running(int((tmp_path / "child").read_text()))


def test_a_child_that_left_the_process_group_holds_nobody_up(drive: Drive, tmp_path: Path):
    with pytest.raises(ScannerHung):
        drive("daemon", marker=str(tmp_path / "child"))
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_a_backend_that_chatters_disturbs_nothing(drive: Drive, capfd: pytest.CaptureFixture[str]):
    pages = [report for report in drive("chatter") if isinstance(report, PageAcquired)]
    assert len(pages) == 3
    assert capfd.readouterr() == ("", "")


async def _cancel_on_second_page(acquisition: Acquisition, report: PageReport) -> None:
    if isinstance(report, PageStarted) and report.n == 2:
        acquisition.cancel()


def test_cancel_is_heard_while_the_driver_waits(drive: Drive):
    with pytest.raises(Cancelled):
        drive("wait_for_cancel", Limits(rows_s=60, cancel_s=60), _cancel_on_second_page)


def test_cancel_ends_a_driver_that_does_not_hear_it(drive: Drive):
    with pytest.raises(Cancelled):
        drive("hang", Limits(rows_s=60, cancel_s=0.5), _cancel_on_second_page)


def test_a_file_that_cannot_be_written_stops_the_scan(drive: Drive, tmp_path: Path):
    (tmp_path / "page-00002.part").mkdir()
    with pytest.raises(SpoolError, match="page-00002"):
        drive()


def test_a_file_that_cannot_be_written_is_told_though_the_driver_says_cancelled(drive: Drive, tmp_path: Path):
    (tmp_path / "page-00001.part").mkdir()
    with pytest.raises(SpoolError, match="page-00001"):
        drive("wait_for_cancel", Limits(rows_s=60, cancel_s=60))


class TrayJam(ScannerJammed):
    """As a maker may derive one."""


def test_a_maker_s_own_error_arrives_as_the_one_it_is_derived_from():
    arrived = messages.raised(messages.failed(TrayJam("jam in tray 2", "open tray 2")))
    assert type(arrived) is ScannerJammed
    assert str(arrived) == "jam in tray 2: open tray 2"


@pytest.mark.parametrize("name", ["enum", "ServerFault", "UsageError", "Recovery", "nothing"])
def test_what_is_no_scanner_s_error_arrives_as_one_all_the_same(name: str):
    assert type(messages.raised(messages.Failed(name, "x", "y"))) is ScannerError


@pytest.mark.parametrize(("name", "words"), [("nosuch", "no scanner driver"), ("broken", "cannot be loaded")])
def test_a_driver_that_is_not_there(environment: dict[str, str], name: str, words: str):
    async def look() -> None:
        async with Acquisition(SHORT, environment) as acquisition:
            await acquisition.scanners(name)

    with pytest.raises(DriverError, match=words):
        asyncio.run(look())
