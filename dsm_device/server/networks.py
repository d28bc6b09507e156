"""Which hosts may come: addresses without their zone, and a list of networks in CIDR form."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def address_of(host: str) -> Address | None:
    """The address that ``host`` spells: without zone, and as IPv4 where IPv6 only carries it; None for a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def plain_host(host: str) -> str:
    """``host`` as it is compared and put into URLs: see :func:`address_of`; a name stays as it is."""
    address = address_of(host)
    return host if address is None else str(address)


def _unmapped(network: Network) -> Network:
    """IPv4 for a network of IPv4 addresses in IPv6 (RFC 4291, 2.5.5.2), as :func:`address_of` has them."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        return ipaddress.IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


@dataclass(frozen=True, slots=True)
class Networks:
    """Without ``ranges`` everybody is allowed."""

    ranges: tuple[Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """From "192.0.2.0/24", "2001:db8::/32" or single addresses. Raises ValueError."""
        return cls(tuple(_unmapped(ipaddress.ip_network(text)) for text in texts))

    def allow(self, host: str) -> bool:
        """Whether the address ``host`` may come."""
        if not self.ranges:
            return True
        address = address_of(host)
        return address is not None and any(address in each for each in self.ranges)
