"""wscn:ScannerDescription (WS-DSD, ScannerDescription)."""

from __future__ import annotations

from lxml import etree

from dsm_device.wire.device.elements import add_text, root
from dsm_device.wire.device.model import ScannerDescription
from dsm_device.wire.names import XML, qname


def render(description: ScannerDescription) -> etree._Element:
    element = root("ScannerDescription")
    told = {
        "ScannerName": description.name,
        "ScannerInfo": description.info,
        "ScannerLocation": description.location,
    }
    for local, text in told.items():
        if text or local == "ScannerName":
            add_text(element, local, text).set(qname(XML, "lang"), description.language)
    return element
