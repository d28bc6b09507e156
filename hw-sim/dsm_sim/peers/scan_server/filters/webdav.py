"""Documents put into a collection of a WebDAV server, straight from their files.

Sources: RFC 4918, 9.3 (MKCOL), 9.7 (PUT); RFC 9110, 13.1.2 (If-None-Match: *).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import quote, urlsplit

from dsm_sim.peers.scan_server.filters.delivery import Batch, FilterError, extension, media_type
from dsm_sim.peers.scan_server.filters.targets import WebDav
from dsm_sim.peers.scan_server.jobs import Document

if TYPE_CHECKING:
    import httpx

_REASONS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "SharePointAccessDenied",
    HTTPStatus.FORBIDDEN: "SharePointAccessDenied",
    HTTPStatus.INSUFFICIENT_STORAGE: "SharePointOutOfDiskSpace",
}
_STORED: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
#: 405: it is there already.
_COLLECTION: Final = frozenset({HTTPStatus.CREATED, HTTPStatus.METHOD_NOT_ALLOWED})
_NAME_TRIES: Final = 100


def put_documents(server: WebDav, collection: Sequence[str], batch: Batch) -> Iterator[str]:
    """Puts each document under a free name, and yields its URL. ``collection`` are path components.

    Raises :class:`FilterError`.
    """
    import httpx  # noqa: PLC0415 - not before somebody wants WebDAV: it takes a while to load

    try:
        with httpx.Client(timeout=server.timeout_s, trust_env=False) as client:
            place = _Collection(client, server.url, tuple(collection))
            place.make()
            for document in batch.documents:
                yield place.put(document, batch.stem(document))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FilterError("UnknownError", f"{_public(server.url)}: {error or type(error).__name__}") from error


@dataclass(frozen=True)
class _Collection:
    client: httpx.Client
    base: str
    parts: tuple[str, ...]

    @property
    def url(self) -> str:
        return "/".join([self.base.rstrip("/"), *(quote(part, safe="@") for part in self.parts)])

    def make(self) -> None:
        """Makes it and what is missing above it, down to the base, which must exist."""
        status = self._status("MKCOL", self.url)
        if status == HTTPStatus.CONFLICT and len(self.parts) > 1:
            _Collection(self.client, self.base, self.parts[:-1]).make()
            status = self._status("MKCOL", self.url)
        if status not in _COLLECTION:
            raise _refused("MKCOL", self.url, status)

    def put(self, document: Document, stem: str) -> str:
        for number in range(1, _NAME_TRIES):
            name = f"{stem}.{extension(document)}" if number == 1 else f"{stem}-{number}.{extension(document)}"
            url = f"{self.url}/{quote(name)}"
            status = self._put(document, url)
            if status in _STORED:
                return _public(url)
            if status != HTTPStatus.PRECONDITION_FAILED:
                raise _refused("PUT", url, status)
        raise _refused("PUT", url, status)

    def _put(self, document: Document, url: str) -> int:
        headers = {"Content-Type": media_type(document), "If-None-Match": "*"}
        with document.path.open("rb") as file:
            return self._status("PUT", url, headers=headers, content=file)

    def _status(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, content: BinaryIO | None = None
    ) -> int:
        """The answer's body is not read: nobody knows how long it is."""
        with self.client.stream(method, url, headers=headers, content=content) as response:
            return response.status_code


def _refused(method: str, url: str, status: int) -> FilterError:
    return FilterError(_REASONS.get(status, "UnknownError"), f"{method} {_public(url)}: HTTP {status}")


def _public(url: str) -> str:
    """Without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
