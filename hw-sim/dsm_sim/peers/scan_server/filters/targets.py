"""Where the filters deliver, as an operator or a scenario chooses it, and how they fail on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from dsm_sim.peers.scan_server.file_names import share_components
from dsm_sim.peers.scan_server.names import EMLF, FSF, SPF

#: The filters' short names and their dialects.
FILTER_DIALECTS: Final[Mapping[str, str]] = MappingProxyType({"fileshare": FSF, "email": EMLF, "sharepoint": SPF})

#: WS-DSP FilterStateReason.
FilterReason = Literal[
    "InvalidArgs",
    "OutOfDiskSpace",
    "ServerOutOfMemory",
    "FileShareAccessDenied",
    "FileShareOutOfDiskSpace",
    "SharePointAccessDenied",
    "SharePointOutOfDiskSpace",
    "InvalidSMTPServer",
    "UnableToSendEmail",
    "UnknownError",
]
FilterName = Literal["fileshare", "email", "sharepoint"]


class FilterTrouble(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a filter is told to do to each job: take ``delay_s`` seconds, then fail with ``reason``, if any.

    A filter that fails so delivers nothing.
    """

    reason: FilterReason | None = None
    delay_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0


FilterTroubles = Mapping[FilterName, FilterTrouble]


@dataclass(frozen=True)
class SmtpServer:
    """A mail server that takes messages without TLS and login. ``timeout_s`` is for each of its answers."""

    host: str
    port: int
    timeout_s: float = 30.0


@dataclass(frozen=True)
class WebDav:
    """A WebDAV collection: the site ``https://portal/a/b`` is the collection ``portal/a/b`` below ``url``.

    ``url`` may hold user and password for Basic authentication. ``timeout_s`` is for each step of a request.
    """

    url: str
    timeout_s: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Targets:
    r"""Real targets; what has none goes below the server's output folder.

    ``shares`` maps UNC names (``\\server\share``, whatever the case) to folders that must exist.
    """

    shares: Mapping[str, Path] = field(default_factory=dict)
    smtp: SmtpServer | None = None
    webdav: WebDav | None = None

    def mapped_share(self, unc: str) -> tuple[Path, list[str]] | None:
        """The folder of the longest mapped name that ``unc`` begins with, and the safe components below it."""
        parts = share_components(unc)
        folders = {_key(share_components(name)): folder for name, folder in self.shares.items()}
        for length in range(len(parts), 0, -1):
            if (folder := folders.get(_key(parts[:length]))) is not None:
                return folder, parts[length:]
        return None


def _key(parts: list[str]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in parts)


def read_share(text: str) -> tuple[str, Path]:
    r"""``\\server\share=DIR``. Raises ValueError."""
    unc, equals, folder = text.partition("=")
    if not (unc.startswith("\\\\") and equals and folder):
        raise ValueError(rf"{text!r} is not \\server\share=DIR")
    return unc, Path(folder).absolute()


def read_smtp(text: str) -> SmtpServer:
    """``HOST:PORT``, or ``PORT`` on 127.0.0.1. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
        raise ValueError(f"{text!r} is not HOST:PORT")
    return SmtpServer(host.strip("[]") or "127.0.0.1", int(port))


def read_webdav(text: str) -> WebDav:
    """An http or https URL without query. Raises ValueError."""
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise ValueError(f"{text!r} is not http://HOST/PATH")
    return WebDav(text)
