"""Which address shows what, and the port on which it is served."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Final, Protocol
from urllib.parse import urlsplit

from dsm_sim.image_files import FORMATS
from dsm_sim.peers.scan_server.jobs import Document
from dsm_sim.peers.scan_server.options import ScanServerOptions
from dsm_sim.peers.scan_server.report import Report
from dsm_sim.peers.scan_server.web.connection import WebAnswer, WebConnection, WebSite, plain
from dsm_sim.peers.scan_server.web.front_page import front_page
from dsm_sim.peers.scan_server.web.job_page import job_page
from dsm_sim.peers.scan_server.web.layout import Frame
from dsm_sim.peers.scan_server.web.pictures import Pictures
from dsm_sim.peers.scan_server.web.tiles import tile

#: What every browser shows as it was received.
_SHOWN_AS_IT_IS: Final = frozenset({"jfif", "exif", "png"})
_CONNECTION_LIMIT: Final = 64
_JOB: Final = re.compile(r"/jobs/([0-9a-f-]{36})")
_IMAGE: Final = re.compile(r"/jobs/([0-9a-f-]{36})/([0-9]{1,10})/(?:([0-9]{1,5})/(thumbnail|picture)|(original))")
_ASSETS: Final[Mapping[str, tuple[str, str]]] = {
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/refresh.js": ("refresh.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_MISSING: Final = plain(404, "There is nothing here.")


class Watched(Protocol):
    """What the page asks of the scan server."""

    options: ScanServerOptions

    def report(self) -> Report: ...

    def document(self, token: str, document_id: int) -> Document | None: ...


class WebPage:
    """``await start()`` serves it until ``await stop()``. Raises OSError where the port is taken."""

    def __init__(self, server: Watched) -> None:
        self._server = server
        self._pictures = Pictures()
        self._began = time.monotonic()
        self._site = WebSite(self._answer, self._is_own_host)
        self._connections: set[asyncio.Task[None]] = set()
        self.address = ""

    async def start(self) -> None:
        options = self._server.options
        host, port = options.web_host, options.web_port or 0
        try:
            self._listener = await asyncio.start_server(self._connected, host, port)
        except OSError as error:
            # asyncio's own text names the address once more.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise OSError(error.errno, reason, f"port {port} on {host} for the page") from error
        host, port = self._listener.sockets[0].getsockname()[:2]
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    async def stop(self) -> None:
        self._listener.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._pictures.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= _CONNECTION_LIMIT:
            writer.close()
            return
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with suppress(asyncio.CancelledError):  # the server stops
            await WebConnection(reader, writer, self._site).serve()

    def _is_own_host(self, host: str) -> bool:
        """An address is nobody's name, so that no name can be made to lead here in its place."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        own = {"localhost", self._server.options.web_host, *self._server.options.names}
        return name in {each.lower() for each in own} or _is_address(name)

    # ---------------------------------------------------------------------------------------- routes

    async def _answer(self, path: str) -> WebAnswer:
        if path == "/":
            return WebAnswer(front_page(self._frame(), self._server.report()))
        if asset := _ASSETS.get(path):
            return WebAnswer(files(__package__).joinpath(asset[0]).read_bytes(), asset[1])
        if found := _JOB.fullmatch(path):
            return self._job(found[1])
        if found := _IMAGE.fullmatch(path):
            return await self._image(*found.groups())
        return _MISSING

    def _frame(self) -> Frame:
        options = self._server.options
        return Frame(options.personality.name, round(time.monotonic() - self._began))

    def _job(self, token: str) -> WebAnswer:
        report = self._server.report()
        job = next((each for each in report.jobs if each.token == token), None)
        return WebAnswer(job_page(self._frame(), report, job)) if job else _MISSING

    async def _image(
        self, token: str, document_id: str, page: str | None, size: str | None, original: str | None
    ) -> WebAnswer:
        document = self._server.document(token, int(document_id))
        if document is None or (page is not None and not 1 <= int(page) <= document.facts.pages):
            return _MISSING
        if not document.path.is_file():
            return tile("removed", status=410)
        if original:
            return _as_received(document, {"Content-Disposition": _attachment(document)})
        if size == "picture" and document.format in _SHOWN_AS_IT_IS:
            return _as_received(document, {})
        return await self._picture(document, int(page or 1), size or "")

    async def _picture(self, document: Document, page: int, size: str) -> WebAnswer:
        picture = await self._pictures.picture(document, page - 1, size)
        if picture is None:
            return tile(document.format)
        return WebAnswer(picture.content, picture.media_type, tag=f"{document.sha256[:32]}-{page}-{size}")


def _as_received(document: Document, headers: Mapping[str, str]) -> WebAnswer:
    media_type = FORMATS.get(document.format, ("", "application/octet-stream"))[1]
    return WebAnswer(document.path, media_type, tag=document.sha256[:32], headers=headers)


def _attachment(document: Document) -> str:
    return f'attachment; filename="image-{document.document_id}{document.path.suffix}"'


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
