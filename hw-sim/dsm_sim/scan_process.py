"""Scan processes as an administrator would write them in the management console, made from a few words.

Source: scan process schema (MS-BDSRR 2.2 PostScanProcess); WS-Scan ScanTicket.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from lxml import etree
from msgspec import Meta

from dsm_sim.peers.scan_server.filters.targets import FilterName

_PSP: Final = "http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp"
_WSCN: Final = "http://schemas.microsoft.com/windows/2006/08/wdp/scan"
_FILTERS: Final = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/"
_MIL_PER_MM: Final = 1000 / 25.4

_GUID: Final = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
_Format = Literal[
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
]
_Color = Literal["BlackAndWhite1", "Grayscale4", "Grayscale8", "Grayscale16", "RGB24", "RGB48"]
_Millimetres = Annotated[float, Meta(ge=1, le=3000)]
#: What can stand in XML.
_Text = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\ufffe\uffff]*$")]


_Dpi = Annotated[int, Meta(ge=1, le=4800)]
_Percent = Annotated[int, Meta(ge=1, le=1000)]
_Thousandths = Annotated[int, Meta(ge=-1000, le=1000)]
_Rotation = Literal[0, 90, 180, 270]
_ContentType = Literal["Auto", "Text", "Photo", "Halftone", "Mixed"]
_FilmScanMode = Literal["NotApplicable", "ColorSlideFilm", "ColorNegativeFilm", "BlackandWhiteNegativeFilm"]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    pass


class Region(_Table, frozen=True, kw_only=True):
    """ScanRegion: a part of the sheet, in mm from its upper left corner."""

    x_mm: Annotated[float, Meta(ge=0, le=3000)] = 0
    y_mm: Annotated[float, Meta(ge=0, le=3000)] = 0
    width_mm: _Millimetres
    height_mm: _Millimetres


class Back(_Table, frozen=True, kw_only=True):
    """MediaBack; what is not said is as on the front, but for the region, which is then the whole sheet."""

    color: _Color | None = None
    dpi: _Dpi | None = None
    dpi_y: _Dpi | None = None
    region: Region | None = None


class Side(_Table, frozen=True, kw_only=True):
    """What is asked for one side, whole."""

    color: _Color
    dpi: _Dpi
    dpi_y: _Dpi
    region: Region | None


class ScanProcess(_Table, frozen=True, kw_only=True):
    """What a process asks for, in the words of the ticket; the defaults give small pages quickly.

    ``must-honor`` names ticket elements (``Format``, ``Resolution``); lengths are in mm. ``images`` 0 means all.
    None and 0 degrees are left out of the ticket. ``scaling`` is in percent, across and down. ``dpi-y`` is ``dpi``
    where it is not said; ``region`` without ``back`` holds for both sides.
    """

    identifier: Annotated[str, Meta(pattern=_GUID)] = "D3A0B1C2-5E4F-4A6B-8C7D-9E0F1A2B3C4D"
    root_name: _Text = "Demo"
    format: _Format = "jfif"
    quality: Annotated[int, Meta(ge=0, le=100)] = 85
    images: Annotated[int, Meta(ge=0, le=10_000)] = 0
    source: Literal["Platen", "ADF", "ADFDuplex", "Film"] = "ADF"
    film_scan_mode: _FilmScanMode | None = None
    content_type: _ContentType | None = None
    #: The size is left to the device; ``width-mm`` and ``height-mm`` then say nothing.
    size_auto_detect: bool = False
    width_mm: _Millimetres = 210
    height_mm: _Millimetres = 297
    auto_exposure: bool | None = None
    contrast: _Thousandths | None = None
    brightness: _Thousandths | None = None
    sharpness: Annotated[int, Meta(ge=-100, le=100)] | None = None
    scaling: tuple[_Percent, _Percent] | None = None
    rotation: _Rotation = 0
    region: Region | None = None
    color: _Color = "RGB24"
    dpi: _Dpi = 100
    dpi_y: _Dpi | None = None
    back: Back | None = None
    must_honor: tuple[str, ...] = ("Format", "InputSource")
    continue_on_error: bool = False
    filters: Annotated[tuple[FilterName, ...], Meta(min_length=1)] = ("fileshare",)
    shares: tuple[_Text, ...] = (r"\\files.sim.example\scans",)
    mail_to: tuple[_Text, ...] = ("archive@sim.example",)
    sites: tuple[_Text, ...] = ("https://portal.sim.example/scans",)

    def __post_init__(self) -> None:
        if self.auto_exposure is not None and self._exposure_settings:
            raise ValueError("auto-exposure excludes contrast, brightness and sharpness")

    def side(self, name: str) -> Side:
        """What is asked for the ``front`` or the ``back``."""
        front = Side(color=self.color, dpi=self.dpi, dpi_y=self.dpi_y or self.dpi, region=self.region)
        if name == "front" or self.back is None:
            return front
        dpi = self.back.dpi or front.dpi
        dpi_y = self.back.dpi_y or self.back.dpi or front.dpi_y
        return Side(color=self.back.color or front.color, dpi=dpi, dpi_y=dpi_y, region=self.back.region)

    @property
    def exposure(self) -> tuple[tuple[str, int], ...]:
        """What makes images lighter or darker than the paper, by the names of the elements."""
        if self.auto_exposure:
            return (("AutoExposure", 1),)
        return tuple(pair for pair in self._exposure_settings.items() if pair[1] and pair[0] != "Sharpness")

    @property
    def _exposure_settings(self) -> dict[str, int]:
        """The elements of ExposureSettings that are said, in their order."""
        all_of_them = {"Contrast": self.contrast, "Brightness": self.brightness, "Sharpness": self.sharpness}
        return {name: value for name, value in all_of_them.items() if value is not None}

    def document(self, repository: str) -> str:
        """The process as XML; ``repository`` is the scan server's ``name`` or ``name:port``."""
        root = etree.Element(_psp("PostScanProcess"), nsmap={"psp": _PSP, "wscn": _WSCN})
        _add(root, _psp("ScanRepository"), repository)
        self._add_ticket(_add(root, _psp("ScanTicket")))
        self._add_instructions(_add(root, _psp("PostScanInstructions")))
        etree.indent(root)
        text = etree.tostring(root, encoding="unicode")
        return f'<?xml version="1.0" encoding="utf-8"?>\n<?psp-identifier {self.identifier}?>\n{text}\n'

    def write(self, folder: Path, name: str, repository: str) -> Path:
        """Writes the process into a folder of scan processes, where ``name`` is what the device calls it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.xml"
        path.write_text(self.document(repository), "utf-8")
        return path

    # ----------------------------------------------------------------------------------------- ticket

    def _add_ticket(self, ticket: etree._Element) -> None:
        job = _add(ticket, _wscn("JobDescription"))
        _add(job, _wscn("JobName"), self.root_name)
        _add(job, _wscn("JobOriginatingUserName"))
        parameters = _add(ticket, _wscn("DocumentParameters"))
        self._add_setting(parameters, "Format", self.format)
        self._add_setting(parameters, "CompressionQualityFactor", self.quality)
        self._add_setting(parameters, "ImagesToTransfer", self.images)
        self._add_setting(parameters, "InputSource", self.source)
        self._add_optional(parameters, "FilmScanMode", self.film_scan_mode)
        self._add_optional(parameters, "ContentType", self.content_type)
        self._add_size(self._add_setting(parameters, "InputSize"))
        self._add_exposure(parameters)
        if self.scaling:
            scaling = self._add_setting(parameters, "Scaling")
            _add(scaling, _wscn("ScalingWidth"), self.scaling[0])
            _add(scaling, _wscn("ScalingHeight"), self.scaling[1])
        self._add_optional(parameters, "Rotation", self.rotation or None)
        sides = _add(parameters, _wscn("MediaSides"))
        self._add_side(_add(sides, _wscn("MediaFront")), self.side("front"))
        if self.back:
            self._add_side(_add(sides, _wscn("MediaBack")), self.side("back"))

    def _add_size(self, size: etree._Element) -> None:
        if self.size_auto_detect:
            _add(size, _wscn("DocumentSizeAutoDetect"), "true")
            return
        media = _add(size, _wscn("InputMediaSize"))
        _add(media, _wscn("Width"), _mil(self.width_mm))
        _add(media, _wscn("Height"), _mil(self.height_mm))

    def _add_exposure(self, parameters: etree._Element) -> None:
        if self.auto_exposure is not None:
            exposure = self._add_setting(parameters, "Exposure")
            _add(exposure, _wscn("AutoExposure"), str(self.auto_exposure).lower())
        elif self._exposure_settings:
            settings = _add(self._add_setting(parameters, "Exposure"), _wscn("ExposureSettings"))
            for name, value in self._exposure_settings.items():
                _add(settings, _wscn(name), value)

    def _add_side(self, parent: etree._Element, side: Side) -> None:
        if side.region:
            region = _add(parent, _wscn("ScanRegion"))
            self._add_setting(region, "ScanRegionXOffset", _mil(side.region.x_mm))
            self._add_setting(region, "ScanRegionYOffset", _mil(side.region.y_mm))
            self._add_setting(region, "ScanRegionWidth", _mil(side.region.width_mm))
            self._add_setting(region, "ScanRegionHeight", _mil(side.region.height_mm))
        self._add_setting(parent, "ColorProcessing", side.color)
        resolution = self._add_setting(parent, "Resolution")
        _add(resolution, _wscn("Width"), side.dpi)
        _add(resolution, _wscn("Height"), side.dpi_y)

    def _add_optional(self, parent: etree._Element, name: str, value: object) -> None:
        if value is not None:
            self._add_setting(parent, name, value)

    def _add_setting(self, parent: etree._Element, name: str, value: object = None) -> etree._Element:
        element = _add(parent, _wscn(name), value)
        if name in self.must_honor:
            element.set(_wscn("MustHonor"), "true")
        return element

    # ----------------------------------------------------------------------------------- instructions

    def _add_instructions(self, instructions: etree._Element) -> None:
        _add(instructions, _psp("ContinueOnError"), str(self.continue_on_error).lower())
        _add(instructions, _psp("DocumentRootName"), self.root_name)
        filters = _add(instructions, _psp("FiltersToProcess"))
        for name in self.filters:
            each = _add(filters, _psp("Filter"))
            config = self._filter_config(name)
            _add(each, _psp("Dialect"), etree.QName(config).namespace)
            _add(each, _psp("Instructions")).append(config)

    def _filter_config(self, name: FilterName) -> etree._Element:
        match name:
            case "fileshare":
                return _config("fileshare", "FileShareConfig", "FileShares", "ShareUNC", self.shares)
            case "email":
                return _config("email", "EmailConfig", "SendToAddresses", "EmailAddress", self.mail_to)
            case "sharepoint":
                site = "SaveToSharePointSiteURL"
                return _config("sharepoint", "SharePointConfig", "SaveToSharePointSites", site, self.sites)


def _config(dialect: str, config: str, listing: str, entry: str, values: tuple[str, ...]) -> etree._Element:
    """A filter's instructions: a list of where to deliver."""
    namespace = f"{_FILTERS}{dialect}"
    root = etree.Element(f"{{{namespace}}}{config}", nsmap={"filter": namespace})
    targets = _add(root, f"{{{namespace}}}{listing}")
    for value in values:
        _add(targets, f"{{{namespace}}}{entry}", value)
    return root


def _add(parent: etree._Element, name: str, text: object = None) -> etree._Element:
    child = etree.SubElement(parent, name)
    child.text = None if text is None else str(text)
    return child


def _mil(length_mm: float) -> int:
    return round(length_mm * _MIL_PER_MM)


def _psp(local: str) -> str:
    return f"{{{_PSP}}}{local}"


def _wscn(local: str) -> str:
    return f"{{{_WSCN}}}{local}"
