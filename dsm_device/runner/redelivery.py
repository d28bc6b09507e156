"""Jobs that are taken up where their record stands: delivered, asked after, or cancelled at their server.

Whatever fails is written into the job, which then waits for another time, or for a person.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from msgspec import structs

from dsm_device.errors import OutcomeUnknown, Recovery, ServerError, SpoolError
from dsm_device.job.states import Command, JobEvent
from dsm_device.spool import JobFolder

from .delivery import CANCEL_LIMIT_S, Delivery
from .undisturbed import to_its_end


async def redeliver(folder: JobFolder, delivery: Delivery) -> bool:
    """Do what the job's state asks for; False where :meth:`Delivery.follow_up` is to come."""
    match folder.job.state.command:
        case Command.HEAR:
            return await delivery.finish_ended()
        case Command.CANCEL:
            return await _cancel(folder, delivery)
        case _:
            return await _deliver(folder, delivery)


async def _deliver(folder: JobFolder, delivery: Delivery) -> bool:
    try:
        token = await _ended_earlier(folder, delivery) or await _send(folder, delivery)
    except (ServerError, SpoolError) as error:
        await asyncio.to_thread(note_failure, folder, error)
        raise
    return await delivery.finish(token)


async def _ended_earlier(folder: JobFolder, delivery: Delivery) -> str:
    """The token of a job whose end was on its way when its process ended; "" where all has to be sent."""
    return await delivery.end_begun() if folder.job.state.command is Command.END else ""


async def _send(folder: JobFolder, delivery: Delivery) -> str:
    if not folder.job.kept:
        raise _nothing_to_send(folder)
    await delivery.cancel_earlier()
    await delivery.all_arrived()
    delivering = asyncio.create_task(delivery.run())
    try:
        return await asyncio.shield(delivering)
    except asyncio.CancelledError:
        await delivery.stop(delivering)
        await delivery.cancel()
        raise


def _nothing_to_send(folder: JobFolder) -> SpoolError:
    what = "only blank pages" if folder.job.pages else "no complete page"
    remedy = f"`dsm-device jobs cancel {folder.job.id}` throws it away"
    if folder.job.pages:
        remedy = f"`dsm-device jobs restore {folder.job.id} PAGE...` lets them be sent, {remedy}"
    return SpoolError(f"job {folder.job.id} has {what}", remedy)


async def cancel_for_good(folder: JobFolder, delivery: Delivery, limit_s: float = CANCEL_LIMIT_S) -> None:
    """The user wants no more of the job: its pages go, and so does what the server has of it.

    Where that cannot be said to the server within ``limit_s``, the record stays until it can (:func:`redeliver`);
    said once more by the user, it goes as well.
    """
    was_wanted = folder.job.state.command is Command.CANCEL
    delivery.is_unwanted()
    if delivery.may_be_open and not was_wanted:
        await to_its_end(folder.cancel_wanted)
    if await delivery.cancel(limit_s) or was_wanted:
        await delivery.remove(JobEvent.CANCELED)


async def _cancel(folder: JobFolder, delivery: Delivery) -> bool:
    try:
        await delivery.cancel_earlier()
    except ServerError as error:
        await asyncio.to_thread(_note, folder, error)
        raise
    await delivery.remove(JobEvent.CANCELED)
    return True


def note_failure(folder: JobFolder, error: ServerError | SpoolError) -> None:
    """Write into the job why it was not delivered, and whether that may be tried again without a person.

    One that may have been ended stays as it is, for the server to be asked; unless that will never tell.
    """
    match error:
        case OutcomeUnknown() if error.temporary:
            return _note(folder, error)
        case ServerError() if folder.job.state.command is Command.END and not isinstance(error, OutcomeUnknown):
            return _note(folder, error)
        case OutcomeUnknown():
            event = JobEvent.IN_DOUBT
        case ServerError() if error.recovery is Recovery.MARK_CANCELLED:
            event = JobEvent.SERVER_CANCELED
        case ServerError():
            event = JobEvent.POSTPONED
        case _:
            event = JobEvent.UNDELIVERABLE
    with suppress(SpoolError):
        folder.apply(event, str(error))
    return None


def _note(folder: JobFolder, error: ServerError) -> None:
    """The job stays where it is, and is tried again."""
    with suppress(SpoolError):
        folder.update(lambda job: structs.replace(job, error=str(error), retries=job.retries + 1))
