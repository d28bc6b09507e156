"""The spool: ``<state_dir>/spool/<job>/`` holds the job's log and one file a page, ``<state_dir>/history`` a
record of each job that is done.

A page is written to a temporary file, synced, renamed and logged, in this order, and only then counted: what the
log names is complete on disk whatever happens next. All files are readable by this user alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from dsm_device.errors import SpoolError
from dsm_device.job.model import Job, SpooledPage
from dsm_device.job.states import JobEvent
from dsm_device.spool import job_log
from dsm_device.spool.files import sync_folder, translated
from dsm_device.spool.history import History
from dsm_device.spool.job_log import JobLog
from dsm_device.spool.numbers import JobNumbers

_log = logging.getLogger(__name__)

PAGE_FILE = re.compile(r"page-(\d{5,9})\.(?!part$)\w+")
#: Followed by the process's number.
_SCRATCH = ".scratch-"
#: Followed by the identifier of a job that is done: whatever is in such a folder is being deleted.
_DISCARDED = ".discarded-"
#: Kept free on the disk beyond the spool's own limit, so that the machine stays usable.
RESERVE_BYTES = 50_000_000
#: How far behind a record may be with what the server has confirmed.
SENT_WRITTEN_EVERY_S = 1.0


class Spool:
    """All job folders below ``state_dir``, at most ``max_bytes`` in them; and ``keep_history`` past jobs."""

    def __init__(self, state_dir: Path, max_bytes: int, keep_history: int = 200) -> None:
        self._root = state_dir / "spool"
        self._max_bytes = max_bytes
        self._history = History(state_dir / "history", keep_history)
        self._numbers = JobNumbers(state_dir / "last-job-number", self._highest_number)

    def open(self) -> None:
        """Make the folder where it is missing, and find out whether it can be written."""
        with translated(self._root, "cannot be written"):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._root.parent)  # else a new device's first job could be lost with the folder's name
            with contextlib.suppress(SpoolError):  # the folder above need not be ours to read
                sync_folder(self._root.parent.parent)
            with TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-", dir=self._root):
                self._remove_old_scratch()
                for path in self._root.glob(f"{_DISCARDED}*"):
                    shutil.rmtree(path, ignore_errors=True)

    def _remove_old_scratch(self) -> None:
        """Clear away what processes left behind that were killed."""
        for path in self._root.glob(f"{_SCRATCH}*"):
            pid = path.name.removeprefix(_SCRATCH).partition("-")[0]
            if not Path("/proc", pid).exists():
                shutil.rmtree(path, ignore_errors=True)

    def scratch(self) -> TemporaryDirectory[str]:
        """A folder for a driver's temporary files, on the spool's disk; a context manager that removes it."""
        with translated(self._root, "cannot be written"):
            return TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-", dir=self._root)

    def create(self, job: Job) -> JobFolder:
        """A folder for ``job``, which gets its number, with its record: both or, after a power cut, neither."""
        job = msgspec.structs.replace(job, number=self._numbers.take())
        path = self._root / job.id
        begun = self._root / f"{_SCRATCH}{os.getpid()}-{job.id}"
        with translated(path, "cannot be created"):
            begun.mkdir(mode=0o700)
        folder = JobFolder(begun, job, self._history)
        try:
            folder.begin(job)
            folder.move_to(path)
        except BaseException:
            folder.release()
            shutil.rmtree(begun, ignore_errors=True)
            raise
        return folder

    def _highest_number(self) -> int:
        return max((job.number for job in self.all_jobs()), default=0)

    def jobs(self) -> Iterator[JobFolder]:
        """The jobs in the spool, oldest first. Those without a readable record are left out."""
        found = []
        for path in self._folders():
            with contextlib.suppress(SpoolError):
                found.append(JobFolder(path, job_log.read(path).job, self._history))
        yield from sorted(found, key=lambda folder: folder.job.number)

    def history(self) -> Iterator[Job]:
        """The jobs that are done, oldest first."""
        return self._history.jobs()

    def all_jobs(self) -> list[Job]:
        """Those that are done and those that lie here, oldest first."""
        jobs = {job.id: job for job in (*self.history(), *(folder.job for folder in self.jobs()))}
        return sorted(jobs.values(), key=lambda job: (job.number, job.created))

    def damaged(self) -> Iterator[tuple[str, SpoolError]]:
        """The jobs whose record cannot be read, with what is wrong; their pages are left alone."""
        for path in self._folders():
            try:
                job_log.read(path)
            except SpoolError as error:
                yield path.name, error

    def find(self, job_id: str) -> JobFolder:
        """The job of that identifier. Raises :class:`SpoolError`."""
        path = self._root / job_id
        if job_id not in (folder.name for folder in self._folders()):
            raise SpoolError(f"there is no job {job_id[:80]!r} in the spool", "`dsm-device jobs` lists them")
        return JobFolder(path, job_log.read(path).job, self._history, self._numbers)

    def _folders(self) -> list[Path]:
        """Those that have a record."""
        if not self._root.is_dir():
            return []
        with translated(self._root, "cannot be read"):
            folders = (path for path in self._root.iterdir() if not path.name.startswith("."))
            return sorted(path for path in folders if job_log.has_record(path))

    def free_bytes(self) -> int:
        """How much may still be written: the lesser of the limit's and the disk's room; negative if over."""
        with translated(self._root, "cannot be read"):
            disk = shutil.disk_usage(self._root).free - RESERVE_BYTES
            return min(disk, self._max_bytes - _size_of(self._root))

    def check_room(self) -> None:
        """Raises :class:`SpoolError` where nothing more may be written."""
        if self.free_bytes() <= 0:
            raise SpoolError(
                f"the spool {self._root} is full",
                "free the disk, or let waiting jobs be sent, or raise spool.max_bytes",
            )


class JobFolder:
    """One job on disk. ``job`` is what the record says, but for confirmations of the last second. Its methods may
    be called from any thread: pages are committed and confirmed side by side."""

    def __init__(
        self, path: Path, job: Job, history: History | None = None, numbers: JobNumbers | None = None
    ) -> None:
        self.path = path
        self.job = job
        self._history = history
        self._numbers = numbers
        self._log = JobLog(path)
        self._written = job
        self._lock = threading.Lock()
        self._claim: int | None = None
        self._written_s = 0.0

    def begin(self, job: Job) -> None:
        """Make a record of ``job`` where there is none yet, as the only process."""
        self._lock_folder()
        self._rewrite(job)

    def move_to(self, path: Path) -> None:
        """Let the folder appear in the spool."""
        with translated(path, "cannot be created"):
            self.path.rename(path)
            sync_folder(path.parent)
        self.path = path
        self._log.folder = path

    def claim(self) -> None:
        """Work on this job as the only process, until this one ends or removes it. Raises :class:`SpoolError`."""
        self._lock_folder()
        try:
            self._take_over()
        except BaseException:
            self.release()
            raise

    def _lock_folder(self) -> None:
        with translated(self.path, "cannot be opened"):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise SpoolError(
                f"job {self.job.id} is being scanned or sent right now", "wait until that has ended"
            ) from error
        self._claim = descriptor

    def _take_over(self) -> None:
        """The record may have changed since it was read, and a process that was killed may have left work."""
        replayed = job_log.read(self.path)
        self.job = self._written = replayed.job
        self._log = JobLog(self.path, replayed.octets)
        if replayed.damaged or not replayed.octets:
            self._mend(replayed.job, replayed.damaged)
        self._take_up_pages()

    def _mend(self, job: Job, damaged: Sequence[int]) -> None:
        """A new log in the place of one that is damaged, or of the first version's record."""
        if damaged:
            lines = ", ".join(map(str, damaged[:20]))
            _log.warning("job %s: line %s of its log was damaged and is left out", job.id, lines)
        if not job.number and self._numbers is not None:
            job = msgspec.structs.replace(job, number=self._numbers.take())
        self._rewrite(job)
        (self.path / job_log.OLD_RECORD).unlink(missing_ok=True)

    def _rewrite(self, job: Job) -> None:
        self._log.begin(job)
        self.job = self._written = job

    def _take_up_pages(self) -> None:
        """Record the pages that were complete and synced, hence renamed, when a process ended before it did."""
        recorded = {page.file for page in self.job.pages}
        for path in sorted(self.path.glob("page-*")):
            number = PAGE_FILE.fullmatch(path.name)
            if number and path.name not in recorded:
                page = SpooledPage(int(number[1]), path.name, path.stat().st_size)
                self.update(lambda job, page=page: job.with_page(page))  # type: ignore[misc]

    def file(self, page: SpooledPage) -> Path:
        return self.path / page.file

    def update(self, change: Callable[[Job], Job]) -> None:
        """Make of the job what ``change`` makes of it, logged and synced; nothing after a ``SpoolError``."""
        with self._lock:
            job = change(self.job)
            self._log.append(self._written, job)
            self.job = self._written = job
            self._written_s = time.monotonic()

    def commit_page(
        self, n: int, acquired: Path, suffix: str, crc32: int = 0, *, left_out: bool = False
    ) -> SpooledPage:
        """Make the acquired file a page of the job: sync, rename, record."""
        target = self.path / f"page-{n:05d}{suffix}"
        with translated(target, "cannot be written"):
            with acquired.open("rb") as file:
                os.fsync(file.fileno())
                size = os.fstat(file.fileno()).st_size
            acquired.rename(target)
        sync_folder(self.path)
        page = SpooledPage(n, target.name, size, crc32=crc32, left_out=left_out)
        self.update(lambda job: job.with_page(page))
        return page

    def drop(self, acquired: Path) -> None:
        """Delete an acquired file that does not become a page."""
        with translated(acquired, "cannot be deleted"):
            acquired.unlink()

    def mark_sent(self, pages: Sequence[SpooledPage]) -> None:
        """The server has confirmed the pages. It is written with the next change, or the first one in a second.

        Nothing hangs on it: a job whose process ended is sent anew, with all pages. So it is worth no sync a page.
        """

        def confirm(job: Job) -> Job:
            for page in pages:
                job = job.with_page(msgspec.structs.replace(page, sent=True))
            return job.after(JobEvent.ACCEPTED)

        if time.monotonic() - self._written_s > SENT_WRITTEN_EVERY_S:
            self.update(confirm)
            return
        with self._lock:
            self.job = confirm(self.job)

    def restore_pages(self, pages: Collection[int]) -> None:
        """Deliver blank pages as well: all of these or, with a :class:`SpoolError`, none."""

        def restore(job: Job) -> Job:
            for n in set(pages):
                job = job.with_page_restored(n)
            return job

        if self.job.state.is_ended:
            raise SpoolError(f"job {self.job.id} has been delivered", "scan that page by itself")
        try:
            self.update(restore)
        except ValueError as error:
            remedy = f"`dsm-device jobs show {self.job.id}` lists the pages that were left out"
            raise SpoolError(f"job {self.job.id}: {error}", remedy) from error

    def apply(self, event: JobEvent, error: str = "") -> None:
        """Write down what happened to the job. Raises ``ForbiddenTransition`` where it cannot happen to it."""
        self.update(lambda job: job.after(event, error))

    def all_pages_in(self) -> None:
        """Write down that the scanner has done its part, and when."""
        now = datetime.now(UTC)
        self.update(lambda job: msgspec.structs.replace(job.after(JobEvent.ALL_PAGES_IN), acquired=now))

    def note(self, event: JobEvent) -> None:
        """:meth:`apply` for what a job that is taken up again need not know: written with the next change."""
        with self._lock:
            self.job = self.job.after(event)

    def set_token(self, token: str) -> None:
        self.update(lambda job: job.with_token(token))

    def set_instructions(self, instructions: str) -> None:
        """Let the job go by these from now on: its scan process has changed."""
        self.update(lambda job: msgspec.structs.replace(job, instructions=instructions))

    def cancel_wanted(self) -> None:
        """The user wants no more of it: the pages go, the record stays until the server has been told."""
        self.apply(JobEvent.CANCEL_WANTED)
        for path in self.path.glob("page-*"):
            path.unlink(missing_ok=True)

    def remove(self, event: JobEvent) -> None:
        """Put the job, ended by ``event``, into the history and delete its pages; no half is ever found."""
        if self._history is not None:
            self._history.add(self.job.as_past(event, datetime.now(UTC)))
        discarded = self.path.with_name(_DISCARDED + self.path.name)
        with translated(self.path, "cannot be deleted"):
            self.path.rename(discarded)
            sync_folder(self.path.parent)
            shutil.rmtree(discarded)
        self.release()

    def release(self) -> None:
        """Let another process, or another task of this one, work on the job."""
        with self._lock:  # closed twice, it would be somebody else's by then
            descriptor, self._claim = self._claim, None
        if descriptor is not None:
            os.close(descriptor)


def _size_of(folder: Path) -> int:
    """Bytes in all files below; what is renamed or deleted meanwhile does not matter."""
    total = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                is_folder = entry.is_dir(follow_symlinks=False)
                total += _size_of(Path(entry)) if is_folder else entry.stat(follow_symlinks=False).st_size
    return total
