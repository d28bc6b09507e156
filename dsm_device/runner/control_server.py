"""The agent's door: takes orders over its socket and has its service carry them out.

A client that asks for an end (Abort) gets one. One that just goes away leaves its job as it is: nobody is told any
more, and open questions are answered as for a job that nobody watches.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from dsm_device.errors import Cancelled, DsmError, ScannerError, ServerError, UsageError

from . import control_messages as messages
from . import control_socket
from .attendant import Attendant, Choice, Patient
from .events import Event, JobCreated, PageArriving, PageGoing
from .service import Service

#: How long a client may take to say what it wants and to read how it ended, in seconds; and what is left of the
#: five that an agent has to stop.
FIRST_LINE_LIMIT_S = 10.0
LAST_WORD_LIMIT_S = 10.0
STOP_LIMIT_S = 1.0
#: What may wait for a client that does not read, in octets: beyond the first nothing that the next event will
#: tell anew, beyond the second nothing at all: it counts as gone.
FULL_OCTETS = 1 << 18
OVERFULL_OCTETS = 1 << 22
#: The name of the socket is ours to remove, not asyncio's: it may have been bound by another.
_KEPT: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


class ControlServer:
    """Serves ``service`` on ``<state_dir>/agent.sock`` inside ``async with``.

    To be left when the service has stopped: the clients that still wait are told that their jobs stay.
    """

    def __init__(self, service: Service, state_dir: Path) -> None:
        self._service = service
        self._state_dir = state_dir
        self._sessions: dict[asyncio.Task[None], _Session] = {}

    async def __aenter__(self) -> ControlServer:
        """Raises ``ConfigurationError``."""
        end = control_socket.listen(self._state_dir)
        self._server = await asyncio.start_unix_server(
            self._welcome, sock=end, limit=messages.MAX_LINE_OCTETS, **_KEPT
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        with suppress(OSError):
            control_socket.remove(self._state_dir)
        for session in self._sessions.values():
            session.stop()
        if self._sessions:
            _, late = await asyncio.wait(self._sessions, timeout=STOP_LIMIT_S)
            for task in late:
                task.cancel()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio made it
        session = _Session(self._service, reader, writer)
        self._sessions[task] = session
        try:
            await session.run()
        finally:
            del self._sessions[task]


class _Session:
    """One client and its order."""

    def __init__(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._service = service
        self._reader = reader
        self._writer = writer
        self._client = _Client(writer)
        self._work: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Hear the order, carry it out, tell how it ended. Nothing that a client does raises here."""
        try:
            order = await self._order()
            self._work = asyncio.create_task(self._carry_out(order))
            hearing = asyncio.create_task(self._hear(self._work))
            await asyncio.wait([self._work])
            hearing.cancel()
            self._client.tell(self._outcome(self._work))
        except messages.NotUnderstood as error:
            self._client.tell(_refusal(error))
        except (OSError, EOFError, TimeoutError):
            pass
        finally:
            await self._client.close()

    def stop(self) -> None:
        """The agent ends. The client hears at once, whatever the service still does."""
        job = f"; job {self._client.job} stays in the spool" if self._client.job else ""
        remedy = "start it again, then see `dsm-device jobs`"
        self._client.tell(messages.failed(ServerError(f"the agent is stopping{job}", remedy)))
        self._client.leave()
        if self._work is not None:
            self._work.cancel()
        else:
            self._writer.transport.abort()

    async def _order(self) -> messages.Order:
        async with asyncio.timeout(FIRST_LINE_LIMIT_S):
            message = await self._message()
        if isinstance(message, messages.Answer | messages.Abort):
            raise messages.NotUnderstood("an order was expected")
        return message

    async def _message(self) -> messages.ClientMessage:
        """Raises ``NotUnderstood``, ``EOFError`` and ``OSError``."""
        try:
            line = await self._reader.readline()
        except ValueError as error:
            raise messages.NotUnderstood("the line is too long") from error
        if not line.endswith(b"\n"):
            raise EOFError
        return messages.decode_from_client(line)

    async def _hear(self, work: asyncio.Task[None]) -> None:
        """Take answers and an Abort until the client goes."""
        try:
            while True:
                message = await self._message()
                if isinstance(message, messages.Abort):
                    work.cancel()
                elif isinstance(message, messages.Answer):
                    self._client.answered(message)
                else:
                    raise messages.NotUnderstood("a connection carries one order")
        except messages.NotUnderstood as error:
            self._client.tell(_refusal(error))
        except (OSError, EOFError):
            pass
        self._client.leave()

    async def _carry_out(self, order: messages.Order) -> None:
        listener = self._client.tell_event
        match order:
            case messages.Scan():
                attendant = _Distant(self._client) if order.attended else Patient()
                await self._service.scan(order.order, listener, attendant)
            case messages.Retry():
                await self._service.retry(order.job, listener)
            case messages.Cancel():
                await self._service.cancel(order.job, listener)
            case messages.Restore():
                await self._service.restore(order.job, order.pages)
            case messages.Jobs():
                for job in await self._service.jobs():
                    self._client.tell(messages.Listed(job))
            case messages.JobShow():
                self._client.tell(messages.Detailed(await self._service.job(order.job)))

    def _outcome(self, work: asyncio.Task[None]) -> messages.Done | messages.Failed:
        if work.cancelled():
            return messages.failed(Cancelled("cancelled"))
        error = work.exception()
        if error is None:
            return messages.Done()
        if isinstance(error, DsmError):
            return messages.failed(error)
        asyncio.get_running_loop().call_exception_handler(
            {"message": "an order to the agent failed unexpectedly", "exception": error}
        )
        return messages.failed(DsmError(f"the agent failed: {type(error).__name__}", "see its log"))


class _Client:
    """Whoever is at the other end, until they are gone; from then on nothing is told."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._here = True
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[messages.Answer | None]] = {}
        #: The job that this connection is about, once it is known.
        self.job = ""

    def tell(self, message: messages.AgentMessage) -> None:
        if not self._here:
            return
        waiting = self._writer.transport.get_write_buffer_size()
        if waiting > FULL_OCTETS and isinstance(message, PageArriving | PageGoing):
            return
        if waiting > OVERFULL_OCTETS or self._writer.is_closing():
            self.leave()
            self._writer.transport.abort()
            return
        self._writer.write(messages.encode(message))

    def tell_event(self, event: Event) -> None:
        if isinstance(event, JobCreated):
            self.job = event.job
        self.tell(event)

    def leave(self) -> None:
        """Nobody is there any more."""
        self._here = False
        for answer in self._open.values():
            if not answer.done():
                answer.set_result(None)

    async def ask(self, question: Callable[[int], messages.Question]) -> messages.Answer | None:
        """The answer; None where nobody is there, or nobody any more."""
        number = next(self._numbers)
        self.tell(question(number))
        if not self._here:
            return None
        self._open[number] = asyncio.get_running_loop().create_future()
        try:
            return await self._open[number]
        except asyncio.CancelledError:
            self.tell(messages.Withdrawn(number))
            raise
        finally:
            del self._open[number]

    def answered(self, answer: messages.Answer) -> None:
        """One to a question that is not open is let pass: it may have been withdrawn meanwhile."""
        waiting = self._open.get(answer.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def close(self) -> None:
        self.leave()
        self._writer.close()
        try:
            async with asyncio.timeout(LAST_WORD_LIMIT_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()


class _Distant:
    """The attendant at the client's terminal; when that is gone, a patient one."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._otherwise: Attendant = Patient()

    async def turn_stack(self, sheets: int) -> None:
        if await self._client.ask(lambda number: messages.TurnStack(number, sheets)) is None:
            await self._otherwise.turn_stack(sheets)

    async def keep_blank(self, pages: Sequence[int]) -> Collection[int]:
        answer = await self._client.ask(lambda number: messages.KeepBlank(number, tuple(pages)))
        if answer is None:
            return await self._otherwise.keep_blank(pages)
        return set(answer.pages) & set(pages)

    async def obstacle(self, error: ScannerError, pages: int) -> Choice:
        told = messages.failed(error)
        answer = await self._client.ask(lambda number: messages.Obstacle(number, told, pages))
        if answer is None:
            return await self._otherwise.obstacle(error, pages)
        return Choice[answer.choice] if answer.choice in Choice.__members__ else Choice.GIVE_UP


def _refusal(error: messages.NotUnderstood) -> messages.Failed:
    return messages.failed(
        UsageError(f"the agent does not understand its client: {error}", "let both be of the same version")
    )
