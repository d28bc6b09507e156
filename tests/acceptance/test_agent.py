"""The agent from outside: started, asked, stopped, killed and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from dsm_sim.peers.scan_server import Fault, Stall

from .conftest import Desk, MakeDesk

LIMIT_S = 30
NO_FIXED_PORTS = {
    "console": {"listen": "127.0.0.1", "http_port": 0, "discovery": False},
    "panel": {"port": 0},
    "metrics": {"port": 0},
}


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


@contextmanager
def desk_of(made: AbstractContextManager[Desk]) -> Iterator[Desk]:
    """A desk whose agent takes no fixed port."""
    with made as desk:
        desk.configure(**NO_FIXED_PORTS)
        yield desk


@pytest.fixture
def desk(make_desk: MakeDesk) -> Iterator[Desk]:
    with desk_of(make_desk()) as made:
        yield made


@pytest.fixture
def careful_desk(make_desk: MakeDesk, tmp_path: Path) -> Iterator[Desk]:
    """One whose server compares each job with the scan process as it stands in the directory."""
    with desk_of(make_desk(processes=tmp_path / "scan-processes")) as made:
        yield made


def test_a_scan_goes_through_the_agent_and_into_the_history(desk: Desk):
    with agent(desk):
        outcome = desk.scan()
        assert outcome.code == 0, outcome.err
        assert outcome.events("done")
        (job,) = desk.run("--json", "jobs").lines
        assert (job["state"], job["sent"]) == ("done", job["pages"])
    assert [job.state for job in desk.server.jobs] == ["Completed"]
    assert _kept(desk) == []


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


def _spooled_while_away(desk: Desk) -> dict[str, object]:
    """A job that was scanned when the server was switched off, and its scan process is another when it is back."""
    desk.server.stop()
    assert desk.scan().code == 5
    (job,) = desk.run("--json", "jobs").lines
    return job


def test_a_job_whose_process_has_changed_meanwhile_goes_by_the_new_one(careful_desk: Desk):
    desk = careful_desk
    with agent(desk):
        _spooled_while_away(desk)
        desk.add_process("Demo", lambda text: text.replace(">Demo<", ">Invoices<"))
        desk.server.start()
        until(lambda: [job.state for job in desk.server.jobs] == ["Completed"], desk.folder / "agent.log")
        (job,) = desk.server.jobs
        assert {path.name.startswith("Invoices") for path in job.files} == {True}


def test_without_an_agent_it_goes_by_the_new_one_as_well(careful_desk: Desk):
    desk = careful_desk
    job = _spooled_while_away(desk)
    desk.add_process("Demo", lambda text: text.replace(">Demo<", ">Invoices<"))
    desk.server.start()
    assert desk.run("jobs", "retry", str(job["id"])).code == 0
    (done,) = desk.server.jobs
    assert {path.name.startswith("Invoices") for path in done.files} == {True}


def test_a_process_that_changes_while_it_is_scanned_is_taken_up(careful_desk: Desk):
    desk = careful_desk
    desk.configure(scan_server={"retry_first": 1, "retry_max": 2})
    desk.server.stop()
    with desk.start("--json", "scan", "--process", "Demo") as scan:
        _shown_until(scan, "created")
        desk.add_process("Demo", lambda text: text.replace(">Demo<", ">Invoices<"))
        desk.server.start()
        _, words = scan.communicate(timeout=LIMIT_S)
    assert scan.returncode == 0, words
    assert "its scan process has changed meanwhile" in words
    (done,) = desk.server.jobs
    assert {path.name.startswith("Invoices") for path in done.files} == {True}


def test_a_job_whose_process_is_gone_waits_for_a_person(careful_desk: Desk):
    desk = careful_desk
    with agent(desk):
        job = _spooled_while_away(desk)
        (desk.processes / "Demo.xml").unlink()
        desk.server.start()
        until(lambda: "as it was read: now no scan process" in (desk.folder / "agent.log").read_text())
        assert desk.server.report().requests["CreatePostScanJob"] == 1
        (kept,) = desk.run("--json", "jobs").lines
        assert (kept["state"], kept["pages"]) == ("spooled", job["pages"])
        assert "no scan process" in str(kept["error"])
        desk.add_process("Demo")
        assert desk.run("jobs", "retry", str(job["id"])).code == 0


def test_a_clock_that_stands_in_1970_is_waited_for(desk: Desk):
    """No certificate is valid then. The board hears of a time server later, and the job goes by itself."""
    stands = desk.folder / "clock-stands"
    stands.touch()
    desk.environment = {**desk.environment, **clock_that_stands(stands)}
    with agent(desk):
        refused = desk.scan()
        assert refused.code == 5
        assert "this device's clock is wrong, it says 1970-01-01" in refused.last_words
        assert refused.events("failed")[0]["error"] == "ClockNotSet"
        stands.unlink()
        until(lambda: [job.state for job in desk.server.jobs] == ["Completed"], desk.folder / "agent.log")


def clock_that_stands(as_long_as: Path) -> dict[str, str]:
    """The environment of a program whose clock stands in 1970 as long as the file is there."""
    library = as_long_as.with_name("clock.so")
    flags = ("-O2", "-Wall", "-shared", "-fPIC", "-Wno-nonnull-compare")
    subprocess.run(("cc", *flags, "-o", library, Path(__file__).with_name("clock.c")), check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_STANDS": str(as_long_as)}


def test_a_killed_agent_goes_on_where_it_was(desk: Desk):
    desk.server.stop()
    with agent(desk) as process:
        assert desk.scan().code == 5
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT_S)
    desk.server.start()
    with agent(desk):
        until(lambda: [job.state for job in desk.server.jobs] == ["Completed"], desk.folder / "agent.log")
        until(lambda: not _kept(desk))


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
    assert _kept(desk) == []


def test_one_server_that_is_dead_holds_up_no_other(desk: Desk, make_desk: MakeDesk):
    desk.add_process("Elsewhere", lambda text: text.replace(f":{desk.server.port}", ":9"))
    with agent(desk):
        assert desk.scan(process="Elsewhere").code == 5
        assert desk.scan().code == 0
    states = {json.loads(line)["state"] for line in desk.run("--json", "jobs").out.splitlines()}
    assert states == {"spooled", "done"}


@pytest.mark.parametrize("moment", ["page", "sent"])
def test_stopped_in_the_middle_of_a_job_it_keeps_the_pages_and_sends_them_at_its_next_start(
    desk: Desk, moment: str
):
    with agent(desk) as process, desk.start("--json", "scan", "--process", "Demo") as client:
        seen = _shown_until(client, moment)
        began_s = time.monotonic()
        process.terminate()
        assert process.wait(LIMIT_S) == 0
        assert time.monotonic() - began_s < 5
        rest, words = client.communicate(timeout=LIMIT_S)
        assert client.returncode == 5, words
        shown = seen + [json.loads(line) for line in rest.splitlines()]
    pages = sum(each["event"] == "page" for each in shown)
    with agent(desk):
        until(lambda: [job.state for job in desk.server.jobs][-1:] == ["Completed"], desk.folder / "agent.log")
        until(lambda: not _kept(desk))
    assert len(desk.server.jobs[-1].documents) >= pages
    assert all(job.state in ("Completed", "Canceled") for job in desk.server.jobs)


def test_stopped_while_the_end_is_on_its_way_it_sends_nothing_twice(make_desk: MakeDesk):
    """The server has ended the job, and its answer does not come."""
    with make_desk(plan=(Fault("EndPostScanJob", 1, Stall()),)) as desk:
        desk.configure(**NO_FIXED_PORTS)
        with agent(desk) as process, desk.start("--json", "scan", "--process", "Demo") as client:
            until(lambda: [job.state for job in desk.server.jobs] == ["Completed"], desk.folder / "agent.log")
            process.terminate()
            assert process.wait(LIMIT_S) == 0
            client.communicate(timeout=LIMIT_S)
        assert len(_kept(desk)) == 1
        with agent(desk):
            until(lambda: not _kept(desk))
        assert [job.state for job in desk.server.jobs] == ["Completed"]


def _kept(desk: Desk) -> list[Path]:
    """The jobs in the spool; a folder with a dot is a driver's, for what it needs in between."""
    return [path for path in desk.spool.iterdir() if not path.name.startswith(".")]


def _shown_until(client: subprocess.Popen[str], event: str) -> list[dict[str, object]]:
    assert client.stdout is not None
    shown = []
    for line in client.stdout:
        shown.append(json.loads(line))
        if shown[-1]["event"] == event:
            break
    return shown


def test_ctrl_c_at_the_client_cancels_the_job_everywhere(desk: Desk):
    with agent(desk), desk.start("--json", "scan", "--process", "Demo") as client:
        _shown_until(client, "page")
        client.send_signal(signal.SIGINT)
        client.communicate(timeout=LIMIT_S)
        until(lambda: not _kept(desk))
        # Where it came too late, the server has the job and the client says so.
        late = client.returncode == 0
        assert late or client.returncode == 6
        assert {job.state for job in desk.server.jobs} <= {"Completed" if late else "Canceled"}


def test_settings_are_read_again_on_sighup(desk: Desk):
    desk.configure(directory={"path": str(desk.folder / "nowhere")})
    with agent(desk) as process:
        assert desk.scan().code == 4
        desk.configure(directory={"path": str(desk.processes)})
        process.send_signal(signal.SIGHUP)
        until(lambda: "read again" in (desk.folder / "agent.log").read_text())
        assert desk.scan().code == 0


def test_settings_that_cannot_be_read_change_nothing(desk: Desk):
    with agent(desk) as process:
        good = desk.configuration.read_text()
        desk.configuration.write_text(good + "\n[nonsense]\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: "stay as they were" in (desk.folder / "agent.log").read_text())
        desk.configuration.write_text(good)
        assert desk.scan().code == 0
