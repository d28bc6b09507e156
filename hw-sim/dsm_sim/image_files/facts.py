"""What an image file is found to be, and what says that it is none."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: A file's content, which need not fit into memory.
Data = bytes | mmap.mmap


class ImageError(ValueError):
    """Not a whole file of the declared format; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the headers tell of one page; 0 where they do not. ``bits`` is that of one sample."""

    width_px: int = 0
    height_px: int = 0
    x_dpi: float = 0
    y_dpi: float = 0
    channels: int = 0
    bits: int = 0


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """All pages of a file; none where nothing is known of the format."""

    each: tuple[PageFacts, ...] = ()

    @property
    def pages(self) -> int:
        return len(self.each) or 1

    @property
    def first(self) -> PageFacts:
        return self.each[0] if self.each else PageFacts()

    @property
    def width_px(self) -> int:
        return self.first.width_px

    @property
    def height_px(self) -> int:
        return self.first.height_px

    @property
    def dpi(self) -> float:
        """Across, of the first page."""
        return self.first.x_dpi


@contextmanager
def reading() -> Iterator[None]:
    """Whatever reading damaged structures runs into is an :class:`ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except (struct.error, IndexError) as error:
        raise ImageError("the file ends too early") from error
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise ImageError(f"it is damaged: {error}") from error


def expect(data: Data, start: bytes, what: str) -> None:
    """Raises :class:`ImageError` where ``data`` does not start so."""
    found = data[: len(start)]
    if found != start:
        raise ImageError(f"no {what}: it starts with {found[:8].hex(' ') or 'nothing'}")


def part(data: Data, start: int, count: int) -> bytes:
    """So many octets. Raises :class:`ImageError` where there are fewer."""
    found = data[start : start + count] if start >= 0 else b""
    if len(found) != count:
        raise ImageError("the file ends too early")
    return found


def number(data: Data, start: int, count: int = 4) -> int:
    """A big-endian number of so many octets. Raises :class:`ImageError`."""
    return int.from_bytes(part(data, start, count), "big")
