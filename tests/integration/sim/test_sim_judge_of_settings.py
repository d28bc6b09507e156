"""The judge's eye on what a ticket asks for: each setting is seen where it is met, and missed where it is not.

One scan is played; then the process is said to have asked for something, and the images are made into what would
have come of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image, ImageEnhance, ImageOps

from dsm_sim.image_files import inspect_data
from dsm_sim.page_images import opened_page
from dsm_sim.scan_process import Back, Region, ScanProcess
from dsm_sim.scenario.judge import judge
from dsm_sim.scenario.player import Performance, performance
from dsm_sim.scenario.reading import parse_scenario
from dsm_sim.scenario.rendering import rendering_problem
from tests.documents import PdfPage, encoded, pdf_a, xps, xps_parts

SCENARIO = """
title = "Two sheets, both sides"
paper = [{ kind = "photo", back = "form", size = "A6", count = 2 }]
process = { source = "ADFDuplex", format = "png", width-mm = 105, height-mm = 148 }
"""
Change = Callable[[Image.Image], Image.Image]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performance]:
    folder = tmp_path_factory.mktemp("played")
    with performance(parse_scenario(SCENARIO, "two-sheets.toml"), folder, folder / "desk") as done:
        assert judge(done) == []
        yield done


def pictures(played: Performance) -> list[Image.Image]:
    assert played.report is not None
    found = []
    for path in played.report.jobs[0].files:
        with Image.open(path) as image:
            found.append(image.copy())
    return found


def with_files(played: Performance, files: Sequence[bytes], image_format: str, suffix: str) -> Performance:
    """Other files in the place of those that were delivered, of which the server's report tells the truth."""
    assert played.report is not None
    (job,) = played.report.jobs
    documents, paths = [], []
    for number, data in enumerate(files, start=1):
        digest = hashlib.sha256(data).hexdigest()
        paths.append(played.folder / f"{digest}{suffix}")
        paths[-1].write_bytes(data)
        facts = inspect_data(data, image_format)
        documents.append(
            dataclasses.replace(
                job.documents[0],
                document_id=number,
                sha256=digest,
                format=image_format,
                pages=facts.pages,
                each_page=facts.each,
            )
        )
    run = dataclasses.replace(job.filters[0], files=tuple(paths))
    job = dataclasses.replace(job, documents=tuple(documents), filters=(run,))
    return dataclasses.replace(played, report=dataclasses.replace(played.report, jobs=(job,)))


def asked(played: Performance, **process: Any) -> Performance:
    scenario = msgspec.structs.replace(
        played.scenario, process=msgspec.structs.replace(played.scenario.process, **process)
    )
    return dataclasses.replace(played, scenario=scenario)


def expecting(played: Performance, **expect: Any) -> Performance:
    expectation = msgspec.structs.replace(played.scenario.expect, **expect)
    return dataclasses.replace(played, scenario=msgspec.structs.replace(played.scenario, expect=expectation))


def png(image: Image.Image, dpi: tuple[float, float] = (100, 100)) -> bytes:
    return encoded(image, "PNG", dpi=dpi, compress_level=1)


def altered(played: Performance, front: Change, back: Change | None = None) -> Performance:
    changes = (front, back or front)
    files = [png(changes[number % 2](image)) for number, image in enumerate(pictures(played))]
    return with_files(played, files, "png", ".png")


def part(image: Image.Image) -> Image.Image:
    return image.crop((8, 8, 8 + 354, 8 + 315))  # 2 mm in, 90 by 80 mm


def halved(image: Image.Image) -> Image.Image:
    return image.resize((round(image.width / 2), round(image.height / 2)), Image.Resampling.BOX)


def half_as_high(image: Image.Image) -> Image.Image:
    return image.resize((image.width, round(image.height / 2)), Image.Resampling.BOX)


def bilevel(image: Image.Image) -> Image.Image:
    return image.convert("L").point(lambda level: 255 if level >= 128 else 0, "1")


def nothing(image: Image.Image) -> Image.Image:
    return image


def brighter(image: Image.Image) -> Image.Image:
    return image.point(lambda level: min(255, level + 60))


REGION = Region(x_mm=2, y_mm=2, width_mm=90, height_mm=80)
SETTINGS: dict[str, tuple[dict[str, Any], Change, Change | None]] = {
    "rotation 90": ({"rotation": 90}, lambda image: image.rotate(-90, expand=True), None),
    "rotation 180": ({"rotation": 180}, lambda image: image.rotate(180), None),
    "rotation 270": ({"rotation": 270}, lambda image: image.rotate(90, expand=True), None),
    "scaling": ({"scaling": (50, 50)}, halved, None),
    "scaling of one axis": ({"scaling": (100, 50)}, half_as_high, None),
    "region": ({"region": REGION}, part, None),
    "black and white front": ({"color": "BlackAndWhite1", "back": Back(color="RGB24")}, bilevel, nothing),
    "region of the back": ({"back": Back(region=REGION)}, nothing, part),
    "dots": ({"color": "BlackAndWhite1", "content_type": "Photo"}, lambda image: image.convert("1"), None),
    "brightness": ({"brightness": 400}, brighter, None),
    "less contrast": ({"contrast": -500}, lambda image: ImageEnhance.Contrast(image).enhance(0.5), None),
    "negative": ({"film_scan_mode": "ColorNegativeFilm"}, ImageOps.invert, None),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_met_is_good_and_one_that_is_not_is_named(played: Performance, name: str) -> None:
    process, front, back = SETTINGS[name]
    met = altered(asked(played, **process), front, back)
    assert judge(met) == []
    assert judge(asked(played, **process)) != []  # the images as they are
    assert judge(asked(met, **{key: getattr(ScanProcess(), key) for key in process})) != []  # nothing was asked


def test_the_other_way_is_another_setting(played: Performance) -> None:
    turned = altered(asked(played, rotation=270), lambda image: image.rotate(-90, expand=True))
    assert "image 1 is rotated by 90° instead of 270°" in judge(turned)
    darker = altered(asked(played, brightness=-400), brighter)
    assert any("has Brightness -400, and differs by +" in each for each in judge(darker))
    other = altered(asked(played, brightness=400), lambda image: brighter(ImageOps.mirror(image)))
    assert judge(other) != []


def test_automatic_exposure_makes_the_paper_white(played: Performance) -> None:
    def grayish(image: Image.Image) -> Image.Image:
        return image.point(lambda level: level * 230 // 255)

    assert judge(altered(asked(played, auto_exposure=True), nothing)) == []
    problems = judge(altered(asked(played, auto_exposure=True), grayish))
    assert any("has a background of" in each and "instead of white" in each for each in problems)


def test_depth_is_read_in_the_header(played: Performance) -> None:
    gray = altered(asked(played, color="Grayscale16"), lambda image: image.convert("L"))
    assert any("has 1 times 8 bits, but the process asks for Grayscale16" in each for each in judge(gray))
    deep = altered(
        asked(played, color="Grayscale16"),
        lambda image: image.convert("L").convert("I").point(lambda value: value * 257).convert("I;16"),
    )
    assert judge(deep) == []


def test_resolution_is_read_in_the_header_and_turns_with_the_image(played: Performance) -> None:
    process = {"dpi": 100, "dpi_y": 50}
    upright = [half_as_high(image) for image in pictures(played)]
    files = [png(image, (100, 50)) for image in upright]
    assert judge(with_files(asked(played, **process), files, "png", ".png")) == []
    wrong = [png(image, (50, 100)) for image in upright]
    problems = judge(with_files(asked(played, **process), wrong, "png", ".png"))
    assert "image 1, front of sheet 1, says 50 x 100 dpi instead of 100 x 50" in problems
    turned = [png(image.rotate(-90, expand=True), (50, 100)) for image in upright]
    assert judge(with_files(asked(played, **process, rotation=90), turned, "png", ".png")) == []


def test_size_that_the_device_finds_is_the_sheets(played: Performance) -> None:
    larger = {"size_auto_detect": True, "width_mm": 150.0, "height_mm": 200.0}
    assert judge(asked(played, **larger)) == []
    cut = altered(asked(played, **larger), lambda image: image.crop((0, 0, 350, image.height)))
    assert any("has (350, 583) instead of (413, 583) pixels" in each for each in judge(cut))


def document(images: Sequence[Image.Image], image_format: str) -> tuple[bytes, str]:
    if image_format == "pdf-a":
        return pdf_a([PdfPage([image]) for image in images]), ".pdf"
    if image_format == "xps":
        return xps(xps_parts(images)), ".xps"
    options = {"compression": "jpeg", "quality": 90} if image_format == "tiff-multi-jpeg-tn2" else {}
    more = {"save_all": True, "append_images": list(images[1:]), "dpi": (100, 100)}
    return encoded(images[0], "TIFF", **options, **more), ".tif"


@pytest.mark.parametrize("image_format", ["pdf-a", "xps", "tiff-multi-uncompressed", "tiff-multi-jpeg-tn2"])
def test_every_page_of_a_document_is_looked_at(played: Performance, image_format: str) -> None:
    images = pictures(played)

    def sent(pages: Sequence[Image.Image]) -> list[str]:
        data, suffix = document(pages, image_format)
        arrived = with_files(asked(played, format=image_format), [data], image_format, suffix)
        return judge(expecting(arrived, documents=1, size_px=(413, 583), format=image_format))

    assert sent(images) == []
    assert "back of sheet 2 was scanned and not delivered" in sent(images[:3])
    assert any("delivered in the order" in each for each in sent(images[::-1]))
    spoilt = images[2].copy()
    spoilt.paste("white", (0, 100, 413, 583))
    (problem,) = sent([*images[:2], spoilt, images[3]])
    assert problem.startswith("image 1, page 3, front of sheet 2, does not show")
    assert "image 1, page 2 has (413, 500) instead of (413, 583) pixels" in sent(
        [images[0], images[1].crop((0, 0, 413, 500)), *images[2:]]
    )


def test_a_number_of_files_that_is_not_sent_is_named(played: Performance) -> None:
    assert judge(expecting(played, documents=1)) == ["4 files were sent instead of 1"]


def test_sides_of_different_sizes_have_sizes_of_their_own(played: Performance) -> None:
    process = asked(played, back=Back(region=REGION))
    arrived = altered(process, nothing, part)
    assert judge(expecting(arrived, size_px=(413, 583), back_size_px=(354, 315))) == []
    assert "image 2 has (354, 315) instead of (354, 316) pixels" in judge(
        expecting(arrived, size_px=(413, 583), back_size_px=(354, 316))
    )


@pytest.mark.skipif(not shutil.which("mutool"), reason="needs MuPDF's mutool")
def test_a_page_that_a_viewer_shows_otherwise_is_named(played: Performance, tmp_path: Path) -> None:
    image = pictures(played)[0]
    data = pdf_a([PdfPage([image])])
    path = tmp_path / "page.pdf"
    # The image begins beside the page, by half of its height.
    for content, problem in (
        (data, ""),
        (data.replace(b" 0.0000 cm", b" 210.00 cm"), "is drawn otherwise than the image in it"),
    ):
        path.write_bytes(content)
        with opened_page(path) as found:
            assert rendering_problem(path, 1, found).startswith(problem)
            assert bool(rendering_problem(path, 1, found)) == bool(problem)


def test_a_sheet_that_lies_askew_is_straight_where_the_device_straightens_it(tmp_path: Path) -> None:
    text = """
    title = "Askew"
    paper = [{ kind = "photo", size = "A6", skew = 3, marked = false }]
    process = { width-mm = 112.3, height-mm = 153.3, format = "png" }
    """
    scenario = parse_scenario(text, "askew.toml")
    with performance(scenario, tmp_path, tmp_path / "desk") as played:
        assert judge(played) == []  # askew is what it is, as nobody is to straighten it
        straightened = msgspec.structs.replace(
            scenario,
            device={"scanner": {"deskew": True}},
            process=msgspec.structs.replace(scenario.process, size_auto_detect=True),
        )
        as_it_is = dataclasses.replace(played, scenario=straightened)
        assert any("instead of (413, 583) pixels" in each for each in judge(as_it_is))
        (sheet,) = played.printed.values()
        assert sheet.straight is not None
        with Image.open(sheet.straight.front) as page:
            data = io.BytesIO(png(page)).getvalue()
        assert judge(with_files(as_it_is, [data], "png", ".png")) == []
