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


class ScanProcess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What a process asks for, in the words of the ticket; the defaults give small pages quickly.

    ``must-honor`` names ticket elements (``Format``, ``Resolution``); lengths are in mm. ``images`` 0 means all.
    """

    identifier: Annotated[str, Meta(pattern=_GUID)] = "D3A0B1C2-5E4F-4A6B-8C7D-9E0F1A2B3C4D"
    root_name: _Text = "Demo"
    format: _Format = "jfif"
    quality: Annotated[int, Meta(ge=0, le=100)] = 85
    images: Annotated[int, Meta(ge=0, le=10_000)] = 0
    source: Literal["Platen", "ADF", "ADFDuplex", "Film"] = "ADF"
    width_mm: _Millimetres = 210
    height_mm: _Millimetres = 297
    color: _Color = "RGB24"
    dpi: Annotated[int, Meta(ge=1, le=4800)] = 100
    must_honor: tuple[str, ...] = ("Format", "InputSource")
    continue_on_error: bool = False
    filters: Annotated[tuple[FilterName, ...], Meta(min_length=1)] = ("fileshare",)
    shares: tuple[_Text, ...] = (r"\\files.sim.example\scans",)
    mail_to: tuple[_Text, ...] = ("archive@sim.example",)
    sites: tuple[_Text, ...] = ("https://portal.sim.example/scans",)

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
        size = _add(self._add_setting(parameters, "InputSize"), _wscn("InputMediaSize"))
        _add(size, _wscn("Width"), round(self.width_mm * _MIL_PER_MM))
        _add(size, _wscn("Height"), round(self.height_mm * _MIL_PER_MM))
        front = _add(_add(parameters, _wscn("MediaSides")), _wscn("MediaFront"))
        self._add_setting(front, "ColorProcessing", self.color)
        resolution = self._add_setting(front, "Resolution")
        _add(resolution, _wscn("Width"), self.dpi)
        _add(resolution, _wscn("Height"), self.dpi)

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


def _psp(local: str) -> str:
    return f"{{{_PSP}}}{local}"


def _wscn(local: str) -> str:
    return f"{{{_WSCN}}}{local}"
