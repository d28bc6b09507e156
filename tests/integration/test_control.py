"""Orders to a running agent: over its real socket, with a service that does as simple a thing as can be."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device import errors
from dsm_device.errors import (
    Cancelled,
    ConfigurationError,
    DsmError,
    ScannerError,
    ServerError,
    ServerFault,
    SpoolError,
    UsageError,
)
from dsm_device.runner import control_messages as messages
from dsm_device.runner import control_server, control_socket
from dsm_device.runner.agent_lock import agent_lock
from dsm_device.runner.attendant import Choice, Nobody
from dsm_device.runner.control_client import RemoteService
from dsm_device.runner.control_server import ControlServer
from dsm_device.runner.events import Event, JobCreated, JobDone, PageSpooled, StateChanged
from dsm_device.runner.order import ScanOrder

from .control_service import DETAILS, OUTCOMES, Simple

PROGRAM = Path(__file__).with_name("control_service.py")
ORDER = ScanOrder("plain", "eva", ("Format=png",), ("a@example.org",))


class Person:
    """Keeps page 5, goes on, turns the stack; ``asked`` is what they were asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.is_asked = asyncio.Event()
        self.answers = True

    async def _think(self, *question: object) -> None:
        self.asked.append(question)
        self.is_asked.set()
        if not self.answers:
            await asyncio.Event().wait()

    async def turn_stack(self, sheets: int) -> None:
        await self._think("turn", sheets)

    async def keep_blank(self, pages: Sequence[int]) -> Collection[int]:
        await self._think("blank", tuple(pages))
        return {5}

    async def obstacle(self, error: ScannerError, pages: int) -> Choice:
        await self._think(type(error), error.message, pages)
        return Choice.FINISH


@asynccontextmanager
async def agent(state_dir: Path) -> AsyncIterator[Simple]:
    service = Simple()
    async with ControlServer(service, state_dir):
        yield service


def client(state_dir: Path) -> RemoteService:
    found = RemoteService.connect(state_dir)
    assert found is not None
    return found


@asynccontextmanager
async def raw(state_dir: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    end = control_socket.connect(state_dir)
    assert end is not None
    reader, writer = await asyncio.open_unix_connection(sock=end)
    yield reader, writer
    writer.close()


@contextmanager
def agent_process(state_dir: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.control_service", str(state_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def configured(tmp_path: Path, state_dir: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(f'[device]\nstate_dir = "{state_dir}"\n')
    return path


def start_cli(config: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dsm_device", "--config", str(config), *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


# ------------------------------------------------------------------------------------------ orders


def test_a_scan_streams_its_events(tmp_path: Path) -> None:
    async def story() -> None:
        events: list[Event] = []
        async with agent(tmp_path) as service:
            await client(tmp_path).scan(ORDER, events.append, Nobody())
            assert service.told == [ORDER, "done"]
        assert events[0] == JobCreated("job-eva", "plain", OUTCOMES)
        assert events[0].notes == OUTCOMES
        assert isinstance(events[2], PageSpooled)
        assert events[2].times.encoded_s == 3
        assert events[-1] == JobDone("token", 1)

    asyncio.run(story())


def test_every_other_order_and_its_answer(tmp_path: Path) -> None:
    async def story() -> None:
        events: list[Event] = []
        async with agent(tmp_path) as service:
            remote = client(tmp_path)
            assert [job.id for job in await remote.jobs()] == ["j0", "j1", "j2"]
            assert await remote.job("j") == DETAILS
            await remote.retry("j", events.append)
            await remote.cancel("j", events.append)
            await remote.restore("j", [3, 4])
            assert service.told == [("retry", "j"), ("cancel", "j"), ("restore", "j", (3, 4))]
        assert events == [JobDone("again", 2), StateChanged("server", "canceled")]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("process", "kind", "code"), [("fault", ServerFault, 5), ("bug", DsmError, 1)], ids=["fault", "bug"]
)
def test_a_failure_arrives_as_itself(tmp_path: Path, process: str, kind: type[DsmError], code: int) -> None:
    async def story() -> None:
        async with agent(tmp_path):
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            with pytest.raises(DsmError) as caught:
                await client(tmp_path).scan(ScanOrder(process), lambda _: None, Nobody())
        assert type(caught.value) is kind
        assert caught.value.exit_code == code
        assert "secret" not in str(caught.value)

    asyncio.run(story())


def test_a_job_that_is_not_there_and_one_whose_name_is_no_text(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path):
            for name in ("x", "\udcff"):
                with pytest.raises(SpoolError, match="there is no job"):
                    await client(tmp_path).job(name)

    asyncio.run(story())


def test_two_clients_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service:
            first = asyncio.create_task(client(tmp_path).scan(ScanOrder("wait"), lambda _: None, Nobody()))
            await service.began.wait()
            await client(tmp_path).scan(ORDER, lambda _: None, Nobody())
            assert not first.done()
            service.go_on.set()
            await first

    asyncio.run(story())


def test_a_client_that_does_not_read_costs_little(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service, raw(tmp_path) as (_, writer):
            writer.write(messages.encode(messages.Scan(ScanOrder("much"))))
            await service.ended.wait()
            assert service.told[-1] == "done"

    asyncio.run(story())


# --------------------------------------------------------------------------------------- questions


def test_questions_reach_the_person_at_the_client(tmp_path: Path) -> None:
    async def story() -> None:
        person = Person()
        async with agent(tmp_path) as service:
            await client(tmp_path).scan(ScanOrder("ask"), lambda _: None, person)
            assert service.told[1:] == [[5], Choice.FINISH, "done"]
        assert person.asked == [("blank", (2, 5, 7)), (errors.ScannerJammed, "sheet 3", 4), ("turn", 9)]

    asyncio.run(story())


def test_without_a_person_the_patient_one_answers(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service:
            await client(tmp_path).scan(ScanOrder("ask"), lambda _: None, Nobody())
            assert service.told[1:] == [[], Choice.GO_ON, "done"]

    asyncio.run(story())


@pytest.mark.parametrize("answer", [{"pages": [1, 2, 99]}, {"number": 77}, {"choice": "DANCE"}])
def test_only_what_was_offered_is_chosen(tmp_path: Path, answer: dict[str, object]) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service, raw(tmp_path) as (reader, writer):
            writer.write(messages.encode(messages.Scan(ScanOrder("ask"), attended=True)))
            while service.told[-1:] != ["done"]:
                message = messages.decode_from_agent(await reader.readline())
                if isinstance(message, messages.Done):
                    break
                if isinstance(message, messages.TurnStack | messages.KeepBlank | messages.Obstacle):
                    known = {"type": "Answer", "number": message.number}
                    writer.write(msgspec.json.encode({**known, **answer}) + b"\n")
                    writer.write(msgspec.json.encode(known) + b"\n")
            assert service.told[1] in ([], [2])
            assert service.told[2] is Choice.GIVE_UP

    asyncio.run(story())


# ------------------------------------------------------------------------------- ends of all kinds


def test_an_abort_cancels_the_job(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service:
            scan = asyncio.create_task(client(tmp_path).scan(ScanOrder("wait"), lambda _: None, Nobody()))
            await service.began.wait()
            scan.cancel()
            with pytest.raises(Cancelled):
                await scan
            assert service.told[-1] == "cancelled"

    asyncio.run(story())


def test_an_agent_that_does_not_end_the_job_is_waited_for_so_long(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service:
            impatient = RemoteService.connect(tmp_path, abort_limit_s=0.05)
            assert impatient is not None
            scan = asyncio.create_task(impatient.scan(ScanOrder("hang"), lambda _: None, Nobody()))
            await service.began.wait()
            scan.cancel()
            with pytest.raises(Cancelled, match="the agent has not confirmed it: see `dsm-device jobs`"):
                await scan
            assert service.told[-1] != "cancelled"
            service.go_on.set()
            await service.ended.wait()

    asyncio.run(story())


def test_an_agent_that_stands_still_is_waited_for_so_long(tmp_path: Path) -> None:
    """Its process is stopped: nothing answers any more, and the connection stays."""

    async def story(process: subprocess.Popen[str]) -> None:
        began = asyncio.Event()
        impatient = RemoteService.connect(tmp_path / "state", abort_limit_s=0.05)
        assert impatient is not None
        scan = asyncio.create_task(impatient.scan(ScanOrder("wait"), lambda _: began.set(), Nobody()))
        await began.wait()
        process.send_signal(signal.SIGSTOP)
        scan.cancel()
        with pytest.raises(Cancelled, match="the agent has not confirmed it"):
            await scan

    with agent_process(tmp_path / "state") as process:
        asyncio.run(story(process))


def test_an_abort_while_somebody_is_asked(tmp_path: Path) -> None:
    async def story() -> None:
        person = Person()
        person.answers = False
        async with agent(tmp_path) as service:
            scan = asyncio.create_task(client(tmp_path).scan(ScanOrder("ask"), lambda _: None, person))
            await person.is_asked.wait()
            scan.cancel()
            with pytest.raises(Cancelled):
                await scan
            assert service.told[-1] == "cancelled"

    asyncio.run(story())


def test_a_client_that_vanishes_leaves_its_job_running(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service:
            async with raw(tmp_path) as (reader, writer):
                writer.write(messages.encode(messages.Scan(ScanOrder("ask"), attended=True)))
                while b"KeepBlank" not in await reader.readline():
                    pass
            await service.ended.wait()
            assert service.told[1:] == [[], Choice.GO_ON, "done"]

    asyncio.run(story())


def test_the_agent_stops(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service:
            order = ScanOrder("wait", "eva")
            scan = asyncio.create_task(client(tmp_path).scan(order, lambda _: None, Nobody()))
            await service.began.wait()
        with pytest.raises(ServerError, match="the agent is stopping; job job-eva stays in the spool"):
            await scan
        assert RemoteService.connect(tmp_path) is None
        assert not (tmp_path / "agent.sock").exists()

    asyncio.run(story())


# ------------------------------------------------------------------------------------ what is no message

GARBAGE = [b"\xff\xfe\n", b"{}\n", b"GET / HTTP/1.1\n", b'{"type":"Abort"}\n', b'{"type":"Scan","order":5}\n']
HUGE = [b"[" * 200_000 + b"\n", b"x" * (messages.MAX_LINE_OCTETS + 2), b'{"type":"Jobs","a":' * 50_000 + b"\n"]


@pytest.mark.parametrize("line", GARBAGE + HUGE, ids=lambda line: f"{line[:12]!r}")
def test_garbage_is_refused_with_one_line(tmp_path: Path, line: bytes) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service:
            async with raw(tmp_path) as (reader, writer):
                writer.write(line)
                answers = (await reader.read()).splitlines()
            assert len(answers) == 1
            failed = messages.decode_from_agent(answers[0])
            assert isinstance(failed, messages.Failed)
            assert isinstance(messages.raised(failed), UsageError)
            assert service.told == []
            assert len(await client(tmp_path).jobs()) == 3

    asyncio.run(story())


def test_garbage_in_the_middle_leaves_the_job_running(tmp_path: Path) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service, raw(tmp_path) as (_, writer):
            writer.write(messages.encode(messages.Scan(ScanOrder("wait"))) + b"garbage\n")
            await service.began.wait()
            service.go_on.set()
            await service.ended.wait()
            assert service.told[-1] == "done"

    asyncio.run(story())


@pytest.mark.parametrize("begun", [b"", b'{"type":"Jo'])
def test_a_client_that_leaves_before_its_order(tmp_path: Path, begun: bytes) -> None:
    async def story() -> None:
        async with agent(tmp_path) as service:
            async with raw(tmp_path) as (_, writer):
                writer.write(begun)
            assert len(await client(tmp_path).jobs()) == 3
            assert service.told == []

    asyncio.run(story())


def test_a_client_that_says_nothing_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_server, "FIRST_LINE_LIMIT_S", 0.01)

    async def story() -> None:
        async with agent(tmp_path), raw(tmp_path) as (reader, _):
            assert await reader.read() == b""

    asyncio.run(story())


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
NAMES = ["type", "job", "order", "pages", "number", "process", "user", "event", "error", "n", "choice"]
KINDS = ["Scan", "Retry", "Cancel", "Restore", "Jobs", "JobShow", "Answer", "Abort", "Failed", "Done", "Obstacle"]
VALUES = st.recursive(
    LEAVES | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner),
    max_leaves=20,
)


@given(st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_a_message_or_is_refused(line: bytes) -> None:
    for decode in (messages.decode_from_client, messages.decode_from_agent):
        try:
            message = decode(line)
        except messages.NotUnderstood as error:
            assert len(str(error).splitlines()) <= 1
        else:
            assert decode(messages.encode(message)) == message


@pytest.mark.parametrize(
    "kind", [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, DsmError)]
)
def test_every_error_keeps_its_class_and_exit_code(kind: type[DsmError]) -> None:
    error = messages.raised(messages.Failed(kind.__name__, "what failed", "what to do"))
    assert type(error) is kind
    assert str(error) == "what failed: what to do"
    assert messages.failed(error) == messages.Failed(kind.__name__, "what failed", "what to do")


# ------------------------------------------------------------------------------------ socket and lock


def test_only_the_group_may_use_the_socket(tmp_path: Path) -> None:
    async def story() -> None:
        before = os.umask(0)
        try:
            async with agent(tmp_path):
                status = (tmp_path / "agent.sock").stat()
        finally:
            os.umask(before)
        assert stat.S_IMODE(status.st_mode) == 0o660
        assert status.st_gid == os.getegid()

    asyncio.run(story())


OUTSIDER = """
import os, sys
from pathlib import Path
from dsm_device.errors import ConfigurationError
from dsm_device.runner.control_client import RemoteService

group = int(sys.argv[2])
os.setgroups([])
os.setgid(group)
os.setuid(65534)
try:
    print("let in" if RemoteService.connect(Path(sys.argv[1])) else "nobody there")
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("mode", "group", "answer"),
    [
        (0o755, 65534, "is not for this user: join the agent's group, or ask its administrator"),
        (0o710, 65534, "is not for this user: join the agent's group, or ask its administrator"),
        (0o710, os.getegid(), "let in"),
    ],
    ids=["outside", "outside, in the folder as it is made", "in the group"],
)
def test_who_is_not_in_the_group_is_refused(mode: int, group: int, answer: str) -> None:
    async def story(state_dir: Path) -> str:
        async with agent(state_dir):
            command = (sys.executable, "-c", OUTSIDER, str(state_dir), str(group))
            child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            out, _ = await child.communicate()
            return out.decode().strip()

    with tempfile.TemporaryDirectory() as folder:  # where others may come, unlike pytest's
        Path(folder).chmod(0o755)
        state_dir = Path(folder) / "state"
        state_dir.mkdir()
        state_dir.chmod(mode)
        assert asyncio.run(story(state_dir)).endswith(answer)


def test_a_long_path(tmp_path: Path) -> None:
    state_dir = tmp_path / ("long" * 30) / ("längér" * 20)
    state_dir.mkdir(parents=True)

    async def story() -> None:
        async with agent(state_dir):
            assert len(await client(state_dir).jobs()) == 3
        assert not (state_dir / "agent.sock").exists()

    asyncio.run(story())


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "agent.sock"))
    assert RemoteService.connect(tmp_path) is None, "nobody listens there"

    async def story() -> None:
        async with agent(tmp_path):
            assert len(await client(tmp_path).jobs()) == 3

    asyncio.run(story())


def test_something_else_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "agent.sock").write_text("precious")

    async def story() -> None:
        with pytest.raises(ConfigurationError, match=r"agent\.sock"):
            async with agent(tmp_path):
                pass

    asyncio.run(story())
    assert (tmp_path / "agent.sock").read_text() == "precious"


def test_where_no_agent_runs_there_is_none(tmp_path: Path) -> None:
    assert RemoteService.connect(tmp_path / "missing") is None
    (tmp_path / "file").touch()
    assert RemoteService.connect(tmp_path / "file") is None


def test_a_second_agent_is_refused_and_a_killed_one_is_not_in_the_way(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    with agent_process(state_dir) as process:
        assert stat.S_IMODE(state_dir.stat().st_mode) == 0o710
        with pytest.raises(ConfigurationError) as caught, agent_lock(state_dir):
            pass
        assert str(process.pid) in str(caught.value)
        assert str(state_dir) in str(caught.value)
        process.kill()
        process.wait()
        with agent_lock(state_dir):
            assert (state_dir / "agent.lock").read_text() == f"{os.getpid()}\n"


# -------------------------------------------------------------------------------------- command line


def test_the_commands_go_to_the_agent(tmp_path: Path) -> None:
    config = configured(tmp_path, tmp_path / "state")
    with agent_process(tmp_path / "state"):
        scan = start_cli(config, "--json", "scan", "--process", "Größe", "--user", "eva")
        out, err = scan.communicate()
        assert scan.returncode == 0
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["event"] for line in lines] == ["created", "state", "page", "sent", "done"]
        assert "Job job-eva: Größe" in err
        listed, _ = start_cli(config, "jobs", "--json").communicate()
        assert [json.loads(line)["id"] for line in listed.splitlines()] == ["j0", "j1", "j2"]
        shown, _ = start_cli(config, "jobs", "show", "j").communicate()
        assert "Format: asked png, used jfif: no PNG here" in shown
        missing = start_cli(config, "jobs", "show", "x")
        assert "there is no job 'x'" in missing.communicate()[1]
        assert missing.returncode == 3
        assert start_cli(config, "jobs", "restore", "j", "3").wait() == 0


def _until_created(scan: subprocess.Popen[str]) -> None:
    assert scan.stdout is not None
    assert json.loads(scan.stdout.readline())["event"] == "created"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_at_the_client_cancels(tmp_path: Path, number: signal.Signals) -> None:
    config = configured(tmp_path, tmp_path / "state")
    with agent_process(tmp_path / "state"):
        scan = start_cli(config, "--json", "scan", "--process", "wait")
        _until_created(scan)
        scan.send_signal(number)
        out, err = scan.communicate()
    assert scan.returncode == 6
    assert json.loads(out.splitlines()[-1])["code"] == 6
    assert "dsm-device: the scan was cancelled" in err


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (
            signal.SIGKILL,
            "the agent has gone: job job-eva stays in the spool and goes on when the agent runs again",
        ),
        (signal.SIGTERM, "the agent is stopping; job job-eva stays in the spool: start it again"),
    ],
    ids=["killed", "stopped"],
)
def test_the_agent_ends_during_a_job(tmp_path: Path, number: signal.Signals, line: str) -> None:
    config = configured(tmp_path, tmp_path / "state")
    with agent_process(tmp_path / "state") as process:
        scan = start_cli(config, "--json", "scan", "--process", "wait", "--user", "eva")
        _until_created(scan)
        process.send_signal(number)
        out, err = scan.communicate()
    assert scan.returncode == 5
    assert err.splitlines()[-1].startswith(f"dsm-device: {line}")
    assert json.loads(out.splitlines()[-1])["event"] == "failed"


def test_an_order_loads_little_and_is_on_its_way_at_once(tmp_path: Path) -> None:
    config = configured(tmp_path, tmp_path / "state")
    code = "import sys, dsm_device.cli; dsm_device.cli.main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    with agent_process(tmp_path / "state"):
        arguments = ["--config", str(config), "--json", "scan", "--process", "P"]
        began_s = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        print(f"from start to the end of an order: {time.monotonic() - began_s:.3f} s")
    loaded = done.stderr.split()
    heavy = ("lxml", "PIL", "httpx", "sane", "dsm_device.acquisition", "dsm_device.app", "dsm_device.spool")
    assert "dsm_device.runner.control_client" in loaded
    assert not [name for name in loaded if name.startswith(heavy)]
