"""What a desk without hardware needs: contact sheet, a libsane test scanner, a scan process to try."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image

from dsm_sim.contact_sheet import contact_sheet
from dsm_sim.sane_test_config import TEST_DEVICE, write_sane_config
from dsm_sim.scan_process import Back, Region, ScanProcess
from tests.documents import PdfPage, pdf_a, xps, xps_parts

PSP_SCHEMA = Path(__file__).parents[2] / "hw-sim" / "dsm_sim" / "schemas" / "psp.xsd"
WSCN = "{http://schemas.microsoft.com/windows/2006/08/wdp/scan}"


def page(path, colour, mode="RGB", size=(2480, 3508), **parameters):
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).convert(mode).save(
        path, dpi=(300, 300), **parameters
    )
    return path


def tile(sheet, number):
    """A pixel of a tile on its diagonals, counted from 0, five in a row."""
    return sheet.getpixel((16 + number % 5 * 256 + 60, 16 + number // 5 * 392 + 85))


def test_pages_are_shown_in_order_whatever_their_format(tmp_path):
    pages = [
        page(tmp_path / "1.jpg", "red"),
        page(tmp_path / "2.png", "blue"),
        page(tmp_path / "3.tif", "white", "1", compression="group4"),
        page(tmp_path / "4.tif", "black", "L"),
        page(tmp_path / "5.png", "green", size=(100, 100)),
        page(tmp_path / "6.jpg", "yellow", size=(3508, 2480)),
    ]
    with Image.open(contact_sheet(pages, tmp_path / "out" / "sheet.png")) as sheet:
        assert sheet.format == "PNG"
        assert sheet.size == (5 * 256 + 16, 2 * 392 + 16)
        colours = [tile(sheet, number) for number in (1, 2, 3, 4, 5)]
        near_red = tile(sheet, 0)
    assert near_red[0] > 240
    assert near_red[1] < 16
    assert colours[:4] == [(0, 0, 255), (255, 255, 255), (0, 0, 0), (0, 128, 0)]
    assert colours[4][2] < 30


def test_each_page_of_a_document_has_a_tile(tmp_path):
    sides = [Image.new("RGB", (210, 297), colour) for colour in ("red", "blue")]
    (tmp_path / "a.pdf").write_bytes(pdf_a([PdfPage([side]) for side in sides]))
    (tmp_path / "b.xps").write_bytes(xps(xps_parts(sides)))
    first, second = (side.copy() for side in sides)
    first.save(tmp_path / "c.tif", save_all=True, append_images=[second])
    with Image.open(contact_sheet(sorted(tmp_path.glob("*.*")), tmp_path / "out" / "sheet.png")) as sheet:
        found = [max(range(3), key=tile(sheet, number).__getitem__) for number in range(6)]
    assert found == [0, 2, 0, 2, 0, 2]


def test_unreadable_files_become_marked_tiles(tmp_path):
    (tmp_path / "junk.jpg").write_bytes(b"junk")
    cut = page(tmp_path / "cut.png", "red")
    cut.write_bytes(cut.read_bytes()[:2000])
    pages = [tmp_path / "junk.jpg", tmp_path / "missing.png", cut, page(tmp_path / "good.png", "blue")]
    with Image.open(contact_sheet(pages, tmp_path / "sheet.png")) as sheet:
        assert [tile(sheet, number) for number in range(3)] == [(176, 0, 32)] * 3
        assert tile(sheet, 3) == (0, 0, 255)


@pytest.mark.parametrize(
    ("count", "columns", "size"), [(0, 5, (272, 408)), (1, 5, (272, 408)), (3, 1, (272, 1192))]
)
def test_sheet_is_as_large_as_its_pages_need(tmp_path, count, columns, size):
    pages = [page(tmp_path / f"{number}.png", "red", size=(10, 10)) for number in range(count)]
    with Image.open(contact_sheet(pages, tmp_path / "sheet.png", columns)) as sheet:
        assert sheet.size == size


MEASURE = """
import re, sys
from pathlib import Path
from dsm_sim.contact_sheet import contact_sheet
contact_sheet([Path(sys.argv[1])] * int(sys.argv[2]), Path(sys.argv[3]))
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.fixture
def peak_kib(tmp_path):
    """The peak memory of a process that makes a sheet of one file, several times.

    Not ru_maxrss: that begins with the peak of the process that started this one.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")

    def measure(source, count):
        command = [sys.executable, "-c", MEASURE, source, str(count), tmp_path / "sheet.png"]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    return measure


def test_memory_of_a_sheet_does_not_grow_with_its_pages(tmp_path, peak_kib):
    source = page(tmp_path / "page.jpg", "red")
    # Four rows more of the sheet itself are 6 MB; a page is 26 MB.
    assert peak_kib(source, 25) - peak_kib(source, 5) < 16_000


def test_memory_of_a_sheet_does_not_grow_with_the_resolution_of_a_jpeg(tmp_path, peak_kib):
    small = page(tmp_path / "small.jpg", 200, "L", size=(600, 840))
    large = page(tmp_path / "large.jpg", 200, "L", size=(6000, 8400))
    assert peak_kib(large, 1) - peak_kib(small, 1) < 16_000


@pytest.mark.skipif(shutil.which("scanimage") is None, reason="needs scanimage (Debian: sane-utils)")
def test_scanimage_finds_a_test_scanner_that_holds_a4(tmp_path):
    environment = write_sane_config(tmp_path / "sane.d")
    listed = subprocess.run(["scanimage", "-L"], env=environment, capture_output=True, text=True, check=True)
    assert listed.stdout.count("device `") == 1
    assert f"`{TEST_DEVICE}'" in listed.stdout
    area = ["-x", "210", "-y", "297", "--resolution", "50", "--mode", "Gray"]
    subprocess.run(
        ["scanimage", "-d", TEST_DEVICE, *area, "-o", tmp_path / "page.pnm"],
        env=environment,
        check=True,
        timeout=60,
    )
    with Image.open(tmp_path / "page.pnm") as image:
        assert image.size == (413, 584)


@pytest.mark.parametrize(
    "filters", [("fileshare",), ("email", "sharepoint"), ("fileshare", "email", "sharepoint")]
)
def test_scan_process_is_valid_and_names_its_server(tmp_path, filters):
    process = ScanProcess(filters=filters, must_honor=("Format", "InputSize", "Resolution"))
    path = process.write(tmp_path / "processes", "Demo", "localhost:4711")
    tree = etree.parse(path)
    etree.XMLSchema(etree.parse(PSP_SCHEMA)).assertValid(tree)
    assert tree.xpath("//*[local-name()='ScanRepository']")[0].text == "localhost:4711"
    assert tree.xpath("string(//processing-instruction('psp-identifier'))") == process.identifier
    assert tree.getroot().find(f".//{WSCN}InputSource").text == "ADF"


EVERYTHING = {
    "format": "tiff-multi-uncompressed",
    "source": "Film",
    "film_scan_mode": "ColorNegativeFilm",
    "content_type": "Halftone",
    "contrast": -1000,
    "brightness": 1000,
    "sharpness": 100,
    "scaling": (50, 200),
    "rotation": 270,
    "region": Region(x_mm=1, y_mm=2, width_mm=100, height_mm=50),
    "dpi": 200,
    "dpi_y": 300,
    "back": Back(color="Grayscale16", dpi=75),
    "must_honor": ("Exposure", "Scaling", "Rotation", "ScanRegionWidth", "ColorProcessing", "ContentType"),
}


def wscn_text(process, path):
    return etree.fromstring(process.document("x").encode()).findtext(
        f".//{WSCN}" + f"/{WSCN}".join(path.split("/"))
    )


def test_scan_process_with_every_element_of_the_ticket_is_valid():
    process = ScanProcess(**EVERYTHING)
    tree = etree.fromstring(process.document("x").encode())
    etree.XMLSchema(etree.parse(PSP_SCHEMA)).assertValid(tree)
    for path, text in {
        "FilmScanMode": "ColorNegativeFilm",
        "ContentType": "Halftone",
        "Exposure/ExposureSettings/Sharpness": "100",
        "Scaling/ScalingHeight": "200",
        "Rotation": "270",
        "MediaFront/ScanRegion/ScanRegionXOffset": "39",
        "MediaFront/ScanRegion/ScanRegionHeight": "1969",
        "MediaFront/Resolution/Height": "300",
        "MediaBack/ColorProcessing": "Grayscale16",
        "MediaBack/Resolution/Height": "75",
        "MediaBack/ScanRegion": None,
    }.items():
        assert wscn_text(process, path) == text, path
    locked = {etree.QName(each).localname for each in tree.iter() if each.get(f"{WSCN}MustHonor") == "true"}
    assert locked == set(EVERYTHING["must_honor"])


def test_scan_process_may_leave_size_and_exposure_to_the_device():
    process = ScanProcess(size_auto_detect=True, auto_exposure=True)
    etree.XMLSchema(etree.parse(PSP_SCHEMA)).assertValid(etree.fromstring(process.document("x").encode()))
    assert wscn_text(process, "InputSize/DocumentSizeAutoDetect") == "true"
    assert wscn_text(process, "Exposure/AutoExposure") == "true"
    with pytest.raises(ValueError, match="auto-exposure excludes"):
        ScanProcess(auto_exposure=False, brightness=0)


def test_scan_process_says_no_more_than_it_is_asked():
    for element in ("FilmScanMode", "ContentType", "Exposure", "Scaling", "Rotation", "MediaBack"):
        assert wscn_text(ScanProcess(), element) is None


def test_scan_process_escapes_what_it_is_given():
    text = ScanProcess(shares=(r"\\<x>\y",)).document("a&b")
    assert etree.fromstring(text.encode()).xpath("//*[local-name()='ShareUNC']")[0].text == r"\\<x>\y"
