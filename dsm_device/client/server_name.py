"""The name of a scan server as scan processes give it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dsm_device.errors import ProcessUnusable

_LABEL: Final = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_REPOSITORY: Final = re.compile(
    rf"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{{2,45}})\]|(?P<name>{_LABEL}(?:\.{_LABEL})*)\.?)(?::(?P<port>[0-9]{{1,5}}))?"
)


@dataclass(frozen=True, slots=True)
class ServerName:
    """``host`` is what the server's certificate is checked against: a DNS name, or an address without brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, repository: str, default_port: int) -> ServerName:
        """``repository`` is the text of psp:ScanRepository: ``host`` or ``host:port``.

        Raises :class:`ProcessUnusable`.
        """
        match = _REPOSITORY.fullmatch(repository.strip())
        port = int(match["port"] or default_port) if match else 0
        if match is None or not 0 < port < 65536 or len(repository) > 260:
            raise ProcessUnusable(
                f"ScanRepository {repository[:100]!r} is no name of a server",
                "have the scan process's administrator enter the server's full DNS name",
            )
        return cls(match["ipv6"] or match["name"], port)

    def url(self, path: str) -> str:
        """``path`` begins with a slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}{path}"
