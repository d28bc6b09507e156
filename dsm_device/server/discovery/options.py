"""Where the device is found, and what it says of itself there."""

from __future__ import annotations

from dataclasses import dataclass

from dsm_device.server.discovery.interfaces import InterfaceAddress
from dsm_device.server.identity import Identity
from dsm_device.wire.announcing import Announced
from dsm_device.wire.hosting import DEVICE_TYPES

#: The addresses of this machine alike (contract: console.listen).
_ANY = ("", "0.0.0.0", "::")  # noqa: S104 - only compared


@dataclass(frozen=True, slots=True)
class DiscoveryOptions:
    """``interfaces`` are names; () means all of them, as they come and go."""

    port: int = 3702
    interfaces: tuple[str, ...] = ()
    #: The IP address at which HTTP is served: no other is told. "", "0.0.0.0" and "::" are all of this machine.
    listen: str = ""
    http_port: int = 5357
    #: https only where all that is announced is https: Windows ignores a mixture.
    scheme: str = "http"
    #: Clark names.
    types: tuple[str, ...] = DEVICE_TYPES
    #: URIs.
    scopes: tuple[str, ...] = ()

    def announced(self, identity: Identity) -> Announced:
        """What is said everywhere."""
        return Announced(identity.endpoint, identity.metadata_version, self.types, self.scopes)

    def xaddr(self, identity: Identity, address: InterfaceAddress) -> str:
        """The URL of the device's endpoint, as it is told to whoever is spoken to from ``address``."""
        return f"{self.scheme}://{address.host}:{self.http_port}/{identity.uuid}"

    def is_served(self, address: InterfaceAddress) -> bool:
        """Whether the device is found there."""
        return self.listen in _ANY or self.listen == str(address.ip)
