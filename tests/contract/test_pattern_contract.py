"""The example driver passes the contract of the port, and draws what it says."""

from __future__ import annotations

import pytest

from dsm_device.hardware import Driver
from dsm_drivers.contract import ScannerContract
from dsm_drivers.pattern import PatternDriver


class TestPatternDriverKeepsTheContract(ScannerContract):
    @pytest.fixture
    def driver(self) -> Driver:
        return PatternDriver()
