"""Delivery against the simulated server, where time and the state of the job matter more than the scanner."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from lxml import etree
from PIL import Image

from dsm_device.client.scan_server import ScanServer, ServerOptions
from dsm_device.client.tls import TlsOptions, client_context
from dsm_device.client.transport import TimeLimits
from dsm_device.errors import OutcomeUnknown, ProcessNotFound, ServerError, ServerFault, SpoolError
from dsm_device.job.model import Job
from dsm_device.job.states import JobEvent, JobState
from dsm_device.runner.delivery import SILENCE_LIMIT_S, Delivery, FreshInstructions, RetryPolicy
from dsm_device.runner.events import Event, JobDone, PageSent, Warned
from dsm_device.runner.redelivery import redeliver
from dsm_device.spool import JobFolder, Spool
from dsm_sim.peers.scan_server import (
    Action,
    AnswerFault,
    AnswerStatus,
    CloseBefore,
    Fault,
    LoseAnswer,
    ReadSlowly,
    RunningScanServer,
    ScanServerOptions,
    Stall,
    running_scan_server,
)
from dsm_sim.peers.scan_server.filters import FilterTrouble
from dsm_sim.scan_process import ScanProcess

PAGES = 3
QUICK = RetryPolicy(0.01, 0.02, attempts=3)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Scene:
    """A job in the spool, a server, and what the listener heard."""

    def __init__(self, folder: JobFolder, server: RunningScanServer) -> None:
        self.folder = folder
        self.server = server
        self.clock = Clock()
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda _: None

    def listen(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def deliver(
        self,
        retry: RetryPolicy = QUICK,
        fresh_instructions: FreshInstructions | None = None,
        limits: TimeLimits | None = None,
    ) -> None:
        async def run() -> None:
            options = ServerOptions(self.server.port, limits=limits or TimeLimits())
            context = client_context(TlsOptions(ca_file=str(self.server.ca_file)))
            async with ScanServer(self.folder.job.repository, options, context) as server:
                delivery = Delivery(
                    self.folder, server, retry, self.listen, self.clock, fresh_instructions=fresh_instructions
                )
                await redeliver(self.folder, delivery)

        asyncio.run(run())

    def cut_off_in(self, state: JobState) -> None:
        """The record as a device left it that lost its power in that state."""
        self.folder.update(lambda job: msgspec.structs.replace(job, state=state))

    @property
    def states(self) -> list[str]:
        return [job.state for job in self.server.jobs]

    def heard(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Scene]:
    @contextmanager
    def make(*plan: Fault, **options: object) -> Iterator[Scene]:
        with running_scan_server(ScanServerOptions(out=tmp_path / "server", plan=plan, **options)) as server:
            yield Scene(_spooled(tmp_path, f"{server.fqdn}:{server.port}"), server)

    return make


def _spooled(tmp_path: Path, repository: str) -> JobFolder:
    process = etree.fromstring(ScanProcess().document(repository).encode())
    spool = Spool(tmp_path / "state", 10_000_000)
    spool.open()
    folder = spool.create(
        Job(
            id="20261120-100000-0a1b2c",
            process_id="D3A0B1C2-5E4F-4A6B-8C7D-9E0F1A2B3C4D",
            process_name="Demo",
            repository=repository,
            user="amelie",
            user_sid="S-1-5-21-1-2-3-1107",
            instructions=etree.tostring(process[-1], encoding="unicode", with_tail=False),
            format="jfif",
            created=datetime(2026, 11, 20, tzinfo=UTC),
        )
    )
    for n in range(1, PAGES + 1):
        part = folder.path / "part"
        Image.new("L", (80 + n, 100)).save(part, "JPEG")
        folder.commit_page(n, part, ".jpg")
    return folder


def test_all_pages_arrive_in_order_and_leave_the_spool(scene):
    with scene() as it:
        it.deliver()
        (job,) = it.server.jobs
        assert job.state == "Completed"
        assert [document.width_px for document in job.documents] == [81, 82, 83]
        assert it.heard(JobDone) == [JobDone(job.token, PAGES)]
        assert not it.folder.path.exists()


def test_who_cancels_twice_leaves_no_delivery_behind(scene):
    """As a person who goes away while the job is being taken from somebody else."""

    async def run(it: Scene) -> None:
        options = ServerOptions(it.server.port)
        context = client_context(TlsOptions(ca_file=str(it.server.ca_file)))
        async with ScanServer(it.folder.job.repository, options, context) as server:
            delivering = asyncio.create_task(redeliver(it.folder, Delivery(it.folder, server, QUICK, it.listen)))
            others = asyncio.all_tasks()
            is_sending = asyncio.Event()
            it.on_event = lambda event: is_sending.set() if isinstance(event, PageSent) else None
            await is_sending.wait()
            delivering.cancel()
            await asyncio.wait({delivering}, timeout=0)
            delivering.cancel()
            await asyncio.wait({delivering})
            assert delivering.cancelled()
            left = asyncio.all_tasks() - others
            assert not [task for task in left if "Delivery.run" in repr(task)]

    with scene() as it:
        asyncio.run(run(it))


def test_after_eight_minutes_of_silence_all_pages_go_into_a_new_job(scene):
    with scene() as it:

        def pause_after_first(event: Event) -> None:
            if event == PageSent(1):
                it.clock.now_s += SILENCE_LIMIT_S + 1
                it.on_event = lambda _: None

        it.on_event = pause_after_first
        it.deliver()
        assert it.states == ["Canceled", "Completed"]
        assert [len(job.documents) for job in it.server.jobs] == [1, PAGES]
        assert any("too long" in event.message for event in it.heard(Warned))


def test_a_pause_shorter_than_that_changes_nothing(scene):
    with scene() as it:
        it.on_event = lambda event: setattr(it.clock, "now_s", it.clock.now_s + SILENCE_LIMIT_S - 1)
        it.deliver()
        assert it.states == ["Completed"]


@pytest.mark.parametrize("action", [AnswerFault("dsp:InvalidArgs"), AnswerStatus(413)])
def test_a_job_that_fails_half_way_is_cancelled_at_the_server(scene, action: Action):
    with scene(Fault("SendImage", 2, action)) as it:
        with pytest.raises(ServerError):
            it.deliver()
        assert it.states == ["Canceled"]
        assert it.folder.job.state is JobState.SPOOLED
        assert all(it.folder.file(page).is_file() for page in it.folder.job.pages)


class Directory:
    """Gives other instructions than the job has, as often as it is asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0

    def fresh(self, job: Job) -> str:
        self.asked += 1
        return job.instructions.replace(">Demo<", f">{self.name}<")


@pytest.mark.parametrize("operation", ["CreatePostScanJob", "SendImage", "EndPostScanJob"])
def test_a_process_that_has_changed_is_taken_up_in_a_new_job(scene, operation: str):
    directory = Directory("Changed")
    with scene(Fault(operation, 1, AnswerFault("dsp:InvalidArgs"))) as it:
        it.deliver(fresh_instructions=directory.fresh)
        (job,) = [job for job in it.server.jobs if job.state == "Completed"]
        assert it.states[:-1] == ([] if operation == "CreatePostScanJob" else ["Canceled"])
        assert all(path.name.startswith("Changed") for path in job.files), job.files
        assert len(job.documents) == PAGES
        assert any("scan process has changed" in event.message for event in it.heard(Warned))


def test_a_process_is_read_anew_once(scene):
    directory = Directory("Changed")
    with scene(Fault("CreatePostScanJob", None, AnswerFault("dsp:InvalidArgs"))) as it:
        with pytest.raises(ServerFault) as caught:
            it.deliver(fresh_instructions=directory.fresh)
        assert not caught.value.temporary
        assert directory.asked == 1
        assert it.server.report().requests["CreatePostScanJob"] == 2
        assert it.folder.job.state is JobState.SPOOLED


def test_a_process_that_has_not_changed_is_not_sent_again(scene):
    directory = Directory("Demo")
    with scene(Fault("CreatePostScanJob", 1, AnswerFault("dsp:InvalidArgs"))) as it:
        with pytest.raises(ServerFault):
            it.deliver(fresh_instructions=directory.fresh)
        assert it.server.report().requests["CreatePostScanJob"] == 1


def test_a_process_that_is_gone_is_told_of_in_one_line(scene):
    def gone(_: Job) -> str:
        raise ProcessNotFound("there is none of that name", "look for it")

    with scene(Fault("CreatePostScanJob", 1, AnswerFault("dsp:InvalidArgs"))) as it:
        with pytest.raises(ServerError) as caught:
            it.deliver(fresh_instructions=gone)
        assert not caught.value.temporary
        assert str(caught.value) == it.folder.job.error
        assert caught.value.message == (
            'the scan server refuses scan process "Demo" as it was read: now there is none of that name'
        )
        assert f"jobs retry {it.folder.job.id}" in caught.value.remedy


def test_a_job_that_is_lost_when_its_end_is_repeated_is_sent_anew(scene):
    plan = (
        Fault("EndPostScanJob", 1, AnswerStatus(503)),
        Fault("CancelPostScanJob", 1, AnswerStatus(503)),
        Fault("EndPostScanJob", 2, AnswerFault("dsp:ClientErrorJobTokenNotFound")),
    )
    with scene(*plan) as it:
        with pytest.raises(ServerError):
            it.deliver(RetryPolicy(0.01, 0.01, attempts=1))
        it.cut_off_in(JobState.ENDING)
        it.deliver()
        assert it.states == ["Canceled", "Completed"]
        assert not it.folder.path.exists()


def test_a_server_that_loses_every_job_is_given_up(scene):
    with scene(Fault("SendImage", None, AnswerFault("dsp:ClientErrorJobTokenNotFound"))) as it:
        with pytest.raises(ServerError, match="JobTokenNotFound"):
            it.deliver()
        assert len(it.states) == 3


def test_an_end_of_which_nobody_knows_is_not_cancelled(scene):
    plan = (
        Fault("EndPostScanJob", None, LoseAnswer()),
        Fault("GetPostScanJobElements", None, AnswerFault("dsp:InvalidArgs")),
    )
    with scene(*plan) as it:
        with pytest.raises(ServerError, match="does not say whether"):
            it.deliver()
        assert it.states == ["Completed"]
        assert it.server.report().requests.get("CancelPostScanJob", 0) == 0


def test_nobody_knows_what_became_of_a_job_that_is_gone_when_its_end_is_asked_for(scene):
    plan = (
        Fault("EndPostScanJob", None, LoseAnswer()),
        Fault("GetPostScanJobElements", None, AnswerFault("dsp:ClientErrorJobTokenNotFound")),
    )
    with scene(*plan) as it:
        with pytest.raises(OutcomeUnknown):
            it.deliver()
        assert it.states == ["Completed"]
        assert it.folder.job.state is JobState.UNKNOWN
        assert it.folder.file(it.folder.job.pages[-1]).exists()  # until a person has asked the administrator


def test_the_last_of_the_ends_may_have_arrived_and_is_asked_for_before_anything_is_sent_again(scene):
    """Each of them is answered by a closed connection, and only one has been carried out."""
    tries = QUICK.attempts
    not_carried_out = (Fault("EndPostScanJob", nth, CloseBefore()) for nth in range(1, tries))
    with scene(*not_carried_out, Fault("EndPostScanJob", tries, LoseAnswer())) as it:
        with pytest.raises(ServerError, match="not known yet"):
            it.deliver()
        assert it.folder.job.state is JobState.ENDING
        assert "not known yet" in it.folder.job.error
        it.deliver()
        assert it.states == ["Completed"]
        assert not it.folder.path.exists()


def test_while_the_server_cannot_be_asked_the_job_waits_for_it_and_for_no_person(scene):
    busy = (Fault("GetPostScanJobElements", nth, AnswerStatus(503)) for nth in range(1, QUICK.attempts))
    with scene(Fault("EndPostScanJob", 1, LoseAnswer()), *busy) as it:
        with pytest.raises(ServerError) as caught:
            it.deliver()
        assert caught.value.temporary
        it.deliver()
        assert it.states == ["Completed"]


def test_an_end_that_the_server_refuses_after_a_power_cut_makes_a_new_job(scene):
    lost = Fault("EndPostScanJob", 2, AnswerFault("dsp:ClientErrorJobTokenNotFound"))
    with scene(
        Fault("EndPostScanJob", 1, AnswerStatus(503)), Fault("CancelPostScanJob", 1, AnswerStatus(503)), lost
    ) as it:
        with pytest.raises(ServerError):
            it.deliver(RetryPolicy(0.01, 0.01, attempts=1))
        it.cut_off_in(JobState.ENDING)
        it.deliver()
        assert [state for state in it.states if state != "Canceled"] == ["Completed"]


def test_a_job_that_was_cancelled_before_its_end_arrived_is_sent_anew(scene):
    """As by a device that was stopped between the two: nobody has got its pages."""
    with scene(Fault("EndPostScanJob", 1, AnswerStatus(503))) as it:
        with pytest.raises(ServerError):
            it.deliver(RetryPolicy(0.01, 0.01, attempts=1))
        assert it.states == ["Canceled"]
        it.cut_off_in(JobState.ENDING)
        it.deliver()
        assert it.states == ["Canceled", "Completed"]


def test_an_end_that_had_arrived_when_the_device_was_cut_off_is_not_repeated(scene):
    with scene(Fault("EndPostScanJob", None, LoseAnswer())) as it:
        with pytest.raises(ServerError):
            it.deliver(RetryPolicy(0.01, 0.01, attempts=1))
        it.cut_off_in(JobState.ENDING)  # as it was when the power failed
        it.deliver()
        assert it.states == ["Completed"]
        assert not it.folder.path.exists()


def test_an_end_that_had_not_arrived_is_sent_in_the_same_job(scene):
    plan = Fault("EndPostScanJob", 1, AnswerStatus(503)), Fault("CancelPostScanJob", 1, AnswerStatus(503))
    with scene(*plan) as it:
        with pytest.raises(ServerError):
            it.deliver(RetryPolicy(0.01, 0.01, attempts=1))
        it.cut_off_in(JobState.ENDING)
        it.deliver()
        assert it.states == ["Completed"]


def test_what_an_earlier_attempt_left_at_the_server_is_cancelled_first(scene):
    busy = (Fault("CancelPostScanJob", nth, AnswerStatus(503)) for nth in range(1, QUICK.attempts + 1))
    with scene(Fault("SendImage", 2, AnswerStatus(413)), *busy) as it:
        with pytest.raises(ServerError):
            it.deliver()
        assert it.states == ["Creating"]
        it.deliver()
        assert it.states == ["Canceled", "Completed"]


def test_an_image_that_arrives_after_it_was_asked_for_is_not_refused_as_a_second_one(scene):
    """The server reads so slowly that the device repeats the image, and has the first one before the second."""
    slowly = Fault("SendImage", 1, ReadSlowly(3000)), Fault("SendImage", 2, ReadSlowly(8000))
    with scene(*slowly) as it:
        it.deliver(limits=TimeLimits(silence_s=0.5))
        assert it.states == ["Completed"]


def test_an_outcome_that_the_server_cannot_tell_now_is_asked_for_again(scene, monkeypatch: pytest.MonkeyPatch):
    """Else a job that it could do nothing with would count as done, and its pages would go."""
    monkeypatch.setattr("dsm_device.runner.delivery.FIRST_QUESTION_S", 0.01)
    fails = {name: FilterTrouble(reason="UnknownError") for name in ("fileshare", "email", "sharepoint")}
    with scene(Fault("GetPostScanJobElements", 1, AnswerStatus(503)), filter_troubles=fails) as it:
        with pytest.raises(ServerError, match="could not process"):
            it.deliver()
        assert it.folder.job.state is JobState.FAILED
        assert all(it.folder.file(page).is_file() for page in it.folder.job.pages)


def test_no_other_job_is_begun_before_the_earlier_one_is_cancelled(scene):
    """It would be processed as half a document, and nobody has its token any more."""
    lost = Fault("SendImage", 2, AnswerFault("dsp:ClientErrorJobTokenNotFound"))
    with scene(lost, *(Fault("CancelPostScanJob", nth, AnswerStatus(503)) for nth in range(1, 7))) as it:
        with pytest.raises(ServerError, match="is busy"):
            it.deliver()
        assert it.states == ["Creating"]
        it.deliver()
        assert it.states == ["Canceled", "Completed"]


def test_what_the_server_never_cancels_holds_no_page_back(scene):
    lost = Fault("SendImage", 2, AnswerFault("dsp:ClientErrorJobTokenNotFound"))
    with scene(lost, Fault("CancelPostScanJob", None, AnswerFault("dsp:InvalidArgs"))) as it:
        it.deliver()
        assert it.states == ["Creating", "Completed"]
        assert any("does not cancel" in event.message for event in it.heard(Warned))


def test_a_server_that_keeps_its_status_to_itself_holds_nobody_up(scene, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dsm_device.runner.delivery.STATUS_LIMIT_S", 0.05)
    with scene(Fault("GetPostScanJobElements", None, Stall())) as it:
        it.clock = time.monotonic  # it is waited for by the clock
        it.deliver()
        assert it.states == ["Completed"]
        assert it.heard(JobDone)


def test_who_stops_a_delivery_gets_the_job_back_when_nobody_writes_to_it_any_more(scene):
    """Else its folder would be given to the next one, and closed, twice, while it is still being put away."""
    with scene() as it:
        remove, begun, go_on = it.folder.remove, threading.Event(), threading.Event()

        def remove_slowly(event: JobEvent) -> None:
            begun.set()
            assert go_on.wait(10)
            remove(event)

        it.folder.remove = remove_slowly

        async def stop_while_it_is_removed() -> bool:
            options = ServerOptions(it.server.port)
            context = client_context(TlsOptions(ca_file=str(it.server.ca_file)))
            async with ScanServer(it.folder.job.repository, options, context) as server:
                delivering = asyncio.create_task(
                    redeliver(it.folder, Delivery(it.folder, server, QUICK, it.listen))
                )
                await asyncio.to_thread(begun.wait, 10)
                delivering.cancel()
                await asyncio.wait({delivering}, timeout=0.05)
                was_done = delivering.done()
                go_on.set()
                await asyncio.wait({delivering})
            return was_done

        assert not asyncio.run(stop_while_it_is_removed())
        assert not it.folder.path.exists()


def test_a_job_without_a_page_is_not_called_delivered(scene):
    with scene() as it:
        it.folder.update(lambda job: msgspec.structs.replace(job, pages=()))
        with pytest.raises(SpoolError, match="no complete page"):
            it.deliver()
        assert it.states == []
        assert it.folder.path.exists()


def test_a_job_that_was_ended_before_a_power_cut_is_not_sent_again(scene):
    with scene() as it:
        it.folder.set_token("a token of yesterday")
        it.cut_off_in(JobState.ENDED)
        it.deliver()
        assert it.states == []
        assert it.heard(JobDone)
        assert not it.folder.path.exists()


def test_waits_grow_up_to_the_limit_and_never_below_three_quarters():
    policy = RetryPolicy(1.0, 300.0)
    for failures, expected_s in ((1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (2000, 300)):
        waits = [policy.wait_s(failures) for _ in range(50)]
        assert expected_s * 0.75 <= min(waits)
        assert max(waits) <= expected_s * 1.25
        assert len(set(waits)) > 1
