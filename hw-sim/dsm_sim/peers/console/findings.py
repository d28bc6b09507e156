"""The notebook of what was wrong with a device's messages."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from dsm_sim.peers.rule import Rule

_KEPT: Final = 10_000
_DETAIL_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule. ``where`` is the exchange: an operation and its address."""

    rule: str
    level: str
    text: str
    source: str
    detail: str
    where: str
    at: datetime.datetime

    def as_line(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.where}: {self.text}{detail} [{self.rule}; {self.source}]"


@dataclass
class Findings:
    """All findings in order, each rule once for an exchange and detail; the first 10,000."""

    tell: Callable[[Finding], None]
    kept: list[Finding] = field(default_factory=list)
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def at(self, where: str) -> Notes:
        """The notebook of one exchange."""
        return Notes(self, where)

    def enter(self, rule: Rule, where: str, detail: str) -> None:
        short = " ".join(detail.split())[:_DETAIL_LENGTH]
        key = (rule.name, where, short)
        if key in self._seen or len(self.kept) >= _KEPT:
            return
        self._seen.add(key)
        now = datetime.datetime.now(datetime.UTC)
        finding = Finding(rule.name, rule.level, rule.text, rule.source, short, where, now)
        self.kept.append(finding)
        self.tell(finding)


@dataclass(frozen=True)
class Notes:
    """Where what one message breaks is entered."""

    findings: Findings
    where: str

    def record(self, rule: Rule, detail: str = "") -> None:
        self.findings.enter(rule, self.where, detail)

    def require(self, is_kept: bool, rule: Rule, detail: str = "") -> None:
        if not is_kept:
            self.record(rule, detail)
