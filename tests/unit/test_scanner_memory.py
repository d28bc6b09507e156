"""What is remembered of scanners does not grow with every replug."""

from __future__ import annotations

from pathlib import Path

from dsm_device.hardware import ScannerInfo
from dsm_device.runner.scanner_memory import FILE, MOST_NAMES, ScannerMemory

CONFIGURED = "dsmsim:001:004"


def _at(address: int) -> ScannerInfo:
    return ScannerInfo(f"dsmsim:002:{address:03}", "DSM", "Sim Feeder 140", serial="SIM-000001")


def test_the_configured_name_outlives_any_number_of_addresses(tmp_path: Path):
    memory = ScannerMemory(tmp_path)
    sizes = []
    for address in range(200):
        memory.remember((CONFIGURED, _at(address).device), _at(address))
        sizes.append((tmp_path / FILE).stat().st_size)
    assert sizes[-1] == sizes[MOST_NAMES]
    again = ScannerMemory(tmp_path)
    known = again.recall(CONFIGURED)
    assert known is not None
    assert known.device == _at(199).device
    assert again.recall(_at(199).device) == known
    assert again.recall(_at(0).device) is None
