"""What is left undone while the server is away is done when it is back: cancels, and ends in doubt."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dsm_device.errors import ServerError
from dsm_device.job.model import Job
from dsm_device.job.states import JobEvent, JobState
from dsm_device.runner.delivery import Delivery, RetryPolicy
from dsm_device.runner.redelivery import cancel_for_good, redeliver
from dsm_device.spool import JobFolder, Spool
from tests.virtual_time import in_virtual_time

from .faulty_server import FaultyServer

HOUR_S = 3600.0


class Scene:
    """A job of two pages of which the server has the first, and a server that is away for an hour."""

    def __init__(self, root: Path) -> None:
        self.spool = Spool(root / "state", 1_000_000)
        self.spool.open()
        self.server = FaultyServer(random.Random(1), trouble=0.0)
        self.folder: JobFolder = self.spool.create(
            Job(
                id="a-job",
                process_id="a-process",
                process_name="Invoices",
                repository="week.example",
                user="amelie",
                user_sid="S-1-5-21-1-2-3-1107",
                instructions="<i/>",
                format="jfif",
                created=datetime(2026, 11, 30, tzinfo=UTC),
            )
        )
        for n in (1, 2):
            part = self.folder.path / "part"
            part.write_bytes(b"x")
            self.folder.commit_page(n, part, ".jpg")

    async def begin(self) -> None:
        self.folder.set_token(await self.server.create_job("", "a-process", None))
        self.server.down_until_s = HOUR_S

    def delivery(self) -> Delivery:
        return Delivery(self.folder, self.server, RetryPolicy(1.0, 300.0), lambda _: None)  # type: ignore[arg-type]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_the_pages_go_at_once_and_the_server_is_told_when_it_is_back(scene: Scene):
    async def cancelled() -> None:
        await scene.begin()
        await cancel_for_good(scene.folder, scene.delivery())
        (waiting,) = scene.spool.jobs()
        assert waiting.job.state is JobState.CANCELING
        assert not list(waiting.path.glob("page-*"))
        with pytest.raises(ServerError):
            await redeliver(scene.folder, scene.delivery())
        assert next(scene.spool.jobs()).job.retries == 1
        scene.server.down_until_s = 0.0
        assert await redeliver(scene.folder, scene.delivery())

    in_virtual_time(cancelled())
    (job,) = scene.server.jobs.values()
    assert (job.state, job.ended_by) == ("Canceled", "Cancel")
    assert list(scene.spool.jobs()) == []
    assert [past.state for past in scene.spool.history()] == [JobState.CANCELED]


def test_an_end_in_doubt_is_asked_for_whatever_hinders_it_first(scene: Scene):
    """The server is away before it can be found again, and then has the job already."""

    async def ended_unheard() -> None:
        scene.folder.set_token(token := await scene.server.create_job("", "a-process", None))
        for event in (JobEvent.ACCEPTED, JobEvent.END_BEGUN):
            scene.folder.apply(event)
        await scene.server.end_job(token)
        scene.server.down_until_s = HOUR_S
        with pytest.raises(ServerError):
            await redeliver(scene.folder, scene.delivery())
        assert scene.folder.job.state is JobState.ENDING
        scene.server.down_until_s = 0.0
        await redeliver(scene.folder, scene.delivery())

    in_virtual_time(ended_unheard())
    assert [job.ended_by for job in scene.server.jobs.values()] == ["End"]


def test_a_cancel_goes_out_also_where_the_end_may_have_arrived(scene: Scene):
    async def cancelled_in_doubt() -> None:
        scene.folder.set_token(await scene.server.create_job("", "a-process", None))
        for event in (JobEvent.ACCEPTED, JobEvent.END_BEGUN):
            scene.folder.apply(event)
        scene.server.down_until_s = HOUR_S
        delivery = scene.delivery()
        with pytest.raises(ServerError):
            await delivery.end_begun()
        scene.server.down_until_s = 0.0
        await cancel_for_good(scene.folder, delivery)

    in_virtual_time(cancelled_in_doubt())
    assert [job.state for job in scene.server.jobs.values()] == ["Canceled"]
    assert list(scene.spool.jobs()) == []


def test_said_once_more_it_is_given_up(scene: Scene):
    async def cancelled_twice() -> None:
        await scene.begin()
        await cancel_for_good(scene.folder, scene.delivery())
        await cancel_for_good(scene.folder, scene.delivery())

    in_virtual_time(cancelled_twice())
    assert list(scene.spool.jobs()) == []


def test_a_job_that_the_server_does_not_know_is_gone_at_once(scene: Scene):
    async def cancelled() -> None:
        await cancel_for_good(scene.folder, scene.delivery())

    in_virtual_time(cancelled())
    assert list(scene.spool.jobs()) == []
    assert scene.server.jobs == {}
