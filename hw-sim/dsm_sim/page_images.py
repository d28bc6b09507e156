"""The pages of image files and documents as pictures, whatever their format, one at a time.

Documents are not laid out: of each page the images are taken that lie in it. What Pillow does not read is given to
foreign programs where there are any.
"""

from __future__ import annotations

import io
import mmap
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from dsm_sim.image_files.facts import ImageError, reading
from dsm_sim.image_files.jbig import jbig_facts
from dsm_sim.image_files.pdf import pdf_pages
from dsm_sim.image_files.placed import DocumentPage, PlacedImage
from dsm_sim.image_files.xps import xps_pages

_FORMATS: Final = ("JPEG", "PNG", "TIFF", "BMP", "DIB", "JPEG2000")
#: Programs that make PBM of JBIG: of jbigkit and of Netpbm.
_JBIG_PROGRAMS: Final = ("jbgtopbm", "jbigtopnm")
_JBIG_LIMIT_S: Final = 30
_MODES: Final = {(1, 1): "1", (1, 8): "L", (3, 8): "RGB"}


def page_count(path: Path) -> int:
    """Raises OSError for what is no picture."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith((b"%PDF", b"PK\x03\x04")):
        with _document(path, start) as pages:
            return len(pages)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return int(getattr(image, "n_frames", 1))
    except UnidentifiedImageError:
        return 1


@contextmanager
def opened_page(path: Path, page: int = 0) -> Iterator[Image.Image]:
    """A page, from 0, not yet decoded where that can wait. Raises OSError for what is no picture."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith((b"%PDF", b"PK\x03\x04")):
        with _composed(path, start, page) as image:
            yield image
        return
    with _opened(path) as image:
        try:
            image.seek(page)
        except EOFError as error:
            raise OSError(f"no page {page + 1}") from error
        yield image


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError:
        return _jbig(path)


def eight_bit(image: Image.Image) -> Image.Image:
    """Gray or RGB with eight bits a sample, on white paper."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in {"1", "L"}:
        return image.convert("L")
    if "A" in image.getbands():
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


# ------------------------------------------------------------------------------------------ documents


@contextmanager
def _document(path: Path, start: bytes) -> Iterator[Sequence[Callable[[], DocumentPage]]]:
    """Its pages, each to be read when it is called."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            with reading():
                if start.startswith(b"%PDF"):
                    yield pdf_pages(data)
                else:
                    with xps_pages(data) as pages:
                        yield pages
        except ImageError as error:
            raise OSError(str(error)) from error


@contextmanager
def _composed(path: Path, start: bytes, page: int) -> Iterator[Image.Image]:
    """The images of a page together; one alone is handed on as it is."""
    with _document(path, start) as pages:
        if page >= len(pages):
            raise OSError(f"no page {page + 1}")
        found = pages[page]()
    if len(found.images) == 1:
        with _image(found.images[0]) as image:
            yield image
        return
    facts = found.facts
    with Image.new(_MODES[facts.channels, facts.bits], (facts.width_px, facts.height_px), "white") as canvas:
        for each in found.images:
            with _image(each) as image:
                canvas.paste(image, found.place_px(each))
        yield canvas


def _image(placed: PlacedImage) -> Image.Image:
    size = (placed.width_px, placed.height_px)
    if placed.coding == "raw":
        mode = _MODES[placed.channels, placed.bits]
        return Image.frombytes(mode, size, placed.data)
    data = placed.data if placed.coding == "file" else _g4_file(placed)
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if image.size != size:
        raise OSError(f"an image of {image.size} pixels that is called {size}")
    return image


def _g4_file(placed: PlacedImage) -> bytes:
    """T.6 code as a TIFF file of one strip."""
    tags = (
        (256, 4, placed.width_px),
        (257, 4, placed.height_px),
        (258, 3, 1),
        (259, 3, 4),
        (262, 3, int(placed.is_black_1)),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1),
        (278, 4, placed.height_px),
        (279, 4, len(placed.data)),
    )
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + placed.data


# ---------------------------------------------------------------------------------------------- JBIG


def _jbig(path: Path) -> Image.Image:
    try:
        jbig_facts(path.read_bytes())
    except ImageError as error:
        raise UnidentifiedImageError(f"{path.name} is no picture that is known") from error
    program = next(filter(None, map(shutil.which, _JBIG_PROGRAMS)), None)
    if program is None:
        raise OSError(f"JBIG is read with {' or '.join(_JBIG_PROGRAMS)}, of which none is installed")
    done = subprocess.run([program, str(path)], capture_output=True, timeout=_JBIG_LIMIT_S, check=False)
    if done.returncode:
        raise OSError(f"{Path(program).name}: {done.stderr.decode('utf-8', 'replace').strip()[:200]}")
    return Image.open(io.BytesIO(done.stdout), formats=("PPM",))
