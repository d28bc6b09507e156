"""Whether a page of a document looks, in a viewer, like the image in it.

What is judged otherwise is the image itself, taken out of the document. Where MuPDF is installed, it draws the
page, and the two must be alike: an image that lies beside its page, upside down or upon another shows here only.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops

from dsm_sim.page_images import eight_bit

_VIEWED: Final = frozenset({".pdf", ".xps"})
_DPI: Final = 50
#: Cells of about a centimetre: what viewers do to edges shows in none of them.
_CELL_PX: Final = 20
_DIFFERENCE: Final = 12
_LIMIT_S: Final = 30


def rendering_problem(path: Path, page: int, image: Image.Image) -> str:
    """How page ``page`` (from 1) is drawn otherwise than ``image``; "" where it is not, or nobody can tell."""
    program = shutil.which("mutool")
    if path.suffix not in _VIEWED or program is None:
        return ""
    command = [program, "draw", "-q", "-r", str(_DPI), "-c", "gray", "-F", "png", "-o", "-", str(path), str(page)]
    done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False)
    if done.returncode:
        return f"cannot be drawn: {done.stderr.decode('utf-8', 'replace').strip()[:200]}"
    with Image.open(io.BytesIO(done.stdout)) as drawn:
        cells = [max(1, round(side / _CELL_PX)) for side in drawn.size]
        one, other = (_thumbnail(each, (cells[0], cells[1])) for each in (drawn, eight_bit(image)))
        worst = max(ImageChops.difference(one, other).tobytes())
    return f"is drawn otherwise than the image in it: by {worst} of 255" if worst > _DIFFERENCE else ""


def _thumbnail(image: Image.Image, cells: tuple[int, int]) -> Image.Image:
    return image.convert("L").resize(cells, Image.Resampling.BOX)
