"""HTTP/1.1 for a browser that reads: GET and HEAD, small heads, no bodies, kept alive. Source: RFC 9110, 9112."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import h11

_LOG: Final = logging.getLogger(__name__)
_HEAD_LIMIT: Final = 16_384
_READ_OCTETS: Final = 65_536
_PATIENCE_S: Final = 30.0
_MAX_AGE_S: Final = 86_400

#: Nothing from elsewhere, nothing inline, no frames, no forms.
_SAFETY: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
#: A picture alone is shown in a page that the browser makes itself, with styles of its own.
_PICTURE_POLICY: Final = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@dataclass(frozen=True)
class WebAnswer:
    """``body`` is what it says, or a file with it. What has a ``tag`` never changes."""

    body: bytes | Path
    media_type: str = "text/html; charset=utf-8"
    status: int = 200
    tag: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def plain(status: int, text: str, **headers: str) -> WebAnswer:
    return WebAnswer(f"{text}\n".encode(), "text/plain; charset=utf-8", status, headers=headers)


@dataclass(frozen=True)
class WebSite:
    """What the connections ask. ``answer`` is given the path without query."""

    answer: Callable[[str], Awaitable[WebAnswer]]
    is_own_host: Callable[[str], bool]


class WebConnection:
    """Serves one browser until it goes away or is idle."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: WebSite) -> None:
        self._reader = reader
        self._writer = writer
        self._site = site
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)

    async def serve(self) -> None:
        try:
            while await self._exchange():
                self._http.start_next_cycle()
        except (OSError, TimeoutError, h11.LocalProtocolError):
            pass  # the browser is gone, or its file changed while it was sent: nobody is left to tell
        finally:
            self._writer.close()

    async def _exchange(self) -> bool:
        """One request and its answer; False where the connection is done."""
        try:
            request = await self._event()
            if not isinstance(request, h11.Request):
                return False
            has_body = not isinstance(self._http.next_event(), h11.EndOfMessage)
        except h11.RemoteProtocolError as error:
            await self._send(plain(error.error_status_hint, "No such request."), "GET", {})
            return False
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
        answer = plain(413, "This page takes no bodies.") if has_body else await self._answer(request, headers)
        await self._send(answer, request.method.decode("ascii"), headers)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(_PATIENCE_S):
                self._http.receive_data(await self._reader.read(_READ_OCTETS))
        return event

    async def _answer(self, request: h11.Request, headers: Mapping[str, str]) -> WebAnswer:
        if request.method not in {b"GET", b"HEAD"}:
            return plain(405, "This page is for reading.", Allow="GET, HEAD")
        if not self._site.is_own_host(headers.get("host", "")):
            # A stranger's page may have its name lead here (DNS rebinding), but cannot change the name.
            return plain(421, "This server does not go by that name.")
        try:
            return await self._site.answer(request.target.decode("latin-1").partition("?")[0])
        except Exception:
            _LOG.exception("the page of the simulated scan server failed")
            return plain(500, "This page failed; the server's log says how.")

    # ----------------------------------------------------------------------------------------- write

    async def _send(self, answer: WebAnswer, method: str, request_headers: Mapping[str, str]) -> None:
        if answer.tag and request_headers.get("if-none-match") == f'"{answer.tag}"':
            answer = WebAnswer(b"", answer.media_type, 304, answer.tag)
        length = len(answer.body) if isinstance(answer.body, bytes) else answer.body.stat().st_size
        await self._write(self._http.send(self._head(answer, length)))
        if method != "HEAD" and answer.status != http.HTTPStatus.NOT_MODIFIED:
            await self._send_body(answer.body)
        await self._write(self._http.send(h11.EndOfMessage()))

    def _head(self, answer: WebAnswer, length: int) -> h11.Response:
        lasting = {"Cache-Control": f"private, max-age={_MAX_AGE_S}, immutable", "ETag": f'"{answer.tag}"'}
        headers = {
            "Content-Type": answer.media_type,
            "Content-Length": str(length),
            **(lasting if answer.tag else {"Cache-Control": "no-store"}),
            **_SAFETY,
            **({"Content-Security-Policy": _PICTURE_POLICY} if answer.media_type.startswith("image/") else {}),
            **answer.headers,
        }
        reason = http.HTTPStatus(answer.status).phrase.encode()
        return h11.Response(status_code=answer.status, headers=list(headers.items()), reason=reason)

    async def _send_body(self, body: bytes | Path) -> None:
        if isinstance(body, bytes):
            await self._write(self._http.send(h11.Data(data=body)))
            return
        with body.open("rb") as file:
            while data := await asyncio.to_thread(file.read, _READ_OCTETS):
                await self._write(self._http.send(h11.Data(data=data)))

    async def _write(self, data: bytes | None) -> None:
        self._writer.write(data or b"")
        async with asyncio.timeout(_PATIENCE_S):
            await self._writer.drain()
