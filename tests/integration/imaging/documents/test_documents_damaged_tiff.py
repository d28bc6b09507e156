"""Page files that no device wrote: each is refused by name, and none is believed."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dsm_device.errors import SpoolError
from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.documents import DocumentInfo, DocumentPage, compose

BW1 = ColorProcessing.BLACK_AND_WHITE_1
SHORT, LONG = 3, 4
#: 40 x 50 pixels in strips of 32 and 18 lines, 9 and 5 bytes long, from 200 on.
FIELDS = {
    256: (LONG, 1, struct.pack("<I", 40)),
    257: (LONG, 1, struct.pack("<I", 50)),
    258: (SHORT, 1, struct.pack("<HH", 1, 0)),
    259: (SHORT, 1, struct.pack("<HH", 4, 0)),
    273: (LONG, 2, struct.pack("<I", 190)),
    278: (SHORT, 1, struct.pack("<HH", 32, 0)),
    279: (SHORT, 2, struct.pack("<HH", 9, 5)),
}
OFFSETS = struct.pack("<II", 200, 209)


def tiff(
    changed: dict[int, tuple[int, int, bytes] | None] | None = None,
    offsets: bytes = OFFSETS,
    head: bytes = b"II*\0",
) -> bytes:
    fields = {tag: field for tag, field in sorted({**FIELDS, **(changed or {})}.items()) if field is not None}
    entries = b"".join(struct.pack("<HHI4s", tag, *field) for tag, field in fields.items())
    directory = struct.pack("<IH", 8, len(fields)) + entries + struct.pack("<I", 8)  # the next one is this one
    return ((head + directory).ljust(190, b"\0") + offsets).ljust(200, b"\0") + b"strip one" + b"strip"


def composed(path: Path, data: bytes, info: DocumentInfo) -> None:
    path.write_bytes(data)
    page = DocumentPage(path, "tiff-single-g4", len(data), 40, 50, 300, 300, BW1, 0)
    for name in ("tiff-multi-g4", "pdf-a", "xps"):
        (document,) = compose(name, [page], info)
        assert len(document.open().read()) == document.size_bytes


def test_the_file_that_the_cases_spoil_is_taken(tmp_path: Path, info: DocumentInfo) -> None:
    composed(tmp_path / "page", tiff(), info)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "points behind its end"),
        (tiff(head=b"II+\0"), "no TIFF"),  # BigTIFF
        (tiff(head=b"MM*\0"), "no TIFF"),
        (tiff()[:4] + struct.pack("<I", 213) + tiff()[8:], "points behind its end"),
        (tiff({300: (99, 1, bytes(4))}), "no known type"),
        (tiff({300: (LONG, 0, bytes(4))}), "no known type"),
        (tiff({300: (12, 2**31, bytes(4))}), "points behind its end"),
        (tiff({tag: (SHORT, 1, bytes(4)) for tag in range(300, 1300)}), "it has 1007 fields"),
        (tiff({273: None}), "no strips"),
        (tiff({279: (7, 2, bytes(4))}), "no strips"),
        (tiff({273: (LONG, 2**29, bytes(4))}), "points behind its end"),
        (tiff({273: (LONG, 1, bytes(4))}), "another number of strips"),
        (tiff({278: (SHORT, 1, bytes(4))}), "another number of strips"),
        (tiff({278: None}), "another number of strips"),
        (tiff({284: (SHORT, 1, struct.pack("<HH", 2, 0))}), "another number of strips"),
        (tiff({256: (SHORT, 1, struct.pack("<HH", 41, 0))}), "no image of 40 x 50"),
        (tiff({257: None}), "no image of 40 x 50"),
        (tiff({279: (SHORT, 2, struct.pack("<HH", 14, 0))}), "beyond its end"),
        (tiff({279: (SHORT, 2, struct.pack("<HH", 9, 6))}), "beyond its end"),
        (tiff({279: (SHORT, 2, struct.pack("<HH", 210, 210))}, struct.pack("<II", 0, 0)), "beyond its end"),
        (tiff(offsets=struct.pack("<II", 200, 2**32 - 1)), "beyond its end"),
    ],
)
def test_it_is_refused(data: bytes, problem: str, tmp_path: Path, info: DocumentInfo) -> None:
    with pytest.raises(SpoolError, match=problem):
        composed(tmp_path / "page", data, info)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from([b"", b"II*\0", b"MM\0*", tiff()[:98]]), rest=st.binary(max_size=200))
def test_arbitrary_bytes_are_taken_or_refused(
    start: bytes, rest: bytes, tmp_path: Path, info: DocumentInfo
) -> None:
    try:
        composed(tmp_path / "page", start + rest, info)
    except SpoolError as error:
        assert str(tmp_path / "page") in str(error)


def test_two_byte_orders_in_one_job(tmp_path: Path, info: DocumentInfo) -> None:
    swapped = struct.pack(">2sHIH", b"MM", 42, 8, len(FIELDS))
    for tag, (kind, count, value) in FIELDS.items():
        kinds = "H" if kind == SHORT else "I"
        values = struct.unpack(f"<{4 // struct.calcsize(kinds)}{kinds}", value)
        swapped += struct.pack(f">HHI{len(values)}{kinds}", tag, kind, count, *values)
    swapped = swapped.ljust(190, b"\0") + struct.pack(">II", 200, 209)
    swapped = swapped.ljust(200, b"\0") + b"strip one" + b"strip"
    pages = []
    for number, data in enumerate((tiff(), swapped)):
        path = tmp_path / f"page-{number}"
        path.write_bytes(data)
        pages.append(DocumentPage(path, "tiff-single-g4", len(data), 40, 50, 300, 300, BW1, 0))
    composed(tmp_path / "alone", swapped, info)
    with pytest.raises(SpoolError, match="page-1 has another byte order"):
        compose("tiff-multi-g4", pages, info)


GRAY8 = ColorProcessing.GRAYSCALE_8
WIDTH, HEIGHT = 2**15, 3 * 2**14


def huge_page(path: Path) -> DocumentPage:
    """1.5 GiB in two strips, of which the file system keeps nothing but the directory."""
    first = HEIGHT // 3 * 2
    strips = {
        256: (LONG, 1, struct.pack("<I", WIDTH)),
        257: (LONG, 1, struct.pack("<I", HEIGHT)),
        258: (SHORT, 1, struct.pack("<HH", 8, 0)),
        259: (SHORT, 1, struct.pack("<HH", 1, 0)),
        262: (SHORT, 1, struct.pack("<HH", 1, 0)),
        273: (LONG, 2, struct.pack("<I", 190)),
        278: (LONG, 1, struct.pack("<I", first)),
        279: (LONG, 2, struct.pack("<I", 180)),
    }
    data = bytearray(tiff(strips, struct.pack("<II", 200, 200 + WIDTH * first))[:200])
    data[180:188] = struct.pack("<II", WIDTH * first, WIDTH * (HEIGHT - first))
    path.write_bytes(data)
    size = 200 + WIDTH * HEIGHT
    os.truncate(path, size)
    return DocumentPage(path, "tiff-single-uncompressed", size, WIDTH, HEIGHT, 300, 300, GRAY8, 0)


def test_four_gigabytes_are_the_end_of_a_volume(
    tmp_path: Path, info: DocumentInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last strip of the third page would begin beyond them."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    pages = [huge_page(tmp_path / f"page-{number}") for number in range(3)]
    documents = compose("tiff-multi-uncompressed", pages, info)
    assert [document.page_count for document in documents] == [2, 1]
    with documents[0].open() as reader, Image.open(io.BufferedReader(reader)) as image:
        assert getattr(image, "n_frames", 0) == 2
        image.seek(1)
        last = image.tile[-1]
        assert last.offset + WIDTH * HEIGHT // 3 == documents[0].size_bytes


def test_a_page_file_of_four_gigabytes_goes_into_no_archive(tmp_path: Path, info: DocumentInfo) -> None:
    path = tmp_path / "page"
    path.write_bytes(b"\xff\xd8\xff")
    os.truncate(path, 2**32 - 2)
    with path.open("ab") as file:
        file.write(b"\xff\xd9")
    page = DocumentPage(path, "jfif", 2**32, 10, 10, 300, 300, GRAY8, 0)
    for name in ("xps", "pdf-a"):
        with pytest.raises(SpoolError, match="is too large"):
            compose(name, [page], info)
