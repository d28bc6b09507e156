"""Which formats an installation offers, by the libraries that it has."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging import available
from dsm_device.imaging.formats import FORMATS

BW1 = ColorProcessing.BLACK_AND_WHITE_1
BOTH = b"libjbig.so.0\0/lib/x/libjbig.so.0\0libtiff.so.6\0/lib/x/libtiff.so.6\0"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A linker's cache that can be rewritten, and a Pillow without libraries of its own."""
    monkeypatch.setattr(available, "LINKER_CACHE", tmp_path / "ld.so.cache")
    monkeypatch.setattr(available, "_pillow_has_libtiff", lambda: False)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    return tmp_path / "ld.so.cache"


def test_with_all_libraries_everything_is_offered(installed: Path) -> None:
    installed.write_bytes(BOTH)
    assert available.written_formats() == {name: known.colors for name, known in FORMATS.items()}
    assert list(available.written_formats()) == list(FORMATS)


def test_without_libjbig_there_is_no_jbig(installed: Path) -> None:
    installed.write_bytes(BOTH.replace(b"jbig", b"jbig2dec"))
    assert set(FORMATS) - set(available.written_formats()) == {"jbig"}


def test_without_libtiff_documents_keep_the_colours_of_their_other_pages(installed: Path) -> None:
    installed.write_bytes(BOTH.replace(b"libtiff", b"libtiffxx"))
    offered = available.written_formats()
    assert "jbig" in offered
    assert {name for name in offered if name.startswith("tiff-")} == {
        "tiff-single-jpeg-tn2",
        "tiff-multi-jpeg-tn2",
    }
    for document in ("pdf-a", "xps"):
        assert offered[document] == tuple(color for color in FORMATS[document].colors if color is not BW1)


def test_a_wheel_of_pillow_brings_libtiff(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed.write_bytes(b"")
    monkeypatch.setattr(available, "_pillow_has_libtiff", lambda: True)
    assert set(FORMATS) - set(available.written_formats()) == {"jbig"}


def test_a_library_may_lie_where_the_environment_says(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.write_bytes(b"")
    (tmp_path / "libjbig.so.0").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere::{tmp_path}")
    assert "jbig" in available.written_formats()


def test_where_nothing_can_be_told_everything_is_offered(installed: Path) -> None:
    assert set(available.written_formats()) == set(FORMATS)


def test_asking_loads_neither_pillow_nor_ctypes_and_is_quick() -> None:
    code = (
        "import sys; from dsm_device.imaging.available import written_formats\n"
        "written_formats(); print('PIL' in sys.modules, 'ctypes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    began = time.process_time()
    for _ in range(20):
        available.written_formats()
    assert (time.process_time() - began) / 20 < 0.005


def test_this_machines_answer_is_what_its_encoders_find() -> None:
    code = """
from dsm_device.errors import TicketRefused
from dsm_device.imaging import jbig, libtiff
for load in (jbig.load, libtiff.load):
    try:
        print(bool(load()))
    except TicketRefused:
        print(False)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    offered = available.written_formats()
    assert done.stdout.split() == [str("jbig" in offered), str("tiff-single-g4" in offered)]
