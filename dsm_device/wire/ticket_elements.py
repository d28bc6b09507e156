"""What may stand in wscn:DocumentParameters: every element, its place, its values; written once.

Source: the scan process schema of MS-BDSRR (ScanTicketType) with the ranges of the WS-Scan element pages.
Elements are named by *path*, local names joined by ``/`` and without the leading ``MediaSides/``, as in
``Format`` or ``MediaFront/Resolution/Width``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from dsm_device.wire.schema import Flag, Keyword, Kind, Whole

FORMATS: Final = (
    "dib",
    "exif",
    "jbig",
    "jfif",
    "jpeg2k",
    "pdf-a",
    "png",
    "tiff-single-uncompressed",
    "tiff-single-g4",
    "tiff-single-g3mh",
    "tiff-single-jpeg-tn2",
    "tiff-multi-uncompressed",
    "tiff-multi-g4",
    "tiff-multi-g3mh",
    "tiff-multi-jpeg-tn2",
    "xps",
)
COLORS: Final = (
    "BlackAndWhite1",
    "Grayscale4",
    "Grayscale8",
    "Grayscale16",
    "RGB24",
    "RGB48",
    "RGBa32",
    "RGBa64",
)

#: The schema's numbers are 32 bit and signed; the pages name this one larger value for counts and lengths.
_LARGEST_AS_THE_PAGES_SAY = 2_147_483_648
_LARGEST_INT = 2_147_483_647
#: MimeExtensionPatternType: any word at all, so a misspelt format is valid and merely not supported.
_VENDOR_FORMAT = re.compile(r"[^\s]+")


@dataclass(frozen=True, slots=True)
class Group:
    """An element with elements in it. With ``choice`` exactly one of the members stands there."""

    members: Mapping[str, Kind | Group]
    required: tuple[str, ...] = field(default=())
    choice: bool = False

    def problem(self, present: Collection[str]) -> str | None:
        """What is wrong with these members, if anything: "lacks Height"."""
        names = " or ".join(self.members)
        if self.choice and not present:
            return f"needs {names}"
        if self.choice and len(present) > 1:
            return f"takes only one of {names}"
        missing = [name for name in self.required if name not in present]
        return f"lacks {missing[0]}" if missing else None


_SIZE = Whole(1, _LARGEST_AS_THE_PAGES_SAY)
_OFFSET = Whole(0, _LARGEST_AS_THE_PAGES_SAY)
_DPI = Whole(1, _LARGEST_INT)
_PERCENT = Whole(1, 1000)

_MEDIA_SIDE = Group(
    {
        "ScanRegion": Group(
            {
                "ScanRegionXOffset": _OFFSET,
                "ScanRegionYOffset": _OFFSET,
                "ScanRegionWidth": _SIZE,
                "ScanRegionHeight": _SIZE,
            },
            required=("ScanRegionWidth", "ScanRegionHeight"),
        ),
        "ColorProcessing": Keyword(COLORS),
        "Resolution": Group({"Width": _DPI, "Height": _DPI}, required=("Width",)),
    }
)

DOCUMENT_PARAMETERS: Final = Group(
    {
        "Format": Keyword(FORMATS, vendor=_VENDOR_FORMAT),
        "CompressionQualityFactor": Whole(0, 100),
        "ImagesToTransfer": Whole(0, _LARGEST_AS_THE_PAGES_SAY),
        "InputSource": Keyword(("ADF", "ADFDuplex", "Film", "Platen")),
        "FilmScanMode": Keyword(
            ("NotApplicable", "ColorSlideFilm", "ColorNegativeFilm", "BlackandWhiteNegativeFilm")
        ),
        "ContentType": Keyword(("Auto", "Text", "Photo", "Halftone", "Mixed")),
        "InputSize": Group(
            {
                "DocumentSizeAutoDetect": Flag(),
                "InputMediaSize": Group({"Width": _SIZE, "Height": _SIZE}, required=("Width", "Height")),
            },
            choice=True,
        ),
        "Exposure": Group(
            {
                "AutoExposure": Flag(),
                "ExposureSettings": Group(
                    {
                        "Contrast": Whole(-1000, 1000),
                        "Brightness": Whole(-1000, 1000),
                        "Sharpness": Whole(-100, 100),
                    }
                ),
            },
            choice=True,
        ),
        "Scaling": Group(
            {"ScalingWidth": _PERCENT, "ScalingHeight": _PERCENT},
            required=("ScalingWidth", "ScalingHeight"),
        ),
        "Rotation": Keyword(("0", "90", "180", "270")),
        "MediaSides": Group({"MediaFront": _MEDIA_SIDE, "MediaBack": _MEDIA_SIDE}, required=("MediaFront",)),
    }
)

#: Composites that may be written as WIDTHxHEIGHT, with the names of their two numbers.
PAIRS: Final = {
    "InputSize/InputMediaSize": ("Width", "Height"),
    "Scaling": ("ScalingWidth", "ScalingHeight"),
    "MediaFront/Resolution": ("Width", "Height"),
    "MediaBack/Resolution": ("Width", "Height"),
}
#: Elements that hold settings but are none themselves: a lock on them locks what stands in them.
CONTAINERS: Final = frozenset(("", "MediaFront", "MediaBack"))


def join(parent: str, name: str) -> str:
    """The path of the member ``name`` of ``parent``."""
    if name == "MediaSides":
        return parent
    return f"{parent}/{name}" if parent else name


def _walk(group: Group, path: str) -> Iterator[tuple[str, Kind | Group]]:
    for name, node in group.members.items():
        here = join(path, name)
        if name != "MediaSides":
            yield here, node
        if isinstance(node, Group):
            yield from _walk(node, here)


_NODES: Final = dict(_walk(DOCUMENT_PARAMETERS, ""))
#: The elements with a value, and those with elements, by path in schema order.
LEAVES: Final = {path: node for path, node in _NODES.items() if not isinstance(node, Group)}
GROUPS: Final = {path: node for path, node in _NODES.items() if isinstance(node, Group)}


def within(path: str, element: str) -> bool:
    """Whether ``path`` is ``element`` or stands in it."""
    return path == element or path.startswith(f"{element}/")


def setting_of(leaf: str) -> str:
    """The path of the smallest element with a lock of its own that covers ``leaf``.

    Composites are locked as wholes, the four numbers of a ScanRegion one by one (MS-BDSRR, ScanTicketType).
    """
    parts = leaf.split("/")
    if "ScanRegion" in parts:
        return leaf
    return "/".join(parts[:2] if parts[0] in CONTAINERS else parts[:1])
