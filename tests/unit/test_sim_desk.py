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
from dsm_sim.scan_process import ScanProcess

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


def test_scan_process_escapes_what_it_is_given():
    text = ScanProcess(shares=(r"\\<x>\y",)).document("a&b")
    assert etree.fromstring(text.encode()).xpath("//*[local-name()='ShareUNC']")[0].text == r"\\<x>\y"
