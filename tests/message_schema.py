"""Whole messages held against the schemas: envelope, addressing, eventing, and the device's own service.

Those of this folder's ``data/schemas`` are written from the specifications; WS-Scan's and WS-DSD's are the
simulator's.
"""

from __future__ import annotations

import functools
from pathlib import Path

from lxml import etree

import dsm_sim

_OURS = Path(__file__).parent / "data" / "schemas"
_THEIRS = Path(dsm_sim.__file__).parent / "schemas"
_PARTS = {
    "http://www.w3.org/2003/05/soap-envelope": _OURS / "soap.xsd",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing": _OURS / "addressing.xsd",
    "http://schemas.xmlsoap.org/ws/2004/08/eventing": _OURS / "eventing.xsd",
    "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/device": _THEIRS / "dsd.xsd",
}


@functools.cache
def _schema() -> etree.XMLSchema:
    imports = "".join(
        f'<xs:import namespace="{uri}" schemaLocation="{path.as_uri()}"/>' for uri, path in _PARTS.items()
    )
    return etree.XMLSchema(
        etree.fromstring(f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>')
    )


def validate(message: bytes) -> etree._Element:
    """The envelope. Fails where ``message`` is not valid, or where its body is of an unknown kind."""
    root = etree.fromstring(message)
    _schema().assertValid(root)
    body = root.find("{http://www.w3.org/2003/05/soap-envelope}Body")
    assert body is not None
    for element in body:
        assert etree.QName(element).namespace in {*_PARTS, _WSCN}, element.tag
    return root


_WSCN = "http://schemas.microsoft.com/windows/2006/08/wdp/scan"
