"""The scan server of a scenario, in the words of its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from dsm_sim.certificate_kinds import CertificateKind
from dsm_sim.peers.scan_server import PERSONALITIES, PlannedFault, ScanServerOptions
from dsm_sim.peers.scan_server.filters.targets import FilterName, FilterTrouble

_Rate = Annotated[int, Meta(ge=1)]
_Seconds = Annotated[float, Meta(gt=0)]


class ServerSetup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """See the fields of the same names in :class:`ScanServerOptions`."""

    personality: Literal["strict", "ws2008r2", "ws2012", "ws2016"] = "strict"
    certificate: CertificateKind = "good"
    require_client_cert: bool = False
    faults: tuple[PlannedFault, ...] = ()
    filter_troubles: dict[FilterName, FilterTrouble] = {}
    read_rate: _Rate | None = None
    job_timeout_s: _Seconds = 600
    idle_timeout_s: _Seconds = 120
    clock_offset_s: float = 0
    probe_at_scan_server: bool = True
    probe_at_wsdapi_path: bool = True
    probe_by_udp: bool = True

    def options(self, *, out: Path, **others: Any) -> ScanServerOptions:
        """What is the same in both is copied; ``others`` are options that no file can give."""
        fields = {
            name: getattr(self, name) for name in self.__struct_fields__ if name not in {"personality", "faults"}
        }
        plan = tuple(planned.fault() for planned in self.faults)
        return ScanServerOptions(
            out=out, personality=PERSONALITIES[self.personality], plan=plan, **fields, **others
        )
