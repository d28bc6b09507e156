"""What a certificate says of itself: for messages to people only, never to decide about trust.

The TLS library does the deciding; when it has refused a certificate it does not show it any more, and Python
decodes only those that passed. Hence this reader of the few fields that an operator needs.
Source: RFC 5280 4.1; ITU-T X.690 for DER.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_SEQUENCE: Final = 0x30
_BIT_OR_OCTET_STRINGS: Final = frozenset({0x03, 0x04})
_UTC_TIME: Final = 0x17
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_BMP_STRING: Final = 0x1E

_COMMON_NAME: Final = bytes.fromhex("550403")
_ORGANIZATION: Final = bytes.fromhex("55040a")
_SUBJECT_ALTERNATIVE_NAME: Final = bytes.fromhex("551d11")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Names as text; "" where there is none. Times are UTC."""

    subject: str
    issuer: str
    dns_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime


def read(der: bytes) -> Certificate:
    """The fields of a DER certificate. Raises :class:`ValueError` for anything else."""
    try:
        return _read(der)
    except IndexError as error:
        raise ValueError("not a certificate") from error


def _read(der: bytes) -> Certificate:
    certificate = _only(der, _SEQUENCE)
    fields = list(_elements(_only(certificate, _SEQUENCE)))
    if fields[0][0] == _VERSION:
        fields = fields[1:]
    _serial, _signature, issuer, validity, subject = fields[:5] if len(fields) >= 5 else _missing()
    not_before, not_after = (_time(*each) for each in list(_elements(validity[1]))[:2])
    extensions = [value for tag, value in fields[5:] if tag == _EXTENSIONS]
    return Certificate(
        subject=_name(subject[1]),
        issuer=_name(issuer[1]),
        dns_names=tuple(_dns_names(extensions[0])) if extensions else (),
        not_before=not_before,
        not_after=not_after,
    )


def _missing() -> list[tuple[int, bytes]]:
    raise ValueError("a field is missing")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element in ``data``."""
    position = 0
    while position < len(data):
        tag, length, position = data[position], data[position + 1], position + 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[position : position + octets], "big")
            position += octets
        if position + length > len(data):
            raise ValueError("an element is longer than what holds it")
        yield tag, data[position : position + length]
        position += length


def _only(data: bytes, wanted: int) -> bytes:
    tag, content = next(_elements(data), (None, b""))
    if tag != wanted:
        raise ValueError(f"tag {wanted:#x} was expected")
    return content


def _name(data: bytes) -> str:
    """The common name, else the organisation."""
    parts: dict[bytes, str] = {}
    for _, relative in _elements(data):
        for _, pair in _elements(relative):
            (_, kind), (tag, value) = list(_elements(pair))[:2]
            parts[kind] = value.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", "replace")
    return " ".join((parts.get(_COMMON_NAME) or parts.get(_ORGANIZATION, "")).split())


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        # RFC 5280 4.1.2.5.1: two digits of the year stand for 1950 to 2049.
        text = ("20" if text[:2] < "50" else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _dns_names(extensions: bytes) -> Iterator[str]:
    for _, extension in _elements(_only(extensions, _SEQUENCE)):
        parts = list(_elements(extension))
        if parts[0][1] == _SUBJECT_ALTERNATIVE_NAME and parts[-1][0] in _BIT_OR_OCTET_STRINGS:
            names = _elements(_only(parts[-1][1], _SEQUENCE))
            yield from (value.decode("ascii", "replace") for tag, value in names if tag == _DNS_NAME)
