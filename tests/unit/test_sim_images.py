"""The simulated scan server's look at image files: true formats pass, everything else is told apart."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dsm_sim.image_files import FORMATS, ImageError, PageFacts, inspect, inspect_data
from tests.documents import XMP, PdfPage, pdf_a, xps, xps_parts

SIZE = (70, 50)


def noise(mode="L", size=SIZE):
    return Image.effect_noise(size, 50).convert(mode)


def encoded(kind, mode="L", size=SIZE, **parameters):
    target = io.BytesIO()
    noise(mode, size).save(target, kind, **parameters)
    return target.getvalue()


def multi_tiff(compression, mode):
    target = io.BytesIO()
    noise(mode).save(target, "TIFF", compression=compression, save_all=True, append_images=[noise(mode)])
    return target.getvalue()


def exif_file(size=SIZE, told=SIZE):
    """A JPEG file whose JFIF segment is replaced."""
    exif = Image.Exif()
    exif.update({282: 300.0, 283: 300.0, 296: 2})
    exif.get_ifd(0x8769).update(
        {36864: b"0232", 37121: b"\x01\x02\x03\0", 40960: b"0100", 40961: 1, 40962: told[0], 40963: told[1]}
    )
    data, segment = encoded("JPEG", "RGB", size), exif.tobytes()
    behind = 4 + struct.unpack_from(">H", data, 4)[0]
    return data[:2] + struct.pack(">HH", 0xFFE1, len(segment) + 2) + segment + data[behind:]


def jbig_file(size=SIZE):
    pbm = encoded("PPM", "1", size)
    program = shutil.which("pbmtojbg") or shutil.which("pnmtojbig")
    return subprocess.run([program], input=pbm, stdout=subprocess.PIPE, check=True).stdout


def t85_file():
    """As the profile for facsimile has it: in stripes."""
    return subprocess.run(
        ["pbmtojbg85", "-s", "16"], input=encoded("PPM", "1"), stdout=subprocess.PIPE, check=True
    ).stdout


def jp2_file(**parameters):
    return encoded("JPEG2000", "RGB", **parameters)


FILES = {
    "jfif": encoded("JPEG", "RGB", dpi=(300, 300)),
    "exif": exif_file(),
    "png": encoded("PNG", "RGB", dpi=(300, 300)),
    "dib": encoded("BMP", "RGB", dpi=(300, 300)),
    "jpeg2k": jp2_file(),
    "tiff-single-uncompressed": encoded("TIFF", "L", dpi=(300, 300)),
    "tiff-single-g4": encoded("TIFF", "1", compression="group4", dpi=(300, 300)),
    "tiff-single-g3mh": encoded("TIFF", "1", compression="group3"),
    "tiff-single-jpeg-tn2": encoded("TIFF", "RGB", compression="jpeg"),
    "tiff-multi-g4": multi_tiff("group4", "1"),
    "tiff-multi-g3mh": multi_tiff("group3", "1"),
    "tiff-multi-jpeg-tn2": multi_tiff("jpeg", "RGB"),
    "tiff-multi-uncompressed": multi_tiff(None, "L"),
    "pdf-a": pdf_a([PdfPage([noise("RGB")], (300, 300)), PdfPage([noise("1")], (300, 300))]),
    "xps": xps(xps_parts([noise("RGB"), noise("1")], 300)),
    "jbig": jbig_file(),
}
#: A file may pass for these formats besides its own.
ALSO = {
    ("tiff-single-uncompressed", "tiff-multi-uncompressed"),
    ("tiff-single-g4", "tiff-multi-g4"),
    ("tiff-single-g3mh", "tiff-multi-g3mh"),
    ("tiff-single-jpeg-tn2", "tiff-multi-jpeg-tn2"),
}


HAVE_DPI = {"jfif", "exif", "png", "dib", "pdf-a", "xps"}


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
    assert {(page.width_px, page.height_px) for page in facts.each} == {SIZE}
    assert facts.pages == (2 if "multi" in image_format or image_format in {"pdf-a", "xps"} else 1)
    is_bilevel = image_format.endswith(("g4", "g3mh", "jbig"))
    is_colored = not is_bilevel and not image_format.endswith("uncompressed")
    assert facts.first.bits == (1 if is_bilevel else 8)
    assert facts.first.channels == (3 if is_colored else 1)
    if image_format in {*HAVE_DPI, "tiff-single-uncompressed", "tiff-single-g4"}:
        assert facts.dpi == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize("declared", FORMATS)
@pytest.mark.parametrize("actual", FILES)
def test_file_of_another_format_is_told_apart(look, actual, declared):
    if actual == declared or (actual, declared) in ALSO:
        look(FILES[actual], declared)
    else:
        with pytest.raises(ImageError):
            look(FILES[actual], declared)


@pytest.mark.parametrize("image_format", sorted(FILES))
def test_file_cut_anywhere_is_told_apart(look, image_format):
    data = FILES[image_format]
    # The line break at the end of a PDF file may be missing, and Pillow pads TIFF files of several pages.
    last = len(data) - (3 if image_format == "pdf-a" else 16 if "multi" in image_format else 1)
    for end in [*range(60), *range(60, last, 97), last]:
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


def tiff_entry(data, tag):
    """Byte order and the place of a tag's entry in the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, first)
    entries = range(first + 2, first + 2 + count * 12, 12)
    return order, next(at for at in entries if struct.unpack_from(f"{order}H", data, at)[0] == tag)


def with_tag(data, tag, value):
    """The file with another value of a tag of one value."""
    changed = bytearray(data)
    order, entry = tiff_entry(data, tag)
    (kind,) = struct.unpack_from(f"{order}H", data, entry + 2)
    struct.pack_into(f"{order}{'H' if kind == 3 else 'I'}", changed, entry + 8, value)
    return bytes(changed)


def test_tiff_whose_pages_form_a_circle(look):
    data = bytearray(FILES["tiff-single-uncompressed"])
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, first)
    struct.pack_into(f"{order}I", data, first + 2 + count * 12, first)
    with pytest.raises(ImageError, match="circle"):
        look(bytes(data), "tiff-multi-uncompressed")


@pytest.mark.parametrize(
    ("image_format", "tag", "value", "problem"),
    [
        ("tiff-single-uncompressed", 273, 1_000_000, "beyond"),
        ("tiff-single-uncompressed", 279, 70 * 49, "instead of 3500"),
        ("tiff-single-uncompressed", 257, 51, "instead of"),
        ("tiff-single-uncompressed", 278, 25, "1 strips instead of 2"),
        ("tiff-single-uncompressed", 258, 4, "a strip of 3500 octets instead of 1750"),
        ("tiff-single-g4", 259, 3, "compression 3 instead of 4"),
        ("tiff-single-g3mh", 259, 2, "compression 2 instead of 3"),
        ("tiff-single-g3mh", 292, 1, "T4Options 1"),
        ("tiff-single-jpeg-tn2", 259, 6, "compression 6 instead of 7"),
        ("tiff-single-jpeg-tn2", 256, 69, "a strip of .* pixels instead of"),
    ],
)
def test_tiff_with_a_tag_that_is_not_true(look, image_format, tag, value, problem):
    data = FILES[image_format]
    if tag == 292:
        data = encoded("TIFF", "1", compression="group3", tiffinfo={292: 0})
    with pytest.raises(ImageError, match=problem):
        look(with_tag(data, tag, value), image_format)


@pytest.mark.parametrize(("image_format", "tag"), [("tiff-single-g4", 257), ("tiff-single-uncompressed", 256)])
def test_sizes_beyond_all_measure_cost_nothing(look, image_format, tag):
    data = encoded("TIFF", "1" if tag == 257 else "L", compression="group4" if tag == 257 else None, strip_size=1)
    order, entry = tiff_entry(data, tag)
    changed = bytearray(data)
    struct.pack_into(f"{order}HII", changed, entry + 2, 4, 1, 0xFFFF_FFFF)
    with pytest.raises(ImageError):
        look(bytes(changed), image_format)
    jp2 = bytearray(FILES["jpeg2k"])
    at = jp2.index(b"\xff\x4f\xff\x51") + 4 + 4
    struct.pack_into(">IIIIII", jp2, at, 60_000, 60_000, 0, 0, 1, 1)
    header = jp2.index(b"ihdr") + 4
    struct.pack_into(">II", jp2, header, 60_000, 60_000)
    with pytest.raises(ImageError, match="tiles instead of 3600000000"):
        look(bytes(jp2), "jpeg2k")


def test_jpeg_with_restarts_is_whole_only_with_all_of_them_in_turn(look):
    data = encoded("JPEG", "RGB", size=(160, 160), restart_marker_rows=1)
    assert look(data, "jfif").width_px == 160
    first, second = data.index(b"\xff\xd0"), data.index(b"\xff\xd1")
    with pytest.raises(ImageError, match="do not count on"):
        look(data[:first] + data[second:], "jfif")
    last = data.rindex(b"\xff", 0, len(data) - 2)
    while not 0xD0 <= data[last + 1] <= 0xD7:
        last = data.rindex(b"\xff", 0, last)
    with pytest.raises(ImageError, match="restart markers instead of"):
        look(data[:last] + b"\xff\xd9", "jfif")


def test_jpeg_or_jpeg_2000_with_something_behind_it(look):
    for image_format in ("jfif", "exif"):
        with pytest.raises(ImageError, match="octets after the end"):
            look(FILES[image_format] + b"\xff\xd9", image_format)
    with pytest.raises(ImageError):
        look(FILES["jpeg2k"] + b"\0", "jpeg2k")


def test_exif_that_lacks_a_tag_or_tells_another_size(look):
    with pytest.raises(ImageError, match=r"\(70, 49\) pixels, the frame \(70, 50\)"):
        look(exif_file(told=(70, 49)), "exif")
    data = FILES["exif"]
    order = "<" if data[12:14] == b"II" else ">"
    without = data.replace(struct.pack(f"{order}HHI", 283, 5, 1), struct.pack(f"{order}HHI", 284, 5, 1))
    with pytest.raises(ImageError, match="without tag 283"):
        look(without, "exif")


def test_png_with_a_damaged_chunk(look):
    data = bytearray(FILES["png"])
    data[data.index(b"IDAT") + 30] ^= 1
    with pytest.raises(ImageError, match="check sum of IDAT"):
        look(bytes(data), "png")


@pytest.mark.parametrize(("mode", "channels", "bits"), [("1", 1, 1), ("L", 1, 8), ("RGB", 3, 8)])
def test_dib_of_any_depth(look, mode, channels, bits):
    data = encoded("BMP", mode, dpi=(150, 150))
    assert look(data, "dib").first == PageFacts(70, 50, 150, 150, channels, bits)


def test_dib_whose_header_tells_another_size(look):
    data = bytearray(FILES["dib"])
    struct.pack_into("<i", data, 22, 51)
    with pytest.raises(ImageError, match="ends too early"):
        look(bytes(data), "dib")


def test_jbig_as_fax_has_it_and_with_a_stripe_missing(look):
    data = t85_file()
    assert look(data, "jbig").first == PageFacts(70, 50, 0, 0, 1, 1)
    ends = [at for at in range(20, len(data)) if data[at : at + 2] == b"\xff\x02"]
    with pytest.raises(ImageError, match="stripes instead of 4"):
        look(data[: ends[-2] + 2], "jbig")


def test_jbig_in_layers_of_resolutions(look):
    data = jbig_file((827, 1169))
    assert data[1] > 0  # the number of the highest layer
    assert look(data, "jbig").first == PageFacts(827, 1169, 0, 0, 1, 1)
    ends = [at for at in range(20, len(data)) if data[at : at + 2] == b"\xff\x02"]
    with pytest.raises(ImageError, match="stripes instead of"):
        look(data[: ends[-2] + 2], "jbig")


def test_jpeg_2000_in_tiles_and_with_one_missing(look):
    data = jp2_file(tile_size=(32, 32))
    assert look(data, "jpeg2k").first == PageFacts(70, 50, 0, 0, 3, 8)
    parts = [at for at in range(len(data)) if data[at : at + 4] == b"\xff\x90\0\x0a"]
    box = data.index(b"jp2c") - 4
    without = data[: parts[-1]] + b"\xff\xd9"
    patched = without[:box] + struct.pack(">I", len(without) - box) + without[box + 4 :]
    with pytest.raises(ImageError, match="5 tiles instead of 6"):
        look(patched, "jpeg2k")


def test_jpeg_2000_tells_its_resolution(look):
    resolution = struct.pack(">I4sI4sHHHHbb", 26, b"res ", 18, b"resc", 30000, 254, 15000, 254, 2, 2)
    data = FILES["jpeg2k"]
    box = data.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">I", data, box)
    header = struct.pack(">I", length + len(resolution)) + data[box + 4 : box + length] + resolution
    facts = look(data[:box] + header + data[box + length :], "jpeg2k").first
    assert (facts.x_dpi, facts.y_dpi) == (150, 300)


PAGE = [PdfPage([noise("L")])]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (pdf_a(PAGE, xmp=XMP.replace("pdfaid:part", "pdfaid:rev")), "does not call it PDF/A"),
        (pdf_a(PAGE, xmp=XMP.replace("pdfaid:conformance", "pdfaid:rev")), "does not call it PDF/A"),
        (pdf_a(PAGE, trailer=""), "a trailer without ID"),
        (pdf_a(PAGE, trailer="/ID [<00> <00>] /Encrypt 9 0 R"), "encrypted"),
        (pdf_a(PAGE, intent=False), "no output intent"),
        (encoded("PDF", "L"), "no comment|no metadata|without ID"),
        (pdf_a(PAGE).replace(b"/Count 1", b"/Count 2"), "counts 2 and has 1 pages"),
        (pdf_a(PAGE).replace(b"\nendobj\n2 0", b"\nendobj\n9 0"), "object 2 is not where"),
        (pdf_a(PAGE).replace(b"xref\n0 ", b"xrex\n0 ", 1), "no cross-reference table"),
        (pdf_a(PAGE).replace(b"/Length 5", b"/Length 4"), "not as long as it says"),
        (pdf_a(PAGE).replace(b"q 50.4", b"q -5.4"), "mirrored or has no size"),
        (pdf_a(PAGE).replace(b" 0 0 36", b" 0 9 36"), "drawn turned"),
        (pdf_a(PAGE).replace(b"/I0 Do", b"/IX Do"), "no image"),
        (pdf_a(PAGE) + b"more", "no startxref"),
        (pdf_a([]), "has 0 pages"),
    ],
)
def test_pdf_that_is_no_pdf_a_or_not_sound(look, data, problem):
    with pytest.raises(ImageError, match=problem):
        look(data, "pdf-a")


def test_pdf_with_a_page_of_several_images(look):
    page = PdfPage([noise("1"), noise("1"), noise("1", (70, 10))], (200, 100))
    assert look(pdf_a([page]), "pdf-a").first == PageFacts(70, 110, 200, 100, 1, 1)


def changed_xps(**changes):
    parts = xps_parts([noise("RGB")])
    names = {"types": "[Content_Types].xml", "start": "_rels/.rels", "page": "Documents/1/Pages/1.fpage",
             "required": "Documents/1/Pages/_rels/1.fpage.rels", "image": "Resources/1.jpg"}  # fmt: skip
    for key, (old, new) in changes.items():
        content = parts[names[key]]
        assert old in content
        parts[names[key]] = content.replace(old, new)
    return xps(parts)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"types": ('Extension="jpg"', 'Extension="gif"')}, "without content type"),
        ({"types": ("xps-fixedpage+xml", "xps-page+xml")}, "instead of application/vnd.ms-package.xps-fixedpage"),
        ({"start": ("fixedrepresentation", "thumbnail")}, "no fixed representation"),
        ({"required": ("required-resource", "other")}, "does not say that it requires"),
        ({"page": ("/Resources/1.jpg", "/Resources/2.jpg")}, "requires"),
        ({"page": ("<Path ", '<Path RenderTransform="0,1,-1,0,0,0" ')}, "drawn turned"),
        ({"page": ("<FixedPage", "<FixedPage ")}, ""),
        ({"page": ('Width="', 'Wide="')}, "no page of a size"),
        ({"page": ("</FixedPage>", "")}, "is no XML"),
        ({"image": (b"\xff\xd9", b"")}, "ends too early"),
    ],
)
def test_xps_that_is_not_sound(look, change, problem):
    data = changed_xps(**change)
    if not problem:
        assert look(data, "xps").pages == 1
        return
    with pytest.raises(ImageError, match=problem):
        look(data, "xps")


def test_xps_with_a_damaged_part(look):
    data = bytearray(FILES["xps"])
    data[data.index(b"Resources/1.jpg") + 200] ^= 0xFF
    with pytest.raises(ImageError, match=r"check sum|ZIP"):
        look(bytes(data), "xps")


@settings(max_examples=300)
@given(
    image_format=st.sampled_from(sorted(FORMATS)),
    start=st.sampled_from(sorted({data[:n] for data in FILES.values() for n in (0, 4, 30, 200, 2000)})),
    rest=st.binary(max_size=200),
)
def test_anything_passes_or_is_told_apart_without_another_error(image_format, start, rest):
    try:
        facts = inspect_data(start + rest, image_format)
    except ImageError as error:
        assert str(error)
    else:
        assert 0 <= facts.width_px <= 200_000


@settings(max_examples=300)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_file_with_changed_octets_passes_or_is_told_apart_without_another_error(image_format, data):
    content = bytearray(FILES[image_format])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert inspect_data(bytes(content), image_format).pages >= 1
    except ImageError as error:
        assert str(error)


def test_format_without_a_look_passes(look):
    assert look(b"anything", "acme:any").width_px == 0
