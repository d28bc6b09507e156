"""Whole messages held against the schemas: envelope, addressing, discovery, metadata, eventing, and the services.

Those of this folder's ``data/schemas`` are written from the specifications; WS-Scan's, WS-DSD's and WS-DSP's are
the simulator's.
"""

from __future__ import annotations

import functools
from pathlib import Path

from lxml import etree

import dsm_sim

_OURS = Path(__file__).parent / "data" / "schemas"
_THEIRS = Path(dsm_sim.__file__).parent / "schemas"
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_DSP = "http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing"
_PARTS = {
    _SOAP: _OURS / "soap.xsd",
    _WSA: _OURS / "addressing.xsd",
    "http://schemas.xmlsoap.org/ws/2004/08/eventing": _OURS / "eventing.xsd",
    "http://schemas.xmlsoap.org/ws/2005/04/discovery": _OURS / "discovery.xsd",
    "http://schemas.xmlsoap.org/ws/2006/02/devprof": _OURS / "devprof.xsd",
    "http://schemas.xmlsoap.org/ws/2004/09/mex": _OURS / "metadata.xsd",
}
#: Two schemas, as WS-DSP's knows other parts of WS-Scan than WS-DSD's, under the same namespace.
_TO_THE_CONSOLE = {"http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/device": _THEIRS / "dsd.xsd"}
_TO_THE_SERVER = {_DSP: _THEIRS / "dsp.xsd"}


@functools.cache
def _schema(is_for_the_server: bool) -> etree.XMLSchema:
    parts = {**_PARTS, **(_TO_THE_SERVER if is_for_the_server else _TO_THE_CONSOLE)}
    imports = "".join(
        f'<xs:import namespace="{uri}" schemaLocation="{path.as_uri()}"/>' for uri, path in parts.items()
    )
    return etree.XMLSchema(
        etree.fromstring(f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>')
    )


def validate(message: bytes) -> etree._Element:
    """The envelope. Fails where ``message`` is not valid, or where its body is of an unknown kind."""
    root = etree.fromstring(message)
    assert root.tag == f"{{{_SOAP}}}Envelope", root.tag
    header, body = root.find(f"{{{_SOAP}}}Header"), root.find(f"{{{_SOAP}}}Body")
    assert header is not None, "no Header"
    assert body is not None, "no Body"
    names = [block.tag for block in header]
    assert all(names.count(f"{{{_WSA}}}{name}") == 1 for name in ("To", "Action", "MessageID")), names
    _schema(any(etree.QName(element).namespace == _DSP for element in body)).assertValid(root)
    return root
