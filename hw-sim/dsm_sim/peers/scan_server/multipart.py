"""multipart/related, read piece by piece as it arrives: octets in, parts out, memory bounded.

Reads more than should be sent (LF line ends, a preamble, folded headers) and remembers each such oddity.
Source: RFC 2046, 5.1.1.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final

_HEADER_LIMIT: Final = 16_384
#: White space that is waited for after a boundary before it is taken for something else.
_PADDING_LIMIT: Final = 256


class MimeError(ValueError):
    """Not a package that can be read."""


class Oddity(enum.Enum):
    """Forms that are read although no sender should use them."""

    BARE_LF = "a line ends in LF"
    FOLDED = "a part's header is folded"
    PREAMBLE = "text before the first boundary"
    EPILOGUE = "text after the last boundary"
    NO_LAST_CRLF = "no CRLF after the last boundary"
    PADDING = "white space after a boundary"


@dataclass(frozen=True, slots=True)
class PartHead:
    """A part begins. Header names are in lower case; the first of each name counts."""

    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some more octets of the part that began last."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part that began last is complete."""


Event = PartHead | PartData | PartEnd


class _State(enum.Enum):
    PREAMBLE = enum.auto()
    HEAD = enum.auto()
    DATA = enum.auto()
    EPILOGUE = enum.auto()


class _Line(enum.Enum):
    """What follows something that looks like a boundary."""

    PART = enum.auto()
    LAST = enum.auto()
    NO_BOUNDARY = enum.auto()
    INCOMPLETE = enum.auto()


class MultipartReader:
    """``feed`` octets in pieces of any size, then ``finish``."""

    def __init__(self, boundary: str) -> None:
        self.oddities: set[Oddity] = set()
        self._delimiter = b"\n--" + boundary.encode("latin-1", "replace")
        # The first boundary has no line end before it; with one, it is found like all others.
        self._buffer = bytearray(b"\r\n")
        self._scanned = 0
        self._state = _State.PREAMBLE

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that ``data`` completes. Raises :class:`MimeError` for headers that cannot be read."""
        self._buffer += data
        while True:
            match self._state:
                case _State.HEAD:
                    event = self._head()
                    if event is None:
                        return
                    yield event
                case _State.EPILOGUE:
                    del self._buffer[3:]  # only whether it is more than a line end matters
                    return
                case _:
                    done = yield from self._content()
                    if done:
                        return

    def finish(self) -> None:
        """No more octets come. Raises :class:`MimeError` where the last boundary is missing."""
        if self._state is not _State.EPILOGUE:
            raise MimeError("the package ends before its last boundary")
        rest = bytes(self._buffer)
        endings = {b"": Oddity.NO_LAST_CRLF, b"\n": Oddity.BARE_LF}
        if rest != b"\r\n":
            self.oddities.add(endings.get(rest, Oddity.EPILOGUE))

    # -------------------------------------------------------------------------------------- content

    def _content(self) -> Generator[Event, None, bool]:
        """Content up to the next boundary; returns True when more octets are needed."""
        at = self._buffer.find(self._delimiter, self._scanned)
        if at < 0:
            # The last octets may be the CR and the beginning of a boundary.
            yield from self._pass_on(max(0, len(self._buffer) - len(self._delimiter)))
            return True
        line, end = self._boundary_line(at + len(self._delimiter))
        if line is _Line.INCOMPLETE:
            self._scanned = at
            return True
        if line is _Line.NO_BOUNDARY:
            self._scanned = at + 1
            return False
        yield from self._end_content(at)
        del self._buffer[: end - at]
        self._state = _State.EPILOGUE if line is _Line.LAST else _State.HEAD
        return False

    def _end_content(self, at: int) -> Iterator[Event]:
        """Passes on what stands before the boundary's line end, whose LF is at ``at``, and drops the CR."""
        has_cr = at > 0 and self._buffer[at - 1] == 0x0D
        if not has_cr:
            self.oddities.add(Oddity.BARE_LF)
        is_part = self._state is _State.DATA
        yield from self._pass_on(at - has_cr)
        del self._buffer[:has_cr]
        if is_part:
            yield PartEnd()

    def _pass_on(self, count: int) -> Iterator[Event]:
        if count and self._state is _State.DATA:
            yield PartData(bytes(self._buffer[:count]))
        elif count:
            self.oddities.add(Oddity.PREAMBLE)
        del self._buffer[:count]
        self._scanned = 0

    def _boundary_line(self, start: int) -> tuple[_Line, int]:
        """The rest of a boundary's line, and the place where the line ends."""
        tail = bytes(self._buffer[start : start + _PADDING_LIMIT])
        if tail.startswith(b"--"):
            return _Line.LAST, start + 2
        rest, newline, _ = tail.partition(b"\n")
        if rest == b"-" and not newline:
            return _Line.INCOMPLETE, 0
        if rest.strip(b" \t\r") or (not newline and len(tail) == _PADDING_LIMIT):
            return _Line.NO_BOUNDARY, 0
        if not newline:
            return _Line.INCOMPLETE, 0
        if not rest.endswith(b"\r"):
            self.oddities.add(Oddity.BARE_LF)
        if rest.strip(b"\r"):
            self.oddities.add(Oddity.PADDING)
        return _Line.PART, start + len(rest) + 1

    # -------------------------------------------------------------------------------------- headers

    def _head(self) -> PartHead | None:
        """The headers of a part up to the blank line; None while they are incomplete."""
        end = re.match(rb"\r?\n", self._buffer) or re.search(rb"\r?\n\r?\n", self._buffer)
        if end is None:
            if len(self._buffer) > _HEADER_LIMIT:
                raise MimeError("the headers of a part are too long")
            return None
        block = bytes(self._buffer[: end.end()])
        del self._buffer[: end.end()]
        self._state = _State.DATA
        return PartHead(self._headers(block))

    def _headers(self, block: bytes) -> dict[str, str]:
        if block.count(b"\n") != block.count(b"\r\n"):
            self.oddities.add(Oddity.BARE_LF)
        text = block.decode("latin-1").replace("\r\n", "\n")
        unfolded = re.sub(r"\n[ \t]+", " ", text)
        if unfolded != text:
            self.oddities.add(Oddity.FOLDED)
        headers: dict[str, str] = {}
        for line in filter(None, unfolded.split("\n")):
            name, colon, value = line.partition(":")
            if not colon:
                raise MimeError(f"a part has a line that is no header: {line[:40]!r}")
            headers.setdefault(name.strip().lower(), value.strip())
        return headers
