"""The name of a scan server as scan processes give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from dsm_device.errors import ProcessUnusable
from dsm_device.wire.repository import Repository, parse_repository
from dsm_device.wire.xml import XmlError


@dataclass(frozen=True, slots=True)
class ServerName:
    """``host`` is what the server's certificate is checked against: a DNS name, or an address without brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, repository: str, default_port: int) -> Self:
        """``repository`` is the text of psp:ScanRepository. Raises :class:`ProcessUnusable`."""
        try:
            stated = parse_repository(repository)
        except XmlError as error:
            raise ProcessUnusable(
                str(error), "have the scan process's administrator enter the server's full DNS name"
            ) from error
        return cls(stated.host, stated.port or default_port)

    def url(self, path: str) -> str:
        """``path`` begins with a slash."""
        return f"https://{Repository(self.host, self.port)}{path}"
