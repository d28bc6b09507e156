"""The simulator's paper: the same page in every process, exact sizes, true PNM, blank only where it says so."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps

from dsm_sim.paper import COLORS, KINDS, SIZES, Paper, draw, print_sheets, size_mm, write_page

A6 = SIZES["A6"]
MODES = {"rgb": "RGB", "gray": "L", "bilevel": "1"}
DIGESTS = """
import hashlib
from dsm_sim.paper import KINDS, draw
for kind in KINDS:
    print(kind, hashlib.sha256(draw(kind, (148, 210), 60, "rgb", 7).tobytes()).hexdigest())
"""


def levels(image):
    return image.convert("L").getextrema()


def darker_than(image, level):
    return sum(image.convert("L").histogram()[:level])


def specks(image):
    """How many squares of an inch or less, away from the holes of the punch, have something dark in them."""
    squares = [
        (x, y, x + 90, y + 90) for x in range(100, image.width - 90, 90) for y in range(0, image.height - 90, 90)
    ]
    return sum(levels(image.crop(square))[0] < 170 for square in squares)


def paper(**fields):
    return msgspec.convert(fields, Paper)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_every_process_draws_the_same(hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    told = subprocess.run(
        [sys.executable, "-c", DIGESTS], env=environment, capture_output=True, text=True, check=True
    )
    theirs = dict(line.split() for line in told.stdout.splitlines())
    # Drawn in another order and after other pages: nothing may depend on what was drawn before.
    for kind in reversed(KINDS):
        assert hashlib.sha256(draw(kind, (148, 210), 60, "rgb", 7).tobytes()).hexdigest() == theirs[kind], kind


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "blank"])
def test_another_seed_is_another_page(kind):
    pages = {draw(kind, A6, 60, "rgb", seed).tobytes() for seed in range(4)}
    assert len(pages) == 4


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    size=st.sampled_from(list(SIZES.values())) | st.tuples(st.floats(20, 320), st.floats(20, 450)),
    dpi=st.integers(25, 50),
    color=st.sampled_from(COLORS),
    seed=st.integers(-5, 10**9),
)
def test_every_kind_fits_every_sheet(kind, size, dpi, color, seed):
    image = draw(kind, size, dpi, color, seed)
    assert image.size == (round(size[0] * dpi / 25.4), round(size[1] * dpi / 25.4))
    assert image.mode == MODES[color]
    if kind != "photo":
        calm = image.crop((0, 0, image.width, round(17 * dpi / 25.4))).convert("L")
        darkest, lightest = calm.getextrema()
        assert darkest > 170, "nothing to collide with the scanner's mark"
        assert lightest - darkest < 20, "calm"


@pytest.mark.parametrize("color", COLORS)
def test_blank_is_blank_and_faint_is_not(color):
    assert levels(draw("blank", A6, 100, color, 3)) == (255, 255)
    for seed in range(6):
        assert darker_than(draw("faint", A6, 100, color, seed), 228) > 400


@pytest.mark.parametrize("seed", range(6))
def test_dust_is_less_than_the_faintest_writing(seed):
    a4 = SIZES["A4"]
    dusty, faint = draw("dusty-blank", a4, 100, "gray", seed), draw("faint", a4, 100, "gray", seed)
    assert darker_than(dusty, 228) < darker_than(faint, 228) / 2
    assert specks(dusty) >= 8
    assert specks(faint) == 0
    assert levels(faint)[0] > 175, "the writing is faint"
    assert abs(dusty.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) - 246) < 4


def test_colored_paper_is_coloured_and_blank():
    image = draw("colored", A6, 60, "rgb", 1)
    assert image.convert("HSV").getchannel("S").resize((1, 1)).getpixel((0, 0)) > 15
    assert levels(draw("colored", A6, 60, "bilevel", 1)) == (255, 255)


@pytest.mark.parametrize("kind", ["text", "form", "invoice"])
def test_documents_carry_ink_and_stay_mostly_white(kind):
    image = draw(kind, SIZES["A4"], 100, "gray", 2)
    ink = darker_than(image, 128) / (image.width * image.height)
    assert 0.005 < ink < 0.2


def test_a_photograph_has_all_levels():
    assert sum(1 for count in draw("photo", A6, 100, "gray", 2).histogram() if count) > 150


def test_the_layout_is_the_same_at_every_resolution():
    low, high = draw("form", A6, 50, "gray", 5), draw("form", A6, 200, "gray", 5).resize((207, 291))
    assert low.size == high.size
    blurred = [ImageOps.contain(each, (40, 40), Image.Resampling.BOX) for each in (low, high)]
    assert max(ImageChops.difference(*blurred).getextrema()) < 60


# ----------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(("color", "magic"), [("bilevel", b"P4"), ("gray", b"P5"), ("rgb", b"P6")])
@pytest.mark.parametrize("kind", ["photo", "text"])
def test_page_files_are_pnm(tmp_path, kind, color, magic):
    path = write_page(tmp_path, kind, (101, 67), dpi=73, color=color, seed=4)
    assert path.read_bytes().splitlines()[:2] == [magic, b"# dpi 73"]
    with Image.open(path) as image:
        image.load()
        assert image.mode == MODES[color]
        assert image.tobytes() == draw(kind, (101, 67), 73, color, 4).tobytes()


@pytest.mark.skipif(not shutil.which("pamfile"), reason="needs netpbm")
@pytest.mark.parametrize(("color", "told"), [("bilevel", "PBM raw"), ("gray", "PGM raw"), ("rgb", "PPM raw")])
def test_netpbm_reads_page_files(tmp_path, color, told):
    path = write_page(tmp_path, "text", (101, 67), dpi=50, color=color)
    found = subprocess.run(["pamfile", str(path)], capture_output=True, text=True, check=True).stdout
    assert f"{told}, 199 by 132" in found
    whole = subprocess.run(["pnmfile", str(path)], capture_output=True, text=True, check=True)
    assert not whole.stderr


def test_the_same_drawing_is_written_once(tmp_path):
    papers = [
        paper(kind="text", count=80, dpi=30),
        paper(kind="form", back="text", count=70, dpi=30),
        paper(kind="text", count=50, dpi=30),
    ]
    sheets = print_sheets(papers, tmp_path / "pages", tmp_path)
    files = sorted((tmp_path / "pages").iterdir())
    assert len(sheets) == 200
    assert len(files) == 3
    assert {path for sheet in sheets for path in (sheet.front, sheet.back) if path} == set(files)
    assert sheets[0].front == sheets[199].front != sheets[100].back
    before = [path.stat().st_mtime_ns for path in files]
    print_sheets(papers, tmp_path / "pages", tmp_path)
    assert [path.stat().st_mtime_ns for path in files] == before


@pytest.mark.parametrize(
    "other", [{"seed": 2}, {"dpi": 31}, {"color": "gray"}, {"size": "A5"}, {"upside_down": True}, {"kind": "form"}]
)
def test_another_page_is_another_file(tmp_path, other):
    base = {"kind": "text", "size": "A4", "dpi": 30, "color": "rgb", "seed": 1, "upside_down": False}
    paths = set()
    for fields in (base, {**base, **other}):
        size = size_mm(fields["size"])
        paths.add(write_page(tmp_path, size_mm=size, **{key: fields[key] for key in fields if key != "size"}))
    assert len(paths) == 2


def test_upside_down_turns_both_sides(tmp_path):
    upright, turned = (
        print_sheets([paper(kind="text", back="invoice", size="A6", **extra)], tmp_path, tmp_path)[0]
        for extra in ({}, {"upside-down": True})
    )
    for one, other in ((upright.front, turned.front), (upright.back, turned.back)):
        with Image.open(one) as first, Image.open(other) as second:
            assert first.transpose(Image.Transpose.ROTATE_180).tobytes() == second.tobytes()
            assert first.tobytes() != second.tobytes()


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (210, 297)),
        ({"size": "a5"}, (148, 210)),
        ({"size": "80.5x300"}, (80.5, 300)),
        ({"size": "A4", "orientation": "landscape"}, (297, 210)),
        ({"size": "297x210", "orientation": "portrait"}, (210, 297)),
        ({"size": "business-card"}, (85.6, 54)),
        ({"size": "business-card", "orientation": "portrait"}, (54, 85.6)),
        ({"size": "long"}, (210, 900)),
    ],
)
def test_sheets_have_their_size(tmp_path, fields, size):
    sheet = print_sheets([paper(kind="blank", dpi=25, **fields)], tmp_path, tmp_path)[0]
    assert (sheet.width_mm, sheet.height_mm) == size
    with Image.open(sheet.front) as image:
        assert image.size == (round(size[0] * 25 / 25.4), round(size[1] * 25 / 25.4))
    assert sheet.back is None


# ----------------------------------------------------------------------------------------------- files of the user


def noise(mode, size=(60, 40)):
    channels = [Image.effect_noise(size, 90) for _ in range(3)]
    return Image.merge("RGB", channels).convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix", "expected"),
    [("1", "png", "1"), ("L", "png", "L"), ("RGB", "bmp", "RGB"), ("L", "tif", "L"), ("P", "gif", "RGB")],
)
def test_a_file_without_a_size_keeps_its_pixels(tmp_path, mode, suffix, expected):
    image = noise(mode, (300, 200))
    image.save(tmp_path / f"mine.{suffix}", dpi=(150, 150))
    sheet = print_sheets([paper(file=f"mine.{suffix}")], tmp_path / "out", tmp_path)[0]
    with Image.open(sheet.front) as printed:
        assert printed.mode == expected
        assert printed.tobytes() == image.convert(expected).tobytes()
    if suffix != "gif":  # which knows no resolution
        assert (sheet.width_mm, sheet.height_mm) == pytest.approx((50.8, 33.87), abs=0.05)
        assert b"# dpi 150" in sheet.front.read_bytes()[:20]


def test_a_file_is_fitted_into_the_size_that_is_given(tmp_path):
    Image.new("RGB", (400, 400), (200, 0, 0)).save(tmp_path / "red.png")
    sheet = print_sheets([paper(file="red.png", size="100x60", dpi=50, back="text")], tmp_path / "out", tmp_path)[
        0
    ]
    with Image.open(sheet.front) as printed:
        assert printed.size == (197, 118)
        assert printed.getpixel((98, 59)) == (200, 0, 0)
        assert printed.getpixel((20, 59)) == (255, 255, 255)
    assert sheet.back is not None
    with Image.open(sheet.back) as printed:
        assert printed.size == (197, 118)


def test_a_fax_with_unequal_resolutions_comes_out_undistorted(tmp_path):
    noise("1", (1728, 1000)).save(tmp_path / "fax.tif", dpi=(204, 98))
    sheet = print_sheets([paper(file="fax.tif")], tmp_path / "out", tmp_path)[0]
    assert (sheet.width_mm, sheet.height_mm) == pytest.approx((215.2, 259.2), abs=0.1)
    with Image.open(sheet.front) as printed:
        assert printed.size == pytest.approx((1728, 2082), abs=1)


def test_transparent_is_white_and_deep_is_not_cut_off(tmp_path):
    Image.new("RGBA", (200, 200), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.frombytes("I;16", (200, 200), b"\x00\x80" * 40_000).save(tmp_path / "deep.png")
    Image.frombytes("I;16B", (200, 200), b"\x80\x00" * 40_000).save(tmp_path / "big-endian.tif")
    papers = [paper(file=name) for name in ("clear.png", "deep.png", "big-endian.tif")]
    for sheet, level in zip(print_sheets(papers, tmp_path / "out", tmp_path), (255, 128, 128), strict=True):
        with Image.open(sheet.front) as printed:
            assert levels(printed) == (level, level)


def test_a_photograph_that_the_camera_turned_is_upright(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (300, 200)).save(tmp_path / "turned.jpg", exif=turned, dpi=(100, 200))
    sheet = print_sheets([paper(file="turned.jpg")], tmp_path / "out", tmp_path)[0]
    assert (sheet.width_mm, sheet.height_mm) == pytest.approx((25.4, 76.2))


def test_two_pictures_of_one_name_are_not_mixed_up(tmp_path):
    fronts = []
    for level in (10, 20):
        Image.new("L", (100, 100), level).save(tmp_path / "same.png")
        fronts.append(print_sheets([paper(file="same.png")], tmp_path / "out", tmp_path)[0].front)
    assert fronts[0] != fronts[1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.png", None, "No such file"),
        ("text.png", b"no picture", "no picture"),
        ("cut.png", "cut", "truncated"),
        ("tiny.png", "tiny", "20 to 3000 mm"),
        ("huge.png", "huge", "over 64,000,000 pixels: make it smaller"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, name, content, words):
    if content == "cut":
        noise("L", (300, 300)).save(tmp_path / name)
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:3000])
    elif content == "tiny":
        noise("L", (10, 10)).save(tmp_path / name)
    elif content == "huge":
        Image.new("1", (9000, 9000)).save(tmp_path / name)
    elif content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        print_sheets([paper(file=name)], tmp_path / "out", tmp_path)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*"))


# ----------------------------------------------------------------------------------------------- bad descriptions


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "either kind or file"),
        ('kind = "text"\nfile = "a.png"', "not both"),
        ('kind = "poem"', "Invalid enum value 'poem'"),
        ('kind = "text"\nsize = "A99"', "size 'A99': give WIDTHxHEIGHT"),
        ('kind = "text"\nsize = "-5x20"', "give WIDTHxHEIGHT"),
        ('kind = "text"\nsize = "5x200"', "20 to 3000 mm"),
        ('kind = "text"\nsize = "nanxinf"', "give WIDTHxHEIGHT"),
        ('kind = "text"\nsize = "2000x3000"\ndpi = 300', "lower the dpi"),
        ('kind = "text"\ndpi = 5000', "dpi 5000: must be 25 to 600"),
        ('kind = "text"\ndpi = 0', "dpi 0: must be"),
        ('file = "a.png"\ndpi = 0', "dpi 0: must be"),
        ('kind = "text"\ncount = 0', "count 0: must be 1 to 10,000"),
        ('kind = "text"\nseed = -1', "seed -1"),
        ('file = "a.png"\norientation = "landscape"', "add size"),
        ('kind = "text"\nupside_down = true', "unknown field `upside_down`"),
        ('kind = "text"\ncolour = "rgb"', "unknown field `colour`"),
        ('file = ""', "either kind or file"),
    ],
)
def test_errors_in_a_description_are_one_line(table, words):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.toml.decode(f"[[paper]]\n{table}\n", type=dict[str, list[Paper]])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "[...]" in str(caught.value)


def test_a_description_as_a_scenario_writes_it():
    table = '[[paper]]\nkind = "dusty-blank"\nback = "faint"\nsize = "letter"\ncount = 3\nupside-down = true\n'
    found = msgspec.toml.decode(table, type=dict[str, list[Paper]])["paper"][0]
    assert found == Paper(kind="dusty-blank", back="faint", size="letter", count=3, upside_down=True)


def test_sheet_that_lies_askew_is_the_rectangle_around_it(tmp_path):
    askew = paper(kind="photo", size="A6", skew=5, marked=False, back="form")
    (sheet,) = print_sheets([askew], tmp_path, tmp_path, background=192)
    assert sheet.straight
    assert (sheet.straight.width_mm, sheet.straight.height_mm) == (105, 148)
    # 105 cos 5 + 148 sin 5, and 105 sin 5 + 148 cos 5
    assert (sheet.width_mm, sheet.height_mm) == (pytest.approx(117.5, abs=0.6), pytest.approx(156.6, abs=0.6))
    with Image.open(sheet.front) as image, Image.open(sheet.straight.front) as straight:
        corners = [(0, 0), (image.width - 1, 0), (0, image.height - 1), (image.width - 1, image.height - 1)]
        assert {image.getpixel(corner) for corner in corners} == {(192, 192, 192)}
        back = image.rotate(5, Image.Resampling.BICUBIC)
        left, top = (image.width - straight.width) // 2, (image.height - straight.height) // 2
        inner = back.crop((left + 9, top + 9, left + straight.width - 9, top + straight.height - 9))
        wanted = straight.crop((9, 9, straight.width - 9, straight.height - 9))
        small = [each.resize((9, 12), Image.Resampling.BOX) for each in (inner, wanted)]
        assert max(high for _, high in ImageChops.difference(*small).getextrema()) < 12
    assert sheet.back
    assert sheet.back != sheet.straight.back


def test_paper_has_a_tone(tmp_path):
    (sheet,) = print_sheets([paper(kind="text", size="A6", tone=200)], tmp_path, tmp_path)
    with Image.open(sheet.front) as image:
        assert levels(image)[1] == 200


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"skew": 11, "marked": False}, "skew 11: must be -10 to 10 degrees"),
        ({"skew": 1}, "carries no mark: add marked = false"),
        ({"tone": 256}, "tone 256: must be 64 to 255"),
    ],
)
def test_paper_that_cannot_lie_or_look_so(fields, problem):
    with pytest.raises(msgspec.ValidationError, match=problem):
        paper(kind="text", **fields)
