"""What is posted to a scan server: an envelope, or an envelope and a file streamed from the disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from io import RawIOBase
from typing import Final, Protocol

from dsm_device.errors import SpoolError
from dsm_device.wire.faults import Operation
from dsm_device.wire.mtom import Package

SOAP_TYPE: Final = "application/soap+xml"
#: Octets of a file that are read, encrypted and handed to the kernel at a time.
CHUNK_OCTETS: Final = 128 * 1024


class Sendable(Protocol):
    """An image or a document on its way: its name for messages, its octets and how to read them from the start."""

    @property
    def name(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...

    def open(self) -> RawIOBase:
        """A new reader each time. Raises :class:`SpoolError`, as may its ``read``."""
        ...


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
    """A package round what is sent; memory does not depend on its size."""

    operation = Operation.SEND

    def __init__(self, package: Package, sent: Sendable, on_progress: Callable[[int], None] | None) -> None:
        """``on_progress`` is called with the octets of ``sent`` handed to the network so far."""
        self._package = package
        self._sent = sent
        self._octets = sent.size_bytes
        self._on_progress = on_progress

    @property
    def headers(self) -> Mapping[str, str]:
        return {"MIME-Version": "1.0", "Content-Type": self._package.content_type}

    @property
    def length(self) -> int:
        return self._package.length(self._octets)

    async def chunks(self) -> AsyncIterator[bytes]:
        """From the beginning each time. Raises :class:`SpoolError` where there is less than was said."""
        yield self._package.head
        gone = 0
        with self._sent.open() as file:
            while gone < self._octets:
                chunk = self._read(file, self._octets - gone)
                yield chunk
                gone += len(chunk)
                if self._on_progress is not None:
                    self._on_progress(gone)
        yield self._package.tail

    def _read(self, file: RawIOBase, wanted: int) -> bytes:
        # In the event loop: the page was written a moment ago, and a thread would cost more than the copy.
        try:
            chunk = file.read(min(CHUNK_OCTETS, wanted))
        except OSError as error:
            raise SpoolError(f"cannot read {self._sent.name}: {error.strerror}") from error
        if not chunk:
            raise SpoolError(f"{self._sent.name} became shorter while it was sent")
        return chunk
