"""Listening sockets, and one clear line where there is none to be had."""

from __future__ import annotations

import errno
import logging
import socket
from typing import Final

from dsm_device.errors import ConfigurationError

_log = logging.getLogger(__name__)

#: Linux, ip(7): an address that this machine does not have yet may be listened on, IPv6 as well.
_IP_FREEBIND: Final = 15

#: What a person writes for "on every address", IPv4 and IPv6 alike.
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not listened on


def listen(host: str, port: int, key: str) -> socket.socket:
    """``host`` an address of this machine or one of :data:`EVERYWHERE`, ``port`` 0 for any free one.

    An address that is not there yet, since the network is still coming up, is listened on all the same.
    ``key`` is the setting that has the port, for the message. Raises :class:`ConfigurationError`.
    """
    try:
        if host not in EVERYWHERE:
            return _listen_on(host, port)
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        raise _refused(host, port, key, error) from error


def _listen_on(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen()
    except OSError:
        listening.close()
        raise
    _log.warning(
        "this machine does not have the address %s yet; port %d is listened on for when it has", address, port
    )
    return listening


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
