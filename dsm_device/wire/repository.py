"""psp:ScanRepository: by which name the scan server is known (MS-BDSRR)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import idna

from dsm_device.wire.xml import XmlError


@dataclass(frozen=True, slots=True)
class Repository:
    """The scan server by the name that its certificate must carry.

    ``host`` is an ASCII host name (an internationalised one in its A-label form) or an IP address without
    brackets; ``port`` is None where the scan process, as usual, names none.
    """

    host: str
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def parse_repository(text: str) -> Repository:
    """``host`` or ``host:port``: a DNS name or an IP address, never a URL.

    Raises :class:`~dsm_device.wire.xml.XmlError`.
    """
    stated = text.strip()
    if not stated:
        raise XmlError("ScanRepository is empty")
    host, port = _split_port(stated)
    try:
        return Repository(host_name(host), port)
    except ValueError as error:
        raise XmlError(f'ScanRepository "{stated[:80]}" is no host name: {error}') from error


def _split_port(stated: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*):([0-9]{1,5})", stated)
    if match is None:
        return stated, None
    port = int(match[2])
    if not 1 <= port <= 65535:
        raise XmlError(f'ScanRepository "{stated[:80]}" has an impossible port: allowed is 1 to 65535')
    return match[1], port


def host_name(text: str) -> str:
    """A DNS name in ASCII or an IP address. Raises ``ValueError`` (``UnicodeError`` is one) for anything else."""
    bracketed = text.startswith("[") and text.endswith("]")
    if bracketed or text.count(":") > 1:
        return str(ipaddress.IPv6Address(_without_zone(text[1:-1] if bracketed else text)))
    labels = text.removesuffix(".").split(".")
    if labels[-1].isdecimal():
        return str(ipaddress.IPv4Address(text))
    if not text.isascii():
        labels = idna.encode(text.removesuffix("."), uts46=True).decode("ascii").split(".")
    for label in labels:
        if not re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", label):
            raise ValueError(f'letters, digits, hyphens and underscores are allowed, not "{label[:63]}"')
    if len(host := ".".join(labels)) > 253:
        raise ValueError("longer than 253 characters")
    return host


def _without_zone(address: str) -> str:
    if "%" in address:
        raise ValueError("an address with a zone means nothing to other machines")
    return address
