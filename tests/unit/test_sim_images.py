"""The simulated scan server's look at image files: true formats pass, everything else is told apart."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dsm_sim.peers.scan_server.images import FORMATS, ImageError, inspect


def encoded(kind, mode="L", size=(70, 50), **parameters):
    target = io.BytesIO()
    Image.effect_noise(size, 50).convert(mode).save(target, kind, **parameters)
    return target.getvalue()


def multi_tiff(compression, mode):
    first, second = (Image.effect_noise((70, 50), 50).convert(mode) for _ in range(2))
    target = io.BytesIO()
    first.save(target, "TIFF", compression=compression, save_all=True, append_images=[second])
    return target.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 1
FILES = {
    "jfif": encoded("JPEG", "RGB", dpi=(300, 300)),
    "exif": encoded("JPEG", "RGB", exif=EXIF),
    "png": encoded("PNG", "RGB", dpi=(300, 300)),
    "dib": encoded("BMP", "RGB", dpi=(300, 300)),
    "jpeg2k": encoded("JPEG2000", "RGB"),
    "tiff-single-uncompressed": encoded("TIFF", "L", dpi=(300, 300)),
    "tiff-single-g4": encoded("TIFF", "1", compression="group4", dpi=(300, 300)),
    "tiff-single-g3mh": encoded("TIFF", "1", compression="group3"),
    "tiff-single-jpeg-tn2": encoded("TIFF", "RGB", compression="jpeg"),
    "tiff-multi-g4": multi_tiff("group4", "1"),
    "tiff-multi-uncompressed": multi_tiff(None, "L"),
    "pdf-a": b"%PDF-1.4\n%%EOF",
    "xps": b"PK\x03\x04" + bytes(20),
    "jbig": struct.pack(">BBBBIII", 0, 0, 1, 0, 70, 50, 50) + bytes(4),
}
#: A file may pass for these formats besides its own.
ALSO = {
    ("tiff-single-uncompressed", "tiff-multi-uncompressed"),
    ("tiff-single-g4", "tiff-multi-g4"),
    ("tiff-single-g3mh", "tiff-multi-g3mh"),
    ("tiff-single-jpeg-tn2", "tiff-multi-jpeg-tn2"),
    ("tiff-multi-g4", "tiff-multi-g4"),
    # Pillow writes the JFIF segment as well.
    ("exif", "jfif"),
}


@pytest.fixture
def look(tmp_path):
    def write(data, image_format):
        path = tmp_path / "image"
        path.write_bytes(data)
        return inspect(path, image_format)

    return write


@pytest.mark.parametrize("image_format", FILES)
def test_true_file_passes_with_its_size(look, image_format):
    facts = look(FILES[image_format], image_format)
    if image_format not in {"pdf-a", "xps", "jpeg2k"}:
        assert (facts.width_px, facts.height_px) == (70, 50)
    assert facts.pages == (2 if "multi" in image_format else 1)
    if image_format in {"jfif", "png", "dib", "tiff-single-uncompressed", "tiff-single-g4"}:
        assert facts.dpi == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize("declared", FORMATS)
@pytest.mark.parametrize("actual", FILES)
def test_file_of_another_format_is_told_apart(look, actual, declared):
    if actual == declared or (actual, declared) in ALSO:
        look(FILES[actual], declared)
    else:
        with pytest.raises(ImageError):
            look(FILES[actual], declared)


@pytest.mark.parametrize("image_format", ["jfif", "png", "tiff-single-uncompressed", "tiff-single-g4"])
def test_file_cut_anywhere_is_told_apart(look, image_format):
    data = FILES[image_format]
    for end in [*range(60), *range(60, len(data) - 1, 97), len(data) - 1]:
        with pytest.raises(ImageError):
            look(data[:end], image_format)


def test_png_with_a_wrong_header_check_sum_or_something_behind_it(look):
    data = FILES["png"]
    with pytest.raises(ImageError, match="check sum"):
        look(data[:18] + b"\x01" + data[19:], "png")
    with pytest.raises(ImageError, match="after IEND"):
        look(data + b"x", "png")


def test_jpeg_of_no_height_is_told_apart(look):
    data = FILES["jfif"]
    frame = data.index(b"\xff\xc0")
    with pytest.raises(ImageError, match="pixels"):
        look(data[: frame + 5] + b"\0\0" + data[frame + 7 :], "jfif")


def test_tiff_whose_pages_form_a_circle_or_whose_strip_lies_outside(look):
    data = bytearray(FILES["tiff-single-uncompressed"])
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, first)
    struct.pack_into(f"{order}I", data, first + 2 + count * 12, first)
    with pytest.raises(ImageError, match="circle"):
        look(bytes(data), "tiff-multi-uncompressed")
    entry = next(at for at in range(first + 2, first + 2 + count * 12, 12) if data[at : at + 2] == b"\x17\x01")
    struct.pack_into(f"{order}I", data, entry + 8, 1_000_000)
    with pytest.raises(ImageError, match="beyond"):
        look(bytes(data), "tiff-multi-uncompressed")


@settings(max_examples=300)
@given(
    image_format=st.sampled_from(sorted(FORMATS)),
    start=st.sampled_from(sorted({data[:n] for data in FILES.values() for n in (0, 4, 30, 200, 2000)})),
    rest=st.binary(max_size=200),
)
def test_anything_passes_or_is_told_apart_without_another_error(tmp_path_factory, image_format, start, rest):
    path = tmp_path_factory.mktemp("any") / "image"
    path.write_bytes(start + rest)
    try:
        facts = inspect(path, image_format)
    except ImageError as error:
        assert str(error)
    else:
        assert 0 <= facts.width_px <= 200_000


def test_format_without_a_look_passes(look):
    assert look(b"anything", "acme:any").width_px == 0
