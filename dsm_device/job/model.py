"""What a job is: the record that the spool keeps of it, and nothing else.

No secret is part of it (passwords, keys and PINs never reach a job).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from dsm_device.imaging.formats import FORMATS
from dsm_device.job.outcomes import Outcome
from dsm_device.job.states import JobEvent, JobState, after
from dsm_device.wire import xml

#: WS-Scan, JobId.
LARGEST_NUMBER = 2_147_483_647
#: Of version 1 there were jobs without a number.
FORMAT_VERSION = 2
_READ_VERSIONS = (1, FORMAT_VERSION)
#: A scan process has at most 524,288 characters (MS-BDSRR), each of up to four octets.
MAX_INSTRUCTIONS_OCTETS = 4 * 524_288


def new_job_id(now: datetime, random: str) -> str:
    """An identifier that starts with the local time, so that jobs sort; ``random`` makes it the only one."""
    return f"{now.astimezone():%Y%m%d-%H%M%S}-{random}"


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
    ``addresses`` that the user added; ``format`` is the wscn:Format of what is delivered; ``parameters`` is what
    became of each element of the ticket (WS-Scan, DocumentFinalParameters). ``number`` counts the jobs of this
    device from 1 (WS-Scan, JobId); 0 is one that was given none. ``ticket`` is wscn:ScanTicket as it was asked
    for, "" where nobody kept it; ``acquired`` when the scanner had done its part, ``None`` before."""

    id: str
    process_id: str
    process_name: str
    repository: str
    user: str
    user_sid: str
    instructions: str
    format: str
    created: datetime
    number: int = 0
    ticket: str = ""
    acquired: datetime | None = None
    state: JobState = JobState.ACQUIRING
    pages: tuple[SpooledPage, ...] = ()
    token: str = ""
    error: str = ""
    parameters: tuple[Outcome, ...] = ()
    addresses: tuple[str, ...] = ()
    #: When nothing more was to be done, and how often the delivery had to begin anew.
    finished: datetime | None = None
    retries: int = 0
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

    def after(self, event: JobEvent, error: str = "") -> Job:
        """The job after ``event``, with what failed by it. Raises ``ForbiddenTransition``."""
        retries = self.retries + (event is JobEvent.POSTPONED)
        return msgspec.structs.replace(self, state=after(self.state, event), error=error, retries=retries)

    def as_past(self, event: JobEvent, finished: datetime) -> Job:
        """The job as history shows it, ended by ``event``."""
        return msgspec.structs.replace(self.after(event), finished=finished)

    @property
    def bytes(self) -> int:
        """The size of all pages that are delivered, in octets."""
        return sum(page.bytes for page in self.kept)

    def with_token(self, token: str) -> Job:
        """The job in a new post-scan job: whatever an earlier one had received counts no more."""
        pages = tuple(msgspec.structs.replace(each, sent=False) for each in self.pages)
        return msgspec.structs.replace(self.after(JobEvent.CREATED), token=token, pages=pages)


_decoder: msgspec.json.Decoder[Job] = msgspec.json.Decoder(Job)


def encode(job: Job) -> bytes:
    return msgspec.json.encode(job)


def decode(record: bytes) -> Job:
    """The job in a record that :func:`encode` made. Raises ``ValueError`` for anything else, in one line."""
    try:
        job = _decoder.decode(record)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    if job.version not in _READ_VERSIONS:
        raise ValueError(f"it is of version {job.version}, made by a later program than this one")
    _check(job)
    return msgspec.structs.replace(job, version=FORMAT_VERSION)


def _check(job: Job) -> None:
    """What the types do not say and later steps rely on."""
    xml.parse(job.instructions.encode("utf-8", "replace"), limit=MAX_INSTRUCTIONS_OCTETS)
    if not 0 <= job.number <= LARGEST_NUMBER:
        raise ValueError(f"its number {job.number} is out of range")
    if job.format not in FORMATS:
        raise ValueError(f"its format {job.format[:40]!r} is not known")
    if not (job.user_sid + job.process_id + job.repository).isprintable():
        raise ValueError("it holds control characters")
    if not 1970 <= job.created.year <= 9000:
        raise ValueError(f"it was created in the year {job.created.year}")
    if any("/" in page.file or page.file in ("", ".", "..") for page in job.pages):
        raise ValueError("it names files outside its folder")
