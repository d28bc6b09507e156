"""The address of this machine that a server sees: the one that the way to it begins at."""

from __future__ import annotations

import asyncio
import socket

import httpx


async def facing_address(url: str) -> str:
    """The local IP address that faces the host of ``url``, as it stands in a URL: IPv6 in brackets.

    No packet is sent: the kernel chooses the way when a datagram socket is connected. Raises OSError where there
    is none, or the name does not resolve.
    """
    target = httpx.URL(url)
    loop = asyncio.get_running_loop()
    port = target.port or 443
    found = await loop.getaddrinfo(target.host, port, type=socket.SOCK_DGRAM)
    problem: OSError = OSError(f"{target.host} has no address")
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(address)
                local = str(probe.getsockname()[0]).partition("%")[0]
        except OSError as error:
            problem = error
        else:
            return f"[{local}]" if family == socket.AF_INET6 else local
    raise problem
