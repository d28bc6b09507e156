"""How a simulated scan server is set up."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dsm_sim.certificate_kinds import CertificateKind
from dsm_sim.certificates import Credentials
from dsm_sim.peers.scan_server.filters import FilterTroubles, Targets
from dsm_sim.peers.scan_server.happenings import Happening
from dsm_sim.peers.scan_server.jobs import Clock, SystemClock
from dsm_sim.peers.scan_server.notifier import SinkOptions
from dsm_sim.peers.scan_server.personalities import STRICT, Personality
from dsm_sim.peers.scan_server.plan import Fault


def _nobody(_happening: Happening) -> None:
    """Nobody watches."""


@dataclass(frozen=True, kw_only=True)
class ScanServerOptions:
    """``out`` receives everything that arrives; all else has defaults fit for a test on loopback."""

    out: Path
    host: str = "127.0.0.1"
    #: 0: any free one, the same number for TCP and UDP.
    port: int = 0
    #: The port that stands in the server's addresses, where something stands before it; None: its own.
    announced_port: int | None = None
    #: DNS names of the server; the first one stands in its addresses.
    names: tuple[str, ...] = ("localhost",)
    #: Folder of the certificate authority and the server's certificate; None: ``out/tls``.
    tls: Path | None = None
    #: Used instead of a certificate of the own authority.
    credentials: Credentials | None = None
    #: What is wrong with the certificate of the own authority, or with TLS.
    certificate: CertificateKind = "good"
    require_client_cert: bool = False
    #: Which of the published servers it is like.
    personality: Personality = STRICT
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
    #: Where the filters deliver; None of them: into folders below ``out``.
    targets: Targets = field(default_factory=Targets)
    #: Filters that are slow or fail, by their short names.
    filter_troubles: FilterTroubles = field(default_factory=dict)
    #: TCP port of the page for a browser, 0 for any free one; None: no page.
    web_port: int | None = None
    #: Where the page is served. It is for everybody who can connect.
    web_host: str = "127.0.0.1"
    #: SID to user@domain; others become SID@sim.example.
    users: Mapping[str, str] = field(default_factory=dict)
    #: A job whose last message is older is completed as timed out (MS-BDSRR 3.1: ten minutes).
    job_timeout_s: float = 600.0
    #: How many finished jobs are remembered, and for how long (None: as long as the server runs).
    job_history: int = 100
    job_history_s: float | None = None
    #: Whether there are events to subscribe to.
    has_events: bool = True
    #: The longest expiry that a subscription is granted.
    longest_subscription_s: float = 86_400.0
    subscription_limit: int = 64
    sinks: SinkOptions = field(default_factory=SinkOptions)
    #: A connection without traffic is closed after this time.
    idle_timeout_s: float = 120.0
    #: The largest envelope in octets that is read; larger ones are answered with 413.
    envelope_limit: int = 32_767
    #: The services' addresses end in these; None: fresh ones at each start.
    processing_id: uuid.UUID | None = None
    configuration_id: uuid.UUID | None = None
    clock: Clock = field(default_factory=SystemClock)
    #: By how much the server's local time is wrong; positive: fast.
    clock_offset_s: float = 0.0
    #: Called on the server's own thread.
    tell: Callable[[Happening], None] = _nobody
