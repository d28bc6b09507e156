"""Private libsane configurations, and scans with them in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TEST_CONF = """\
number_of_devices 2
geometry_max 420
geometry_quant 0
"""
SCAN_JOB = Path(__file__).with_name("scan_job.py")


@dataclass(frozen=True)
class Scanned:
    """What a job brought: a frame, its lines and its bytes a page, and how it ended."""

    frames: list[dict[str, Any]]
    rows: list[int]
    pages: list[bytes]
    error: str | None
    message: str
    scratch: list[str]
    cancelled: int
    sensors: list[dict[str, Any]]
    calls_at_error: list[str]
    peak_kib: int
    calls: list[str]
    capabilities: dict[str, Any]

    def source(self, name: str) -> dict[str, Any]:
        return next(each for each in self.capabilities["sources"] if each["source"] == name)


Scan = Callable[..., Scanned]


@pytest.fixture(scope="session")
def sane_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SANE_CONFIG_DIR with the backends `test`, large enough for A3, and `pnm`."""
    folder = tmp_path_factory.mktemp("sane.d")
    (folder / "dll.conf").write_text("test\npnm\n")
    (folder / "test.conf").write_text(TEST_CONF)
    return folder


@pytest.fixture
def sane_env(sane_config: Path) -> dict[str, str]:
    return {**os.environ, "SANE_CONFIG_DIR": str(sane_config)}


@pytest.fixture
def scan(sane_env: dict[str, str], tmp_path: Path) -> Scan:
    """Run a job on the `test` backend: ``scan(options, source=…, color=…, dpi=…, area=…, …)``."""

    def run(options: dict[str, Any] | None = None, **job: Any) -> Scanned:
        return _run(sane_env, tmp_path, job.pop("device", "test:0"), options, **job)

    return run


@pytest.fixture
def scan_odd(odd_backend: dict[str, str], tmp_path: Path) -> Scan:
    """Run a job on the backend `odd`: ``scan_odd("key=value;…", options, …)``."""

    def run(moods: str, options: dict[str, Any] | None = None, **job: Any) -> Scanned:
        (tmp_path / "calls").unlink(missing_ok=True)
        env = {**odd_backend, "ODD": moods, "ODD_LOG": str(tmp_path / "calls"), **job.pop("environment", {})}
        return _run(env, tmp_path, job.pop("device", "odd:0"), options, **job)

    return run


@pytest.fixture
def scan_with(tmp_path: Path) -> Scan:
    """Run a job with another libsane: ``scan_with(environment, device, options, …)``."""

    def run(env: dict[str, str], device: str, options: dict[str, Any] | None = None, **job: Any) -> Scanned:
        return _run(env, tmp_path, device, options, **job)

    return run


def _run(
    env: dict[str, str],
    folder: Path,
    device: str,
    options: dict[str, Any] | None = None,
    *,
    source: str = "Platen",
    color: str = "Grayscale8",
    dpi: int | tuple[int, int] = 75,
    area: tuple[int, int, int, int] | None = (0, 0, 1000, 1000),
    media: tuple[int, int] | None = None,
    images: int = 0,
    adjust: dict[str, int] | None = None,
    film: str | None = None,
    halftone: bool = False,
    limit_s: float = 60,
    tries: int = 1,
    **more: Any,
) -> Scanned:
    x_dpi, y_dpi = dpi if isinstance(dpi, tuple) else (dpi, dpi)
    settings = {"source": source, "color": color, "x_dpi": x_dpi, "y_dpi": y_dpi, "area": area}
    job = {"device": device, "options": options or {}, "folder": str(folder), "buffer_lines": 16, **more}
    if area:
        more_settings = {"images": images, "media": media, "adjust": adjust, "film": film, "halftone": halftone}
        job["settings"] = {**settings, **more_settings}
    report = _report(json.dumps(job), env, limit_s, tries)
    kept = 0 if job.get("discard") else len(report["frames"])
    pages = [(folder / f"page-{number}.raw").read_bytes() for number in range(1, kept + 1)]
    calls = (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []
    return Scanned(pages=pages, calls=calls, capabilities=report.pop("capabilities", {}), **report)


def _report(job: str, env: dict[str, str], limit_s: float, tries: int) -> dict[str, Any]:
    command = [sys.executable, str(SCAN_JOB)]
    for left in reversed(range(tries)):
        try:
            done = subprocess.run(
                command, input=job, env=env, capture_output=True, text=True, timeout=limit_s, check=False
            )
            break
        except subprocess.TimeoutExpired:
            if not left:
                raise
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report
