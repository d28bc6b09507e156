"""Which formats this installation can write: some need a library that may not be installed.

The agent asks, so nothing is loaded here: the names are looked up where the dynamic linker looks them up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dsm_device.hardware import ColorProcessing
from dsm_device.imaging.formats import FORMATS, page_format

#: The names of the libraries that serve, the best first.
LIBTIFF: Final = ("libtiff.so.6", "libtiff.so.5")
LIBJBIG: Final = ("libjbig.so.0", "libjbig.so.2.1")
_BY_LIBTIFF: Final = ("tiff-single-uncompressed", "tiff-single-g3mh", "tiff-single-g4")
#: What ldconfig found: names and paths, each ended by a zero byte.
LINKER_CACHE: Final = Path("/etc/ld.so.cache")


def written_formats() -> Mapping[str, tuple[ColorProcessing, ...]]:
    """The wscn:Formats that can be written now and their colours, in the order of ``FORMATS``.

    Takes well under a millisecond. Where the linker's cache cannot be read all formats are taken to be there: an
    encoder without its library says so with the remedy.
    """
    missing = _missing_libraries()
    offered = {
        name: tuple(color for color in known.colors if _library_of(page_format(name, color)) not in missing)
        for name, known in FORMATS.items()
    }
    return MappingProxyType({name: colors for name, colors in offered.items() if colors})


def _library_of(page_format_name: str) -> tuple[str, ...]:
    """The names of the library that writes pages of this format; none where Pillow and Python suffice."""
    if page_format_name in _BY_LIBTIFF:
        return LIBTIFF
    return LIBJBIG if page_format_name == "jbig" else ()


def _missing_libraries() -> set[tuple[str, ...]]:
    try:
        cache = LINKER_CACHE.read_bytes()
    except OSError:
        return set()
    folders = [Path(each) for each in os.environ.get("LD_LIBRARY_PATH", "").split(":") if each]
    missing: set[tuple[str, ...]] = {
        names
        for names in (LIBTIFF, LIBJBIG)
        if not any(f"/{name}\0".encode() in cache or _in(folders, name) for name in names)
    }
    return missing - {LIBTIFF} if _pillow_has_libtiff() else missing


def _in(folders: list[Path], name: str) -> bool:
    return any((folder / name).exists() for folder in folders)


def _pillow_has_libtiff() -> bool:
    """Whether Pillow is a wheel, which brings its libraries along."""
    package = find_spec("PIL")
    if package is None or package.origin is None:
        return False
    return any(Path(package.origin).parent.with_name("pillow.libs").glob("libtiff*.so*"))
