"""A page encoded strip by strip has, byte for byte, the code of a page encoded whole."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging import strips
from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.g4 import PageCode
from dsm_device.imaging.page import open_page

BW1 = ColorProcessing.BLACK_AND_WHITE_1


def code(rows: bytes, line_bytes: int, width_px: int, cuts: list[int]) -> bytes:
    lines = len(rows) // line_bytes
    ends = sorted({cut for cut in cuts if cut < lines} | {lines})
    with closing(PageCode(width_px)) as page:
        parts = [
            page.add(memoryview(rows)[start * line_bytes : end * line_bytes], end - start)
            for start, end in zip([0, *ends], ends, strict=False)
        ]
        return b"".join(parts) + page.end()


@settings(deadline=None, max_examples=150)
@given(
    width=st.integers(1, 70),
    lines=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(1, 40), max_size=6),
    density=st.sampled_from([0, 1, 30, 128, 256]),
)
def test_wherever_the_page_is_cut(width: int, lines: int, seed: int, cuts: list[int], density: int) -> None:
    noise = random.Random(seed)
    line_bytes = BW1.bytes_per_line(width)
    rows = bytes(255 if noise.randrange(256) < density else 0 for _ in range(line_bytes * lines))
    assert code(rows, line_bytes, width, cuts) == code(rows, line_bytes, width, [])


def test_the_file_is_that_of_libtiffs_own_tool(
    tmp_path: Path, foreign: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strips, "STRIP_BYTES", 1)
    width, height = 1003, 500
    line = BW1.bytes_per_line(width)
    page = open_page(
        tmp_path / "ours",
        PageSpec("tiff-single-g4", BW1, width, height, 300, 300, 1),
        Frame(BW1, width, height, line, 300, 300),
    )
    page.write(random.Random(1).randbytes(line * height))
    page.finish()
    foreign("tiffcp", "-c", "g4", "-r", height, tmp_path / "ours", tmp_path / "theirs")
    told = foreign("tiffinfo", "-s", tmp_path / "ours").decode()
    assert "1 Strips" in told
    assert first_strip(told, tmp_path / "ours") == first_strip(
        foreign("tiffinfo", "-s", tmp_path / "theirs").decode(), tmp_path / "theirs"
    )


def first_strip(told: str, path: Path) -> bytes:
    found = re.search(r"0: \[ *(\d+), *(\d+)\]", told)
    assert found
    offset, length = map(int, found.groups())
    return path.read_bytes()[offset : offset + length]
