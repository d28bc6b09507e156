"""The ports of the console's endpoint: HTTP, and HTTPS beside it where there is a certificate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from dsm_device.server.asgi import Application
from dsm_device.server.http_server import HttpOptions, HttpServer
from dsm_device.server.listening import listen
from dsm_device.server.places import Places


@dataclass(frozen=True, slots=True)
class PortOptions:
    """``listen`` "0.0.0.0" and "::" alike are every address of this machine, IPv4 and IPv6; port 0 any free one.

    ``http`` has the limits, and the certificate: without one ``https_port`` stays closed.
    """

    listen: str = ""
    http_port: int = 5357
    https_port: int = 5358
    http: HttpOptions = HttpOptions()  # noqa: RUF009 - frozen


class DoorPorts:
    """Serves one application on both; they share the places for connections."""

    def __init__(self, application: Application, options: PortOptions) -> None:
        self.application = application
        self._options = options
        self._places = Places(options.http.places)
        self._http: HttpServer | None = None
        self._https: HttpServer | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Both listen, or none. Raises :class:`~dsm_device.errors.ConfigurationError`."""
        options = self._options
        plain = replace(options.http, certificate="", key="", client_ca="")
        try:
            self._http = await self._serve(plain, options.http_port, "console.http_port")
            if options.http.certificate:
                self._https = await self._serve(options.http, options.https_port, "console.https_port")
        except BaseException:
            await self.aclose()
            raise

    async def _serve(self, options: HttpOptions, port: int, key: str) -> HttpServer:
        listening = listen(self._options.listen, port, key)
        try:
            server = HttpServer(self.application, options, listening, self._places)
            await server.start()
        except BaseException:
            listening.close()
            raise
        return server

    async def aclose(self) -> None:
        servers, self._http, self._https = (self._http, self._https), None, None
        for each in servers:
            if each is not None:
                await each.aclose()

    @property
    def connections(self) -> int:
        """That there are now, at both ports, also those that have not come as far as a request."""
        return len(self._places.taken)

    @property
    def http_port(self) -> int:
        """The port that is listened on, 0 before the start."""
        return self._http.port if self._http else 0

    @property
    def https_port(self) -> int:
        """The port that is listened on, 0 before the start and where there is no certificate."""
        return self._https.port if self._https else 0
