"""A simulated scanner for every SANE program: what it is, hands on it, what it did.

libsane loads the backend of :mod:`dsm_sim.sane_backend` in the environment that :func:`write_sane_config` returns.
"""

from dsm_sim.scanner.config import change_sane_config, write_sane_config
from dsm_sim.scanner.events import ScannerEvent
from dsm_sim.scanner.hardware import Button, SimulatedScanner
from dsm_sim.scanner.mark import Mark, read_mark
from dsm_sim.scanner.model import Fault, Quirks, ScannerModel
from dsm_sim.scanner.sheet import Sheet

__all__ = [
    "Button",
    "Fault",
    "Mark",
    "Quirks",
    "ScannerEvent",
    "ScannerModel",
    "Sheet",
    "SimulatedScanner",
    "change_sane_config",
    "read_mark",
    "write_sane_config",
]
