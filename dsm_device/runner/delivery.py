"""Brings a job's pages to its scan server, in order, while further pages are still being scanned.

What may be repeated, and what must be asked about first, is WS-DSP's "repeating safely": after a fault an
operation has not happened, after a lost answer it may have. :class:`~dsm_device.errors.Recovery` says which.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dsm_device.errors import (
    Cancelled,
    DsmError,
    OutcomeUnknown,
    Recovery,
    ServerError,
    ServerFault,
    SpoolError,
)
from dsm_device.job.model import Job, SpooledPage
from dsm_device.job.states import JobEvent, JobState
from dsm_device.spool import JobFolder
from dsm_device.wire import xml
from dsm_device.wire.processing import CANCELED, CREATING, DOCUMENTS, JOB_STATUS, JobStatus

from .event_board import EventSource
from .events import JobDone, Listener, PageGoing, PageSent, StateChanged, Warned
from .outcome_words import is_final, outcome_lines, outcome_of
from .parcels import Parcel, is_packed_whole, pack_job, pack_page
from .undisturbed import ended, to_its_end

if TYPE_CHECKING:
    from dsm_device.client.scan_server import ScanServer  # httpx takes as long to load as a scanner to open

#: A server closes a job that hears nothing for ten minutes; from here on ours counts as lost (MS-BDSRR 3.1.2).
SILENCE_LIMIT_S = 8 * 60.0
#: A server that loses every job is no server to try a fourth time.
MAX_POST_SCAN_JOBS = 3
JITTER = 0.25
JOB_TOKEN_NOT_FOUND = "ClientErrorJobTokenNotFound"
#: How long a cancelled or failed job waits for the server: to end the step at hand, and to cancel the job.
CANCEL_LIMIT_S = 5.0
#: How long a delivered job waits to hear what the server makes of it.
STATUS_LIMIT_S = 5.0
#: And how long somebody who has time does (WS-DSP, without events).
FOLLOW_UP_LIMIT_S = 30 * 60.0
FIRST_QUESTION_S = 2.0
LAST_QUESTION_S = 60.0

T = TypeVar("T")

#: The psp:PostScanInstructions of a job by its scan process as it stands now; raises ``DsmError``.
FreshInstructions = Callable[[Job], str]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits of ``first_s``, twice that and so on up to ``max_s``, each ± 25 %; at most ``attempts`` of a step."""

    first_s: float
    max_s: float
    attempts: int = 4

    def wait_s(self, failures: int) -> float:
        """How long to wait after the given number (>= 1) of failures in a row."""
        doubled_s = self.first_s * 2.0 ** min(
            failures - 1, 60
        )  # further would overflow, and max_s is long reached
        return min(doubled_s, self.max_s) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


class _JobLost(Exception):
    """The server does not go on with this post-scan job; all images have to go into a new one."""

    def __init__(self, cause: ServerError | None, why: str = "") -> None:
        super().__init__(why or (cause.message if cause else "too long without a message"))
        self.cause = cause


def _unknown_outcome(why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"the scan server does not say whether it has completed the job ({why})",
        "ask its administrator whether the document has arrived before you send it again",
    )


def _to_be_asked(error: ServerError) -> OutcomeUnknown:
    """The end may have arrived, and the server cannot be asked now. :func:`note_failure` leaves it at that."""
    unknown = OutcomeUnknown(
        f"it is not known yet whether the scan server has completed the job ({error.message})", error.remedy
    )
    unknown.recovery = Recovery.ASK_FIRST
    return unknown


class Delivery:
    """One job's way to the server. :meth:`run` may begin before the first page is there."""

    def __init__(
        self,
        folder: JobFolder,
        server: ScanServer,
        retry: RetryPolicy,
        listener: Listener,
        clock: Callable[[], float] | None = None,
        *,
        in_order: bool = True,
        events: EventSource | None = None,
        patient: bool = False,
        fresh_instructions: FreshInstructions | None = None,
    ) -> None:
        """``in_order``: pages arrive in the order in which they are to be read, none is left out, and they go out
        as they come; otherwise when all are there. ``patient``: somebody calls :meth:`follow_up` where the server
        takes its time, so pages are kept until then. ``fresh_instructions`` is asked, in a thread and once, where
        the server finds fault with those of the job."""
        self._events = events
        self._fresh_instructions = fresh_instructions
        self._patient = patient
        self._in_order = in_order
        self._folder = folder
        self._server = server
        self._retry = retry
        self._listener = listener
        self._clock = clock or asyncio.get_running_loop().time
        self._arrival = asyncio.Condition()
        self._complete = False
        self._stopped = False
        self._ended = False
        self._end_in_doubt = False
        self._accepted_s = 0.0

    async def page_arrived(self) -> None:
        """The spool has a further page."""
        async with self._arrival:
            self._arrival.notify_all()

    async def all_arrived(self) -> None:
        """There will be no further page."""
        async with self._arrival:
            self._complete = True
            self._arrival.notify_all()

    async def stop(self, running: asyncio.Task[str], limit_s: float = CANCEL_LIMIT_S) -> None:
        """End :meth:`run`, which ``running`` runs, between two steps if that is soon: a post-scan job whose
        creation is broken off could not even be cancelled, for want of its token."""
        async with self._arrival:
            self._stopped = True
            self._arrival.notify_all()
        try:
            await asyncio.wait({running}, timeout=limit_s)
        finally:  # whoever is in still more of a hurry is not left with a delivery that goes on by itself
            running.cancel()
            await ended(running)

    async def run(self) -> str:
        """Deliver every page and end the post-scan job; its token, or "" if there never was a page.

        Raises :class:`ServerError`; the pages stay in the spool, and what the server has of them is cancelled:
        left alone it would be processed as half a document after ten minutes.
        """
        try:
            return await self._deliver()
        except (ServerError, SpoolError):
            await self.cancel()
            raise

    async def _deliver(self) -> str:
        await self._persist(self._server.locate)
        self._folder.note(JobEvent.LOCATED)
        if self._events is not None:
            await self._events.subscribe()
        if not await self._has_something():
            return ""
        for left in reversed(range(MAX_POST_SCAN_JOBS)):
            try:
                return await self._one_post_scan_job()
            except _JobLost as loss:
                if not left:
                    message = f"the scan server lost this job {MAX_POST_SCAN_JOBS} times"
                    raise loss.cause or ServerError(message, "send it again later") from loss
                self._listener(Warned(f"the scan server lost the job ({loss}); all pages go into a new one"))
                await self.cancel_earlier()
        raise AssertionError("the last turn returns or raises")

    async def end_begun(self) -> str:
        """Go on with a job whose EndPostScanJob may have gone out when its process ended: ask first.

        Its token; "" where the server has lost it, so that all has to be sent anew.
        """
        self._end_in_doubt = True
        token = self._folder.job.token
        await self._persist(self._server.locate)
        try:
            await self._end(token)
        except _JobLost:
            return ""
        return token

    async def finish(self, token: str) -> bool:
        """Tell what the server makes of the job, and let its pages go; False where it has not decided yet.

        Raises :class:`ServerError` where it could do nothing with them: then they stay in the spool.
        """
        pages = len(self._folder.job.kept)
        status = await self._outcome(token, STATUS_LIMIT_S)
        if status is not None:
            self._listener(StateChanged("server", status.state, _in_words(status)))
        if self._patient and (status is None or not status.is_final):
            self._folder.note(JobEvent.SERVER_WORKS)
            self._listener(JobDone(token, pages))
            return False
        await self._settle(status)
        if outcome_of(status) is JobEvent.SERVER_CANCELED:
            raise Cancelled("the job was cancelled at the scan server")
        self._listener(JobDone(token, pages))
        return True

    async def cancel_ended(self, token: str) -> None:
        """Ask the server to stop what it does with an ended job; :meth:`finish` hears whether it did."""
        with suppress(ServerError, TimeoutError):
            await asyncio.wait_for(self._server.cancel_job(token), CANCEL_LIMIT_S)

    async def finish_ended(self) -> bool:
        """:meth:`finish` for a job that was told to be done before: somebody patient has only to follow it up."""
        return False if self._patient else await self.finish(self._folder.job.token)

    async def follow_up(self) -> None:
        """Wait for what the server makes of a job that was ended, however long; raises as :meth:`finish`."""
        status = await self._outcome(self._folder.job.token, FOLLOW_UP_LIMIT_S)
        if status is not None:
            self._listener(StateChanged("server", status.state, _in_words(status)))
        await self._settle(status)

    async def _settle(self, status: JobStatus | None) -> None:
        """Put the job away by its outcome. What has reached nobody is kept."""
        outcome = outcome_of(status)
        if outcome is JobEvent.SERVER_FAILED and status is not None:
            error = ServerError(
                f"the scan server could not process the job: {_in_words(status)}",
                f"once that is put right, `dsm-device jobs retry {self._folder.job.id}` sends the pages again",
            )
            await to_its_end(self._folder.apply, outcome, str(error))
            raise error
        await self.remove(outcome)

    async def _outcome(self, token: str, limit_s: float) -> JobStatus | None:
        """The job's state at the server: its last one, or the one after ``limit_s``. None where it does not say.

        By events where they come, and asked for after 2 s, 4 s and so on up to a minute (WS-DSP, without events).
        """
        give_up_s = self._clock() + limit_s
        wait_s = FIRST_QUESTION_S
        status, is_told = await self._status(token)
        while is_told and not is_final(status) and (left_s := give_up_s - self._clock()) > 0:
            heard = await self._hear(token, min(wait_s, left_s))
            if not is_final(heard):
                said, is_told = await self._status(token)
                heard = said or heard
            status = heard or status
            wait_s = min(2 * wait_s, LAST_QUESTION_S)
        return status

    async def _hear(self, token: str, wait_s: float) -> JobStatus | None:
        """An event of the job, waited for so long."""
        if self._events is not None:
            return await self._events.next_status(token, wait_s)
        await self._sleep(wait_s)
        return None

    async def _has_ended_by_event(self, token: str) -> bool:
        """The server has forgotten a job that it was to end: only an event can tell that it did."""
        heard = await self._events.next_status(token, STATUS_LIMIT_S) if self._events is not None else None
        if heard is None or not heard.is_final:
            raise _unknown_outcome("it does not know the job any more")
        return True

    async def remove(self, event: JobEvent) -> None:
        """Put the job into the history; a disk that refuses fails nothing any more."""
        try:
            await to_its_end(self._folder.remove, event)
        except SpoolError as error:
            self._listener(Warned(str(error)))

    @property
    def may_be_open(self) -> bool:
        """Whether the server may have a post-scan job of this one that :meth:`cancel` would cancel."""
        return bool(self._folder.job.token) and not self._ended and not self._end_in_doubt

    def is_unwanted(self) -> None:
        """The user wants no more of the job: :meth:`cancel` goes out also where an end may have arrived."""
        self._end_in_doubt = False

    async def cancel(self, limit_s: float = CANCEL_LIMIT_S) -> bool:
        """Cancel the post-scan job, as well as the server allows in ``limit_s``; whether nothing is left to try.

        Not if there is none, and not if it has been ended, or nobody knows whether it has.
        """
        try:
            await asyncio.wait_for(self._cancel(), limit_s)
        except (ServerError, TimeoutError) as error:
            why = str(error) or "no answer"
            self._listener(Warned(f"the post-scan job could not be cancelled at the server ({why})"))
            return isinstance(error, ServerError) and not error.temporary
        return True

    async def cancel_earlier(self) -> None:
        """:meth:`cancel` before another post-scan job is begun, whose token takes the place of this one's.

        Raises :class:`ServerError` where it may work later: nobody would think of the old one any more, and its
        pages would be processed as half a document. What the server refuses for good is left to its clock.
        """
        try:
            await self._cancel()
        except ServerError as error:
            if error.temporary:
                raise
            self._listener(
                Warned(f"the scan server does not cancel a post-scan job, and may process it ({error})")
            )

    async def _cancel(self) -> None:
        """As often as the error and the policy allow, also when :meth:`stop` was called."""
        token = self._folder.job.token
        failures = 0
        while self.may_be_open:
            try:
                await self._server.cancel_job(token)
            except ServerError as error:
                failures += 1
                if failures >= self._tries(error.recovery):
                    raise
            else:
                return
            await asyncio.sleep(self._retry.wait_s(failures))

    # -------------------------------------------------------------------------------- one post-scan job

    async def _one_post_scan_job(self) -> str:
        """Begun when the first parcel is packed: what cannot be needs no post-scan job."""
        token = ""
        number = 0
        async with aclosing(self._parcels()) as parcels:
            async for parcel in parcels:
                token = token or await self._create()
                number += 1
                await self._send(token, number, parcel)
        await self._end(token)
        return token

    async def _has_something(self) -> bool:
        """Whether there is anything to deliver; for a document, once all of it is there."""
        whole = is_packed_whole(self._folder.job)
        await self._wait_until(lambda: self._complete or (not whole and self._in_order and self._has_pages))
        return self._has_pages

    @property
    def _has_pages(self) -> bool:
        return bool(self._folder.job.kept)

    async def _parcels(self) -> AsyncGenerator[Parcel]:
        """What is to be sent, in order, as soon as it is complete."""
        if is_packed_whole(self._folder.job):
            await self._wait_until(lambda: self._complete)
            for parcel in await asyncio.to_thread(pack_job, self._folder):
                yield parcel
            return
        index = 0
        while (page := await self._page(index)) is not None:
            index += 1
            yield await asyncio.to_thread(pack_page, self._folder, page)

    async def _page(self, index: int) -> SpooledPage | None:
        """The page at ``index`` of those that are delivered, once it is certain; None after the last one."""
        await self._wait_until(lambda: self._complete or (self._in_order and index < len(self._folder.job.kept)))
        pages = self._folder.job.kept
        return pages[index] if index < len(pages) else None

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        async with self._arrival:
            await self._arrival.wait_for(lambda: self._stopped or condition())
        self._raise_if_stopped()

    async def _create(self) -> str:
        """A lost answer leaves a post-scan job without images, which ends by itself: simply repeated."""
        job = self._folder.job
        stored = job.instructions.encode()
        instructions = xml.parse(stored, limit=len(stored))
        token = await self._persist(lambda: self._server.create_job(job.user_sid, job.process_id, instructions))
        await to_its_end(self._folder.set_token, token)
        self._accept()
        self._listener(StateChanged("device", JobState.CREATED))
        return token

    async def _send(self, token: str, number: int, parcel: Parcel) -> None:
        """``number`` is the DocumentId (WS-DSP, SendImage): 1, 2, 3 … in the post-scan job."""
        in_doubt = was_in_doubt = False
        first, last = parcel.pages[0].n, parcel.pages[-1].n
        size_bytes = parcel.size_bytes

        async def attempt() -> None:
            nonlocal in_doubt, was_in_doubt
            self._check_silence()
            # Asked only after the wait: a server that was slow to answer may be slow to book the image as well.
            if in_doubt and await self._has_document(token, number):
                return
            try:
                await self._server.send_image(
                    token,
                    number,
                    self._folder.job.format,
                    parcel,
                    lambda gone: self._listener(PageGoing(first, gone, size_bytes, last)),
                )
            except ServerError as error:
                in_doubt = error.recovery is Recovery.ASK_FIRST
                was_in_doubt |= in_doubt
                # An earlier one may have come late, after the question, and a second one is refused.
                if in_doubt or not was_in_doubt or error.temporary or not await self._has_document(token, number):
                    raise

        await self._persist(attempt)
        await to_its_end(self._folder.mark_sent, parcel.pages)
        self._accept()
        for page in parcel.pages:
            self._listener(PageSent(page.n))

    async def _end(self, token: str) -> None:
        was_in_doubt = False

        async def attempt() -> None:
            nonlocal was_in_doubt
            was_in_doubt |= self._end_in_doubt
            if self._end_in_doubt and await self._has_ended(token):
                return
            self._end_in_doubt = True  # so it is as well where this task is cancelled meanwhile
            try:
                await self._server.end_job(token)
            except ServerError as error:
                # An earlier one may have come late, after the question.
                is_gone_by_that = was_in_doubt and error.recovery is Recovery.NEW_JOB
                self._end_in_doubt = error.recovery is Recovery.ASK_FIRST or is_gone_by_that
                if not is_gone_by_that or not await self._has_ended(token):
                    raise

        await to_its_end(self._folder.apply, JobEvent.END_BEGUN)
        try:
            await self._persist(attempt)
        except ServerError as error:
            raise (_to_be_asked(error) if self._end_in_doubt and error.temporary else error) from error
        self._ended = True
        await to_its_end(self._folder.apply, JobEvent.ENDED)
        self._listener(StateChanged("device", JobState.ENDED))

    def _accept(self) -> None:
        self._accepted_s = self._clock()

    def _check_silence(self) -> None:
        if self._clock() - self._accepted_s > SILENCE_LIMIT_S:
            raise _JobLost(None)

    # -------------------------------------------------------------------------------------- questions

    async def _status(self, token: str) -> tuple[JobStatus | None, bool]:
        """What the server says of the job now, None where it does not say; and whether it may say (more) later."""
        try:
            answer = await asyncio.wait_for(self._server.job_elements(token, JOB_STATUS), STATUS_LIMIT_S)
        except TimeoutError:
            return None, True
        except ServerError as error:
            return None, error.temporary
        return answer.status, answer.status is not None

    async def _has_document(self, token: str, n: int) -> bool:
        """Whether the server has that image; where it does not tell, the job has to be sent anew."""
        try:
            answer = await self._persist(lambda: self._server.job_elements(token, DOCUMENTS))
        except ServerError as error:
            raise _JobLost(error) from error
        if answer.documents is None:
            raise _JobLost(None)
        return any(document.document_id == n for document in answer.documents)

    async def _has_ended(self, token: str) -> bool:
        """Whether EndPostScanJob arrived: any state but Creating says so, and so does a job that is gone.

        Raises :class:`OutcomeUnknown` where the server will not tell, any other :class:`ServerError` where it
        cannot now, and ``_JobLost`` for a cancelled job: nobody has got its pages.
        """
        try:
            answer = await self._server.job_elements(token, JOB_STATUS)
        except ServerError as error:
            if error.temporary:
                raise
            if isinstance(error, ServerFault) and error.subcode == JOB_TOKEN_NOT_FOUND:
                return await self._has_ended_by_event(token)
            raise _unknown_outcome(error.message) from error
        if answer.status is None:
            raise _unknown_outcome("it gives no status")
        self._end_in_doubt = False
        if answer.status.state == CANCELED:
            raise _JobLost(None, "it was cancelled before it was ended")
        return answer.status.state != CREATING

    # --------------------------------------------------------------------------------------- recovery

    async def _persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it works or the error says that repeating does not help."""
        failures = 0
        while True:
            try:
                return await attempt()
            except ServerError as error:
                failures += 1
                await self._recover(error, failures)

    async def _recover(self, error: ServerError, failures: int) -> None:
        """Return when the same may be tried again; raise what stands otherwise."""
        if error.recovery is Recovery.NEW_JOB:
            raise _JobLost(error)
        if error.recovery is Recovery.RELOAD_PROCESS and await self._has_changed_process(error):
            raise _JobLost(error, "its scan process has changed meanwhile")
        if failures >= self._tries(error.recovery):
            raise error
        if error.recovery is not Recovery.RELOCATE:
            wait_s = self._retry.wait_s(failures)
            self._listener(Warned(f"{error.message}; trying again in {wait_s:.0f} s"))
            await self._sleep(wait_s)

    async def _has_changed_process(self, refusal: ServerError) -> bool:
        """Whether there are other instructions by now: then the job goes by them. Asked once (WS-DSP, faults).

        Raises ``ServerError`` where the scan process cannot be used any more.
        """
        ask, self._fresh_instructions = self._fresh_instructions, None
        if ask is None:
            return False
        job = self._folder.job
        try:
            fresh = await asyncio.to_thread(ask, job)
        except DsmError as error:
            raise ServerError(
                f'the scan server refuses scan process "{job.process_name}" as it was read: now {error.message}',
                f"once that is put right, `dsm-device jobs retry {job.id}` sends the pages",
            ) from refusal
        if fresh == job.instructions:
            return False
        await asyncio.to_thread(self._folder.set_instructions, fresh)
        return True

    async def _sleep(self, wait_s: float) -> None:
        """Wait, but not longer than until :meth:`stop`."""
        async with self._arrival:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait_for(lambda: self._stopped), wait_s)
        self._raise_if_stopped()

    def _raise_if_stopped(self) -> None:
        if self._stopped:
            raise Cancelled("the delivery was stopped")

    def _tries(self, recovery: Recovery) -> int:
        match recovery:
            case Recovery.RETRY_LATER | Recovery.ASK_FIRST:
                return self._retry.attempts
            case Recovery.RETRY_TWICE:
                return min(3, self._retry.attempts)
            case Recovery.RELOCATE:
                return 2
            case _:
                return 1


def _in_words(status: JobStatus) -> str:
    return "; ".join(outcome_lines(status))
