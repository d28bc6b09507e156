"""Whole jobs over TLS against programs that write the same pages to a folder."""

from __future__ import annotations

import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from dsm_sim.paper import write_page
from dsm_sim.sane_test_config import TEST_DEVICE
from dsm_sim.scanner import ScannerModel, Sheet, SimulatedScanner
from dsm_sim.scanner import write_sane_config as write_simulated_config

from .desk import A4, FEEDER, Desk, Run, desk, pairs, ratio, scan, seconds

_PILLOW = Path(__file__).with_name("python_sane_peer.py")


_JFIF: Final = ("CompressionQualityFactor=75",)
#: What it is called, by SANE, by WS-Scan, and the aim.
_COLORS: Final = (("RGB", "Color", "RGB24", "1.0"), ("gray", "Gray", "Grayscale8", "0.9"))


def bench_speed(runs: int) -> None:
    """jfif against ``scanimage --batch --format=jpeg`` at its own quality, 75; G4 against python-sane."""
    _bench_letters(runs)
    with desk() as place:
        for label, mode, color, aim in _COLORS:
            settings = (*_JFIF, f"MediaFront/ColorProcessing={color}")
            mine, others = pairs(runs, partial(_ours, place, settings), partial(_scanimage, place, mode))
            what = f"10 pages of a noisy test pattern, A4, {label} 300 dpi, jfif quality 75"
            _show(what, "scanimage --batch to a folder", mine, others, aim)
        settings = ("Format=tiff-single-g4", "MediaFront/ColorProcessing=BlackAndWhite1")
        settings += ("MediaFront/Resolution=200",)
        mine, others = pairs(runs, partial(_ours, place, settings), partial(_python_sane, place))
    what = "10 pages of a test pattern, A4, bilevel 200 dpi, TIFF G4"
    _show(what, "python-sane and Pillow to a folder", mine, others, "0.2")


def _bench_letters(runs: int) -> None:
    """Forty sides that people might feed, from the simulated feeder as fast as it is read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        letters = [write_page(folder, kind, (210, 297), dpi=300) for kind in ("text", "form", "invoice", "photo")]
        scanner = SimulatedScanner(folder / "hardware", ScannerModel())
        environment = write_simulated_config(folder / "sane.d", [scanner])
        sheets = [Sheet(front=page) for page in letters] * 10
        with desk(scanner=(scanner.device, environment)) as place:
            for label, mode, color, aim in _COLORS:

                def ours(color: str = color) -> Run:
                    scanner.load(sheets)
                    return _ours(place, (*_JFIF, f"MediaFront/ColorProcessing={color}"))

                def theirs(mode: str = mode) -> float:
                    scanner.load(sheets)
                    return _scanimage(place, mode, scanner.device, "ADF", len(sheets))

                mine, others = pairs(runs, ours, theirs)
                what = f"{len(sheets)} letters, forms, invoices, photographs, A4, {label} 300 dpi, jfif quality 75"
                _show(what, "scanimage --batch to a folder", mine, others, aim)


def _ours(place: Desk, settings: tuple[str, ...]) -> Run:
    return scan(place.command(*settings), place.environment)


def _scanimage(place: Desk, mode: str, device: str = TEST_DEVICE, source: str = FEEDER, pages: int = 10) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = ["scanimage", "-d", device, "--source", source, *A4]
        command += ["--mode", mode, "--depth", "8", "--resolution", "300"]
        took_s = seconds([*command, f"--batch={folder}/p%d.jpg", "--format=jpeg"], place.environment)
        if len(list(Path(folder).glob("*.jpg"))) != pages:
            raise SystemExit(f"scanimage did not scan {pages} pages")
        return took_s


def _python_sane(place: Desk) -> float:
    with tempfile.TemporaryDirectory() as folder:
        took_s = seconds([sys.executable, str(_PILLOW), TEST_DEVICE, folder], place.environment)
        if len(list(Path(folder).glob("*.tif"))) != 10:
            raise SystemExit("python-sane did not scan ten pages")
        return took_s


def _show(what: str, peer: str, mine: list[Run], others: list[float], aim: str) -> None:
    print(f"\n{what}; medians of {len(mine)} pairs")
    print(f"  {peer + ', whole command':<52} {statistics.median(others):6.2f} s   1.00")
    for label, values in (
        ("this device, scan to last SendImageResponse", [run.job_s for run in mine]),
        ("this device, whole command with all start-up", [run.whole_s for run in mine]),
    ):
        print(f"  {label:<52} {statistics.median(values):6.2f} s   {ratio(values, others):.2f}")
    print(f"  (aim: at most {aim} from scan to last answer)")
