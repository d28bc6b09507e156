"""A TCP port that stays its owner's while nothing listens there, and the end of listening without loose ends."""

from __future__ import annotations

import asyncio
import socket


class HeldPort:
    """A TCP port of ``host``, 0 for any free one. Raises OSError where it cannot be had.

    Bound but not listening, the held socket refuses connections and keeps the number from other programs.
    """

    def __init__(self, host: str, number: int) -> None:
        self._host = host
        self._held = _bound(host, number)
        self.number: int = self._held.getsockname()[1]

    def listen(self, receive_buffer: int | None = None) -> socket.socket:
        """A listening socket; ``receive_buffer`` in octets, None for the system's choice."""
        tcp = _bound(self._host, self.number)
        if receive_buffer:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        tcp.listen(128)
        return tcp

    def close(self) -> None:
        self._held.close()


async def stop_accepting(server: asyncio.Server) -> None:
    """Closes the listening sockets.

    A connection that asyncio has accepted but not yet taken up when its server is closed is dropped without being
    closed, and its client waits for ever. So nothing new is accepted first, and what is accepted is taken up.
    """
    loop = asyncio.get_running_loop()
    for each in server.sockets:
        loop.remove_reader(each.fileno())
    for _ in range(3):
        await asyncio.sleep(0)
    server.close()


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bound(host: str, number: int) -> socket.socket:
    tcp = socket.socket(family(host), socket.SOCK_STREAM)
    try:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((host, number))
    except OSError:
        tcp.close()
        raise
    return tcp
