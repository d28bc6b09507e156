"""Listening sockets, and one clear line where there is none to be had."""

from __future__ import annotations

import errno
import socket

from dsm_device.errors import ConfigurationError

#: What a person writes for "on every address", IPv4 and IPv6 alike.
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not listened on


def listen(host: str, port: int, key: str) -> socket.socket:
    """``host`` an address of this machine or one of :data:`EVERYWHERE`, ``port`` 0 for any free one.

    ``key`` is the setting that has the port, for the message. Raises :class:`ConfigurationError`.
    """
    try:
        if host not in EVERYWHERE:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family)
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        raise _refused(host, port, key, error) from error


def _refused(host: str, port: int, key: str, error: OSError) -> ConfigurationError:
    where = f"port {port}" if host in EVERYWHERE else f"port {port} of {host}"
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"{where} is taken by another program, such as wsdd or another WSD host",
            f"stop it (ss -ltnp sport = :{port} names it), or set {key} to a free port",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigurationError(f"{where} may not be listened on", f"set {key} to one from 1024 on")
    remedy = f"check {key}"
    if host not in EVERYWHERE:
        remedy += " and the address, which must be one of this machine"
    return ConfigurationError(f"{where} cannot be listened on: {error.strerror or error}", remedy)
