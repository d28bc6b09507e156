"""What a directory of scan processes is to the device, whether a folder or Active Directory.

An object of this kind is opened for one user and shows what that user may run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dsm_device.wire.scan_process import ScanProcess


@dataclass(frozen=True, slots=True)
class User:
    """Who scans. ``sid`` is the text form, ``S-1-5-21-…`` (dsp:UserIdentifier); ``email`` may be empty."""

    name: str
    sid: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """A line of the user's list. ``id`` is a GUID in upper case; ``server`` the scan server's name as stored.

    An entry that is not ``usable`` has its ``reason`` and an empty ``server``; ``warnings`` are for the
    administrator of a usable one.
    """

    id: str
    name: str
    server: str
    usable: bool
    reason: str = ""
    warnings: tuple[str, ...] = ()


class Directory(Protocol):
    """A directory, opened for one user."""

    @property
    def user(self) -> User: ...

    def processes(self) -> list[ProcessEntry]:
        """All scan processes that the user may see, sorted by name, unusable ones included.

        Raises :class:`~dsm_device.errors.DirectoryError` where the directory itself cannot be read.
        """
        ...

    def load(self, id_or_name: str) -> ScanProcess:
        """The scan process as it stands now; the scan server compares with the current version.

        An identifier counts without regard to case and braces; a name exactly, else without regard to case.
        Raises ``DirectoryError``, ``ProcessNotFound`` (also for a name that several have) or
        ``ProcessUnusable``.
        """
        ...
