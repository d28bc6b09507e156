"""The record of a job: a log to which each change is appended, so that a page costs one short synced write.

A line is the CRC-32 of what follows, in eight hexadecimal digits, a space, and a JSON object: the job as it was
created first, then only what has changed. All values are absolute, so a line that cannot be read takes away no
more than what it said itself. A log for each job instead of one database for all: a disk that loses a sector costs
one job, a folder with its pages can be copied or deleted as it is, and ``cat`` shows it.

The record of version 1 was the JSON object alone, in ``job.json``; it is read and, once somebody works on the job,
written anew.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from dsm_device.durable import replace_file, write_at
from dsm_device.errors import SpoolError
from dsm_device.job.model import Job, decode
from dsm_device.spool.files import translated

LOG: Final = "job.log"
OLD_RECORD: Final = "job.json"
_LINE: Final = re.compile(rb"([0-9a-f]{8}) (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a log says. ``octets`` of it are good to be written on to; ``damaged`` are the numbers of lines before
    that which could not be read."""

    job: Job
    octets: int
    damaged: tuple[int, ...] = ()


class JobLog:
    """The log in ``folder``, written by one process and one thread at a time."""

    def __init__(self, folder: Path, octets: int = 0) -> None:
        self.folder = folder
        self._octets = octets

    def begin(self, job: Job) -> None:
        """Start the log with ``job`` as it is; what there was is replaced whole. Raises ``SpoolError``."""
        content = _line({"job": msgspec.to_builtins(job)})
        path = self.folder / LOG
        with translated(path, "cannot be written"):
            replace_file(path, content)
        self._octets = len(content)

    def append(self, before: Job, after: Job) -> None:
        """Write down, synced, what makes ``after`` of ``before``. Raises ``SpoolError``: nothing has changed."""
        content = _line(_change(before, after))
        path = self.folder / LOG
        with translated(path, "cannot be written"):
            write_at(path, self._octets, content)
        self._octets += len(content)


def has_record(folder: Path) -> bool:
    return (folder / LOG).is_file() or (folder / OLD_RECORD).is_file()


def read(folder: Path) -> Replayed:
    """The job as its record has it. Raises ``SpoolError`` where it does not tell."""
    path = folder / LOG
    if not path.exists():
        path = folder / OLD_RECORD
    with translated(path, "cannot be read"):
        data = path.read_bytes()
    try:
        return replay(data) if path.name == LOG else Replayed(decode(data), 0)
    except ValueError as error:
        raise SpoolError(
            f"the job record {path} cannot be used: {error}", "its page files beside it can be saved by hand"
        ) from error


def replay(data: bytes) -> Replayed:
    """The job in a log's octets. Raises ``ValueError`` in one line where its beginning is not there any more."""
    state: dict[str, Any] = {}
    damaged: list[int] = []
    good = number = 0
    for number, (end, entry) in enumerate(_entries(data), start=1):
        if entry is None:
            damaged.append(number)
        else:
            _apply(state, entry)
            good = end
    if not state:
        raise ValueError("its first line is damaged")
    state["pages"] = list(state["pages"].values())
    # What a power cut left of the last line was told to nobody: it is written over, and no news.
    torn = number in damaged and not data.endswith(b"\n")
    return Replayed(decode(msgspec.json.encode(state)), good, tuple(damaged[:-1] if torn else damaged))


def _entries(data: bytes) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Where each line ends and what it says, None where that cannot be told."""
    end = 0
    while end < len(data):
        begin, end = end, (data.find(b"\n", end) + 1) or len(data)
        yield end, _read_line(data[begin:end])


def _read_line(line: bytes) -> dict[str, Any] | None:
    match = _LINE.fullmatch(line.removesuffix(b"\n"))
    if match is None or not line.endswith(b"\n") or int(match[1], 16) != zlib.crc32(match[2]):
        return None
    with suppress(msgspec.MsgspecError, RecursionError):
        entry = msgspec.json.decode(match[2])
        return entry if isinstance(entry, dict) else None
    return None


def _apply(state: dict[str, Any], entry: dict[str, Any]) -> None:
    """Raises ``ValueError`` where the entry is not of the form that :func:`_change` gives."""
    whole, change = entry.get("job"), entry.get("change")
    if isinstance(whole, dict):
        state.clear()
        state.update(whole, pages={})
        _apply_pages(state, whole.get("pages"))
    elif isinstance(change, dict) and state:
        _apply_pages(state, change.pop("pages", ()))
        state.update(change)


def _apply_pages(state: dict[str, Any], pages: object) -> None:
    if not isinstance(pages, list | tuple):
        raise ValueError("its pages are no list")  # noqa: TRY004 - bad data, not a bad call
    for page in pages:
        if not isinstance(page, dict) or not isinstance(page.get("n"), int):
            raise ValueError("one of its pages has no number")  # noqa: TRY004
        state["pages"][page["n"]] = page
    state["pages"] = dict(sorted(state["pages"].items()))


def _change(before: Job, after: Job) -> dict[str, Any]:
    changed = {
        name: msgspec.to_builtins(getattr(after, name))
        for name in Job.__struct_fields__
        if name != "pages" and getattr(after, name) != getattr(before, name)
    }
    known = set(before.pages)
    pages = [msgspec.to_builtins(page) for page in after.pages if page not in known]
    return {"change": {**changed, **({"pages": pages} if pages else {})}}


def _line(entry: dict[str, Any]) -> bytes:
    content = msgspec.json.encode(entry)
    return b"%08x %s\n" % (zlib.crc32(content), content)
