"""Simulated scanners, and SANE programs that use them through the real libsane."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dsm_sim.sane_backend import library
from dsm_sim.scanner import Fault, Quirks, ScannerModel, SimulatedScanner, write_sane_config

_PROGRAM = Path(__file__).with_name("sane_program.py")
GOOD = 0
EOF = 5


class SaneProgram:
    """A process that uses libsane: ``program("open", name)["status"]``."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_PROGRAM)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self("devices")  # the time at which libsane loads and initialises a backend

    def __call__(self, *step: Any) -> dict[str, Any]:
        self.begin(*step)
        return self.result()

    def begin(self, *step: Any) -> None:
        """Without waiting for the end."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(step) + "\n")
        self.process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Raises EOFError if the process has died."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise EOFError
        result: dict[str, Any] = json.loads(line)
        return result

    def is_silent(self, limit_s: float) -> bool:
        """Whether no result comes for so long."""
        return not select.select([self.process.stdout], [], [], limit_s)[0]

    def page(self, path: str = "/dev/null") -> dict[str, Any]:
        """sane_start and all of one frame."""
        started = self("start")
        if started["status"] != GOOD:
            return started
        return {**started, **self("read", path)}

    def images(self, folder: Path) -> list[bytes]:
        """All images until sane_start has no more, as raw bytes."""
        found = []
        while self.page(str(folder / "frame.raw"))["status"] == EOF:
            found.append((folder / "frame.raw").read_bytes())
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope="session", autouse=True)
def backend() -> Path:
    """Built once; otherwise the first test would pay for the compiler."""
    return library()


@pytest.fixture
def make_scanner(tmp_path: Path) -> Callable[..., SimulatedScanner]:
    """``make_scanner(quirk=…, model={…}, address=…)``: a scanner with these quirks."""

    def make(
        *,
        address: str = "001:004",
        model: dict[str, Any] | None = None,
        faults: tuple[Fault, ...] = (),
        **quirks: Any,
    ) -> SimulatedScanner:
        described = ScannerModel(quirks=Quirks(faults=faults, **quirks), **(model or {}))
        return SimulatedScanner(tmp_path / f"scanner-{address[-3:]}", described, address)

    return make


@pytest.fixture
def environment_of(tmp_path: Path) -> Callable[..., dict[str, str]]:
    def write(*scanners: SimulatedScanner) -> dict[str, str]:
        return write_sane_config(tmp_path / "sane.d", scanners)

    return write


@pytest.fixture
def run_program(environment_of: Callable[..., dict[str, str]]) -> Iterator[Callable[..., SaneProgram]]:
    """``run_program(scanner, …)``: a program in whose libsane are these scanners."""
    with ExitStack() as stack:

        def run(*scanners: SimulatedScanner) -> SaneProgram:
            program = SaneProgram(environment_of(*scanners))
            stack.callback(program.close)
            return program

        yield run


@pytest.fixture
def opened(run_program: Callable[..., SaneProgram]) -> Callable[..., SaneProgram]:
    """``opened(scanner, option=value, …)``: a program that has opened the scanner and set these options."""

    def open_it(scanner: SimulatedScanner, **options: Any) -> SaneProgram:
        program = run_program(scanner)
        assert program("open", scanner.device)["status"] == GOOD
        for name, value in {"resolution": 75, **options}.items():
            assert program("set", name.replace("_", "-"), value)["status"] == GOOD, name
        return program

    return open_it


@pytest.fixture
def photo(tmp_path: Path) -> Callable[..., Path]:
    """``photo(width_px, height_px, mode="RGB")``: a PNM file of noise, in which every pixel tells."""

    def make(width_px: int, height_px: int, mode: str = "RGB", name: str = "photo") -> Path:
        path = tmp_path / f"{name}-{width_px}x{height_px}-{mode}.pnm"
        bands = len(Image.new(mode, (1, 1)).getbands()) if mode != "1" else 1
        noise = os.urandom(width_px * height_px * bands)
        image = Image.frombytes("RGB" if bands == 3 else "L", (width_px, height_px), noise)
        image.convert(mode).save(path, format="PPM")
        return path

    return make
