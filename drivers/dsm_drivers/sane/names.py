"""How backends spell the same thing: matching of names without regard to case, spaces, ``-`` and ``_``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_IGNORED = str.maketrans("", "", "-_")


def normalised(name: str) -> str:
    return "".join(name.casefold().translate(_IGNORED).split())


@dataclass(frozen=True, slots=True)
class Spellings:
    """``exact`` spellings in order of preference, else any that has one of ``parts`` and none of ``without``."""

    exact: tuple[str, ...]
    parts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def find(self, names: Iterable[str]) -> str | None:
        """The best of ``names`` as it is spelled there; the first one among equals."""
        by_spelling: dict[str, str] = {}
        for name in names:
            by_spelling.setdefault(normalised(name), name)
        best = (by_spelling[each] for each in self.exact if each in by_spelling)
        alike = (name for each, name in by_spelling.items() if self._resembles(each))
        return next(best, None) or next(alike, None)

    def _resembles(self, name: str) -> bool:
        return any(part in name for part in self.parts) and not any(part in name for part in self.without)
