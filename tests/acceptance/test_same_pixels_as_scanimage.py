"""The device and `scanimage` see the same pixels on the same scanner: lossless formats, byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from PIL import Image

#: 4000 x 3000 mil at 200 dpi are 800 x 600 pixels on both sides.
WIDTH_PX, HEIGHT_PX = 800, 600
TICKET = ["MediaFront/Resolution=200", "ImagesToTransfer=1", "InputSource=Platen"]
REGION = [
    "MediaFront/ScanRegion/ScanRegionXOffset=500",
    "MediaFront/ScanRegion/ScanRegionYOffset=250",
    "MediaFront/ScanRegion/ScanRegionWidth=4000",
    "MediaFront/ScanRegion/ScanRegionHeight=3000",
]
MODES = {"BlackAndWhite1": ("Gray", 1), "Grayscale8": ("Gray", 8), "RGB24": ("Color", 8)}
SHAPES = {
    "plain": {},
    "padded": {"ppl-loss": 7},
    "three-pass": {"three-pass": True},
    "three-pass-reordered": {"three-pass": True, "three-pass-order": "BGR"},
    "small-reads": {"read-limit": True, "read-limit-size": 997},
    "fuzzy": {"fuzzy-parameters": True},
}


def by_scanimage(desk, target: Path, color: str, options: dict[str, object]) -> Image.Image:
    mode, depth = MODES[color]
    command = ["scanimage", "-d", "test:0", "--format=pnm", f"--output-file={target}", "--mode", mode]
    command += ["--depth", str(depth), "--resolution", "200", "--test-picture", "Color pattern"]
    command += ["-l", "12.7", "-t", "6.35", "-x", "101.6", "-y", "76.2"]
    for name, value in options.items():
        command.append(f"--{name}={'yes' if value is True else value}")
    subprocess.run(command, env=desk.environment, check=True, capture_output=True, timeout=60)
    return _read_pnm(target.read_bytes())


def _read_pnm(data: bytes) -> Image.Image:
    """scanimage writes the scanner's padding into its PNM and names the width without it: step by whole lines."""
    kind, _, rest = data.partition(b"\n")
    while rest.startswith(b"#"):
        rest = rest.partition(b"\n")[2]
    head, _, pixels = rest.partition(b"\n")
    if kind != b"P4":
        pixels = pixels.partition(b"\n")[2]
    width, height = map(int, head.split())
    mode, raw = {b"P4": ("1", "1;I"), b"P5": ("L", "L"), b"P6": ("RGB", "RGB")}[kind]
    return Image.frombytes(mode, (width, height), pixels, "raw", raw, len(pixels) // height, 1)


FILES = [
    ("Grayscale8", "png"),
    ("RGB24", "png"),
    ("BlackAndWhite1", "png"),
    ("BlackAndWhite1", "tiff-single-g4"),
    ("RGB24", "tiff-single-uncompressed"),
    ("Grayscale8", "tiff-single-uncompressed"),
]
#: Only colour comes in three passes.
CASES = [
    (*file, shape)
    for file in FILES
    for shape in SHAPES
    if file[0] == "RGB24" or not shape.startswith("three-pass")
]


@pytest.mark.parametrize(("color", "form", "shape"), CASES)
def test_the_same_pixels(desk, tmp_path: Path, color: str, form: str, shape: str):
    desk.add_process("Open", lambda text: text.replace(' wscn:MustHonor="true"', ""))
    desk.configure(scanner_options={"test-picture": "Color pattern", **SHAPES[shape]})
    settings = [f"Format={form}", f"MediaFront/ColorProcessing={color}", *TICKET, *REGION]
    outcome = desk.scan(*(part for setting in settings for part in ("--set", setting)), process="Open")
    assert outcome.code == 0, outcome.err
    (path,) = desk.server.jobs[0].files
    with Image.open(path) as ours, by_scanimage(desk, tmp_path / "peer.pnm", color, SHAPES[shape]) as theirs:
        assert ours.size == (WIDTH_PX, HEIGHT_PX)
        # What the scanner did not deliver (a wasted column) is white in ours.
        width, height = theirs.size
        assert ours.crop((0, 0, width, height)).tobytes() == theirs.tobytes()
        assert len(set(theirs.tobytes())) > 1, "a blank page proves nothing"
