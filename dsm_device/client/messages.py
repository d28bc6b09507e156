"""What is posted to a scan server: an envelope, or an envelope and a file streamed from the disk."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import IO, Final

from dsm_device.errors import SpoolError
from dsm_device.wire.faults import Operation
from dsm_device.wire.mtom import Package

SOAP_TYPE: Final = "application/soap+xml"
#: Octets of a file that are read, encrypted and handed to the kernel at a time.
CHUNK_OCTETS: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """An envelope. No ``action`` parameter in its type, as Windows' own clients write it."""

    envelope: bytes
    operation: Operation

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Content-Type": f"{SOAP_TYPE}; charset=utf-8"}

    @property
    def length(self) -> int:
        return len(self.envelope)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.envelope


class FileMessage:
    """A package round an open file; memory does not depend on the file's size."""

    operation = Operation.SEND

    def __init__(self, package: Package, file: IO[bytes], on_progress: Callable[[int], None] | None) -> None:
        """``on_progress`` is called with the octets of the file handed to the network so far."""
        self._package = package
        self._file = file
        self._on_progress = on_progress
        self._file_octets = os.fstat(file.fileno()).st_size

    @property
    def headers(self) -> Mapping[str, str]:
        return {"MIME-Version": "1.0", "Content-Type": self._package.content_type}

    @property
    def length(self) -> int:
        return self._package.length(self._file_octets)

    async def chunks(self) -> AsyncIterator[bytes]:
        """From the beginning each time. Raises :class:`SpoolError` where the file has become shorter."""
        yield self._package.head
        sent = 0
        self._file.seek(0)
        while sent < self._file_octets:
            chunk = self._read(self._file_octets - sent)
            yield chunk
            sent += len(chunk)
            if self._on_progress is not None:
                self._on_progress(sent)
        yield self._package.tail

    def _read(self, wanted: int) -> bytes:
        # In the event loop: the page was written a moment ago, and a thread would cost more than the copy.
        try:
            chunk = self._file.read(min(CHUNK_OCTETS, wanted))
        except OSError as error:
            raise SpoolError(f"cannot read the page {self._file.name}: {error.strerror}") from error
        if not chunk:
            raise SpoolError(f"the page {self._file.name} became shorter while it was sent")
        return chunk
