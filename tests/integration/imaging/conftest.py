"""What the imaging tests share: a slow and obvious way from delivered rows to pixels, and ways to drive a page."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.formats import PageFile, PageSpec
from dsm_device.imaging.page import open_page

Pixel = tuple[int, ...]


def samples_of_line(line: bytes, frame: Frame) -> list[int]:
    """One delivered line, sample by sample. Bilevel gives 0 for black and 1 for white."""
    if frame.color.bits_per_sample == 1:
        return [1 - (line[x // 8] >> (7 - x % 8) & 1) for x in range(frame.width_px)]
    kind = "=H" if frame.color.bits_per_sample == 16 else "=B"
    count = frame.width_px * frame.color.channels
    return [struct.unpack_from(kind, line, i * struct.calcsize(kind))[0] for i in range(count)]


def in_color(pixel: Pixel, frame: Frame, color: ColorProcessing) -> Pixel:
    """BT.601 luma in the fractions of its depth, the high byte of 16 bit, 128 as the threshold."""
    bits = frame.color.bits_per_sample
    if bits == 16 and color.bits_per_sample < 16:
        pixel = tuple(sample >> 8 for sample in pixel)
    if frame.color.channels == 3 and color.channels == 1:
        red, green, blue = pixel
        if color.bits_per_sample == 16:
            pixel = ((red * 9798 + green * 19235 + blue * 3735 + 0x4000) >> 15,)
        else:
            pixel = ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16,)
    if bits > 1 and color.bits_per_sample == 1:
        pixel = (int(pixel[0] >= 128),)
    if color.bits_per_sample == 4:
        pixel = ((pixel[0] * 15 + 127) // 255,)
    return pixel


def pixels_promised(rows: bytes, frame: Frame, spec: PageSpec) -> list[list[Pixel]]:
    """What the file must show, line by line; bilevel with 0 as black."""
    white = (2**spec.color.bits_per_sample - 1,) * spec.color.channels
    step = frame.color.channels
    page = []
    for at in range(0, len(rows), frame.bytes_per_line):
        samples = samples_of_line(rows[at : at + frame.bytes_per_line], frame)
        pixels = [tuple(samples[i : i + step]) for i in range(0, len(samples), step)]
        line = [in_color(pixel, frame, spec.color) for pixel in pixels]
        page.append((line + [white] * spec.width_px)[: spec.width_px])
    if frame.height_px is not None:
        page += [[white] * spec.width_px] * spec.height_px
    return page[: spec.height_px]


def write_rows(path: Path, spec: PageSpec, frame: Frame, rows: bytes, portions: Sequence[int] = ()) -> PageFile:
    """Write ``rows`` in portions of so many lines, the rest at last, from a buffer that is spoilt each time."""
    page = open_page(path, spec, frame)
    at = 0
    for lines in [*portions, len(rows)]:
        buffer = bytearray(rows[at : at + lines * frame.bytes_per_line])
        at += len(buffer)
        page.write(memoryview(buffer))
        buffer[:] = b"\xa5" * len(buffer)
    return page.finish()


def run_foreign(name: str, *arguments: object) -> bytes:
    """The output of somebody else's program, which must read the file without a complaint."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (packaging/setup.sh test)")
    done = subprocess.run([name, *map(str, arguments)], capture_output=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if line and not any(each in line for each in _CHATTER)]
    assert (done.returncode, complaints) == (0, [])
    return done.stdout


#: Resolutions may differ by axis here, of which netpbm has an opinion; Debian 13's pngcheck expects another zlib.
_CHATTER = (b"non-square pixels", b"zlib warning:  different version")


def run_python(code: str, *arguments: object) -> str:
    """Run ``code`` in a process of its own, which must succeed and say nothing on standard error."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="session")
def promised() -> Callable[..., list[list[Pixel]]]:
    return pixels_promised


@pytest.fixture(scope="session", name="samples_of_line")
def samples_of_line_() -> Callable[..., list[int]]:
    return samples_of_line


@pytest.fixture(scope="session")
def write_page() -> Callable[..., PageFile]:
    return write_rows


@pytest.fixture(scope="session")
def foreign() -> Callable[..., bytes]:
    return run_foreign


@pytest.fixture(scope="session")
def python() -> Callable[..., str]:
    return run_python
