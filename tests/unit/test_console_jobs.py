"""Jobs as a console sees them: each change an event, and the same words for the same ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dsm_device.errors import (
    Cancelled,
    MultipleFeed,
    ScannerBusy,
    ScannerCoverOpen,
    ScannerError,
    ScannerInvalid,
    ScannerNoDocuments,
    SpoolError,
)
from dsm_device.job.model import Job, SpooledPage
from dsm_device.job.outcome import Outcome
from dsm_device.job.states import JobState
from dsm_device.runner.console_jobs import KEPT, ConsoleJobs
from dsm_device.wire.device.events import DeviceEvent, JobEndStateEvent, JobStatusEvent

CREATED = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
TICKET = (
    '<wscn:ScanTicket xmlns:wscn="http://schemas.microsoft.com/windows/2006/08/wdp/scan"><wscn:JobDescription>'
    "<wscn:JobName>Invoices</wscn:JobName><wscn:JobOriginatingUserName>amelie</wscn:JobOriginatingUserName>"
    "</wscn:JobDescription><wscn:DocumentParameters><wscn:Format>png</wscn:Format></wscn:DocumentParameters>"
    "</wscn:ScanTicket>"
)


class Desk:
    def __init__(self) -> None:
        self.now = CREATED
        self.told: list[DeviceEvent] = []
        self.jobs = ConsoleJobs(self.told.append, self._clock)

    def _clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    @property
    def statuses(self) -> list[tuple[str, tuple[str, ...], int]]:
        return [
            (each.status.state, each.status.reasons, each.status.scans_completed)
            for each in self.told
            if isinstance(each, JobStatusEvent)
        ]


def a_job(number: int = 12, **changes: object) -> Job:
    job = Job(
        id=f"job-{number}",
        process_id="6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11",
        process_name="Invoices",
        repository="scan01.corp.example.com",
        user="amelie",
        user_sid="S-1-5-21-1-2-3-1107",
        instructions="<i/>",
        format="png",
        created=CREATED,
        number=number,
        ticket=TICKET,
    )
    return msgspec.structs.replace(job, **changes)


def test_each_change_is_told_once_and_the_end_last():
    desk = Desk()
    desk.jobs.began(a_job())
    for _ in range(2):
        desk.jobs.image("job-12")
    desk.jobs.ended("job-12", None)
    assert desk.statuses == [
        ("Started", (), 0),
        ("Processing", ("JobScanning",), 0),
        ("Processing", ("JobScanning",), 1),
        ("Processing", ("JobScanning",), 2),
        ("Completed", ("None",), 2),
    ]
    end = desk.told[-1]
    assert isinstance(end, JobEndStateEvent)
    assert (end.job.id, end.job.state, end.job.scans_completed) == (12, "Completed", 2)
    assert end.completed > CREATED
    assert desk.jobs.active() == []
    assert [each.id for each in desk.jobs.history()] == [12]


def test_a_job_that_waits_for_a_person_is_stopped_until_its_next_image():
    desk = Desk()
    desk.jobs.began(a_job())
    for _ in range(3):  # asked again every second
        desk.jobs.waits("job-12")
    desk.jobs.image("job-12")
    assert desk.statuses[2:] == [
        ("Processing", ("ScannerStopped",), 0),
        ("Processing", ("JobScanning",), 1),
    ]


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (None, "Completed", "None"),
        (Cancelled("by the user"), "Canceled", "JobCanceledAtDevice"),
        (KeyboardInterrupt(), "Canceled", "JobCanceledAtDevice"),
        (ScannerInvalid("no such mode"), "Aborted", "InvalidScanTicket"),
        (ScannerBusy("others use it"), "Aborted", "ScannerStopped"),
        (ScannerCoverOpen("open"), "Aborted", "ScannerStopped"),
        (MultipleFeed("two"), "Aborted", "ScannerStopped"),
        (ScannerNoDocuments("empty"), "Aborted", "JobCompletedWithErrors"),
        (SpoolError("full"), "Aborted", "JobCompletedWithErrors"),
        (ValueError("a defect"), "Aborted", "ScannerStopped"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_how_a_job_ends_and_why(error: BaseException | None, state: str, reason: str):
    desk = Desk()
    desk.jobs.began(a_job())
    desk.jobs.ended("job-12", error)
    (past,) = desk.jobs.history()
    assert (past.state, past.reasons) == (state, (reason,))


def test_a_ticket_that_was_altered_is_a_warning():
    desk = Desk()
    desk.jobs.began(a_job(parameters=(Outcome("Format", "jbig", "png", "jbig is not available"),)))
    desk.jobs.ended("job-12", None)
    assert desk.jobs.history()[0].reasons == ("JobCompletedWithWarnings",)


def test_one_job_is_told_with_its_ticket_and_images():
    desk = Desk()
    desk.jobs.began(a_job())
    desk.jobs.image("job-12")
    view = desk.jobs.find(12)
    assert view is not None
    assert view.ticket.values == {"Format": "png"}
    assert view.documents == ("Image 1",)
    assert desk.jobs.find(13) is None


def test_jobs_of_earlier_times_are_history():
    pages = tuple(SpooledPage(n, f"page-{n:05}.png", 1) for n in (1, 2))
    desk = Desk()
    desk.jobs.remember(
        [
            a_job(0, state=JobState.DONE),  # of the first version: nobody can ask for it
            a_job(1, state=JobState.DONE, acquired=CREATED, pages=pages, ticket=""),
            a_job(2, state=JobState.SPOOLED, acquired=CREATED),
            a_job(3, state=JobState.FAILED),
            a_job(4, state=JobState.CANCELED),
            a_job(5, state=JobState.ACQUIRING),
        ]
    )
    assert [(each.id, each.state) for each in desk.jobs.history()] == [
        (1, "Completed"),
        (2, "Completed"),
        (3, "Aborted"),
        (4, "Canceled"),
        (5, "Completed"),
    ]
    view = desk.jobs.find(1)
    assert view is not None
    assert (view.status.scans_completed, view.ticket.job_name) == (2, "Invoices")
    assert desk.told == []


def test_the_oldest_are_forgotten():
    desk = Desk()
    for number in range(1, KEPT + 10):
        desk.jobs.began(a_job(number))
        desk.jobs.ended(f"job-{number}", ScannerError("x"))
    assert len(desk.jobs.history()) == KEPT
    assert desk.jobs.history()[-1].id == KEPT + 9


def test_what_is_told_of_an_unknown_job_changes_nothing():
    desk = Desk()
    desk.jobs.image("x")
    desk.jobs.waits("x")
    desk.jobs.ended("x", None)
    assert (desk.told, desk.jobs.history()) == ([], [])
