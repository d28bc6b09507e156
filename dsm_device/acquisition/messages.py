"""What the agent and the acquisition process tell each other: one JSON object a line, over a socket pair.

JSON, not pickle: whatever a crashing C library leaves behind is refused by its type and never executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from dsm_device import errors
from dsm_device.hardware import Capabilities, Frame, OptionValue, ScannerInfo, ScanSettings, Sensors
from dsm_device.imaging.formats import PageSpec
from dsm_device.job.page_times import PageTimes as PageTimes  # noqa: PLC0414 - a part of its messages

# ----------------------------------------------------------------------------------- to the worker


class ListScanners(msgspec.Struct, frozen=True, tag=True):
    """Answered by :class:`Scanners` or :class:`Failed`."""

    driver: str


class Open(msgspec.Struct, frozen=True, tag=True):
    """Open a scanner; answered by :class:`Opened` or :class:`Failed`. One that is open is released first."""

    driver: str
    device: str
    options: dict[str, OptionValue]
    scratch: Path


class Sense(msgspec.Struct, frozen=True, tag=True):
    """Read the sensors of the open scanner between two scans; answered by :class:`Sensed` or :class:`Failed`."""


class Scan(msgspec.Struct, frozen=True, tag=True):
    """Acquire images into ``folder``; answered by page messages and one :class:`Finished` or :class:`Failed`.

    ``number`` is greater than that of any scan before. ``sides`` are taken in turn: one for all images, or the
    front's and the back's.
    """

    number: int
    settings: ScanSettings
    sides: tuple[PageSpec, ...]
    folder: Path


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Stop scan ``number`` as soon as possible; ends in ``Failed`` with ``Cancelled`` unless all pages were in.

    Later scans are not affected, also where this comes after the end of the one that it means.
    """

    number: int


# --------------------------------------------------------------------------------- from the worker


class Scanners(msgspec.Struct, frozen=True, tag=True):
    found: tuple[ScannerInfo, ...]


class Opened(msgspec.Struct, frozen=True, tag=True):
    capabilities: Capabilities


class Sensed(msgspec.Struct, frozen=True, tag=True):
    sensors: Sensors


class PageStarted(msgspec.Struct, frozen=True, tag=True):
    """Image ``n`` (from 1) has begun to arrive."""

    n: int
    frame: Frame


class Progress(msgspec.Struct, frozen=True, tag=True):
    """``rows`` lines of image ``n`` have been acquired; sent a few times a second."""

    n: int
    rows: int


class Encoding(msgspec.Struct, frozen=True, tag=True):
    """Image ``n`` has been acquired whole and is being written; sent now and then where that takes long."""

    n: int


class PageAcquired(msgspec.Struct, frozen=True, tag=True):
    """The file of image ``n`` is complete at ``path`` (not yet synced).

    ``missing_rows`` > 0: the scanner delivered fewer lines than it had announced; the rest is white. ``blank`` is
    None where nobody asked.
    """

    n: int
    path: Path
    bytes: int
    width_px: int
    height_px: int
    missing_rows: int
    crc32: int
    blank: bool | None
    times: PageTimes


class Finished(msgspec.Struct, frozen=True, tag=True):
    """All images are in."""

    images: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """An exception of :mod:`dsm_device.errors`, by the name of its class."""

    error: str
    message: str
    remedy: str


Command = ListScanners | Open | Sense | Scan | Cancel
Report = Scanners | Opened | Sensed | PageStarted | Progress | Encoding | PageAcquired | Finished | Failed


@dataclass(frozen=True, slots=True)
class ProtocolBreach(Exception):
    """The other process wrote something that is no message."""

    line: bytes


def _as_path(kind: type[Path], value: str) -> Path:
    return kind(value)


_encoder = msgspec.json.Encoder(enc_hook=str)  # paths, the only values that JSON does not have
_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command, dec_hook=_as_path)
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report, dec_hook=_as_path)


def encode(message: Command | Report) -> bytes:
    return _encoder.encode(message) + b"\n"


def decode_command(line: bytes) -> Command:
    return _commands.decode(line)


def decode_report(line: bytes) -> Report:
    """Raises :class:`ProtocolBreach`."""
    try:
        return _reports.decode(line)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ProtocolBreach(line) from error


#: What a driver or an encoder may raise.
_REPORTED = (errors.ScannerError, errors.SpoolError, errors.Cancelled)


def failed(error: errors.DsmError) -> Failed:
    return Failed(errors.name_of(error), error.message, error.remedy)


def raised(report: Failed) -> errors.DsmError:
    """The exception that the worker reported, as an object of the same class."""
    return errors.rebuilt(report.error, report.message, report.remedy, errors.ScannerError, _REPORTED)
