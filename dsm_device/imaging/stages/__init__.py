"""What is done to a page's lines on their way into its file, each a stage: lines in, lines out.

A stage that looks beyond a line keeps the few lines that it needs, so that the page comes out as if it had been
treated whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from dsm_device.imaging.raster import LineBuffer, Raster


class Stage(Protocol):
    """Takes the lines of one page from its top to its bottom."""

    def push(self, lines: Raster) -> Iterable[Raster]:
        """Take further lines; gives those that are ready, in rasters of any height."""
        ...

    def finish(self) -> Iterable[Raster]:
        """The page has ended; gives the rest of its lines."""
        ...

    def close(self) -> None:
        """Let go of everything, at any time, also twice. Raises nothing."""
        ...


class PerLine:
    """What needs to know nothing but the line itself."""

    def __init__(self, change: Callable[[Raster], Raster]) -> None:
        self._change = change

    def push(self, lines: Raster) -> Iterable[Raster]:
        yield self._change(lines)

    def finish(self) -> Iterable[Raster]:
        return ()

    def close(self) -> None:
        """Nothing is held."""


class Neighborhood:
    """What looks at up to ``halo`` lines above and below each line. ``change`` keeps the size."""

    def __init__(self, change: Callable[[Raster], Raster], halo: int) -> None:
        self._change = change
        self._halo = halo
        self._buffer = LineBuffer()
        self._done = 0

    def push(self, lines: Raster) -> Iterable[Raster]:
        self._buffer.push(lines)
        ready = self._buffer.bottom - self._halo
        # As many new lines at once as are looked at in vain: at most two in three are.
        if ready - self._done >= max(1, self._halo):
            yield self._changed(ready)

    def finish(self) -> Iterable[Raster]:
        if self._buffer.bottom > self._done:
            yield self._changed(self._buffer.bottom)

    def close(self) -> None:
        self._buffer = LineBuffer()

    def _changed(self, ready: int) -> Raster:
        top = max(0, self._done - self._halo)
        window = self._buffer.lines(top, min(self._buffer.bottom, ready + self._halo))
        changed = self._change(window).lines(self._done - top, ready - top)
        self._done = ready
        self._buffer.drop_before(ready - self._halo)
        return changed


class Chain:
    """Stages one after the other."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages

    def push(self, lines: Raster) -> Iterator[Raster]:
        return self._from(0, lines)

    def finish(self) -> Iterator[Raster]:
        for number, stage in enumerate(self._stages, 1):
            for lines in stage.finish():
                yield from self._from(number, lines)

    def close(self) -> None:
        for stage in self._stages:
            stage.close()

    def _from(self, number: int, lines: Raster) -> Iterator[Raster]:
        if number == len(self._stages):
            yield lines
            return
        for changed in self._stages[number].push(lines):
            yield from self._from(number + 1, changed)
