"""Scan processes from a folder: ``*.xml``, one each, the file's stem being the name that the user sees.

For a network without Active Directory, and for the desk. Files are read anew at every call.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid5

from dsm_device.directory.port import ProcessEntry, User
from dsm_device.errors import DirectoryError, ProcessNotFound, ProcessUnusable
from dsm_device.wire import scan_process
from dsm_device.wire.scan_process import ScanProcess
from dsm_device.wire.xml import XmlError

#: Makes a file's name an identifier, the same on every machine. Fixed for ever.
FILE_NAMES = UUID("5d5b2a4e-0f4c-4a53-9a4f-6a1d7d6c1f0e")


class FilesDirectory:
    """The folder at ``path``, for ``user``. Implements :class:`~dsm_device.directory.port.Directory`."""

    def __init__(self, path: Path, user: User) -> None:
        self._path = path
        self.user = user

    def processes(self) -> list[ProcessEntry]:
        """See :meth:`Directory.processes`. A file that is no scan process is listed with the reason."""
        return [stored.entry for stored in self._stored()]

    def load(self, id_or_name: str) -> ScanProcess:
        """See :meth:`Directory.load`."""
        stored = self._find(id_or_name)
        if stored.process is None:
            raise ProcessUnusable(
                f'scan process "{stored.entry.name}" cannot be used: {stored.entry.reason}',
                f"correct {stored.shown_file} in {self._path}",
            )
        return stored.process

    def _find(self, wanted: str) -> _Stored:
        all_stored = self._stored()
        identifier = wanted.strip().removeprefix("{").removesuffix("}").upper()
        by_identifier = [stored for stored in all_stored if stored.entry.id == identifier]
        if by_identifier:
            return min(by_identifier, key=lambda stored: not stored.entry.usable)
        named = [stored for stored in all_stored if stored.entry.name == wanted] or [
            stored for stored in all_stored if stored.entry.name.casefold() == wanted.casefold()
        ]
        if len(named) > 1:
            candidates = ", ".join(f"{stored.entry.id} ({stored.shown_file})" for stored in named)
            raise ProcessNotFound(f'several scan processes are called "{wanted}"', f"choose one of {candidates}")
        if not named:
            raise self._not_found(wanted, [stored.entry.name for stored in all_stored])
        return named[0]

    def _not_found(self, wanted: str, there: list[str]) -> ProcessNotFound:
        near = difflib.get_close_matches(wanted, there, n=1)
        advice = f'did you mean "{near[0]}"? ' if near else ""
        return ProcessNotFound(
            f'no scan process "{wanted}" in {self._path}', f"{advice}`dsm-device processes` lists them"
        )

    def _stored(self) -> list[_Stored]:
        found = sorted(map(_read, self._files()), key=lambda stored: stored.order)
        taken: dict[str, str] = {}
        for index, stored in enumerate(found):
            first = taken.get(stored.entry.id)
            if first is not None:
                found[index] = stored.unusable(f"has the same identifier as {first}")
            elif stored.entry.usable:
                taken[stored.entry.id] = stored.shown_file
        return found

    def _files(self) -> list[Path]:
        """The folder's XML files; hidden ones and what editors and copying leave behind are passed over."""
        try:
            return [each for each in self._path.iterdir() if _is_ours(each.name)]
        except OSError as error:
            raise DirectoryError(
                f"the folder of scan processes {self._path} cannot be read: {error.strerror}",
                "create it and let this user read it, or set directory.path",
            ) from error


def _is_ours(file_name: str) -> bool:
    return file_name.lower().endswith(".xml") and not file_name.startswith((".", "~", "#"))


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file as it was read; ``process`` is None where the entry is unusable."""

    shown_file: str
    entry: ProcessEntry
    process: ScanProcess | None

    @property
    def order(self) -> tuple[str, str, str]:
        return self.entry.name.casefold(), self.entry.name, self.shown_file

    def unusable(self, reason: str) -> _Stored:
        entry = replace(self.entry, server="", usable=False, reason=reason, warnings=())
        return replace(self, entry=entry, process=None)


def _read(file: Path) -> _Stored:
    shown = _printable(file.name)
    name = _printable(file.stem)
    identifier = str(uuid5(FILE_NAMES, shown)).upper()
    try:
        document = scan_process.read(_bytes(file))
        identifier = scan_process.stated_identifier(document) or identifier
        process = scan_process.parse(document, identifier=identifier, name=name)
    except (XmlError, OSError) as error:
        reason = str(error) if isinstance(error, XmlError) else f"cannot be read: {error.strerror}"
        return _Stored(shown, ProcessEntry(identifier, name, "", usable=False, reason=reason), None)
    entry = ProcessEntry(identifier, name, str(process.repository), usable=True, warnings=process.warnings)
    return _Stored(shown, entry, process)


def _bytes(file: Path) -> bytes:
    """At most what a scan process may hold. Opened so that a FIFO or a device cannot stop the device."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise XmlError("is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(scan_process.MAX_OCTETS + 1)
    finally:
        os.close(descriptor)


def _printable(file_name: str) -> str:
    """A name for lists and messages: octets that are not UTF-8 and control characters are escaped."""
    return "".join(_characters(os.fsencode(file_name).decode("utf-8", "backslashreplace")))


def _characters(text: str) -> Iterator[str]:
    for sign in text:
        yield sign if sign.isprintable() else f"\\x{ord(sign):02x}"
