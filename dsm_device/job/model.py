"""What a job is: the record that the spool keeps of it, and nothing else.

No secret is part of it (passwords, keys and PINs never reach a job).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from dsm_device.imaging.formats import FORMATS
from dsm_device.job.outcomes import Outcome
from dsm_device.wire import xml

FORMAT_VERSION = 1
#: A scan process has at most 524,288 characters (MS-BDSRR), each of up to four octets.
MAX_INSTRUCTIONS_OCTETS = 4 * 524_288


def new_job_id(now: datetime, random: str) -> str:
    """An identifier that starts with the local time, so that jobs sort; ``random`` makes it the only one."""
    return f"{now.astimezone():%Y%m%d-%H%M%S}-{random}"


class JobState(StrEnum):
    """How far a job has come, in the order of a job that goes well; then the one whose scan failed."""

    ACQUIRING = "acquiring"
    SPOOLED = "spooled"
    CREATED = "created"
    ENDED = "ended"
    FAILED = "failed"


class SpooledPage(msgspec.Struct, frozen=True):
    """One image file of the job, complete and synced.

    ``n`` counts the sides of the sheets from 1, in the order in which they are to be read. ``crc32`` is that of
    the file, 0 where nobody knows it. ``left_out``: blank, and therefore not part of what is delivered.
    """

    n: int
    file: str
    bytes: int
    sent: bool = False
    crc32: int = 0
    left_out: bool = False


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One push scan. ``instructions`` is psp:PostScanInstructions as read from the scan process, plus e-mail
    addresses added at the device; ``format`` is the wscn:Format of what is delivered; ``parameters`` is what
    became of each element of the ticket (WS-Scan, DocumentFinalParameters)."""

    id: str
    process_id: str
    process_name: str
    repository: str
    user: str
    user_sid: str
    instructions: str
    format: str
    created: datetime
    state: JobState = JobState.ACQUIRING
    pages: tuple[SpooledPage, ...] = ()
    token: str = ""
    error: str = ""
    parameters: tuple[Outcome, ...] = ()
    version: int = FORMAT_VERSION

    @property
    def kept(self) -> tuple[SpooledPage, ...]:
        """The pages that are delivered, in their order."""
        return tuple(page for page in self.pages if not page.left_out)

    @property
    def sent(self) -> int:
        """How many pages the server has confirmed."""
        return sum(page.sent for page in self.pages)

    def with_page(self, page: SpooledPage) -> Job:
        """The job with a further page, or with a new state of a known one."""
        others = tuple(each for each in self.pages if each.n != page.n)
        return msgspec.structs.replace(self, pages=tuple(sorted((*others, page), key=lambda each: each.n)))

    def with_page_restored(self, n: int) -> Job:
        """The job with blank page ``n`` among those that are delivered. Raises ``ValueError`` if it is not one."""
        page = next((page for page in self.pages if page.n == n and page.left_out), None)
        if page is None:
            raise ValueError(f"page {n} was not left out")
        return self.with_page(msgspec.structs.replace(page, left_out=False))

    def with_state(self, state: JobState, error: str = "") -> Job:
        return msgspec.structs.replace(self, state=state, error=error)

    def with_token(self, token: str) -> Job:
        """The job in a new post-scan job: whatever an earlier one had received counts no more."""
        pages = tuple(msgspec.structs.replace(each, sent=False) for each in self.pages)
        return msgspec.structs.replace(self, token=token, pages=pages, state=JobState.CREATED)


_decoder: msgspec.json.Decoder[Job] = msgspec.json.Decoder(Job)


def encode(job: Job) -> bytes:
    return msgspec.json.encode(job)


def decode(record: bytes) -> Job:
    """The job in a record that :func:`encode` made. Raises ``ValueError`` for anything else, in one line."""
    try:
        job = _decoder.decode(record)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    if job.version != FORMAT_VERSION:
        raise ValueError(f"it is of version {job.version}, this program writes {FORMAT_VERSION}")
    _check(job)
    return job


def _check(job: Job) -> None:
    """What the types do not say and later steps rely on."""
    xml.parse(job.instructions.encode("utf-8", "replace"), limit=MAX_INSTRUCTIONS_OCTETS)
    if job.format not in FORMATS:
        raise ValueError(f"its format {job.format[:40]!r} is not known")
    if not (job.user_sid + job.process_id + job.repository).isprintable():
        raise ValueError("it holds control characters")
    if not 1970 <= job.created.year <= 9000:
        raise ValueError(f"it was created in the year {job.created.year}")
    if any("/" in page.file or page.file in ("", ".", "..") for page in job.pages):
        raise ValueError("it names files outside its folder")
