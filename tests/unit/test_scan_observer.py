"""Whoever watches a job cannot harm it."""

from __future__ import annotations

import logging

import pytest

from dsm_device.runner.console_desk import ConsoleDesk
from dsm_device.runner.scan_observer import ScanObserver, harmless


class Broken(ScanObserver):
    @harmless
    def image(self, job_id: str) -> None:
        raise ValueError(job_id)


def test_a_defect_of_the_observer_is_logged_and_goes_no_further(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR):
        Broken().image("a-job")
    assert "ValueError: a-job" in caplog.text
    assert "image" in caplog.text


def test_the_console_s_desk_is_harmless_throughout():
    hooks = [name for name in vars(ScanObserver) if not name.startswith("_")]
    assert hooks
    assert all(hasattr(vars(ConsoleDesk)[name], "__wrapped__") for name in hooks)
