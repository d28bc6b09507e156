"""What a scanner can do and what it is asked to do arrive in the other process as they were."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dsm_device.acquisition.messages import Opened, Scan, decode_command, decode_report, encode
from dsm_device.hardware import Capabilities, ColorProcessing, ScanSettings
from dsm_device.imaging.formats import PageSpec

SPEC = PageSpec("png", ColorProcessing.GRAYSCALE_8, 100, 100, 75, 75, 85)
FOLDER = Path("/spool/job")


@given(st.builds(Opened, st.from_type(Capabilities)))
def test_capabilities_arrive_whole(opened: Opened) -> None:
    assert decode_report(encode(opened)) == opened


@given(st.builds(Scan, st.integers(1, 2**40), st.from_type(ScanSettings), st.just((SPEC,)), st.just(FOLDER)))
def test_settings_arrive_whole(scan: Scan) -> None:
    assert decode_command(encode(scan)) == scan
