"""The contract of the driver port, as a test suite that every driver has to pass.

Subclass :class:`ScannerContract` in a test module of your own, give it a ``driver`` and run pytest::

    class TestMyScanner(ScannerContract):
        @pytest.fixture
        def driver(self) -> Driver:
            return MyDriver()

See ``drivers/README.md``.
"""
# ruff: noqa: S101 - a test suite, though it stands beside the drivers

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from dsm_device.errors import Cancelled, ScannerError, ScannerNotFound
from dsm_device.hardware import (
    MIL_PER_INCH,
    Adjustment,
    Adjustments,
    Area,
    Capabilities,
    ColorProcessing,
    Driver,
    FilmType,
    Frame,
    InputSource,
    OptionValue,
    Page,
    Scanner,
    ScanSettings,
    Sensors,
    SourceCapabilities,
)

_UNTOUCHED = 0xA5
_AREA_TOLERANCE_MIL = 60
_PATIENCE_S = 30
#: Sensors are read about once a second, and a job may be waiting.
_SENSED_WITHIN_S = 0.5
#: The ends of what may be asked of an adjustment, and a little.
_EXTREMES = {
    Adjustment.BRIGHTNESS: (-1000, 1, 1000),
    Adjustment.CONTRAST: (-1000, 1, 1000),
    Adjustment.SHARPNESS: (-100, 1, 100),
    Adjustment.THRESHOLD: (0, 1, 255),
}


class ScannerContract:
    """Fixtures and attributes to override stand first; the tests need no others."""

    #: False for a scanner that never delivers the same bytes twice, as real ones do not.
    repeatable: ClassVar[bool] = True
    #: At least so many sheets are in the feeder after ``load_feeder``; 2 or more.
    sheets: ClassVar[int] = 3
    #: Tests take areas of at most this edge, so that they are quick.
    edge_mil: ClassVar[int] = 1000

    @pytest.fixture
    def driver(self) -> Driver:
        raise NotImplementedError("override this fixture: return your driver")

    @pytest.fixture
    def device(self) -> str:
        """The device to open; "" is the first one found."""
        return ""

    @pytest.fixture
    def options(self) -> Mapping[str, OptionValue]:
        """Raw options to open it with."""
        return {}

    def load_feeder(self, scanner: Scanner) -> None:
        """See to it that ``sheets`` are in the feeder; called before each test that feeds."""

    @pytest.fixture
    def scratch(self, tmp_path: Path) -> Path:
        folder = tmp_path / "scratch"
        folder.mkdir()
        return folder

    @pytest.fixture
    def scanner(
        self, driver: Driver, device: str, options: Mapping[str, OptionValue], scratch: Path
    ) -> Iterator[Scanner]:
        """An opened scanner. Nothing may be left in ``scratch`` when it is closed."""
        scanner = driver.open(device, options, scratch)
        yield scanner
        scanner.close()
        assert not list(scratch.iterdir()), "files were left in the scratch folder"

    # ------------------------------------------------------------------------------- the driver

    def test_it_lists_scanners_by_distinct_names(self, driver: Driver) -> None:
        names = [info.device for info in driver.scanners()]
        assert names, "no scanner is listed"
        assert all(names), "a scanner has no name"
        assert len(set(names)) == len(names), "two scanners have the same name"

    def test_a_scanner_that_is_not_there_is_not_found(self, driver: Driver, scratch: Path) -> None:
        with pytest.raises(ScannerNotFound) as raised:
            driver.open("no such scanner", {}, scratch)
        assert raised.value.remedy, "the error does not say what to do"

    def test_an_unknown_raw_option_is_named(self, driver: Driver, device: str, scratch: Path) -> None:
        with pytest.raises(ScannerError) as raised:
            driver.open(device, {"no-such-option": 1}, scratch)
        assert "no-such-option" in str(raised.value), "the error does not name the option"
        driver.open(device, {}, scratch).close()  # and the device was released

    def test_closing_twice_releases_the_device(self, driver: Driver, device: str, scratch: Path) -> None:
        for _ in range(2):
            scanner = driver.open(device, {}, scratch)
            scanner.close()
            scanner.close()
            scanner.cancel()

    def test_a_closed_scanner_does_not_scan(self, scanner: Scanner) -> None:
        settings = self._usual(scanner)
        scanner.close()
        with pytest.raises(ScannerError):
            next(iter(scanner.pages(settings)))

    # ------------------------------------------------------------------------------ capabilities

    def test_capabilities_are_well_formed(self, scanner: Scanner) -> None:
        capabilities = scanner.capabilities()
        assert capabilities.sources, "there is no source"
        names = [each.source for each in capabilities.sources]
        assert len(set(names)) == len(names), "a source is named twice"
        for source in capabilities.sources:
            _check_source(source)

    def test_capabilities_stay_the_same(self, scanner: Scanner) -> None:
        before = scanner.capabilities()
        _read_job(scanner, self._usual(scanner))
        assert scanner.capabilities() == before, "capabilities changed with a job"

    # ----------------------------------------------------------------------------------- sensors

    def test_sensors_say_yes_no_or_nothing(self, scanner: Scanner) -> None:
        found = scanner.sensors()
        assert isinstance(found, Sensors), f"{found} for the sensors"
        for name in ("page_loaded", "cover_open", "double_feed"):
            assert getattr(found, name) in (True, False, None), f"{name} is {getattr(found, name)}"
        if not _sources(scanner, feeder=True):
            assert found.page_loaded is None, "there is paper, or none, in a feeder that does not exist"

    def test_sensors_are_read_quickly(self, scanner: Scanner) -> None:
        took_s = []
        for _ in range(3):
            began_s = time.monotonic()
            scanner.sensors()
            took_s.append(time.monotonic() - began_s)
        assert min(took_s) < _SENSED_WITHIN_S, f"the sensors took {min(took_s):.1f} s"

    def test_paper_in_the_feeder_is_seen(self, scanner: Scanner) -> None:
        if _sources(scanner, feeder=True):
            self.load_feeder(scanner)
            assert scanner.sensors().page_loaded is not False, "the feeder was loaded, and its sensor sees nothing"

    def test_reading_the_sensors_changes_nothing(self, scanner: Scanner) -> None:
        before = scanner.capabilities()
        for source in before.sources:
            settings = self._settings(source, images=1)
            plain = self._digest(scanner, settings)
            scanner.sensors()
            after = self._digest(scanner, settings)
            assert after == plain or not self.repeatable, f"a reading changed what comes from {source.source}"
        assert scanner.capabilities() == before, "a reading changed the capabilities"

    def test_sensors_are_read_after_whatever_happened(self, scanner: Scanner) -> None:
        settings = self._usual(scanner)
        self._load(scanner, settings)
        pages = iter(scanner.pages(settings))
        scanner.cancel()
        with contextlib.suppress(Cancelled):
            next(pages)
        scanner.sensors()
        self._scan_well(scanner)
        scanner.sensors()

    def test_a_closed_scanner_senses_nothing(self, scanner: Scanner) -> None:
        scanner.close()
        with pytest.raises(ScannerError):
            scanner.sensors()

    # ------------------------------------------------------------------------------------ pixels

    def test_every_source_and_colour_delivers_what_its_frame_says(self, scanner: Scanner) -> None:
        for settings in self._samples(scanner):
            self._load(scanner, settings)
            pages = 0
            for page in scanner.pages(settings):
                _check_frame(page.frame, settings)
                _check_bytes(page)
                pages += 1
            assert pages == 1, f"{pages} images of 1 for {settings}"

    def test_what_it_adjusts_itself_it_adjusts_in_every_colour(self, scanner: Scanner) -> None:
        for settings in self._adjusted(scanner):
            self._load(scanner, settings)
            for page in scanner.pages(settings):
                _check_frame(page.frame, settings)
                _check_bytes(page)

    def test_brightness_shows_and_the_next_job_does_not_inherit_it(self, scanner: Scanner) -> None:
        for source in scanner.capabilities().sources:
            if not (self.repeatable and Adjustment.BRIGHTNESS in source.adjustments):
                continue
            plain = self._settings(source, images=1)
            darker = dataclasses.replace(plain, adjust=Adjustments(brightness=-500))
            before, dark, after = (self._digest(scanner, settings) for settings in (plain, darker, plain))
            assert dark != before, f"brightness changes nothing from {source.source}"
            assert after == before, f"the brightness of a job from {source.source} outlasts it"

    def test_films_and_halftones_are_delivered(self, scanner: Scanner) -> None:
        for source in scanner.capabilities().sources:
            usual = self._settings(source, images=1)
            samples = [dataclasses.replace(usual, film=film) for film in source.films]
            if source.halftone:
                samples += [dataclasses.replace(usual, color=ColorProcessing.BLACK_AND_WHITE_1, halftone=True)]
            for settings in samples:
                self._load(scanner, settings)
                pages = iter(scanner.pages(settings))
                page = next(pages)
                _check_frame(page.frame, settings)
                _check_bytes(page)

    def test_lines_come_whole_into_a_buffer_of_any_size(self, scanner: Scanner) -> None:
        settings = self._usual(scanner)
        digests = set()
        for lines, odd_bytes in ((1, 0), (1, 1), (2, 0), (7, 3), (10_000, 0)):
            self._load(scanner, settings)
            pages = iter(scanner.pages(settings))
            page = next(pages)
            digests.add(_check_bytes(page, lines, odd_bytes))
        if self.repeatable:
            assert len(digests) == 1, "the pixels depend on the size of the buffer"

    def test_a_page_that_has_ended_stays_so(self, scanner: Scanner) -> None:
        settings = self._usual(scanner)
        self._load(scanner, settings)
        pages = iter(scanner.pages(settings))
        page = next(pages)
        _check_bytes(page)
        assert page.read_into(_buffer(page.frame)) == 0, "a page went on after its end"

    # ------------------------------------------------------------------------------------- pages

    def test_a_platen_gives_one_image(self, scanner: Scanner) -> None:
        for source in _sources(scanner, feeder=False):
            for images in (0, 1):
                pages = _read_job(scanner, self._settings(source, images=images))
                assert pages == 1, f"{pages} images from {source.source} where {images} were asked for"

    def test_a_feeder_ends_when_it_is_empty(self, scanner: Scanner) -> None:
        for source in _sources(scanner, feeder=True):
            self.load_feeder(scanner)
            pages = _read_job(scanner, self._settings(source))
            assert pages >= self.sheets, f"{pages} images of {self.sheets} sheets from {source.source}"

    def test_a_feeder_stops_after_the_images_asked_for(self, scanner: Scanner) -> None:
        for source in _sources(scanner, feeder=True):
            for images in range(1, self.sheets):
                self.load_feeder(scanner)
                pages = _read_job(scanner, self._settings(source, images=images))
                assert pages == images, f"{pages} images from {source.source} where {images} were asked for"

    # ------------------------------------------------------------------------------------ cancel

    def test_cancel_between_jobs_does_not_harm_the_next(self, scanner: Scanner) -> None:
        scanner.cancel()
        self._scan_well(scanner)
        scanner.cancel()
        self._scan_well(scanner)

    def test_cancel_before_the_first_page(self, scanner: Scanner) -> None:
        for source in scanner.capabilities().sources:
            self._load(scanner, self._settings(source))
            pages = iter(scanner.pages(self._settings(source)))
            scanner.cancel()
            with pytest.raises(Cancelled):
                next(pages)
            self._scan_well(scanner)

    def test_cancel_within_a_page_from_another_thread(self, scanner: Scanner) -> None:
        for source in scanner.capabilities().sources:
            self._load(scanner, self._settings(source))
            pages = iter(scanner.pages(self._settings(source)))
            page = next(pages)
            one_line = memoryview(bytearray(page.frame.bytes_per_line))
            assert page.read_into(one_line), "a page without a line"
            _cancel_in_another_thread(scanner)
            with pytest.raises(Cancelled):
                page.read_into(one_line)
            self._scan_well(scanner)

    def test_cancel_while_a_page_is_being_read(self, scanner: Scanner) -> None:
        for source in scanner.capabilities().sources:
            settings = self._settings(source)
            self._load(scanner, settings)
            begun = threading.Event()
            cancelling = threading.Thread(target=_cancel_once, args=(begun, scanner))
            cancelling.start()
            # The job may be over before the cancel comes; it must end in one of the two ways.
            with contextlib.suppress(Cancelled):
                for page in scanner.pages(settings):
                    one_line = memoryview(bytearray(page.frame.bytes_per_line))
                    while page.read_into(one_line):
                        begun.set()
            cancelling.join(_PATIENCE_S)
            assert not cancelling.is_alive(), "cancel did not return"
            self._scan_well(scanner)

    def test_cancel_between_pages(self, scanner: Scanner) -> None:
        for source in _sources(scanner, feeder=True):
            self.load_feeder(scanner)
            pages = iter(scanner.pages(self._settings(source)))
            _check_bytes(next(pages))
            _cancel_in_another_thread(scanner)
            with pytest.raises(Cancelled):
                next(pages)
            self._scan_well(scanner)

    def test_a_job_that_is_left_half_way_does_not_harm_the_next(self, scanner: Scanner) -> None:
        for source in scanner.capabilities().sources:
            self._load(scanner, self._settings(source))
            pages = iter(scanner.pages(self._settings(source)))
            page = next(pages)
            page.read_into(memoryview(bytearray(page.frame.bytes_per_line)))
            self._scan_well(scanner)

    def test_closing_within_a_page_releases_the_device(
        self, driver: Driver, device: str, options: Mapping[str, OptionValue], scratch: Path
    ) -> None:
        scanner = driver.open(device, options, scratch)
        settings = self._usual(scanner)
        self._load(scanner, settings)
        pages = iter(scanner.pages(settings))
        page = next(pages)
        page.read_into(memoryview(bytearray(page.frame.bytes_per_line)))
        scanner.close()
        assert not list(scratch.iterdir()), "files were left in the scratch folder"
        scanner = driver.open(device, options, scratch)
        self._scan_well(scanner)
        scanner.close()

    # ------------------------------------------------------------------------------------ errors

    def test_settings_that_it_cannot_do_raise_before_a_page(self, scanner: Scanner) -> None:
        usual = self._usual(scanner)
        self._load(scanner, usual)
        for wrong in _impossible(scanner.capabilities(), usual):
            with pytest.raises(ScannerError) as raised:
                next(iter(scanner.pages(wrong)))
            assert raised.value.remedy, f"the error for {wrong} does not say what to do"
        self._scan_well(scanner)

    # ------------------------------------------------------------------------------------ inside

    def _load(self, scanner: Scanner, settings: ScanSettings) -> None:
        if settings.source.is_feeder:
            self.load_feeder(scanner)

    def _scan_well(self, scanner: Scanner) -> None:
        settings = self._usual(scanner)
        self._load(scanner, settings)
        pages = 0
        for page in scanner.pages(settings):
            _check_frame(page.frame, settings)
            _check_bytes(page)
            pages += 1
        assert pages == 1, "the job after it failed"

    def _usual(self, scanner: Scanner) -> ScanSettings:
        return self._settings(scanner.capabilities().sources[0], images=1)

    def _samples(self, scanner: Scanner) -> Iterator[ScanSettings]:
        """Each source with each colour, at its lowest and at a high resolution."""
        for source in scanner.capabilities().sources:
            for color in source.colors:
                for pick in (min, max):
                    x_dpi, y_dpi = _resolution(source, pick)
                    usual = self._settings(source, images=1)
                    yield dataclasses.replace(usual, color=color, x_dpi=x_dpi, y_dpi=y_dpi)

    def _adjusted(self, scanner: Scanner) -> Iterator[ScanSettings]:
        for source in scanner.capabilities().sources:
            usual = self._settings(source, images=1)
            for each in source.adjustments:
                bilevel_only = each is Adjustment.THRESHOLD
                colors = (ColorProcessing.BLACK_AND_WHITE_1,) if bilevel_only else source.colors
                for color, value in itertools.product(colors, _EXTREMES[each]):
                    yield dataclasses.replace(usual, color=color, adjust=_adjust(each, value))

    def _digest(self, scanner: Scanner, settings: ScanSettings) -> bytes:
        self._load(scanner, settings)
        pages = iter(scanner.pages(settings))
        return _check_bytes(next(pages))

    def _settings(self, source: SourceCapabilities, images: int = 0) -> ScanSettings:
        """A small area, off the corner where the source allows for it."""
        width_mil = min(max(self.edge_mil, source.minimum.width_mil), source.maximum.width_mil)
        height_mil = min(max(self.edge_mil, source.minimum.height_mil), source.maximum.height_mil)
        x_dpi, y_dpi = _resolution(source, min)
        area = Area(
            x_mil=min(500, source.maximum.width_mil - width_mil),
            y_mil=min(250, source.maximum.height_mil - height_mil),
            width_mil=width_mil,
            height_mil=height_mil,
        )
        return ScanSettings(source.source, source.colors[-1], x_dpi, y_dpi, area, images=images)


def _resolution(source: SourceCapabilities, pick: Callable[[Iterable[int]], int]) -> tuple[int, int]:
    """The lowest or the highest up to 600 dpi; each axis its own where they may differ."""
    x_dpi = pick([dpi for dpi in source.x_resolutions_dpi if dpi <= 600] or source.x_resolutions_dpi[:1])
    y_dpi = pick([dpi for dpi in source.y_resolutions_dpi if dpi <= 600] or source.y_resolutions_dpi[:1])
    return (x_dpi, x_dpi) if source.square_only else (x_dpi, y_dpi)


def _sources(scanner: Scanner, *, feeder: bool) -> list[SourceCapabilities]:
    return [each for each in scanner.capabilities().sources if each.source.is_feeder is feeder]


def _impossible(capabilities: Capabilities, usual: ScanSettings) -> Iterator[ScanSettings]:
    """``usual`` with one thing in it that the capabilities rule out."""
    limits = next(each for each in capabilities.sources if each.source is usual.source)
    offered = {each.source for each in capabilities.sources}
    for source in set(InputSource) - offered:
        yield dataclasses.replace(usual, source=source)
    for color in set(ColorProcessing) - set(limits.colors):
        yield dataclasses.replace(usual, color=color)
    for dpi in (limits.x_resolutions_dpi[-1] + 1, 99_999):
        yield dataclasses.replace(usual, x_dpi=dpi, y_dpi=dpi)
    for adjustment in set(Adjustment) - limits.adjustments - {Adjustment.THRESHOLD}:
        yield dataclasses.replace(usual, adjust=_adjust(adjustment, 50))
    for film in set(FilmType) - set(limits.films):
        yield dataclasses.replace(usual, film=film)
    if not limits.halftone:
        bilevel = ColorProcessing.BLACK_AND_WHITE_1
        yield dataclasses.replace(usual, color=bilevel if bilevel in limits.colors else usual.color, halftone=True)
    beyond = Area(0, 0, limits.maximum.width_mil + 1000, usual.area.height_mil)
    yield dataclasses.replace(usual, area=beyond)


def _check_source(source: SourceCapabilities) -> None:
    name = source.source
    assert source.colors, f"{name} has no colour"
    assert len(set(source.colors)) == len(source.colors), f"{name} has a colour twice"
    for offered in (source.x_resolutions_dpi, source.y_resolutions_dpi):
        assert offered, f"{name} has no resolution"
        assert all(type(dpi) is int and dpi > 0 for dpi in offered), f"{name}: {offered} are not all dpi"
        assert list(offered) == sorted(set(offered)), f"{name}: {offered} do not ascend"
    if source.square_only:
        assert source.x_resolutions_dpi == source.y_resolutions_dpi, f"{name}: the axes differ"
    assert 0 < source.minimum.width_mil <= source.maximum.width_mil, f"{name}: no width"
    assert 0 < source.minimum.height_mil <= source.maximum.height_mil, f"{name}: no height"
    assert source.longest_mil == 0 or source.longest_mil >= source.maximum.height_mil, (
        f"{name}: longest is shorter"
    )
    assert source.adjustments <= set(Adjustment), f"{name}: {source.adjustments} are not all adjustments"
    assert name is InputSource.FILM or not source.films, f"{name} has films"
    assert len(set(source.films)) == len(source.films), f"{name} has a film twice"
    if source.halftone or Adjustment.THRESHOLD in source.adjustments:
        assert ColorProcessing.BLACK_AND_WHITE_1 in source.colors, f"{name} has black and white for nothing"


def _adjust(adjustment: Adjustment, value: int) -> Adjustments:
    return dataclasses.replace(Adjustments(), **{adjustment.value: value})


def _check_frame(frame: Frame, settings: ScanSettings) -> None:
    assert frame.color is settings.color, f"{frame} for {settings}"
    assert (frame.x_dpi, frame.y_dpi) == (settings.x_dpi, settings.y_dpi), f"{frame} for {settings}"
    assert frame.bytes_per_line >= frame.color.bytes_per_line(frame.width_px), f"lines too short: {frame}"
    _check_length(frame.width_px, settings.area.width_mil, settings.x_dpi, f"width of {frame}")
    if frame.height_px is not None:
        _check_length(frame.height_px, settings.area.height_mil, settings.y_dpi, f"height of {frame}")


def _check_length(length_px: int, asked_mil: int, dpi: int, what: str) -> None:
    difference_mil = abs(length_px * MIL_PER_INCH / dpi - asked_mil)
    assert difference_mil <= _AREA_TOLERANCE_MIL + MIL_PER_INCH / dpi, f"{what}: {asked_mil} mil asked for"


def _check_bytes(page: Page, lines: int = 100, odd_bytes: int = 0) -> bytes:
    """Read a page to its end and hold what comes against its frame and the port; a digest of it."""
    frame = page.frame
    line, buffer = frame.bytes_per_line, _buffer(frame, lines, odd_bytes)
    digest, total, full = hashlib.sha256(), 0, True
    while got := page.read_into(buffer):
        assert full, "read_into went on after it had not filled the buffer"
        assert got % line == 0, f"{got} bytes are not whole lines of {line}"
        assert got <= len(buffer), "more bytes than the buffer has"
        assert set(buffer[lines * line :]) <= {_UNTOUCHED}, "the end of the buffer that holds no line was used"
        full = got == lines * line
        digest.update(buffer[:got])
        total += got
    if frame.height_px is not None:
        assert total == frame.height_px * line, f"{total} bytes for {frame}"
    return digest.digest()


def _buffer(frame: Frame, lines: int = 100, odd_bytes: int = 0) -> memoryview:
    return memoryview(bytearray([_UNTOUCHED]) * (lines * frame.bytes_per_line + odd_bytes))


def _read_job(scanner: Scanner, settings: ScanSettings) -> int:
    """The number of pages of a job that is read to its end."""
    pages = 0
    for page in scanner.pages(settings):
        _check_bytes(page)
        pages += 1
    return pages


def _cancel_once(begun: threading.Event, scanner: Scanner) -> None:
    begun.wait(_PATIENCE_S)
    scanner.cancel()


def _cancel_in_another_thread(scanner: Scanner) -> None:
    thread = threading.Thread(target=scanner.cancel)
    thread.start()
    thread.join(_PATIENCE_S)
    assert not thread.is_alive(), "cancel did not return"
