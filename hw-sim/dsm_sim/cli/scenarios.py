"""``dsm-device sim list`` and ``dsm-device sim run``: scenarios against the real device."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dsm_sim.cli.usage import SimUsageError
from dsm_sim.cli.values import whole
from dsm_sim.scenario.library import Entry, find, scenarios
from dsm_sim.scenario.reading import ScenarioError
from dsm_sim.scenario.verdict import Outcome, Verdict, run_scenario

_OK, _FAILED = 0, 1

_EXAMPLES = """examples:
  dsm-device sim run lost-answer                 one of those that `sim list` shows
  dsm-device sim run mine.toml --keep out        one of your own, with everything it left behind
  dsm-device sim run twenty-pages --trace a.svg  when each page was acquired, encoded, written, sent, answered
  dsm-device sim run --all                       all but the slow ones

exit codes: 0 all is well (or waits for something the device does not have yet), 1 a scenario failed, 2 usage
"""


def add_list(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "list", help="the scenarios that there are", description="The scenarios that there are."
    )
    parser.add_argument("--json", action="store_true", help="JSON lines on standard output")
    parser.set_defaults(run=_list)


def add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run",
        help="play scenarios against the real device and judge them",
        description="Plays scenarios against the real device, each with a scanner, a server and a folder of its "
        "own, and judges what came of it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("scenario", nargs="*", metavar="SCENARIO", help="a name from `sim list`, or a file of your own (*.toml)")
    add("--all", action="store_true", help="every scenario but the slow ones")
    add("--slow", action="store_true", help="with --all: the slow ones as well")
    add("--trace", type=Path, metavar="FILE", help="draw a strip chart of one scenario (SVG)")
    add("--keep", type=Path, metavar="DIR", help="keep everything in DIR/NAME, which must not exist")
    add(
        "--images-per-minute",
        type=whole(0, 10_000),
        metavar="N",
        help="the scanner's speed, 0: as fast as it is read",
    )
    add("--json", action="store_true", help="JSON lines on standard output")
    parser.set_defaults(run=_run)


def _list(arguments: argparse.Namespace) -> int:
    entries = list(_all())
    if arguments.json:
        for entry in entries:
            _say(json.dumps(_description(entry), ensure_ascii=False))
        return _OK
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        scenario = entry.scenario
        notes = [*([f"waits for {scenario.waits_for}"] if scenario.waits_for else []), *["slow"] * scenario.slow]
        rows = f" [{', '.join(scenario.complaints)}]" if scenario.complaints else ""
        _say(f"{entry.name:<{width}}  {scenario.title}{rows}{'  · ' + ', '.join(notes) if notes else ''}")
    return _OK


def _description(entry: Entry) -> dict[str, object]:
    scenario = entry.scenario
    return {
        "name": entry.name,
        "title": scenario.title,
        "about": scenario.about,
        "complaints": scenario.complaints,
        "waits_for": scenario.waits_for,
        "slow": scenario.slow,
        "path": str(entry.path),
    }


def _run(arguments: argparse.Namespace) -> int:
    entries = [_sped(entry, arguments.images_per_minute) for entry in _chosen(arguments)]
    if arguments.trace and len(entries) != 1:
        raise SimUsageError("--trace draws one scenario: name just one")
    if arguments.trace:
        arguments.trace.open("ab").close()  # better now than after minutes
    places = [_place(arguments.keep, entry) for entry in entries]
    if arguments.keep and len(set(places)) < len(places):
        raise SimUsageError("--keep needs scenarios of different names")
    width = max(len(entry.name) for entry in entries)
    verdicts = []
    for entry, place in zip(entries, places, strict=True):
        verdict = _played(entry, place, arguments.trace)
        verdicts.append(verdict)
        _show(verdict, width, as_json=arguments.json)
    if not arguments.json:
        _show_summary(verdicts, arguments)
    return _OK if all(verdict.is_good for verdict in verdicts) else _FAILED


def _played(entry: Entry, place: Path | None, chart: Path | None) -> Verdict:
    try:
        return run_scenario(entry, place, chart)
    except ScenarioError as error:
        raise SimUsageError(str(error)) from error


def _chosen(arguments: argparse.Namespace) -> Sequence[Entry]:
    if arguments.all and arguments.scenario:
        raise SimUsageError("name scenarios, or --all, not both")
    if arguments.slow and not arguments.all:
        raise SimUsageError("--slow goes with --all")
    if arguments.all:
        return [entry for entry in _all() if arguments.slow or not entry.scenario.slow]
    if not arguments.scenario:
        raise SimUsageError("name a scenario, or --all: `dsm-device sim list` shows them")
    try:
        return [find(name) for name in arguments.scenario]
    except ScenarioError as error:
        raise SimUsageError(str(error)) from error


def _all() -> Sequence[Entry]:
    try:
        return list(scenarios())
    except ScenarioError as error:
        raise SimUsageError(str(error)) from error


def _sped(entry: Entry, images_per_minute: int | None) -> Entry:
    if images_per_minute is None:
        return entry
    scanner = msgspec.structs.replace(entry.scenario.scanner, images_per_minute=images_per_minute)
    return dataclasses.replace(entry, scenario=msgspec.structs.replace(entry.scenario, scanner=scanner))


def _place(keep: Path | None, entry: Entry) -> Path | None:
    if keep is None:
        return None
    place = (keep / entry.name).absolute()
    if place.exists():
        raise SimUsageError(f"{place} exists: choose another --keep, or delete it")
    return place


# --------------------------------------------------------------------------------------------- output

_WORDS = {
    Outcome.PASSED: "ok      ",
    Outcome.FAILED: "FAILED  ",
    Outcome.WAITING: "waiting ",
    Outcome.SURPRISE: "SURPRISE",
}


def _show(verdict: Verdict, width: int, *, as_json: bool) -> None:
    if as_json:
        _say(json.dumps({**dataclasses.asdict(verdict), "ok": verdict.is_good}, ensure_ascii=False))
        return
    note = f"for {verdict.waits_for}" if verdict.outcome is Outcome.WAITING else f"{verdict.images:4} images"
    _say(f"{_WORDS[verdict.outcome]}  {verdict.name:<{width}}  {verdict.took_s:6.2f} s  {note}")
    if not verdict.is_good:
        for problem in verdict.problems:
            _say(f"          - {problem}")


def _show_summary(verdicts: Sequence[Verdict], arguments: argparse.Namespace) -> None:
    counts = [(outcome, sum(each.outcome is outcome for each in verdicts)) for outcome in Outcome]
    if len(verdicts) > 1:
        _say("\n" + ", ".join(f"{count} {outcome}" for outcome, count in counts if count))
    elif verdicts[0].images > 1:
        one = verdicts[0]
        rate = one.images / max(one.took_s, 1e-6) * 60
        _say(
            f"          {rate:.0f} images a minute in all; the feeder ran at {one.pace:.0%} of its speed; "
            f"the simulator used {one.simulator_cores:.0%} of a core; set up in {one.set_up_s:.2f} s"
        )
    if arguments.keep:
        _say(f"kept in {arguments.keep.absolute()}")
    if arguments.trace:
        _say(f"strip chart in {arguments.trace}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
