"""A held page: any rectangle comes back as it was, and on disk it is compressed and has no name."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dsm_device.imaging.held_page import HeldPage
from dsm_device.imaging.raster import WHITE, Raster

KINDS = [("1", 1), ("L", 1), ("RGB", 1), ("I;16", 1), ("I;16", 3)]


def noise(mode: str, planes: int, size: tuple[int, int]) -> Raster:
    generator = random.Random(size[0])
    sample_bytes = {"1": 1, "L": 1, "RGB": 3, "I;16": 2}[mode]
    found = []
    for _ in range(planes):
        data = generator.randbytes(size[0] * size[1] * sample_bytes)
        found.append(Image.frombytes("L" if mode == "1" else mode, size, data).convert(mode))
    return Raster(tuple(found))


def held(folder: Path, page: Raster, portion: int) -> HeldPage:
    kept = HeldPage(folder)
    for top in range(0, page.height_px, portion):
        kept.push(page.lines(top, min(top + portion, page.height_px)))
    kept.end()
    return kept


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS), bands=st.sampled_from([0, 1, 3]))
def test_any_window_comes_back_as_it_was(
    data: st.DataObject, kind: tuple[str, int], bands: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    size = data.draw(st.tuples(st.integers(1, 300), st.integers(1, 300)))
    page = noise(*kind, size)
    kept = held(tmp_path_factory.getbasetemp(), page, data.draw(st.integers(1, 100)))
    assert (kept.width_px, kept.height_px) == size
    kept.keep_bands(bands)
    for _ in range(4):
        left, top = data.draw(st.integers(-20, size[0] + 5)), data.draw(st.integers(-20, size[1] + 5))
        right, bottom = left + data.draw(st.integers(1, 250)), top + data.draw(st.integers(1, 250))
        window = kept.window(left, top, right, bottom)
        for found, plane in zip(window.planes, page.planes, strict=True):
            white = (255,) * 3 if kind[0] == "RGB" else WHITE[kind[0]]
            expected = Image.new(kind[0], (right - left, bottom - top), white)
            expected.paste(plane, (-left, -top))
            assert found.tobytes() == expected.tobytes()
    kept.close()


def test_the_scratch_file_has_no_name_and_is_compressed(tmp_path: Path) -> None:
    clean = Raster((Image.new("RGB", (600, 600), (250, 249, 245)),))
    kept = held(tmp_path, clean, 64)
    assert list(tmp_path.iterdir()) == []
    (descriptor,) = (
        each for each in Path("/proc/self/fd").iterdir() if os.path.realpath(each).startswith(str(tmp_path))
    )
    assert descriptor.stat().st_size < 600 * 600 * 3 / 50
    kept.close()
    assert not descriptor.exists()
