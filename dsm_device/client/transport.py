"""HTTPS to one scan server: one POST, one answer.

httpx's transport is used without its client: a message needs no redirects, cookies, proxies or environment.
Source: WS-DSP, HTTP.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from dsm_device.client import failures
from dsm_device.client.failures import Progress, Server
from dsm_device.client.messages import FileMessage, Message
from dsm_device.errors import AnswerLost, ServerError, ServerProtocolError, ServerUnreachable
from dsm_device.wire.envelope import MAX_ANSWER_OCTETS
from dsm_device.wire.faults import Operation

_USER_AGENT: Final = "dsm-device"
#: Shorter than the idle limit of any server in use (http.sys: 120 s), so that we close first.
_KEEP_ALIVE_S: Final = 15.0
IDLE_CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """For one step each; nothing limits a whole job. Seconds."""

    #: Name resolution and TCP together, and TLS again.
    connect_s: float = 10.0
    #: Until the server has taken the next chunk of 128 KiB: the slowest that we bear is 2 kB/s.
    write_s: float = 60.0
    #: Silence before and within an answer.
    silence_s: float = 120.0
    #: From the end of the request to the end of the answer, however it trickles.
    answer_s: float = 300.0
    #: The same for a probe, since there are other forms of it to try.
    probe_s: float = 10.0
    #: Until a datagram is repeated, and then given up.
    datagram_s: float = 3.0

    def whole_answer_s(self, operation: Operation) -> float:
        return self.probe_s if operation is Operation.PROBE else self.answer_s


class StaleConnection(Exception):
    """The server had closed the connection while it was idle, which is no error.

    The message was not sent whole, or may be repeated anyway: as another message, with an id of its own. Each of
    these takes one connection out of the pool, so that one of the next :data:`IDLE_CONNECTIONS` is on a new one.
    """

    def __init__(self, cause: ServerError) -> None:
        super().__init__(cause.message)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """``media_type`` is in lower case without parameters, "" where there is none."""

    status: int
    media_type: str
    body: bytes


class Transport:
    """Connections to one scan server, kept alive between messages. Safe for concurrent tasks of one loop.

    Every connection is checked against ``name``, whatever the host of the URL: that is why it serves one server
    only (a pool of connections goes by URL, and would lend what was checked against another name).
    """

    def __init__(self, name: str, context: ssl.SSLContext, limits: TimeLimits) -> None:
        self.name = name
        self.limits = limits
        self._context = context
        pool = httpx.Limits(
            max_connections=None,
            max_keepalive_connections=IDLE_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_S,
        )
        self._http = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=pool)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def post(self, url: str, message: Message | FileMessage) -> HttpAnswer:
        """Send ``message`` and read the answer, whatever its status but a redirect.

        Raises :class:`StaleConnection`, :class:`ServerNotTrusted`, :class:`ServerUnreachable`,
        :class:`AnswerLost`, :class:`ServerProtocolError`; :class:`SpoolError` for the file.
        """
        target = self._parsed(url, message.operation)
        progress = Progress(message.operation)
        try:
            return await self._attempt(target, message, progress)
        except (ServerUnreachable, AnswerLost) as error:
            if progress.was_stale:
                raise StaleConnection(error) from error
            raise

    def _parsed(self, url: str, operation: Operation) -> httpx.URL:
        try:
            parsed = httpx.URL(url)
            parsed.host  # noqa: B018 - decodes an internationalised name, and fails only now at a bad one
        except (httpx.InvalidURL, UnicodeError) as error:
            problem = f"has an address that cannot be used, {url[:100]}"
            raise failures.nonsense(self.name, problem, operation) from error
        return parsed

    async def _attempt(self, url: httpx.URL, message: Message | FileMessage, progress: Progress) -> HttpAnswer:
        try:
            async with asyncio.timeout(None) as deadline:
                response = await self._http.handle_async_request(self._request(url, message, progress, deadline))
                try:
                    return await self._read(response, message.operation)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, ssl.SSLError, TimeoutError) as error:
            server = Server(self.name, url.raw_host.decode(), url.port or 443, self._context)
            raise await failures.translate(error, progress, server) from error

    def _request(
        self, url: httpx.URL, message: Message | FileMessage, progress: Progress, deadline: asyncio.Timeout
    ) -> httpx.Request:
        whole_s = self.limits.whole_answer_s(message.operation)

        async def trace(event: str, _details: Mapping[str, Any]) -> None:
            progress.note(event)
            if event == "http11.receive_response_headers.started":
                # Also after a failed write: a server may refuse a message before it has read all of it.
                deadline.reschedule(asyncio.get_running_loop().time() + whole_s)

        headers = {
            **message.headers,
            "Content-Length": str(message.length),
            "Cache-Control": "no-cache",
            "User-Agent": _USER_AGENT,
            "Accept-Encoding": "identity",
        }
        timeout = {
            "connect": self.limits.connect_s,
            "write": self.limits.write_s,
            "read": min(self.limits.silence_s, whole_s),
            "pool": None,
        }
        extensions = {"timeout": timeout, "sni_hostname": self.name, "trace": trace}
        return httpx.Request("POST", url, headers=headers, content=message.chunks(), extensions=extensions)

    async def _read(self, response: httpx.Response, operation: Operation) -> HttpAnswer:
        status, headers = response.status_code, response.headers
        if 300 <= status < 400:
            target = headers.get("location", "nowhere")[:200]
            raise ServerProtocolError(
                f"the scan server {self.name} redirects {operation.value} (HTTP {status}) to {target}",
                "make ScanRepository name the server itself",
            )
        if headers.get("content-encoding", "identity") != "identity":
            raise failures.nonsense(self.name, "answers in an encoding that was not asked for", operation)
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_ANSWER_OCTETS:
                raise failures.nonsense(
                    self.name, f"answers with more than {MAX_ANSWER_OCTETS:,} octets", operation
                )
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        return HttpAnswer(status, media_type, bytes(body))
