"""tiff-single-g4: a page as one strip, made of strips encoded one by one.

T.6 (ITU-T T.6, 2.2) codes each line against the one before it, and the first against a white one. libtiff encodes
whole strips. So each strip is encoded with the line before it in front, and of its code the part for that line is
cut off; the rest continues the code so far, bit by bit. Readers of fax files and of PDF see one image of one code,
as if the page had been encoded whole: a page of several strips shows seams where renderers round.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Final

from dsm_device.imaging.formats import PageSpec
from dsm_device.imaging.libtiff import Tag, TiffFile
from dsm_device.imaging.strips import Strip
from dsm_device.imaging.tiff import TiffEncoder

_GROUP_4: Final = 4
_BILEVEL_TAGS: Final = ((Tag.BITS_PER_SAMPLE, 1), (Tag.SAMPLES_PER_PIXEL, 1), (Tag.COMPRESSION, _GROUP_4))
#: End of facsimile block, with which every code ends (T.6, 2.4.1.1).
_EOFB: Final = 0x001001
_EOFB_BITS: Final = 24
_TIFF_HEADER_BYTES: Final = 8


class G4Encoder(TiffEncoder):
    """Writes one page as one strip. Every strip given but the last has ``strip_lines`` lines."""

    def __init__(self, file: BinaryIO, spec: PageSpec, strip_lines: int) -> None:  # noqa: ARG002 - it is one strip
        super().__init__(file, spec, spec.height_px)
        self._code = PageCode(spec.width_px)

    def encode(self, strip: Strip, lines: int) -> None:
        self._lines += lines
        self._tiff.set(Tag.IMAGE_LENGTH, self._lines)
        if code := self._code.add(strip, lines):  # libtiff takes none of nothing
            self._tiff.append(0, code)

    def finish(self, height_px: int) -> None:
        self._tiff.append(0, self._code.end())
        super().finish(height_px)

    def close(self) -> None:
        self._code.close()
        super().close()


class PageCode:
    """The code of a page of ``width_px``, byte for byte what one call for the whole page gives."""

    def __init__(self, width_px: int) -> None:
        self._width_px = width_px
        self._line_bytes = (width_px + 7) // 8
        self._last_line = b""
        #: Bits that fill no byte yet, and how many.
        self._bits = self._count = 0
        self._scratch = os.fdopen(os.memfd_create("g4-strip"), "w+b", buffering=0)

    def add(self, strip: Strip, lines: int) -> bytes:
        """Whole bytes of the code that this strip completes."""
        skipped_bits = _length(self._encode(self._last_line, 1)) if self._last_line else 0
        known_lines = len(self._last_line) // self._line_bytes
        code = self._encode(self._last_line + bytes(strip), known_lines + lines)
        self._last_line = bytes(memoryview(strip)[-self._line_bytes :])
        count = _length(code) - skipped_bits
        unused_bits = len(code) * 8 - _length(code)
        return self._append(int.from_bytes(code) >> unused_bits & (1 << count) - 1, count)

    def end(self) -> bytes:
        """The last bytes of the code."""
        return self._append(_EOFB << 7, _EOFB_BITS + 7)

    def close(self) -> None:
        self._scratch.close()

    def _append(self, bits: int, count: int) -> bytes:
        whole_bytes, rest = divmod(self._count + count, 8)
        bits |= self._bits << count
        self._bits, self._count = bits & (1 << rest) - 1, rest
        return (bits >> rest).to_bytes(whole_bytes)

    def _encode(self, lines: bytes, count: int) -> bytes:
        """These lines as an image of their own; libtiff writes the strip behind the header."""
        descriptor = self._scratch.fileno()
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.ftruncate(descriptor, 0)
        tiff = TiffFile(descriptor)
        try:
            sizes = (Tag.IMAGE_WIDTH, self._width_px), (Tag.IMAGE_LENGTH, count), (Tag.ROWS_PER_STRIP, count)
            for tag, value in (*_BILEVEL_TAGS, *sizes):
                tiff.set(tag, value)
            tiff.write_strip(0, lines)
            size_bytes = os.fstat(descriptor).st_size
            return os.pread(descriptor, size_bytes - _TIFF_HEADER_BYTES, _TIFF_HEADER_BYTES)
        finally:
            tiff.close()  # which adds a directory


def _length(code: bytes) -> int:
    """Bits before the end of the block, which ends with a 1 and is filled up with 0."""
    used = code.rstrip(b"\0")
    filling_bits = (used[-1] & -used[-1]).bit_length() - 1
    return len(used) * 8 - filling_bits - _EOFB_BITS
