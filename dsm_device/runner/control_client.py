"""The device as an agent's client sees it: the same service, at the other end of a socket.

It loads neither the ticket engine nor anything of scanners and networks: an order is on its way at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from socket import socket
from typing import assert_never

from dsm_device.errors import Cancelled, ScannerError, ServerError

from . import control_messages as messages
from . import control_socket
from .attendant import Attendant, Nobody
from .events import Event, JobCreated, Listener
from .job_list import JobDescription, JobDetails
from .order import ScanOrder

#: How long an agent may take to end what was aborted, in seconds: a step of the scanner and one of the server.
ABORT_LIMIT_S = 30.0


class RemoteService:
    """Implements :class:`~.service.Service` by a running agent; each order takes a connection of its own.

    ``connect`` returns None where no agent runs.
    """

    def __init__(self, state_dir: Path, first: socket, abort_limit_s: float) -> None:
        self._state_dir = state_dir
        self._first: socket | None = first
        self._abort_limit_s = abort_limit_s

    @classmethod
    def connect(cls, state_dir: Path, *, abort_limit_s: float = ABORT_LIMIT_S) -> RemoteService | None:
        """Raises ``ConfigurationError`` where an agent runs that is not for this user."""
        first = control_socket.connect(state_dir)
        return cls(state_dir, first, abort_limit_s) if first else None

    async def scan(self, order: ScanOrder, listener: Listener, attendant: Attendant) -> None:
        attended = not isinstance(attendant, Nobody)
        await self._carry_out(messages.Scan(order, attended), listener, attendant)

    async def retry(self, job_id: str, listener: Listener) -> None:
        await self._carry_out(messages.Retry(_readable(job_id)), listener, job=job_id)

    async def cancel(self, job_id: str, listener: Listener) -> None:
        await self._carry_out(messages.Cancel(_readable(job_id)), listener, job=job_id)

    async def restore(self, job_id: str, pages: Sequence[int]) -> None:
        await self._carry_out(messages.Restore(_readable(job_id), tuple(pages)), _ignore)

    async def jobs(self) -> list[JobDescription]:
        found: list[JobDescription] = []
        await self._carry_out(messages.Jobs(), _ignore, take=found.append)
        return found

    async def job(self, job_id: str) -> JobDetails:
        found: list[JobDetails] = []
        await self._carry_out(messages.JobShow(_readable(job_id)), _ignore, take_details=found.append)
        if not found:
            raise _misunderstood("an answer without the job")
        return found[0]

    async def _carry_out(
        self,
        order: messages.Order,
        listener: Listener,
        attendant: Attendant | None = None,
        *,
        job: str = "",
        take: Callable[[JobDescription], None] | None = None,
        take_details: Callable[[JobDetails], None] | None = None,
    ) -> None:
        async with self._connection() as (reader, writer):
            talk = _Talk(reader, writer, listener, attendant or Nobody(), job, abort_limit_s=self._abort_limit_s)
            talk.take, talk.take_details = take or _ignore, take_details or _ignore
            await talk.run(order)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        end, self._first = self._first or control_socket.connect(self._state_dir), None
        if end is None:
            raise ServerError("the agent has gone", "start it again, or scan without it")
        reader, writer = await asyncio.open_unix_connection(sock=end, limit=messages.MAX_LINE_OCTETS)
        try:
            yield reader, writer
        finally:
            writer.close()


class _Talk:
    """One order and what the agent says to it, until Done or Failed."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        listener: Listener,
        attendant: Attendant,
        job: str,
        *,
        abort_limit_s: float,
    ) -> None:
        self._abort_limit_s = abort_limit_s
        self._reader = reader
        self._writer = writer
        self._listener = listener
        self._attendant = attendant
        self._job = job
        self._answers: dict[int, asyncio.Task[None]] = {}
        self.take: Callable[[JobDescription], None] = _ignore
        self.take_details: Callable[[JobDetails], None] = _ignore

    async def run(self, order: messages.Order) -> None:
        """Being cancelled becomes an Abort, and its outcome this one's."""
        self._writer.write(messages.encode(order))
        try:
            await self._listen()
        except asyncio.CancelledError:
            self._withdraw_all()
            self._writer.write(messages.encode(messages.Abort()))
            await self._listen_to_the_end()
        finally:
            self._withdraw_all()

    async def _listen_to_the_end(self) -> None:
        try:
            async with asyncio.timeout(self._abort_limit_s):
                await self._listen()
        except TimeoutError:
            raise Cancelled("cancelled, but the agent has not confirmed it", "see `dsm-device jobs`") from None

    async def _listen(self) -> None:
        """Returns at Done; raises what the agent reports."""
        while not isinstance(message := await self._message(), messages.Done):
            match message:
                case messages.Failed():
                    raise messages.raised(message)
                case messages.TurnStack() | messages.KeepBlank() | messages.Obstacle():
                    self._answers[message.number] = asyncio.create_task(self._answer(message))
                case messages.Withdrawn():
                    if task := self._answers.pop(message.number, None):
                        task.cancel()
                case messages.Listed():
                    self.take(message.job)
                case messages.Detailed():
                    self.take_details(message.job)
                case _:
                    self._heard(message)

    async def _message(self) -> messages.AgentMessage:
        try:
            line = await self._reader.readline()
            if line.endswith(b"\n"):
                return messages.decode_from_agent(line)
        except OSError:
            pass
        except (ValueError, messages.NotUnderstood) as error:
            raise _misunderstood(str(error)) from error
        job = f"job {self._job} stays in the spool and goes on" if self._job else "what it has goes on"
        raise ServerError("the agent has gone", f"{job} when the agent runs again")

    def _heard(self, event: Event) -> None:
        if isinstance(event, JobCreated):
            self._job = event.job
        self._listener(event)

    async def _answer(self, question: messages.Question) -> None:
        answer = await self._asked(question)
        with suppress(OSError):
            self._writer.write(messages.encode(answer))

    async def _asked(self, question: messages.Question) -> messages.Answer:
        match question:
            case messages.TurnStack():
                await self._attendant.turn_stack(question.sheets)
                return messages.Answer(question.number)
            case messages.KeepBlank():
                kept = await self._attendant.keep_blank(question.pages)
                return messages.Answer(question.number, pages=tuple(sorted(kept)))
            case messages.Obstacle():
                error = messages.raised(question.error)
                if not isinstance(error, ScannerError):
                    error = ScannerError(error.message, error.remedy)
                choice = await self._attendant.obstacle(error, question.pages)
                return messages.Answer(question.number, choice=choice.name)
        assert_never(question)

    def _withdraw_all(self) -> None:
        for task in self._answers.values():
            task.cancel()
        self._answers.clear()


def _misunderstood(why: str) -> ServerError:
    return ServerError(f"the agent is not understood: {why}", "let both be of the same version")


def _readable(job_id: str) -> str:
    """What a command line may hold that is no text has an identifier that no job has."""
    return job_id.encode("utf-8", "backslashreplace").decode()


def _ignore(_: object) -> None: ...
