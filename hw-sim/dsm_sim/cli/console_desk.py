"""Where the console's commands put what they have to say."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from dsm_sim.peers.console import Announcement, Console, Finding, Step
from dsm_sim.peers.console.text import printable


def plain_announcement(device: Announcement) -> dict[str, object]:
    return {"event": device.kind, **asdict(device)}


@dataclass
class Desk:
    """Where results go: lines for people, or JSON lines; notes go to standard error."""

    is_json: bool

    def say(self, line: str, plain: Mapping[str, object]) -> None:
        sys.stdout.write(f"{json.dumps(plain) if self.is_json else printable(line)}\n")
        sys.stdout.flush()

    def say_all(self, lines: Iterable[str], plain: Iterable[Mapping[str, object]]) -> None:
        if self.is_json:
            for each in plain:
                self.say("", each)
        else:
            for line in lines:
                self.say(line, {})

    def note(self, line: str) -> None:
        sys.stderr.write(f"{printable(line)}\n")

    def hint(self, console: Console, address: str) -> None:
        if count := len(console.findings.kept):
            self.note(f"{count} finding(s) on the way: `dsm-device sim console check {address}` says which")

    def count(self, finding: Finding) -> None:
        if self.is_json:
            self.finding(finding)

    def finding(self, finding: Finding) -> None:
        plain = {**asdict(finding), "at": finding.at.isoformat()}
        self.say(f"{finding.level:<6} {finding.as_line()}", {"event": "finding", **plain})

    def step(self, step: Step) -> None:
        verdict = f"broken off: {step.problem}" if step.problem else f"{step.findings} finding(s)"
        is_right = not step.findings and not step.problem
        self.say(
            f"{'ok' if is_right else 'NOT OK':<6} {step.name}{'' if is_right else f': {verdict}'}",
            {"event": "step", **asdict(step)},
        )
