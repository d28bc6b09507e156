"""The agent from outside: started, asked, stopped, killed and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import Desk, MakeDesk

LIMIT_S = 30


@contextmanager
def agent(desk: Desk) -> Iterator[subprocess.Popen[str]]:
    """A running agent; it is told to stop at the end, unless it was before."""
    log = desk.folder / "agent.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*desk.command, "run"], env=desk.environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        )
        try:
            until(lambda: (desk.folder / "state" / "agent.sock").exists() or process.poll() is not None, log)
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(LIMIT_S)


def until(condition: Callable[[], bool], log: Path | None = None) -> None:
    """Look again and again, since what is waited for happens in another process."""
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s, log.read_text() if log else "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def desk(make_desk: MakeDesk) -> Iterator[Desk]:
    with make_desk() as made:
        made.configure(console={"listen": "127.0.0.1", "http_port": 0}, panel={"port": 0}, metrics={"port": 0})
        yield made


def test_a_scan_goes_through_the_agent_and_into_the_history(desk: Desk):
    with agent(desk):
        outcome = desk.scan()
        assert outcome.code == 0, outcome.err
        assert outcome.events("done")
        (job,) = desk.run("--json", "jobs").lines
        assert (job["state"], job["sent"]) == ("done", job["pages"])
    assert [job.state for job in desk.server.jobs] == ["Completed"]
    assert list(desk.spool.iterdir()) == []


def test_sigterm_ends_it_with_0_within_5_s(desk: Desk):
    with agent(desk) as process:
        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
        assert time.monotonic() - began_s < 5


def test_a_second_agent_is_refused(desk: Desk):
    with agent(desk) as first:
        second = desk.run("run")
        assert second.code == 2
        assert str(first.pid) in second.last_words
        assert desk.scan().code == 0


def test_what_a_dead_server_kept_waiting_is_delivered_when_it_is_back(desk: Desk):
    desk.server.stop()
    with agent(desk):
        refused = desk.scan()
        assert refused.code == 5
        assert "spool" in refused.err
        desk.server.start()
        until(lambda: [job.state for job in desk.server.jobs] == ["Completed"], desk.folder / "agent.log")


def test_a_killed_agent_goes_on_where_it_was(desk: Desk):
    desk.server.stop()
    with agent(desk) as process:
        assert desk.scan().code == 5
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)
    desk.server.start()
    with agent(desk):
        until(lambda: [job.state for job in desk.server.jobs] == ["Completed"], desk.folder / "agent.log")
        until(lambda: not list(desk.spool.iterdir()))


def test_the_socket_is_for_the_group_and_the_spool_for_the_agent(desk: Desk):
    with agent(desk):
        state = desk.folder / "state"
        assert (state / "agent.sock").stat().st_mode & 0o777 == 0o660
        assert (state / "spool").stat().st_mode & 0o777 == 0o700


def test_a_job_that_waits_can_be_cancelled_and_is_history(desk: Desk):
    desk.server.stop()
    with agent(desk):
        job = desk.scan().events("created")[0]["job"]
        assert desk.run("jobs", "cancel", job).code == 0
        (past,) = desk.run("--json", "jobs").lines
        assert (past["id"], past["state"]) == (job, "canceled")
    assert list(desk.spool.iterdir()) == []


def test_one_server_that_is_dead_holds_up_no_other(desk: Desk, make_desk: MakeDesk):
    desk.add_process("Elsewhere", lambda text: text.replace(f":{desk.server.port}", ":9"))
    with agent(desk):
        assert desk.scan(process="Elsewhere").code == 5
        assert desk.scan().code == 0
    states = {json.loads(line)["state"] for line in desk.run("--json", "jobs").out.splitlines()}
    assert states == {"spooled", "done"}
