"""What the filters' tests share: documents to deliver, instructions, a mail server and a WebDAV server."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import io
import socketserver
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from aiosmtpd.smtp import SMTP
from lxml import etree
from wsgidav.wsgidav_app import WsgiDAVApp

from dsm_sim.image_files import ImageFacts
from dsm_sim.peers.scan_server.filters import Batch, FilterError, Targets, run_filter
from dsm_sim.peers.scan_server.jobs import Document

FILTER = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter"
NOW = datetime.datetime(2026, 3, 2, 9, 14, 7)  # noqa: DTZ001 - the server's local time has no zone
#: Bytes that a careless mail or HTTP program changes.
TRICKY = b"\r\n.\r\n\n.\n\r\rFrom here\0\xff" + bytes(range(256))
JPEG = b"\xff\xd8" * 3000


@pytest.fixture
def make_batch(tmp_path: Path) -> Callable[..., Batch]:
    def make(root_name: str = "Scan", user: str = "amelie@corp.example.com", images: Any = None, **targets: Any):
        documents = []
        for number, (image_format, data) in enumerate(images or [("jfif", JPEG), ("pdf-a", TRICKY)], 1):
            path = tmp_path / f"received-{number}"
            path.write_bytes(data)
            documents.append(Document(number, image_format, path, len(data), "", ImageFacts(), NOW))
        return Batch(user, root_name, tuple(documents), tmp_path / "out", NOW, Targets(**targets))

    return make


@pytest.fixture
def outcome() -> Callable[..., tuple[list[object], str, str]]:
    """Runs a filter by its short name: what was delivered, the reason, the detail."""

    def run(name: str, batch: Batch, *texts: str, own: bool = False) -> tuple[list[object], str, str]:
        delivered: list[object] = []
        try:
            delivered.extend(run_filter(f"{FILTER}/{name}", _instructions(name, texts, own), batch))
        except FilterError as error:
            return delivered, str(error), error.detail
        return delivered, "", ""

    return run


def _instructions(name: str, texts: tuple[str, ...], own: bool) -> etree._Element:
    root, flag, group, item = {
        "fileshare": ("FileShareConfig", "", "FileShares", "ShareUNC"),
        "email": ("EmailConfig", "SendToScanUser", "SendToAddresses", "EmailAddress"),
        "sharepoint": ("SharePointConfig", "SaveToMySite", "SaveToSharePointSites", "SaveToSharePointSiteURL"),
    }[name]
    inner = "".join(f"<{item}>{escape(text)}</{item}>" for text in texts)
    own_part = f"<{flag}>true</{flag}>" if own else ""
    return etree.fromstring(f'<{root} xmlns="{FILTER}/{name}">{own_part}<{group}>{inner}</{group}></{root}>')


# --------------------------------------------------------------------------------------------- e-mail


@pytest.fixture
def mail_server() -> Iterator[Callable[..., int]]:
    """Starts aiosmtpd with a handler and returns its port; ``kind`` may be a class made of its SMTP."""
    with contextlib.ExitStack() as running:

        def start(handler: object, kind: type[SMTP] = SMTP, **options: Any) -> int:
            return running.enter_context(_mail_server(handler, kind, options))

        yield start


@contextlib.contextmanager
def _mail_server(handler: object, kind: type[SMTP], options: dict[str, Any]) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: kind(handler, hostname="mail.test", loop=loop, **options), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


# --------------------------------------------------------------------------------------------- WebDAV


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Silent(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class _Body(io.RawIOBase):
    """The body of a request, which ends where its length says; wsgiref's own goes on waiting for more."""

    def __init__(self, raw: Any, length: int) -> None:
        self.raw, self.left = raw, length

    def read(self, size: int = -1) -> bytes:
        data = self.raw.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(data)
        return data


def _with_ending_bodies(app: Any) -> Any:
    def layer(environ: Any, start_response: Any) -> Any:
        environ["wsgi.input"] = _Body(environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0))
        return app(environ, start_response)

    return layer


@pytest.fixture
def dav_server(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts WsgiDAV over ``tmp_path/site`` and returns its base URL; ``wrap`` stands around the application."""
    with contextlib.ExitStack() as running:

        def start(
            users: object = True, readonly: bool = False, wrap: Callable[[Any], Any] = lambda app: app
        ) -> str:
            root = tmp_path / "site"
            root.mkdir(exist_ok=True)
            app = WsgiDAVApp(
                {
                    "provider_mapping": {"/": {"root": str(root), "readonly": readonly}},
                    "simple_dc": {"user_mapping": {"*": users}},
                    "http_authenticator": {
                        "accept_basic": True,
                        "accept_digest": False,
                        "default_to_digest": False,
                    },
                    "verbose": 0,
                    "logging": {"enable": False},
                }
            )
            return running.enter_context(_wsgi_server(_with_ending_bodies(wrap(app))))

        yield start


@contextlib.contextmanager
def _wsgi_server(app: Any) -> Iterator[str]:
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, _Server, _Silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
