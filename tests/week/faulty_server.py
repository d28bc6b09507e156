"""A scan server that exists in memory only, with every fault that the protocol knows, at random.

It stands where the client stands (:class:`dsm_device.client.scan_server.ScanServer`) and raises what that raises;
what each fault means is read from the protocol's own table. It keeps its own books, by which the device is judged.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from dsm_device.client.failures import nonsense
from dsm_device.errors import AnswerLost, Recovery, ServerFault, ServerRefused, ServerUnreachable
from dsm_device.wire import faults
from dsm_device.wire.faults import Fault, Operation
from dsm_device.wire.names import DSP, WSA
from dsm_device.wire.processing import DOCUMENTS, Document, JobElements, JobStatus

T = TypeVar("T")

#: MS-BDSRR 3.1.2.
SILENCE_S: Final = 600.0
CREATING: Final = "Creating"
FORGOTTEN: Final = "forgotten"
#: By (namespace, subcode, code): what WS-DSP says that a server may answer.
_FAULTS: Final = [
    (DSP, "InvalidArgs", "Sender"),
    (DSP, "OperationFailed", "Receiver"),
    (DSP, "ServerErrorTemporaryError", "Receiver"),
    (DSP, "ServerErrorInternalError", "Receiver"),
    (WSA, "EndpointUnavailable", "Receiver"),
    (WSA, "DestinationUnreachable", "Sender"),
    (WSA, "ActionNotSupported", "Sender"),
    ("", "", "Receiver"),
]


@dataclass
class PostScanJob:
    """The server's books of one job. ``images`` are the pages' numbers, in the order of their DocumentIds."""

    token: str
    job_id: str
    touched_s: float
    state: str = CREATING
    images: list[int] = field(default_factory=list)
    #: How it came to an end: "End", "Cancel", "silence" or "forgotten".
    ended_by: str = ""


@dataclass
class FaultyServer:
    """``trouble`` is the chance that an operation meets a fault, 0 to 1."""

    chance: random.Random
    trouble: float = 0.2
    steps: int = 0
    jobs: dict[str, PostScanJob] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    #: What no device may do, found out while it did it.
    breaches: list[str] = field(default_factory=list)
    #: Until then nothing answers.
    down_until_s: float = 0.0
    #: Who sends: the bodies of requests do not say it.
    owners: dict[str, str] = field(default_factory=dict)

    name = "week.example"

    async def __aenter__(self) -> FaultyServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    # ------------------------------------------------------------------------- what the client offers

    async def locate(self) -> str:
        return await self._operation(Operation.METADATA, lambda: "https://week.example/")

    async def create_job(self, user_sid: str, process_id: str, instructions: Any) -> str:
        return await self._operation(Operation.CREATE, lambda: self._create(process_id))

    async def send_image(
        self, token: str, document_id: int, format_: str, parcel: Any, on_progress: Callable[[int], None]
    ) -> None:
        def take() -> None:
            job = self._creating(token, Operation.SEND)
            if document_id != len(job.images) + 1:
                self.breaches.append(f"DocumentId {document_id} after {len(job.images)} images")
                raise _fault(DSP, "InvalidArgs", "Sender", Operation.SEND)
            job.images.extend(page.n for page in parcel.pages)

        on_progress(parcel.size_bytes)
        await self._operation(Operation.SEND, take)

    async def end_job(self, token: str) -> None:
        def end() -> None:
            job = self._creating(token, Operation.END)
            job.state, job.ended_by = "Processing", "End"

        await self._operation(Operation.END, end)

    async def cancel_job(self, token: str) -> None:
        def cancel() -> None:
            job = self._known().get(token)
            if job is not None and job.state in (CREATING, "Processing"):
                job.state, job.ended_by = "Canceled", job.ended_by or "Cancel"

        try:
            await self._operation(Operation.CANCEL, cancel)
        except ServerFault as error:
            if error.recovery is not Recovery.SUCCESS:
                raise

    async def job_elements(self, token: str, *names: str) -> JobElements:
        return await self._operation(Operation.QUERY, lambda: self._elements(token, names))

    # --------------------------------------------------------------------------------------- its books

    def _create(self, process_id: str) -> str:
        token = f"urn:uuid:{len(self.jobs)}"
        self.jobs[token] = PostScanJob(token, process_id, self._now_s)
        return token

    def _creating(self, token: str, operation: Operation) -> PostScanJob:
        job = self._known().get(token)
        if job is None or job.state != CREATING:
            subcode = "ServerErrorPostScanJobCanceled" if job and job.state == "Canceled" else ""
            raise _fault(DSP, subcode or "ClientErrorJobTokenNotFound", "Sender", operation)
        job.touched_s = self._now_s
        return job

    def _elements(self, token: str, names: tuple[str, ...]) -> JobElements:
        job = self._known().get(token)
        if job is None:
            raise _fault(DSP, "ClientErrorJobTokenNotFound", "Sender", Operation.QUERY)
        if job.state == "Processing" and self.chance.random() < 0.5:
            job.state = self.chance.choices(["Completed", "Aborted"], [30, 1])[0]
        status = JobStatus(token, job.state, (), (), len(job.images), "", "")
        documents = tuple(Document(n, "jfif") for n in range(1, len(job.images) + 1))
        return JobElements(status, None, documents if DOCUMENTS in names else None)

    def books(self) -> Collection[PostScanJob]:
        """All jobs that there ever were. One that was silent for ten minutes it has completed by itself."""
        for job in self.jobs.values():
            if job.state == CREATING and self._now_s - job.touched_s > SILENCE_S:
                job.state, job.ended_by = "Completed", "silence"
        return self.jobs.values()

    def _known(self) -> dict[str, PostScanJob]:
        return {job.token: job for job in self.books() if job.state != FORGOTTEN}

    def cancel_one(self) -> None:
        """Its administrator cancels a job that is being sent."""
        creating = [job for job in self.jobs.values() if job.state == CREATING]
        if creating:
            job = self.chance.choice(creating)
            job.state, job.ended_by = "Canceled", "Cancel"

    def forget(self) -> None:
        """It is started anew: what was not ended is gone, and what was is no more to be asked about."""
        for job in self.jobs.values():
            job.ended_by = job.ended_by or "forgotten"
            job.state = FORGOTTEN

    # ------------------------------------------------------------------------------------------ faults

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def _operation(self, operation: Operation, do: Callable[[], T]) -> T:
        """Carried out or not, answered or not."""
        self.steps += 1
        await asyncio.sleep(self.chance.expovariate(20))
        if self._now_s < self.down_until_s:
            raise ServerUnreachable("nothing listens there")
        if self.chance.random() >= self.trouble:
            return do()
        return await self.chance.choice(_TROUBLES)(self, operation, do)

    def _met(self, what: str, operation: Operation) -> None:
        self.met[f"{what} at {operation.value}"] += 1


async def _unreachable(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    server._met("unreachable", operation)
    raise ServerUnreachable("the network is gone")


async def _lost_answer(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    server._met("lost answer", operation)
    do()
    raise AnswerLost("no full answer", recovery=operation.after_lost_answer)


async def _lost_request(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    """To the client it looks the same."""
    server._met("lost request", operation)
    raise AnswerLost("no full answer", recovery=operation.after_lost_answer)


async def _nonsense(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    server._met("nonsense", operation)
    do()
    raise nonsense("week.example", "answers with nonsense", operation)


async def _refusal(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    server._met("503", operation)
    raise ServerRefused("busy", status=503, recovery=Recovery.RETRY_LATER)


async def _gateway(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    server._met("502", operation)
    if server.chance.random() < 0.5:
        do()
    raise ServerRefused("half done", status=502, recovery=operation.after_lost_answer)


async def _any_fault(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    namespace, subcode, code = server.chance.choice(_FAULTS)
    server._met(subcode or code, operation)
    raise _fault(namespace, subcode, code, operation)


async def _slow(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    server._met("minutes of silence", operation)
    await asyncio.sleep(server.chance.uniform(1, 900))
    return do()


async def _restart(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    server._met("restart", operation)
    server.forget()
    server.down_until_s = server._now_s + server.chance.expovariate(1 / 300)
    raise ServerUnreachable("it hung up")


async def _off(server: FaultyServer, operation: Operation, do: Callable[[], Any]) -> Any:
    server._met("off for hours", operation)
    server.down_until_s = server._now_s + server.chance.uniform(60, 8 * 3600)
    raise ServerUnreachable("nothing listens there")


_Trouble = Callable[[FaultyServer, Operation, Callable[[], Any]], Awaitable[Any]]
_COMMON: Final[list[_Trouble]] = [
    _unreachable, _lost_answer, _lost_request, _nonsense, _refusal, _gateway, _any_fault, _slow
]  # fmt: skip
_TROUBLES: Final[list[_Trouble]] = [*(_COMMON * 6), _restart, _off]


def _fault(namespace: str, subcode: str, code: str, operation: Operation) -> ServerFault:
    advice = faults.advice(Fault(code, subcode, namespace, "", ""))
    return ServerFault(subcode or code, code=code, subcode=subcode, recovery=advice.recovery_of(operation))
