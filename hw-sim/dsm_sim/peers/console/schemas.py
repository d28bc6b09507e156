"""The schemas that bodies are validated against."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from lxml import etree

from dsm_sim.peers.console.names import DSD, WSCN
from dsm_sim.peers.console.xml import namespace_of

_FOLDER: Final = Path(__file__).resolve().parents[2] / "schemas"
_FILES: Final = {DSD: "dsd.xsd", WSCN: "wscn-device.xsd"}


@cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(_FOLDER / name))


def body_error(body: etree._Element) -> str:
    """Why a body element of WS-DSD or WS-Scan is not valid; "" where it is.

    Source: WS-DSD operations and events; WS-Scan (schema of the service).
    """
    name = _FILES.get(namespace_of(body))
    if name is None:
        return f"{body.tag} is not of WS-DSD or WS-Scan"
    schema = _schema(name)
    # Through text: all namespaces in scope get declared on the new root, which values of type QName need.
    if schema.validate(etree.fromstring(etree.tostring(body, with_tail=False))):
        return ""
    error: Any = schema.error_log.last_error  # type: ignore[attr-defined]  # the stubs leave it out
    return f"{error.message} (line {error.line} of the body)"
