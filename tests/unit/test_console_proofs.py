"""``console-proofs.md``: the tests that it names exist, and no operation, event or fault of the code lacks.

Tests are looked for by parsing their files: collecting them all would take longer than running this one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, get_args

from dsm_device.wire import announcing, event_source, names
from dsm_device.wire.device import events, operations
from dsm_sim.scenario.library import scenarios

TESTS: Final = Path(__file__).parents[1]
DEVICE: Final = Path(names.__file__).parents[1]
LIST: Final = (TESTS / "console-proofs.md").read_text(encoding="utf-8")
PROOFS: Final = sorted(set(re.findall(r"`([\w/]+\.py::\w+)`", LIST)))
PLAYED: Final = sorted(set(re.findall(r"`scenario ([\w-]+)`", LIST)))


def listed(*sections: str) -> set[str]:
    """What the first column of these sections' tables has between back quotes, where tests stand beside it."""
    found: set[str] = set()
    for section in sections:
        text = LIST.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        for row in text.splitlines():
            what, _, proofs = row.removeprefix("| ").partition(" | ")
            if "::" in proofs:
                found.update(re.findall(r"`(\w+)`", what))
    return found


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_every_test_that_is_named_exists() -> None:
    named = [each.partition("::")[::2] for each in PROOFS]
    assert [f"{path}::{name}" for path, name in named if name not in functions(path)] == []


def test_every_scenario_that_is_named_exists_and_is_about_that_complaint() -> None:
    about = {each.name: each.scenario.complaints for each in scenarios()}
    assert set(PLAYED) <= about.keys()
    for complaint, row in re.findall(r"(?m)^\| (R\d+): (.*)", LIST):
        for name in re.findall(r"`scenario ([\w-]+)`", row):
            assert complaint in about[name], name


def test_no_name_is_of_a_form_that_nobody_checks() -> None:
    assert LIST.count("::test_") == len(re.findall(r"`[\w/]+\.py::test_\w+`", LIST))
    assert LIST.count("scenario ") == LIST.count("`scenario ")


def test_every_operation_is_listed() -> None:
    actions = {
        *(names.PROBE, names.GET, announcing.HELLO, announcing.BYE, announcing.RESOLVE),
        *(announcing.PROBE_MATCHES, announcing.RESOLVE_MATCHES),
        *event_source.ACTIONS,
    }
    rules = {announcing.RFC2396, announcing.STRCMP0, announcing.UUID}
    questions = {question.__name__ for question in get_args(operations.Question)}
    assert listed("Operations") == questions | {each.rpartition("/")[2] for each in actions | rules}


def test_every_event_is_listed() -> None:
    ends = {
        event_source.SUBSCRIPTION_END,
        *(event_source.DELIVERY_FAILURE, event_source.SOURCE_SHUTTING_DOWN, event_source.SOURCE_CANCELING),
    }
    assert event_source.EVENT_NAMES == events.EVENT_NAMES
    assert listed("Events") == {*events.EVENT_NAMES, *(each.rpartition("/")[2] for each in ends)}


def test_every_fault_is_listed() -> None:
    written = {name for path in DEVICE.rglob("*.py") for name in faults_in(path)}
    assert len(written) > 15
    assert listed("Faults") == written


def faults_in(path: Path) -> Iterator[str]:
    """The names of the faults that are made there: subcodes, or codes of SOAP's own that have none."""
    text = path.read_text(encoding="utf-8")
    if "OutgoingFault(" not in text:
        return
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.Tuple(elts=[ast.Name(id=namespace), ast.Constant(value=str(local))]) if (
                namespace.isupper() and local
            ):
                yield local
            case ast.Call(args=[ast.Constant(value=str(code)), ast.Constant(value=None), *_]):
                yield code
            case ast.Call(func=ast.Name(id="_fault"), args=[ast.Constant(value=str(local)), *_]):
                yield local
