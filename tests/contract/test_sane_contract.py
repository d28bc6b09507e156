"""The SANE driver passes the contract of the port on libsane's own `test` backend."""

from __future__ import annotations

import contextlib

import pytest

from dsm_device.errors import ScannerNoDocuments
from dsm_device.hardware import Area, Driver, InputSource, Scanner, ScanSettings
from dsm_drivers.contract import ScannerContract
from dsm_drivers.sane import SaneDriver


@pytest.mark.usefixtures("private_sane")
class TestSaneDriverKeepsTheContract(ScannerContract):
    @pytest.fixture
    def driver(self) -> Driver:
        return SaneDriver()

    def load_feeder(self, scanner: Scanner) -> None:
        """The backend has ten sheets, counts what it scans from anywhere, and begins anew after NO_DOCS."""
        source = scanner.capabilities().source(InputSource.ADF)
        assert source is not None
        dpi = source.x_resolutions_dpi[0]
        settings = ScanSettings(InputSource.ADF, source.colors[0], dpi, dpi, Area(0, 0, 100, 100))
        with contextlib.suppress(ScannerNoDocuments):
            for page in scanner.pages(settings):
                buffer = memoryview(bytearray(1 << 16))
                while page.read_into(buffer):
                    pass
