"""The one application behind the console's ports: who gets which request, and what is no request for anybody.

In front stand the paths of the event sink, whose secret is their key. All else is SOAP over HTTP, as DPWS
hosting has it, and goes to the :class:`SoapService`, which takes octets and gives some.
"""

from __future__ import annotations

import asyncio
import html
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from dsm_device.server.asgi import (
    CERTIFIED,
    Field,
    Gone,
    Message,
    Receive,
    Send,
    TooLarge,
    TooSlow,
    answer,
    read_body,
    refuse,
)
from dsm_device.server.event_sink import FOLDER, EventSink
from dsm_device.server.networks import address_of, plain_host
from dsm_device.server.unknown_requests import UnknownRequests
from dsm_device.wire.envelope import MAX_ENVELOPE_OCTETS

_log = logging.getLogger(__name__)

_SOAP_TYPE: Final = (b"content-type", b"application/soap+xml; charset=utf-8")
_MEDIA_TYPES: Final = frozenset({"application/soap+xml", "text/xml", "application/xml"})
_CHARSETS: Final = frozenset({"", "utf-8", "utf8", "us-ascii", "utf-16", "utf-16le", "utf-16be"})
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)
#: A name or an address that may go into a URL, with its port: no user, no path, nothing to be escaped.
_AUTHORITY: Final = re.compile(r"([A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
_PAGE_FIELDS: Final = (
    _HTML,
    (b"content-security-policy", b"default-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """``status`` of HTTP, ``body`` a SOAP envelope or nothing.

    ``unknown`` says in a few words what of the request this device does not know, "" where it knows it all.
    """

    status: int
    body: bytes = b""
    unknown: str = ""


class SoapService(Protocol):
    def serves(self, path: str) -> bool:
        """Whether there is an endpoint of that path."""

    async def answer(self, data: bytes, path: str, base_url: str, peer_host: str) -> Reply:
        """To the request ``data``.

        ``base_url`` is scheme and authority by which the client reached us, without a slash at the end;
        ``peer_host`` the client's address, with its zone where it has one.
        """


@dataclass(frozen=True, slots=True)
class About:
    """All that a person sees at GET /."""

    name: str
    model: str


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """Limits of one request, and whom it is taken from."""

    max_octets: int = MAX_ENVELOPE_OCTETS
    #: From the head of a request until all of it is there. Head and body have the 30 s of DPWS hosting together.
    body_s: float = 20.0
    answer_s: float = 20.0
    #: Only clients that have shown a certificate are answered, except at the sink.
    needs_certificate: bool = False


class _Refusal(Exception):
    """A request that goes no further: HTTP status, and fields of the answer."""

    def __init__(self, status: int, *fields: Field, unknown: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.fields = fields
        self.unknown = unknown


class FrontDoor:
    """An ASGI application."""

    def __init__(
        self,
        service: SoapService,
        sink: EventSink | None,
        about: Callable[[], About],
        options: DoorOptions | None = None,
    ) -> None:
        self._service = service
        self._sink = sink
        self._about = about
        self._options = options or DoorOptions()
        self._unknown = UnknownRequests()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = _path(scope)
        if self._sink is not None and path.startswith(FOLDER):
            await self._sink(scope, receive, send)
            return
        try:
            self._check(scope, path)
            if scope["method"] != "POST":
                await answer(send, 200, _page(self._about()), *_PAGE_FIELDS)
                return
            body = await self._body(scope, receive)
        except _Refusal as refusal:
            self._unknown.note(refusal.unknown, scope, path)
            await refuse(receive, send, refusal.status, *refusal.fields)
        except Gone:
            return
        else:
            reply = await self._reply(body, scope, path)
            self._unknown.note(reply.unknown, scope, path, body)
            await answer(send, reply.status, reply.body, *([_SOAP_TYPE] if reply.body else []))

    def _check(self, scope: Message, path: str) -> None:
        """What can be said before the body is there. Raises :class:`_Refusal`."""
        if self._options.needs_certificate and not scope.get("state", {}).get(CERTIFIED):
            raise _Refusal(403)
        if path != "/" and not self._service.serves(path):
            raise _Refusal(404, unknown=f"path {path}")
        is_page = path == "/" and scope["method"] in ("GET", "HEAD")
        if not is_page and scope["method"] != "POST":
            raise _Refusal(
                405,
                (b"allow", b"GET, HEAD, POST" if path == "/" else b"POST"),
                unknown=f"method {scope['method']}",
            )
        if scope["method"] == "POST":
            _check_content(scope["headers"])

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        options = self._options
        try:
            return await read_body(scope, receive, max_octets=options.max_octets, limit_s=options.body_s)
        except TooLarge:
            raise _Refusal(413) from None
        except TooSlow:
            raise _Refusal(408) from None

    async def _reply(self, body: bytes, scope: Message, path: str) -> Reply:
        try:
            async with asyncio.timeout(self._options.answer_s):
                return await self._service.answer(body, path, _base_url(scope), _peer_host(scope))
        except TimeoutError:
            _log.error("a request of %d octets could not be answered in time", len(body))
        except Exception:
            _log.exception("a request of %d octets could not be answered", len(body))
        return Reply(500)


def _check_content(fields: list[Field]) -> None:
    """Raises :class:`_Refusal`.

    A browser names the page that it sends for, and a page is no console: one that a user of the network was lured
    to could otherwise ask for jobs, under a name that it made this machine's (DNS rebinding).
    """
    if _values(fields, b"origin"):
        raise _Refusal(403, unknown="origin")
    types = _values(fields, b"content-type")
    encodings = {each.strip().lower() for each in _values(fields, b"content-encoding")}
    media_type, charset = _media_type(types[0]) if len(types) == 1 else ("", "")
    if media_type not in _MEDIA_TYPES or charset not in _CHARSETS or encodings - {"", "identity"}:
        raise _Refusal(415, unknown=f"content {media_type} {charset}")


def _media_type(value: str) -> tuple[str, str]:
    """Type and charset, in lower case; "" for none."""
    charset = _CHARSET.search(value)
    return value.partition(";")[0].strip().lower(), charset[1].lower() if charset else ""


def _values(fields: list[Field], name: bytes) -> list[str]:
    return [value.decode("latin-1") for each, value in fields if each == name]


def _path(scope: Message) -> str:
    """Also of a request line that has a whole URL, as one for a proxy."""
    path: str = scope["path"]
    if path[:1] == "/":
        return path
    scheme, colon, rest = path.partition("://")
    return "/" + rest.partition("/")[2] if colon and scheme.lower() in ("http", "https") else path


def _base_url(scope: Message) -> str:
    """By what the client calls us, where it may stand in a URL; else by the address that it has reached."""
    hosts = _values(scope["headers"], b"host")
    if len(hosts) == 1 and _is_authority(hosts[0]):
        return f"{scope['scheme']}://{hosts[0]}"
    address, port = scope.get("server") or ("localhost", 0)
    host = plain_host(address)
    return f"{scope['scheme']}://{f'[{host}]' if ':' in host else host}:{port}"


def _peer_host(scope: Message) -> str:
    """With its zone: a link-local address is no address without it."""
    host, percent, zone = (scope.get("client") or ("", 0))[0].partition("%")
    return plain_host(host) + percent + zone


def _is_authority(text: str) -> bool:
    parts = _AUTHORITY.fullmatch(text)
    if parts is None or int(parts[2] or 1) not in range(1, 65536):
        return False
    return parts[1][0] != "[" or address_of(parts[1][1:-1]) is not None


def _page(about: About) -> bytes:
    """Name and model, nothing of users, jobs or settings."""
    name, model = html.escape(about.name), html.escape(about.model)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<h1>{name}</h1><p>{model}</p><p>A scanner for Distributed Scan Management. To add it to the scan "
        "management console, give that this address.</p></html>\n"
    ).encode()
