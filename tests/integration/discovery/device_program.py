"""The device by itself, for a network of its own: discovery, and what the metadata are by HTTP.

    python device_program.py '{"state_dir": "...", "port": 3702, "interfaces": [], "http_port": 5357}'

It says "ready" when it listens, and ends in order when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from dsm_device.server.discovery import DiscoveryHost, DiscoveryOptions
from dsm_device.server.identity import Identity
from dsm_device.wire import hosting
from dsm_device.wire.names import GET_RESPONSE
from dsm_device.wire.service_request import parse_request, render_answer

NAME = "Front desk scanner"


def metadata(identity: Identity) -> hosting.HostMetadata:
    url = "http://scanner.example.com/"
    return hosting.HostMetadata(
        identity.uuid,
        hosting.ThisDevice(NAME, "1.0.0", identity.uuid[:8]),
        hosting.ThisModel("Example", url, "DSM Scanner", "1", url),
        hosting.hosted_services("VEN_EX01&DEV_0001"),
    )


def serve_metadata(identity: Identity, port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = parse_request(self.rfile.read(int(self.headers["Content-Length"])))
            body = hosting.render(metadata(identity), f"http://{self.headers['Host']}")
            data = render_answer(GET_RESPONSE, uuid.uuid4().urn, request.message_id, body)
            self.send_response(200)
            self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """The test looks at the client."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6  # and IPv4 with it

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

    with contextlib.suppress(OSError):  # another daemon has the port
        threading.Thread(target=Server(("::", port), Handler).serve_forever, daemon=True).start()


async def main(options: dict[str, Any]) -> None:
    identity = Identity.open(Path(options.pop("state_dir")))
    options["interfaces"] = tuple(options["interfaces"])
    settings = DiscoveryOptions(**options)
    serve_metadata(identity, settings.http_port)
    async with DiscoveryHost(identity, settings):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(json.loads(sys.argv[1])))
