"""What the applications behind our ports share: reading a body within limits, and refusing without a body.

Source: the ASGI specification (HTTP, 2.3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Field = tuple[bytes, bytes]

#: Key in ``scope["state"]``: whether the client has shown a certificate of the authority that we asked for.
CERTIFIED: Final = "client_is_certified"
#: What still comes of a refused message is read and thrown away, up to these limits: a connection that is closed
#: with octets unread is reset, and with the reset Windows loses the answer.
_DRAINED_OCTETS: Final = 131_072
_DRAINED_S: Final = 1.0


class TooLarge(Exception):
    """The body exceeds the limit."""


class TooSlow(Exception):
    """The body did not come in time."""


class Gone(Exception):
    """The sender hung up in the middle."""


async def read_body(scope: Message, receive: Receive, *, max_octets: int, limit_s: float) -> bytes:
    """All of it, at most ``max_octets``. Raises :class:`TooLarge`, :class:`TooSlow`, :class:`Gone`."""
    stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not stated.isdigit() or int(stated[:20]) > max_octets:
        raise TooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(limit_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > max_octets:
                    raise TooLarge
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise TooSlow from error


async def answer(send: Send, status: int, body: bytes = b"", *fields: Field) -> None:
    """``fields`` beside Content-Length."""
    await send(_start(status, len(body), fields))
    await send({"type": "http.response.body", "body": body})


async def refuse(receive: Receive, send: Send, status: int, *fields: Field) -> None:
    """No body, and the end of the connection, since the rest of the message may still be coming."""
    await send(_start(status, 0, (*fields, (b"connection", b"close"))))
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    if status != 408:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAINED_S):
                await _drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    drained = 0
    while drained <= _DRAINED_OCTETS:
        message = await receive()
        drained += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


def _start(status: int, length: int, fields: tuple[Field, ...]) -> Message:
    headers = [(b"content-length", str(length).encode()), *fields]
    return {"type": "http.response.start", "status": status, "headers": headers}
