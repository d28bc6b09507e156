"""Pixels through the SANE driver are those that `scanimage` takes from the same `test` scanner."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: No edge of it falls on a pixel at 75 or 240 dpi, so the roundings of both programs agree.
AREA = (500, 250, 1510, 1270)
MODES = {
    "BlackAndWhite1": ("Gray", 1),
    "Grayscale8": ("Gray", 8),
    "Grayscale16": ("Gray", 16),
    "RGB24": ("Color", 8),
    "RGB48": ("Color", 16),
}
ORDERS = ["".join(order) for order in itertools.permutations("RGB")]


def scanimage(env: dict[str, str], folder: Path, color: str, dpi: int, options: dict[str, Any]) -> bytes:
    """The samples that scanimage writes, 16 bit in the host's byte order as SANE gives them."""
    mode, depth = MODES[color]
    x, y, width, height = (f"{mil * 0.0254:.4f}" for mil in AREA)
    named = {"mode": mode, "depth": depth, "resolution": dpi, **options}
    arguments = [f"--{name}={_as_argument(value)}" for name, value in named.items()]
    path = folder / "peer.pnm"
    command = ["scanimage", "-d", "test:0", "--format=pnm", f"--output-file={path}", *arguments]
    command += ["-l", x, "-t", y, "-x", width, "-y", height]
    _run_patiently(command, env)
    samples = _payload(path.read_bytes())
    if depth == 16 and sys.byteorder == "little":
        swapped = bytearray(samples)
        swapped[0::2], swapped[1::2] = samples[1::2], samples[0::2]
        return bytes(swapped)
    return samples


def _run_patiently(command: list[str], env: dict[str, str]) -> None:
    """scanimage hangs at its end once in some thousands of runs, where the backend's thread was cancelled in the
    dynamic linker: what the driver guards against."""
    for tries_left in (2, 1, 0):
        try:
            subprocess.run(command, env=env, check=True, capture_output=True, timeout=20)
        except subprocess.TimeoutExpired:
            if not tries_left:
                raise
        else:
            return


def _as_argument(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _payload(pnm: bytes) -> bytes:
    """What follows the header: the magic, a comment, the size and, but for P4, the largest value."""
    return pnm.split(b"\n", 3 if pnm.startswith(b"P4") else 4)[-1]


@pytest.mark.parametrize("color", MODES)
@pytest.mark.parametrize("dpi", [75, 240])
def test_each_colour_has_the_pixels_of_scanimage(scan, sane_env, tmp_path, color, dpi):
    options = {"test-picture": "Color pattern"}
    scanned = scan(options, color=color, dpi=dpi, area=AREA)
    assert scanned.error is None, scanned.message
    assert scanned.pages == [scanimage(sane_env, tmp_path, color, dpi, options)]
    assert len(set(scanned.pages[0])) > 1


@pytest.mark.parametrize("color", MODES)
@pytest.mark.parametrize("loss", [1, 9])
def test_padded_lines_are_reported_and_have_the_pixels_of_scanimage(scan, sane_env, tmp_path, color, loss):
    options = {"test-picture": "Color pattern", "ppl-loss": loss}
    scanned = scan(options, color=color, area=AREA)
    frame = scanned.frames[0]
    assert frame["width_px"] == 113 - loss
    assert scanned.pages == [scanimage(sane_env, tmp_path, color, 75, options)]
    assert len(scanned.pages[0]) == frame["bytes_per_line"] * frame["height_px"]


@pytest.mark.parametrize("order", ORDERS)
def test_three_passes_in_any_order_make_the_pixels_of_scanimage(scan, sane_env, tmp_path, order):
    raw = {"mode": "Color", "three-pass": True, "three-pass-order": order, "test-picture": "Color pattern"}
    scanned = scan(raw, color="RGB24", dpi=240, area=AREA, buffer_lines=7)
    assert scanned.error is None, scanned.message
    peer = {name: value for name, value in raw.items() if name != "mode"}
    assert scanned.pages == [scanimage(sane_env, tmp_path, "RGB24", 240, peer)]
    assert scanned.scratch == []


@pytest.mark.parametrize("order", ORDERS)
def test_three_passes_of_16_bit_make_the_pixels_of_one_pass(scan, order):
    """scanimage cannot merge 16-bit planes, so the peer is the same scanner in one pass."""
    picture = {"test-picture": "Color pattern"}
    one = scan(picture, color="RGB48", area=AREA)
    raw = {"mode": "Color", "three-pass": True, "three-pass-order": order, **picture}
    three = scan(raw, color="RGB48", area=AREA, buffer_lines=5)
    assert three.error is None, three.message
    assert three.pages == one.pages
    assert three.frames == one.frames


def test_padded_planes_become_padded_lines(scan, sane_env, tmp_path):
    raw = {"mode": "Color", "three-pass": True, "test-picture": "Color pattern", "ppl-loss": 4}
    scanned = scan(raw, color="RGB24", area=AREA)
    frame = scanned.frames[0]
    assert (frame["width_px"], frame["bytes_per_line"]) == (109, 3 * 113)
    peer = {name: value for name, value in raw.items() if name != "mode"}
    assert scanned.pages == [scanimage(sane_env, tmp_path, "RGB24", 75, peer)]


def test_a_feeder_of_three_pass_pages(scan):
    raw = {"mode": "Color", "three-pass": True, "test-picture": "Color pattern"}
    scanned = scan(raw, source="ADF", color="RGB24", area=AREA)
    assert scanned.error is None, scanned.message
    assert len(scanned.pages) == 10
    assert len(set(scanned.pages)) == 1


def test_other_byte_order_is_what_the_scanner_says(scan):
    straight = scan({"test-picture": "Color pattern"}, color="Grayscale16", area=AREA).pages[0]
    raw = {"depth": 16, "invert-endianess": True, "test-picture": "Color pattern"}
    inverted = scan(raw, color="Grayscale16", area=AREA).pages[0]
    assert inverted != straight
    assert inverted[0::2] == straight[1::2]
    assert inverted[1::2] == straight[0::2]


@pytest.mark.parametrize("lines", [1, 2, 5000])
def test_the_buffer_does_not_change_the_pixels(scan, lines):
    options = {"test-picture": "Color pattern"}
    reference = scan(options, color="RGB24", area=AREA).pages
    assert scan(options, color="RGB24", area=AREA, buffer_lines=lines).pages == reference


def test_slow_and_small_reads_bring_the_same_pixels(scan):
    reference = scan({"test-picture": "Color pattern"}, color="RGB24", area=AREA).pages
    for slow in (
        {"read-limit": True, "read-limit-size": 1},
        {"read-limit": True, "read-limit-size": 1009},
        {"read-delay": True, "read-delay-duration": 1000},
    ):
        scanned = scan({"test-picture": "Color pattern", **slow}, color="RGB24", area=AREA)
        assert scanned.pages == reference, slow


def test_a_page_of_unknown_length_is_read_to_its_end(scan):
    scanned = scan({"hand-scanner": True}, color="RGB24", area=(0, 0, 4330, 9000))
    frame = scanned.frames[0]
    assert frame["height_px"] is None
    assert frame["width_px"] == 324
    assert scanned.rows == [501]


def test_estimates_before_the_start_do_not_count(scan):
    plain = scan(color="RGB24", area=AREA)
    fuzzy = scan({"fuzzy-parameters": True}, color="RGB24", area=AREA)
    assert fuzzy.error is None, fuzzy.message
    assert fuzzy.frames == plain.frames
    assert fuzzy.pages == plain.pages


@pytest.mark.parametrize(
    ("dpi", "area"), [(75, (0, 0, 1000, 1000)), (300, (0, 0, 8500, 11000)), (200, (0, 0, 11693, 16535))]
)
def test_whole_sizes_come_to_the_exact_number_of_pixels(scan, dpi, area):
    frame = scan(area=area, dpi=dpi, color="BlackAndWhite1").frames[0]
    expected = (area[2] * dpi // 1000, area[3] * dpi // 1000)
    assert abs(frame["width_px"] - expected[0]) <= 1
    assert abs(frame["height_px"] - expected[1]) <= 1
    if dpi == 300:
        assert (frame["width_px"], frame["height_px"]) == (2550, 3300)


@pytest.mark.parametrize("more", [{}, {"three-pass": True}])
def test_the_pixels_of_a_picture_come_as_they_are(scan, tmp_path, more):
    width, height = 600, 450
    pixels = random.Random(7).randbytes(width * height * 3)
    (tmp_path / "picture.ppm").write_bytes(b"P6\n%d %d\n255\n%s" % (width, height, pixels))
    raw = {"filename": str(tmp_path / "picture.ppm"), **more}
    scanned = scan(raw, device="pnm:0", color="RGB24", dpi=300, area=(0, 0, 2000, 1500), buffer_lines=9)
    assert scanned.error is None, scanned.message
    assert scanned.pages == [pixels]


@pytest.mark.parametrize("raw", [{}, {"mode": "Color", "three-pass": True}])
def test_memory_does_not_grow_with_the_page(scan, raw):
    def peak(dpi: int) -> int:
        scanned = scan(raw, color="RGB24", area=(0, 0, 8268, 11693), dpi=dpi, discard=True)
        assert scanned.error is None, scanned.message
        return scanned.peak_kib

    grown = peak(600 if not raw else 300) - peak(75)
    assert grown < 4096, f"{grown} KiB more for a larger page"
