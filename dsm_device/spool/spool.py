"""The spool: ``<state_dir>/spool/<job>/`` holds ``job.json`` and one file a page, ``<state_dir>/history`` a record
of each job that is done.

A page is written to a temporary file, synced, renamed and recorded, in this order, and only then counted: what
``job.json`` names is complete on disk whatever happens next. All files are readable by this user alone.
"""

from __future__ import annotations

import contextlib
import fcntl
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
from dsm_device.job.model import Job, SpooledPage, decode, encode
from dsm_device.job.states import JobEvent

RECORD = "job.json"
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

    def open(self) -> None:
        """Make the folder where it is missing, and find out whether it can be written."""
        with _translated(self._root, "cannot be written"):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(self._root.parent)  # else a new device's first job could be lost with the folder's name
            with contextlib.suppress(SpoolError):  # the folder above need not be ours to read
                _sync_folder(self._root.parent.parent)
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
        with _translated(self._root, "cannot be written"):
            return TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-", dir=self._root)

    def create(self, job: Job) -> JobFolder:
        """A folder for ``job``, with its record."""
        path = self._root / job.id
        with _translated(path, "cannot be created"):
            path.mkdir(mode=0o700)
        _sync_folder(self._root)
        folder = JobFolder(path, job, self._history)
        folder.claim()
        folder.update(lambda _: job)
        return folder

    def jobs(self) -> Iterator[JobFolder]:
        """The jobs in the spool, oldest first. Folders without a readable record are left out."""
        for path in self._folders():
            with contextlib.suppress(SpoolError):
                yield JobFolder(path, _read(path / RECORD), self._history)

    def history(self) -> Iterator[Job]:
        """The jobs that are done, oldest first."""
        return self._history.jobs()

    def damaged(self) -> Iterator[tuple[str, SpoolError]]:
        """The jobs whose record cannot be read, with what is wrong; their pages are left alone."""
        for path in self._folders():
            try:
                _read(path / RECORD)
            except SpoolError as error:
                yield path.name, error

    def find(self, job_id: str) -> JobFolder:
        """The job of that identifier. Raises :class:`SpoolError`."""
        path = self._root / job_id
        if job_id not in (folder.name for folder in self._folders()):
            raise SpoolError(f"there is no job {job_id[:80]!r} in the spool", "`dsm-device jobs` lists them")
        return JobFolder(path, _read(path / RECORD), self._history)

    def _folders(self) -> list[Path]:
        """Those that have a record."""
        if not self._root.is_dir():
            return []
        with _translated(self._root, "cannot be read"):
            folders = (path for path in self._root.iterdir() if not path.name.startswith("."))
            return sorted(path for path in folders if (path / RECORD).is_file())

    def free_bytes(self) -> int:
        """How much may still be written: the lesser of the limit's and the disk's room; negative if over."""
        with _translated(self._root, "cannot be read"):
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

    def __init__(self, path: Path, job: Job, history: History | None = None) -> None:
        self.path = path
        self.job = job
        self._history = history
        self._lock = threading.Lock()
        self._claim: int | None = None
        self._written_s = 0.0

    def claim(self) -> None:
        """Work on this job as the only process, until this one ends or removes it. Raises :class:`SpoolError`."""
        with _translated(self.path, "cannot be opened"):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise SpoolError(
                f"job {self.job.id} is being scanned or sent right now", "wait until that has ended"
            ) from error
        self._claim = descriptor
        record = self.path / RECORD
        if record.exists():  # it may have changed since it was read
            self.job = _read(record)
            self._take_up_pages()

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
        """Replace the record by what ``change`` makes of it, atomically and synced."""
        target = self.path / RECORD
        with self._lock, _translated(target, "cannot be written"):
            job = change(self.job)
            _write_synced(target, encode(job))
            self.job = job
            self._written_s = time.monotonic()

    def commit_page(
        self, n: int, acquired: Path, suffix: str, crc32: int = 0, *, left_out: bool = False
    ) -> SpooledPage:
        """Make the acquired file a page of the job: sync, rename, record."""
        target = self.path / f"page-{n:05d}{suffix}"
        with _translated(target, "cannot be written"):
            with acquired.open("rb") as file:
                os.fsync(file.fileno())
                size = os.fstat(file.fileno()).st_size
            acquired.rename(target)
        _sync_folder(self.path)
        page = SpooledPage(n, target.name, size, crc32=crc32, left_out=left_out)
        self.update(lambda job: job.with_page(page))
        return page

    def drop(self, acquired: Path) -> None:
        """Delete an acquired file that does not become a page."""
        with _translated(acquired, "cannot be deleted"):
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

    def note(self, event: JobEvent) -> None:
        """:meth:`apply` for what a job that is taken up again need not know: written with the next change."""
        with self._lock:
            self.job = self.job.after(event)

    def set_token(self, token: str) -> None:
        self.update(lambda job: job.with_token(token))

    def remove(self, event: JobEvent) -> None:
        """Put the job, ended by ``event``, into the history and delete its pages; no half is ever found."""
        if self._history is not None:
            self._history.add(self.job.as_past(event, datetime.now(UTC)))
        discarded = self.path.with_name(_DISCARDED + self.path.name)
        with _translated(self.path, "cannot be deleted"):
            self.path.rename(discarded)
            _sync_folder(self.path.parent)
            shutil.rmtree(discarded)
        self.release()

    def release(self) -> None:
        """Let another process, or another task of this one, work on the job."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None


class History:
    """A record for each of the newest ``keep`` jobs that are done."""

    def __init__(self, root: Path, keep: int) -> None:
        self._root = root
        self._keep = keep

    def add(self, job: Job) -> None:
        """Keep the record of ``job``, and no more than so many."""
        if not self._keep:
            return
        target = self._root / f"{job.id}.json"
        with _translated(target, "cannot be written"):
            self._root.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(self._root.parent)
            _write_synced(target, encode(job))
            for path in self._paths()[: -self._keep]:
                path.unlink(missing_ok=True)

    def jobs(self) -> Iterator[Job]:
        """Oldest first. A record that cannot be read is left out: nothing but a line in a list depends on it."""
        for path in self._paths():
            with contextlib.suppress(SpoolError):
                yield _read(path)

    def _paths(self) -> list[Path]:
        """By when they were done: the clock of a board without a battery may have stood still in between."""
        with contextlib.suppress(FileNotFoundError), _translated(self._root, "cannot be read"):
            return sorted(self._root.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return []


def _write_synced(target: Path, content: bytes) -> None:
    """Replace ``target``, atomically and synced."""
    temporary = target.with_name(target.name + ".part")
    with open(temporary, "wb", opener=_private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    _sync_folder(target.parent)


def _read(record: Path) -> Job:
    with _translated(record, "cannot be read"):
        data = record.read_bytes()
    try:
        return decode(data)
    except ValueError as error:
        raise SpoolError(
            f"the job record {record} cannot be used: {error}", "its page files beside it can be saved by hand"
        ) from error


def _size_of(folder: Path) -> int:
    """Bytes in all files below; what is renamed or deleted meanwhile does not matter."""
    total = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                is_folder = entry.is_dir(follow_symlinks=False)
                total += _size_of(Path(entry)) if is_folder else entry.stat(follow_symlinks=False).st_size
    return total


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(path: Path) -> None:
    with _translated(path, "cannot be synced"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _translated(path: Path, problem: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpoolError(
            f"{path} {problem}: {error.strerror or error}",
            "check the disk's space and device.state_dir's owner",
        ) from error
