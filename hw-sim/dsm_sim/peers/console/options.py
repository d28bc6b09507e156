"""How a simulated console is set up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dsm_sim.peers.console.findings import Finding
from dsm_sim.peers.console.names import DISCOVERY_PORT


def _nobody(_finding: Finding) -> None:
    """Nobody watches."""


@dataclass(frozen=True, kw_only=True)
class DiscoveryOptions:
    """Where and how long devices are looked for."""

    #: Names of network interfaces.
    interfaces: tuple[str, ...] = ("lo",)
    group_ipv4: str = "239.255.255.250"
    group_ipv6: str = "ff02::c"
    port: int = DISCOVERY_PORT
    #: An answer that comes later is one too late for known clients (WSDAPI: APP_MAX_DELAY 2,500 ms).
    window_s: float = 2.5
    #: How much longer is listened, so that late answers are seen (Windows' firewall: 4 s in all).
    grace_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """The defaults keep to loopback."""

    discovery: DiscoveryOptions = field(default_factory=DiscoveryOptions)
    #: True: goes wherever a device's addresses lead. False: to loopback and to hosts named by the user only.
    is_network_allowed: bool = False
    #: Address that the event sink listens on; "": the one that faces the device.
    sink_host: str = ""
    #: Trusted certificates for https, PEM; None: the system's.
    ca_file: Path | None = None
    #: Limit for one whole exchange, from connecting to the last octet.
    timeout_s: float = 10.0
    #: Called with each finding at once.
    tell: Callable[[Finding], None] = _nobody
