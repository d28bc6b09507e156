"""How a simulated scan server is set up."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dsm_sim.certificates import Credentials
from dsm_sim.peers.scan_server.jobs import Clock, SystemClock
from dsm_sim.peers.scan_server.misbehaviour import Fault

#: Something that happened, as it is told to whoever watches: an ``event`` and its values, ready for JSON.
Happening = Mapping[str, object]


def _nobody(_happening: Happening) -> None:
    """Nobody watches."""


@dataclass(frozen=True, kw_only=True)
class ScanServerOptions:
    """``out`` receives everything that arrives; all else has defaults fit for a test on loopback."""

    out: Path
    host: str = "127.0.0.1"
    #: 0: any free one, the same number for TCP and UDP.
    port: int = 0
    #: DNS names of the server; the first one stands in its addresses.
    names: tuple[str, ...] = ("localhost",)
    #: Folder of the certificate authority and the server's certificate; None: ``out/tls``.
    tls: Path | None = None
    #: Used instead of a certificate of the own authority.
    credentials: Credentials | None = None
    require_client_cert: bool = False
    #: Folder of scan processes to compare requests with; None: nothing is compared.
    processes: Path | None = None
    #: Where a directed Probe is answered.
    probe_at_scan_server: bool = True
    probe_at_wsdapi_path: bool = True
    probe_by_udp: bool = True
    #: Octets a second at which the bodies of requests are read; None: as fast as they come.
    read_rate: int | None = None
    #: What goes wrong, and when.
    plan: tuple[Fault, ...] = ()
    #: SID to user@domain; others become SID@sim.example.
    users: Mapping[str, str] = field(default_factory=dict)
    #: A job whose last message is older is completed as timed out (MS-BDSRR 3.1: ten minutes).
    job_timeout_s: float = 600.0
    #: A connection without traffic is closed after this time.
    idle_timeout_s: float = 120.0
    #: The largest envelope in octets that is read; larger ones are answered with 413.
    envelope_limit: int = 32_767
    #: The services' addresses end in these; None: fresh ones at each start.
    processing_id: uuid.UUID | None = None
    configuration_id: uuid.UUID | None = None
    clock: Clock = field(default_factory=SystemClock)
    #: Called on the server's own thread.
    tell: Callable[[Happening], None] = _nobody
