"""The whole way once: a scan server, a feeder, a scan process, and the device's own program between them.

``dsm-device sim demo`` is what ``make demo`` runs. The device is started as an operator would start it, with a
configuration file and nothing else; what it delivered is judged by what the server stored.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dsm_sim.contact_sheet import contact_sheet
from dsm_sim.paper import Kind, Paper, print_sheets
from dsm_sim.peers.scan_server import ScanServerOptions
from dsm_sim.peers.scan_server.report import JobReport, Report
from dsm_sim.peers.scan_server.running import RunningScanServer, running_scan_server
from dsm_sim.scan_process import ScanProcess
from dsm_sim.scanner import Sheet, SimulatedScanner, write_sane_config

#: Marks a folder as the demo's own, so that nothing else is ever cleared.
_MARKER: Final = ".dsm-device-demo"
_PROCESS_NAME: Final = "Demo, feeder to share"
#: What lies in the simulated feeder: as on any desk.
_KINDS: Final[Sequence[Kind]] = (
    *("text", "text", "form", "invoice", "photo"),
    *("text", "invoice", "form", "text", "photo"),
)
_PAPER: Final = tuple(Paper(kind=kind, seed=seed, dpi=300) for seed, kind in enumerate(_KINDS))
_USER_SID: Final = "S-1-5-21-1085031214-1563985344-725345543-1107"
_USER: Final = "demo@sim.example"

_CONFIGURATION: Final = """\
[device]
name = "Demo scanner"
state_dir = {state}

[scanner]
device = {scanner}

[directory]
source = "files"
path = {processes}
user = "demo"
sid = "{sid}"

[scan_server]
ca_file = {ca_file}
"""


@dataclass(frozen=True)
class DeviceRun:
    """What the device's program said. Times are seconds on this process's monotonic clock."""

    exit_code: int
    pages: int
    octets: int
    began_s: float
    first_sent_s: float
    last_sent_s: float


def run_demo(out: Path, scanner: str = "") -> int:
    """Scan to a server of our own and say what arrived. ``scanner`` is a SANE device, "" for a simulated one.

    Returns 0 if the server stored every page that the device scanned and nothing broke a rule, else 1.
    """
    _clear(out)
    with running_scan_server(ScanServerOptions(out=out / "server", users={_USER_SID: _USER})) as server:
        environment: Mapping[str, str] = os.environ
        device, what = scanner, ""
        if not scanner:
            simulated = _loaded_scanner(out)
            environment = write_sane_config(out / "sane", [simulated])
            device, what = simulated.device, f" ({simulated.model.model}, {len(_PAPER)} sheets)"
        configuration = _configure(out, server, device)
        _say(f"Scan server  {server.address}, its certificate by {server.ca_file}")
        _say(f"Scanner      {device}{what}")
        _say(f'Device       dsm-device --config {configuration} scan --process "{_PROCESS_NAME}"\n')
        run = _run_device(configuration, environment)
        report = server.report()
    return _judge(run, report, out, expected=None if scanner else len(_PAPER))


def _clear(out: Path) -> None:
    if out.exists() and not (out / _MARKER).exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty and no folder of an earlier demo: choose another --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARKER).touch()


def _loaded_scanner(out: Path) -> SimulatedScanner:
    scanner = SimulatedScanner(out / "scanner")
    printed = print_sheets(_PAPER, out / "paper", out)
    scanner.load(
        Sheet(front=each.front, back=each.back, width_mm=each.width_mm, height_mm=each.height_mm)
        for each in printed
    )
    return scanner


def _configure(out: Path, server: RunningScanServer, device: str) -> Path:
    processes = out / "scan-processes"
    ScanProcess(dpi=300).write(processes, _PROCESS_NAME, f"{server.fqdn}:{server.port}")
    values = {"state": out / "state", "scanner": device, "processes": processes, "ca_file": server.ca_file}
    # A JSON string is a TOML string as well.
    quoted = {key: json.dumps(str(value)) for key, value in values.items()}
    path = out / "config.toml"
    path.write_text(_CONFIGURATION.format(sid=_USER_SID, **quoted), "utf-8")
    return path


# ------------------------------------------------------------------------------------------- device


def _run_device(configuration: Path, environment: Mapping[str, str]) -> DeviceRun:
    command = [sys.executable, "-m", "dsm_device", "--config", str(configuration), "--json"]
    with subprocess.Popen(
        [*command, "scan", "--process", _PROCESS_NAME], stdout=subprocess.PIPE, env=environment, text=True
    ) as device:
        assert device.stdout is not None  # noqa: S101 - asked for with PIPE
        events = list(_timed_events(device.stdout))
    return _device_run(device.returncode, events)


def _timed_events(lines: Iterable[str]) -> Iterator[tuple[float, dict[str, object]]]:
    for line in lines:
        yield time.monotonic(), json.loads(line)


def _device_run(exit_code: int, events: list[tuple[float, dict[str, object]]]) -> DeviceRun:
    pages = [event for _, event in events if event["event"] == "page"]
    sent = [moment for moment, event in events if event["event"] == "sent"]
    began = [moment for moment, event in events if event["event"] == "created"]
    return DeviceRun(
        exit_code,
        len(pages),
        sum(int(str(page["bytes"])) for page in pages),
        *((began[0], sent[0], sent[-1]) if began and sent else (0.0, 0.0, 0.0)),
    )


# ------------------------------------------------------------------------------------------ verdict


def _judge(run: DeviceRun, report: Report, out: Path, expected: int | None) -> int:
    problems = list(_problems(run, report, expected))
    for job in report.jobs:
        _tell_job(job, out)
    if not problems:
        _tell_speed(run)
    for violation in report.violations:
        _say(f"  {violation.operation}: {violation.text} [{violation.source}]")
    _say("" if not problems else "\nFAILED: " + "; ".join(problems))
    return 1 if problems else 0


def _problems(run: DeviceRun, report: Report, expected: int | None) -> Iterator[str]:
    if run.exit_code:
        yield f"the device ended with exit code {run.exit_code}"
    stored = sum(len(job.files) for job in report.jobs if job.state == "Completed")
    if not run.pages or stored != run.pages:
        yield f"the device scanned {run.pages} pages, the server stored {stored}"
    if expected is not None and run.pages != expected:
        yield f"the feeder held {expected} sheets, the device scanned {run.pages}"
    if report.violations_total:
        yield f"{report.violations_total} rule violations"


def _tell_job(job: JobReport, out: Path) -> None:
    octets = sum(document.octets for document in job.documents)
    _say(f"\nThe server stored {len(job.files)} pages, {octets / 1e6:.1f} MB, for {job.user}: {job.state}")
    for document, path in zip(job.documents, job.files, strict=False):
        size = f"{document.width_px} x {document.height_px} px, {document.dpi:.0f} dpi"
        _say(f"  {document.document_id:>3}  {document.format}  {size}  {document.octets / 1e6:6.2f} MB  {path}")
    if job.files:
        sheet = contact_sheet(job.files, out / "contact-sheet.png")
        _say(f"\nContact sheet  {sheet}")


def _tell_speed(run: DeviceRun) -> None:
    took_s = max(run.last_sent_s - run.began_s, 1e-6)
    _say(
        f"Speed          {run.pages} pages in {took_s:.2f} s from the scanner's start to the last answer:"
        f" {run.pages / took_s * 60:.0f} pages a minute, {run.octets / took_s / 1e6:.1f} MB/s;"
        f" first page delivered after {run.first_sent_s - run.began_s:.2f} s"
    )


def _say(text: str) -> None:
    print(text, flush=True)
