"""The objects of a PDF file, found by its cross-reference table (PDF 1.4, 3.1 to 3.4)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .facts import Data, ImageError, part

_TOKEN: Final = re.compile(
    rb"[\x00\t\n\x0c\r ]*(?:%[^\r\n]*[\r\n][\x00\t\n\x0c\r ]*)*"
    rb"(<<|>>|[\[\]]|/[^\x00\t\n\x0c\r ()<>\[\]{}/%]*|<[0-9A-Fa-f\s]*>|\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)"
    rb"|[^\x00\t\n\x0c\r ()<>\[\]{}/%]+)",
    re.DOTALL,
)
_STREAM: Final = re.compile(rb"[\x00\t\n\x0c\r ]*stream(\r\n|\n)")
_STREAM_END: Final = re.compile(rb"[\r\n]{0,2}endstream")
_START: Final = re.compile(rb"startxref[\r\n ]+(\d+)[\r\n ]+%%EOF[\r\n ]*\Z")
_SECTION: Final = re.compile(rb"(\d+) (\d+)[ ]*(?:\r\n|\n|\r)")
_ENTRY: Final = re.compile(rb"(\d{10}) (\d{5}) ([nf])[ \r][\r\n]")
_TAIL_OCTETS: Final = 1024
_DEEPEST: Final = 32
#: What a metadata or content stream unpacks to, at most.
_MOST_OCTETS: Final = 10_000_000
Value = Any


@dataclass(frozen=True, slots=True)
class Name:
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    number: int


@dataclass(frozen=True, slots=True)
class Stream:
    """``data`` is as it stands in the file."""

    dictionary: dict[str, Value]
    data: bytes

    def unpacked(self) -> bytes:
        """The content of one that is plain or deflated. Raises :class:`ImageError`."""
        kind = self.dictionary.get("Filter")
        if kind is None:
            return self.data
        if kind not in (Name("FlateDecode"), [Name("FlateDecode")]):
            raise ImageError(f"a stream with the filter {kind}")
        try:
            return zlib.decompressobj().decompress(self.data, _MOST_OCTETS)
        except zlib.error as error:
            raise ImageError(f"a stream that cannot be unpacked: {error}") from error


class PdfObjects:
    """Raises :class:`ImageError` for a file whose tables are not sound."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._places: dict[int, int] = {}
        self.trailer = self._tables()
        if "Encrypt" in self.trailer:
            raise ImageError("an encrypted file")
        for number, place in self._places.items():
            if not re.match(rb"%d \d+ obj\b" % number, part(data, place, min(32, len(data) - place))):
                raise ImageError(f"object {number} is not where the table says")

    def get(self, value: Value) -> Value:
        """What a reference leads to; anything else as it is."""
        for _ in range(_DEEPEST):
            if not isinstance(value, Reference):
                return value
            if value.number not in self._places:
                return None
            value = self._object(self._places[value.number])
        raise ImageError("references without end")

    def dictionary(self, value: Value, what: str) -> dict[str, Value]:
        """A dictionary, or that of a stream. Raises :class:`ImageError` for anything else."""
        found = self.get(value)
        if isinstance(found, Stream):
            return found.dictionary
        if not isinstance(found, dict):
            raise ImageError(f"no {what}")
        return found

    def stream(self, value: Value, what: str) -> Stream:
        found = self.get(value)
        if not isinstance(found, Stream):
            raise ImageError(f"no {what}")
        return found

    def check(self) -> None:
        """Reads every object, also those that nobody refers to."""
        for place in self._places.values():
            self._object(place)

    # ----------------------------------------------------------------------------------------- tables

    def _tables(self) -> dict[str, Value]:
        """The newest trailer; of several tables the newest entries count."""
        tail = self._data[max(0, len(self._data) - _TAIL_OCTETS) :]
        found = _START.search(tail)
        if not found:
            raise ImageError("no startxref and %%EOF at its end")
        place, trailer, visited = int(found[1]), None, set[int]()
        while place not in visited:
            visited.add(place)
            older = self._table(place)
            trailer = trailer or older
            if "Prev" not in older:
                break
            place = int(older["Prev"])
        return trailer or {}

    def _table(self, at: int) -> dict[str, Value]:
        if self._data[at : at + 4] != b"xref":
            raise ImageError("no cross-reference table where startxref says")
        at = self._after_line(at + 4)
        while section := _SECTION.match(self._data, at):
            at = section.end()
            for number in range(int(section[1]), int(section[1]) + int(section[2])):
                entry = _ENTRY.match(self._data, at)
                if not entry:
                    raise ImageError("a damaged cross-reference table")
                if entry[3] == b"n":
                    self._places.setdefault(number, int(entry[1]))
                at = entry.end()
        if self._data[at : at + 7] != b"trailer":
            raise ImageError("no trailer behind the cross-reference table")
        trailer = _Reader(self._data, at + 7, self.get).value()
        if not isinstance(trailer, dict):
            raise ImageError("no trailer behind the cross-reference table")
        return trailer

    def _after_line(self, at: int) -> int:
        while self._data[at : at + 1] in {b" ", b"\r", b"\n"}:
            at += 1
        return at

    def _object(self, place: int) -> Value:
        reader = _Reader(self._data, place, self.get)
        for _ in range(3):  # number, generation, obj
            reader.token()
        return reader.value_or_stream()


class _Reader:
    def __init__(self, data: Data, at: int, get: Callable[[Value], Value]) -> None:
        self._data = data
        self._at = at
        self._get = get
        self._depth = 0

    def token(self) -> bytes:
        match = _TOKEN.match(self._data, self._at)
        if not match:
            raise ImageError("the file ends too early")
        self._at = match.end()
        return match[1]

    def value_or_stream(self) -> Value:
        value = self.value()
        match = _STREAM.match(self._data, self._at)
        if not isinstance(value, dict) or not match:
            return value
        length = self._get(value.get("Length"))
        if not isinstance(length, int):
            raise ImageError("a stream without length")
        content = part(self._data, match.end(), length)
        if not _STREAM_END.match(self._data, match.end() + length):
            raise ImageError("a stream that is not as long as it says")
        return Stream(value, content)

    def value(self) -> Value:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ImageError("brackets within brackets without end")
        token = self.token()
        found = self._of(token)
        self._depth -= 1
        return found

    def _of(self, token: bytes) -> Value:
        if token == b"<<":
            items = self._until(b">>")
            return {key.text: value for key, value in zip(items[::2], items[1::2], strict=False) if _is_name(key)}
        if token == b"[":
            return self._until(b"]")
        if token[:1] == b"/":
            return Name(token[1:].decode("latin-1"))
        if token[:1] in b"(<":
            return token
        return _word(token)

    def _until(self, end: bytes) -> list[Value]:
        items: list[Value] = []
        while True:
            before = self._at
            if self.token() == end:
                return items
            self._at = before
            value = self.value()
            if value == "R" and len(items) > 1:
                items[-2:] = [Reference(items[-2])]
            else:
                items.append(value)


def _is_name(key: Value) -> bool:
    return isinstance(key, Name)


def _word(token: bytes) -> Value:
    text = token.decode("latin-1")
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+)", text):
        return float(text)
    return {"true": True, "false": False, "null": None}.get(text, text)
