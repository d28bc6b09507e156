"""The pages of documents as pictures: what comes out is what went in, and foreign viewers see the same."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from PIL import Image, ImageChops, ImageStat

from dsm_sim.page_images import eight_bit, opened_page, page_count
from tests.documents import PdfPage, pdf_a, xps, xps_parts


def side(mode="RGB", size=(200, 300)):
    """With a corner that is darker than the rest, so that no other way up is the same."""
    image = Image.linear_gradient("L").resize(size).convert(mode, dither=Image.Dither.NONE)
    image.paste(0 if mode != "RGB" else "red", (0, 0, size[0] // 2, size[1] // 6))
    return image


SIDES = [side("RGB"), side("L"), side("1")]


def distance(one, other):
    return ImageStat.Stat(ImageChops.difference(one.convert("L"), other.convert("L"))).mean[0]


@pytest.fixture(params=["pdf", "xps"])
def document(request, tmp_path):
    data = pdf_a([PdfPage([each]) for each in SIDES]) if request.param == "pdf" else xps(xps_parts(SIDES))
    path = tmp_path / f"document.{request.param}"
    path.write_bytes(data)
    return path


def test_pages_come_out_as_they_went_in(document):
    assert page_count(document) == 3
    for number, wanted in enumerate(SIDES):
        with opened_page(document, number) as image:
            assert (image.mode, image.size) == (wanted.mode, wanted.size)
            assert distance(image, wanted) < 2
    with pytest.raises(OSError, match="no page 4"), opened_page(document, 3):
        pass


@pytest.mark.skipif(not shutil.which("mutool"), reason="needs MuPDF's mutool")
def test_a_foreign_viewer_sees_the_same(document, tmp_path):
    subprocess.run(["mutool", "draw", "-q", "-r", "100", "-o", tmp_path / "%d.png", document], check=True)
    for number in range(3):
        with opened_page(document, number) as image, Image.open(tmp_path / f"{number + 1}.png") as drawn:
            assert distance(image, drawn) < 1


def test_images_of_one_page_are_put_together(tmp_path):
    for mode in ("RGB", "L", "1"):
        upper, lower = side(mode), side(mode, (200, 40))
        path = tmp_path / "strips.pdf"
        path.write_bytes(pdf_a([PdfPage([upper, lower])]))
        with opened_page(path) as image:
            assert image.size == (200, 340)
            assert distance(image.crop((0, 0, 200, 300)), upper) < 2
            assert distance(image.crop((0, 300, 200, 340)), lower) < 2


@pytest.mark.parametrize("programs", [("pbmtojbg", "jbgtopbm"), ("pnmtojbig", "jbigtopnm")])
def test_jbig_is_read_by_a_foreign_program(tmp_path, programs, monkeypatch):
    paths = [shutil.which(program) for program in programs]
    if not all(paths):
        pytest.skip(f"needs {' and '.join(programs)}")
    SIDES[2].save(tmp_path / "side.pbm")
    coded = subprocess.run([paths[0], tmp_path / "side.pbm"], stdout=subprocess.PIPE, check=True).stdout
    only = tmp_path / "bin"
    only.mkdir()
    (only / programs[1]).symlink_to(paths[1])
    monkeypatch.setenv("PATH", str(only))
    path = tmp_path / "side.jbg"
    path.write_bytes(coded)
    with opened_page(path) as image:
        assert distance(image, SIDES[2]) == 0
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(OSError, match="of which none is installed"), opened_page(path):
        pass


def test_what_is_no_picture_says_so(tmp_path):
    path = tmp_path / "junk"
    for junk in (b"junk", b"%PDF-1.4 junk", b"PK\x03\x04 junk", bytes(40)):
        path.write_bytes(junk)
        with pytest.raises(OSError), opened_page(path):
            pass


@pytest.mark.parametrize("byte_order", ["I;16", "I;16B", "I"])
def test_sixteen_bits_become_eight(byte_order):
    deep = Image.linear_gradient("L").convert("I").point(lambda value: value * 257)
    image = deep if byte_order == "I" else deep.convert("I;16")
    if byte_order == "I;16B":
        image = Image.frombytes("I;16B", deep.size, image.tobytes("raw", "I;16B"))
    assert distance(eight_bit(image), Image.linear_gradient("L")) == 0
