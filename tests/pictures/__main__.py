"""``python -m tests.pictures FILE.png``: one page by every setting of the scan ticket, as the scan server got it.

The page lies on the glass of the simulated scanner; each picture is a scan of its own through the command line,
over TLS, taken from the server's folder. Above it stands what was asked for with ``--set``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from dsm_sim.paper import write_page
from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import ScannerModel, Sheet, SimulatedScanner, write_sane_config
from tests.bench.desk import Desk, desk

_PAGE_MM: Final = (105.0, 148.0)  # A6
_DPI: Final = 75
_ADVANCE: Final = (330, 530)
_COLUMNS: Final = 7
_BACKGROUND: Final = (96, 112, 130)
_CAPTION: Final = (255, 255, 255)

#: Rows of pictures: what is asked for beyond the process.
SETTINGS: Final[Sequence[Sequence[str]]] = (
    (),
    ("Rotation=90",),
    ("Rotation=180",),
    ("Rotation=270",),
    ("Scaling=50x50",),
    ("Scaling=70x100",),
    ("Scaling=100x60", "Rotation=90"),
    (
        "MediaFront/ScanRegion/ScanRegionXOffset=500",
        "MediaFront/ScanRegion/ScanRegionYOffset=600",
        "MediaFront/ScanRegion/ScanRegionWidth=2000",
        "MediaFront/ScanRegion/ScanRegionHeight=1500",
    ),
    (
        "MediaFront/ScanRegion/ScanRegionXOffset=2000",
        "MediaFront/ScanRegion/ScanRegionYOffset=3500",
        "MediaFront/ScanRegion/ScanRegionWidth=2134",
        "MediaFront/ScanRegion/ScanRegionHeight=2327",
        "Rotation=270",
    ),
    ("MediaFront/Resolution=150x75",),
    ("MediaFront/Resolution=75x37",),
    ("InputSize/DocumentSizeAutoDetect=true",),
    ("MediaFront/ColorProcessing=RGB48", "Format=png"),
    ("MediaFront/ColorProcessing=RGB24",),
    ("MediaFront/ColorProcessing=Grayscale16", "Format=png"),
    ("MediaFront/ColorProcessing=Grayscale8",),
    ("MediaFront/ColorProcessing=Grayscale4", "Format=png"),
    ("MediaFront/ColorProcessing=BlackAndWhite1", "Format=png"),
    ("MediaFront/ColorProcessing=BlackAndWhite1", "Format=png", "ContentType=Text"),
    ("MediaFront/ColorProcessing=BlackAndWhite1", "Format=png", "ContentType=Photo"),
    ("MediaFront/ColorProcessing=BlackAndWhite1", "Format=png", "ContentType=Halftone"),
    ("Exposure/AutoExposure=true",),
    ("Exposure/ExposureSettings/Brightness=500",),
    ("Exposure/ExposureSettings/Brightness=-500",),
    ("Exposure/ExposureSettings/Contrast=500",),
    ("Exposure/ExposureSettings/Contrast=-500",),
    ("Exposure/ExposureSettings/Sharpness=100",),
    ("Exposure/ExposureSettings/Sharpness=-100",),
)


def _page(folder: Path) -> Path:
    """Half a letter, half a photograph, on paper that is not quite white."""
    letter = Image.open(write_page(folder, "invoice", _PAGE_MM, dpi=150)).convert("RGB")
    photo = Image.open(write_page(folder, "photo", _PAGE_MM, dpi=150)).convert("RGB")
    width, height = letter.size
    picture = photo.resize((width * 11 // 20, height * 11 // 20), Image.Resampling.LANCZOS)
    letter.paste(picture, (width - picture.width - 20, height - picture.height - 20))
    grayed = letter.point([level * 232 // 255 for level in range(256)] * 3)
    path = folder / "page.ppm"
    grayed.save(path)
    return path


def _scans(place: Desk) -> Iterator[tuple[Sequence[str], Image.Image]]:
    for settings in SETTINGS:
        result = subprocess.run(
            place.command(*settings), env=place.environment, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise SystemExit(f"{settings}: {result.stderr}")
        assert json.loads(result.stdout.splitlines()[-1])["event"] == "done"
        with Image.open(place.server.jobs[-1].files[0]) as image:
            image.load()
            yield settings, image


def _shown(image: Image.Image) -> Image.Image:
    """As large as it is in pixels, 16 bits as eight."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda level: level / 257).convert("L").convert("RGB")
    return image.convert("RGB")


def _caption(settings: Sequence[str]) -> str:
    words = [each.replace("MediaFront/", "").replace("ExposureSettings/", "") for each in settings]
    region = [each.partition("=")[2] for each in words if each.startswith("ScanRegion/")]
    others = [each for each in words if not each.startswith("ScanRegion/")]
    if region:
        others.insert(0, f"ScanRegion={region[2]}x{region[3]}+{region[0]}+{region[1]}")
    return "\n".join(each.replace("=", "\n=", 1) if len(each) > 34 else each for each in others) or "as it is"


def main(target: Path) -> None:
    rows = -(-len(SETTINGS) // _COLUMNS)
    sheet = Image.new("RGB", (_ADVANCE[0] * _COLUMNS, _ADVANCE[1] * rows), _BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scanner = SimulatedScanner(folder / "hardware", ScannerModel(glass_width_mm=120, glass_height_mm=170))
        scanner.place_on_glass(Sheet(front=_page(folder), width_mm=105, height_mm=148, is_marked=False))
        environment = write_sane_config(folder / "sane.d", [scanner])
        width_mm, height_mm = _PAGE_MM
        process = ScanProcess(
            source="Platen", dpi=_DPI, quality=95, width_mm=width_mm, height_mm=height_mm, must_honor=()
        )
        with desk(scanner=(scanner.device, environment), process=process) as place:
            for index, (settings, image) in enumerate(_scans(place)):
                x, y = (index % _COLUMNS) * _ADVANCE[0], (index // _COLUMNS) * _ADVANCE[1]
                pen.multiline_text((x + 10, y + 6), _caption(settings), _CAPTION, font)
                picture = _shown(image)
                picture.thumbnail((_ADVANCE[0] - 16, _ADVANCE[1] - 90))
                sheet.paste(picture, (x + 8, y + 64))
                pen.text((x + 10, y + _ADVANCE[1] - 20), f"{image.width} x {image.height}", _CAPTION, font)
    sheet.quantize(255).save(target, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
