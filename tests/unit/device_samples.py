"""The device of the published messages of WS-DSD (tests/data/samples, dsd-*) as a view, and their schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

from dsm_device.errors import TicketConflict
from dsm_device.hardware import Size
from dsm_device.job.image_information import NO_IMAGE, ImageInfo, ImageInformation
from dsm_device.job.outcome import Outcome
from dsm_device.job.validation import Validation
from dsm_device.wire import names
from dsm_device.wire.device.configuration import Configuration, DeviceSettings, SourceSettings
from dsm_device.wire.device.model import (
    DeviceCondition,
    JobStatus,
    JobSummary,
    JobView,
    PastCondition,
    ScannerDescription,
    ScannerStatus,
)
from dsm_device.wire.hosting import HostMetadata, ThisDevice, ThisModel, hosted_services
from dsm_device.wire.ticket import ScanTicket

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
SCHEMAS = Path(__file__).parents[2] / "hw-sim" / "dsm_sim" / "schemas"
_BY_NAMESPACE = {
    names.DSD: etree.XMLSchema(etree.parse(SCHEMAS / "dsd.xsd")),
    names.WSCN: etree.XMLSchema(etree.parse(SCHEMAS / "wscn-device.xsd")),
}
BASE_URL = "http://192.0.2.40:5357"


def sample(name: str) -> bytes:
    return (SAMPLES / f"dsd-{name}.xml").read_bytes()


def schema_problem(body: etree._Element) -> str:
    """Why ``body`` is not as its schema says, read again as a client would; "" if it is."""
    schema = _BY_NAMESPACE[etree.QName(body).namespace]
    is_valid = schema.validate(etree.fromstring(etree.tostring(body, encoding="utf-8")))
    return "" if is_valid else str(schema.error_log.last_error)


def at(hour: int, minute: int, second: int) -> datetime:
    return datetime(2026, 3, 2, hour, minute, second, tzinfo=UTC)


DESCRIPTION = ScannerDescription("Front desk scanner", "Duplex feeder, A4 and Letter", "Building 2, reception")

_DPI = (75, 100, 150, 200, 300, 400, 600)
_FEEDER = SourceSettings(
    (600, 600), _DPI, _DPI, ("BlackAndWhite1", "Grayscale8", "RGB24"), Size(250, 250), Size(8500, 14_000)
)
CONFIGURATION = Configuration(
    DeviceSettings(
        formats=(
            "jfif",
            "png",
            "pdf-a",
            "tiff-single-uncompressed",
            "tiff-single-g4",
            "tiff-multi-uncompressed",
            "tiff-multi-g4",
            "dib",
        ),
        content_types=("Auto", "Text", "Photo", "Mixed"),
        rotations=("0", "90", "180", "270"),
        size_auto_detect=False,
    ),
    platen=SourceSettings(
        (600, 600),
        _DPI,
        _DPI,
        ("BlackAndWhite1", "Grayscale8", "RGB24", "Grayscale16", "RGB48"),
        Size(250, 250),
        Size(8500, 11_690),
    ),
    feeder=_FEEDER,
    feeder_back=_FEEDER,
)

JAM = DeviceCondition(41, at(9, 14, 7), "MediaJam", "ADF", "Critical")
EMPTY_TRAY = PastCondition(
    DeviceCondition(40, at(8, 1, 10), "InputTrayEmpty", "ADF", "Warning"), clear_time=at(8, 1, 55)
)
STATUS = ScannerStatus(at(9, 15, 0), "Stopped", ("MediaJam",), (JAM,), (EMPTY_TRAY,))

DEFAULT_TICKET = ScanTicket(
    "Scan",
    "unknown",
    "Default settings",
    values={
        "Format": "tiff-single-g4",
        "CompressionQualityFactor": 100,
        "ImagesToTransfer": 0,
        "InputSource": "ADF",
        "FilmScanMode": "NotApplicable",
        "ContentType": "Auto",
        "InputSize/InputMediaSize/Width": 8500,
        "InputSize/InputMediaSize/Height": 11_000,
        "Exposure/ExposureSettings/Contrast": 0,
        "Exposure/ExposureSettings/Brightness": 0,
        "Exposure/ExposureSettings/Sharpness": 0,
        "Scaling/ScalingWidth": 100,
        "Scaling/ScalingHeight": 100,
        "Rotation": "0",
        "MediaFront/ScanRegion/ScanRegionXOffset": 0,
        "MediaFront/ScanRegion/ScanRegionYOffset": 0,
        "MediaFront/ScanRegion/ScanRegionWidth": 8500,
        "MediaFront/ScanRegion/ScanRegionHeight": 11_000,
        "MediaFront/ColorProcessing": "BlackAndWhite1",
        "MediaFront/Resolution/Width": 300,
        "MediaFront/Resolution/Height": 300,
    },
)

ACTIVE = (
    JobSummary(12, "Invoices", "CORP\\dana", "Processing", ("JobScanning",), 3),
    JobSummary(13, "Contracts", "CORP\\lee", "Pending", (), 0),
)
HISTORY = (
    JobSummary(10, "Invoices", "CORP\\dana", "Completed", (), 6),
    JobSummary(11, "Letters", "CORP\\lee", "Canceled", ("JobCanceledAtDevice",), 1),
)
JOB = JobView(
    ACTIVE[0],
    JobStatus(12, "Processing", ("JobScanningAndTransferring",), 3, at(9, 12, 30)),
    ScanTicket(
        "Invoices",
        "CORP\\dana",
        values={
            "Format": "tiff-single-g4",
            "ImagesToTransfer": 0,
            "InputSource": "ADF",
            "MediaFront/ColorProcessing": "BlackAndWhite1",
            "MediaFront/Resolution/Width": 300,
            "MediaFront/Resolution/Height": 300,
        },
        locks=frozenset(("InputSource", "MediaFront/Resolution")),
    ),
    (
        Outcome("Format", "tiff-single-g4", "tiff-single-g4"),
        Outcome("CompressionQualityFactor", "100", "100"),
        Outcome("ImagesToTransfer", "0", "0"),
        Outcome("InputSource", "ADF", "ADF"),
        Outcome("ContentType", None, "Auto"),
        Outcome("InputSize/InputMediaSize", "8500x11000", "8500x11000"),
        Outcome("Exposure/ExposureSettings/Contrast", "0", "0"),
        Outcome("Exposure/ExposureSettings/Brightness", "0", "0"),
        Outcome("Exposure/ExposureSettings/Sharpness", "0", "0"),
        Outcome("Scaling", "100x100", "100x100"),
        Outcome("Rotation", None, "0"),
        Outcome("MediaFront/ScanRegion/ScanRegionXOffset", "0", "0"),
        Outcome("MediaFront/ScanRegion/ScanRegionYOffset", "0", "0"),
        Outcome("MediaFront/ScanRegion/ScanRegionWidth", "8500", "8500"),
        Outcome("MediaFront/ScanRegion/ScanRegionHeight", "14000", "11000"),
        Outcome("MediaFront/ColorProcessing", "BlackAndWhite1", "BlackAndWhite1"),
        Outcome("MediaFront/Resolution", "300x300", "300x300"),
    ),
    ("Invoices0001.tif", "Invoices0002.tif"),
)

METADATA = HostMetadata(
    "6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7",
    ThisDevice("Front desk scanner", "1.0.0", "6f1e7c1a"),
    ThisModel("Example", "http://scanner.example.com/", "DSM Scanner", "1", "http://scanner.example.com/model"),
    hosted_services("VEN_EX01&DEV_0001"),
)

_PAGE = ImageInfo(3300, 2550, 3300)


@dataclass
class SampleView:
    """A device that stands still. ``is_known`` False: its scanner has never been seen."""

    is_known: bool = True
    is_clashing: bool = False
    host: HostMetadata = METADATA
    described: ScannerDescription = DESCRIPTION
    current: ScannerStatus = STATUS
    configured: Configuration = CONFIGURATION
    ticket: ScanTicket = DEFAULT_TICKET
    active: Sequence[JobSummary] = ACTIVE
    past: Sequence[JobSummary] = HISTORY
    only_job: JobView = JOB
    validated: list[ScanTicket] = field(default_factory=list)

    async def ready(self) -> None: ...

    def metadata(self) -> HostMetadata:
        return self.host

    def description(self) -> ScannerDescription:
        return self.described

    def status(self) -> ScannerStatus | None:
        return self.current if self.is_known else None

    def configuration(self) -> Configuration | None:
        return self.configured if self.is_known else None

    def default_ticket(self) -> ScanTicket | None:
        return self.ticket if self.is_known else None

    def active_jobs(self) -> Sequence[JobSummary]:
        return self.active

    def job_history(self) -> Sequence[JobSummary]:
        return self.past

    def job(self, job_id: int) -> JobView | None:
        return self.only_job if job_id == self.only_job.summary.id else None

    def validate(self, ticket: ScanTicket) -> Validation | None:
        """As in the published answers: a resolution of 350 becomes 300 and scaling at most 400 percent."""
        self.validated.append(ticket)
        if self.is_clashing:
            raise TicketConflict("Format and ColorProcessing exclude each other", "free one of them")
        if not self.is_known:
            return None
        right = dict(ticket.values)
        for name, most in (("MediaFront/Resolution", 300), ("Scaling/Scaling", 400)):
            for path, value in ticket.values.items():
                if path.startswith(name):
                    right[path] = min(int(value), most)
        if right == ticket.values:
            return Validation(True, ImageInformation(_PAGE, _PAGE), None)
        described = ScanTicket(ticket.job_name, ticket.user_name, ticket.job_information, right, ticket.locks)
        return Validation(False, NO_IMAGE, described)
