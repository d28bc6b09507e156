"""Who this device is to its clients, over all restarts: ``<state_dir>/identity.json``.

Sources: DPWS hosting; WS-Discovery (2005/04) 4 and appendix I; DPWS 1.0. A client drops the addresses of a lower
InstanceId than it has seen, and messages of a lower number; a new UUID is a new device to everyone. So the record
is written, and synced, before anything of it is told, and a second copy stands beside it.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from dsm_device.durable import replace_file
from dsm_device.errors import SpoolError
from dsm_device.wire.announcing import AppSequence

_log = logging.getLogger(__name__)

_FILES: Final = ("identity.json", "identity.backup.json")
_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: xs:unsignedInt, the type of InstanceId, MessageNumber and MetadataVersion.
_MAX: Final = 2**32 - 1

_Count = Annotated[int, Meta(ge=0, le=_MAX)]


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    uuid: Annotated[str, Meta(pattern=f"^{_UUID}$")]
    #: Of the newest start.
    instance_id: _Count = 0
    metadata_version: _Count = 1
    #: Of the metadata that ``metadata_version`` stands for, "" before any is known.
    digest: str = ""
    #: IP addresses at which that metadata was offered.
    addresses: tuple[str, ...] = ()


class Identity:
    """The device's identity in this run of the agent. For one loop; its changes are on disk when they return."""

    def __init__(self, state_dir: Path, record: _Record, notice: str) -> None:
        self._folder = state_dir
        self._record = record
        self._message_number = 0
        #: What a person should know about how the identity was found, "" where all is well.
        self.notice = notice

    @classmethod
    def open(cls, state_dir: Path, now_s: Callable[[], float] = time.time) -> Identity:
        """The identity that ``state_dir`` keeps, or a new one, for a run that starts at ``now_s()`` (Unix time).

        InstanceId is the time, or one more than the last where the clock has gone back. Raises
        :class:`~dsm_device.errors.SpoolError` where it cannot be written: it would not be the same next time.
        """
        now = min(max(int(now_s()), 1), _MAX)
        record, notice = _found(state_dir, now)
        started = msgspec.structs.replace(record, instance_id=min(max(now, record.instance_id + 1), _MAX))
        if notice:
            _log.warning("%s", notice)
        identity = cls(state_dir, record, notice)
        identity._keep(started)
        return identity

    @property
    def uuid(self) -> str:
        """36 characters, lower case."""
        return self._record.uuid

    @property
    def endpoint(self) -> str:
        """The device's endpoint address."""
        return f"urn:uuid:{self._record.uuid}"

    @property
    def instance_id(self) -> int:
        return self._record.instance_id

    @property
    def metadata_version(self) -> int:
        return self._record.metadata_version

    def next_sequence(self) -> AppSequence:
        """The place of the next message of discovery, by UDP or by HTTP. A repetition keeps the one it has."""
        self._message_number = min(self._message_number + 1, _MAX)
        return AppSequence(self.instance_id, self._message_number)

    def describe(self, digest: str) -> bool:
        """Tell it what the metadata is now; whether ``metadata_version`` has risen. Raises ``SpoolError``."""
        if digest == self._record.digest:
            return False
        is_first = not self._record.digest and self.metadata_version == 1
        self._keep(msgspec.structs.replace(self._risen(keep=is_first), digest=digest))
        return not is_first

    def locate(self, addresses: Collection[str]) -> bool:
        """Tell it where the device is found now; whether ``metadata_version`` has risen. Raises ``SpoolError``.

        It rises with an address that was not there before, since what hosted services are told to be at depends
        on it. An address that goes away changes nothing at the others.
        """
        if set(addresses) <= set(self._record.addresses):
            return False
        is_first = not self._record.addresses
        self._keep(msgspec.structs.replace(self._risen(keep=is_first), addresses=tuple(sorted(addresses))))
        return not is_first

    def _risen(self, *, keep: bool) -> _Record:
        version = self.metadata_version if keep else min(self.metadata_version + 1, _MAX)
        return msgspec.structs.replace(self._record, metadata_version=version)

    def _keep(self, record: _Record) -> None:
        data = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in _FILES:
                replace_file(self._folder / name, data)
        except OSError as error:
            raise SpoolError(
                f"the device's identity cannot be kept in {self._folder}: {error.strerror or error}",
                "check the disk's space and device.state_dir's owner",
            ) from error
        self._record = record


def _found(folder: Path, now: int) -> tuple[_Record, str]:
    """What is on disk, and what a person should know about that."""
    contents = {name: _content(folder / name) for name in _FILES}
    records = {name: record for name, content in contents.items() if (record := _decoded(content)) is not None}
    if records:
        newest = max(records.values(), key=lambda record: (record.instance_id, record.metadata_version))
        lost = ", ".join(str(folder / name) for name in _FILES if name not in records)
        return newest, f"{lost} was damaged or missing: the other copy was used" if lost else ""
    if all(content is None for content in contents.values()):
        return _Record(str(uuid.uuid4())), ""
    saved = re.search(_UUID, " ".join(content or "" for content in contents.values()))
    if saved is not None:
        # Nobody knows how far the counters were; the time in seconds is beyond what they count.
        record = _Record(saved[0], metadata_version=now)
        return record, f"{folder / _FILES[0]} and its copy are damaged: only the device's UUID could be saved"
    return _Record(str(uuid.uuid4())), (
        f"{folder / _FILES[0]} and its copy are damaged beyond repair: this is a NEW device to every console; "
        "restore the file from a backup, or add the scanner to the consoles again"
    )


def _content(path: Path) -> str | None:
    """None where there is no such file. Raises ``SpoolError`` where it cannot be read: the disk may recover."""
    try:
        return path.read_bytes().decode("utf-8", "replace").lower()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SpoolError(
            f"the device's identity {path} cannot be read: {error.strerror or error}",
            "check device.state_dir's owner and disk",
        ) from error


def _decoded(content: str | None) -> _Record | None:
    try:
        return msgspec.json.decode(content or "", type=_Record)
    except (msgspec.DecodeError, ValueError):
        return None
