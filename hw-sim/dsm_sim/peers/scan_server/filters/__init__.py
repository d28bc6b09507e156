"""The three filters: file share, e-mail, SharePoint. Memory does not depend on the images.

Without a target of its own each writes below the output folder what it would deliver.
Source: MS-BDSRR 2.2 (FileShareConfig, EmailConfig, SharePointConfig), 3.1 (filters); WS-DSP FilterStateReason.
"""

from dsm_sim.peers.scan_server.filters.delivery import Batch, FilterError, Place
from dsm_sim.peers.scan_server.filters.registry import is_known, run_filter
from dsm_sim.peers.scan_server.filters.targets import (
    FILTER_DIALECTS,
    FilterTrouble,
    FilterTroubles,
    SmtpServer,
    Targets,
    WebDav,
)

__all__ = [
    "FILTER_DIALECTS",
    "Batch",
    "FilterError",
    "FilterTrouble",
    "FilterTroubles",
    "Place",
    "SmtpServer",
    "Targets",
    "WebDav",
    "is_known",
    "run_filter",
]
