"""What the bodies of answers and events say, held against the rules that a schema cannot express.

Source: WS-Scan ScannerStatus, DeviceCondition, JobStatus, Documents; WS-DSD events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.configuration import check_configuration
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import DSD, WSCN, tag
from dsm_sim.peers.console.xml import child_text, children, find, integer, local_of, text_of

#: States in which a job has ended.
ENDED: Final = frozenset({"Aborted", "Canceled", "Completed"})
_TIMES: Final = (
    "ScannerCurrentTime",
    "Time",
    "ClearTime",
    "ConditionClearTime",
    "JobCreatedTime",
    "JobCompletedTime",
)


def check_content(body: etree._Element, notes: Notes) -> None:
    """Everything that holds wherever an element of WS-Scan stands."""
    _check_times(body, notes)
    _check_conditions(body, notes)
    checks: dict[str, Callable[[etree._Element, Notes], None]] = {
        "ScannerConfiguration": check_configuration,
        "ScannerStateReasons": _check_reasons,
        "ScannerStatus": _check_state,
        "JobStatus": _check_job,
        "ActiveJobs": _check_active,
        "JobHistory": _check_history,
    }
    for name, check in checks.items():
        for element in _named(body, name):
            check(element, notes)
    for element in body.iter(tag=etree.Element):
        is_marked = any(tag(WSCN, name) in element.attrib for name in ("Override", "UsedDefault"))
        is_final = next(element.iterancestors(tag(WSCN, "DocumentFinalParameters")), None) is not None
        notes.require(not is_marked or is_final, rules.OVERRIDE_PLACE, local_of(element))


def _named(body: etree._Element, *names: str) -> Iterator[etree._Element]:
    """The first level of an event or answer may be of WS-DSD, whatever its kind."""
    return body.iter(*(tag(namespace, name) for namespace in (DSD, WSCN) for name in names))


def _check_times(body: etree._Element, notes: Notes) -> None:
    for element in _named(body, *_TIMES):
        notes.require(text_of(element).endswith("Z"), rules.TIME_UTC, f"{local_of(element)}: {text_of(element)}")


def _check_conditions(body: etree._Element, notes: Notes) -> None:
    ids = [each.get(tag(WSCN, "Id"), "") for each in _named(body, "DeviceCondition", "ConditionHistoryEntry")]
    notes.require(all(ids) and len(set(ids)) == len(ids), rules.CONDITION_ID, " ".join(ids))


def _check_reasons(reasons: etree._Element, notes: Notes) -> None:
    words = [text_of(reason) for reason in children(reasons)]
    is_alone = "None" not in words or len(words) == 1
    notes.require(is_alone and len(set(words)) == len(words), rules.STATUS_REASONS, " ".join(words))


def _check_state(status: etree._Element, notes: Notes) -> None:
    active = children(find(status, WSCN, "ActiveConditions"))
    is_critical = any(child_text(condition, WSCN, "Severity") == "Critical" for condition in active)
    state = child_text(status, WSCN, "ScannerState")
    notes.require(not is_critical or state == "Stopped", rules.STATUS_STATE, state)


def _check_job(job: etree._Element, notes: Notes) -> None:
    state, completed = (child_text(job, WSCN, name) for name in ("JobState", "JobCompletedTime"))
    notes.require(not completed or state in ENDED, rules.JOB_STATES, f"{state}, completed {completed}")


def _check_active(jobs: etree._Element, notes: Notes) -> None:
    _check_ids(jobs, notes)
    for state in _states(jobs):
        notes.require(state not in ENDED, rules.JOB_STATES, f"active: {state}")


def _check_history(jobs: etree._Element, notes: Notes) -> None:
    ids = _check_ids(jobs, notes)
    notes.require(ids == sorted(ids), rules.JOB_ORDER, " ".join(map(str, ids)))
    for state in _states(jobs):
        notes.require(state in ENDED, rules.JOB_STATES, f"history: {state}")


def _check_ids(jobs: etree._Element, notes: Notes) -> list[int]:
    texts = [child_text(job, WSCN, "JobId") for job in children(jobs)]
    ids = [number for text in texts if (number := integer(text)) is not None]
    notes.require(len(set(ids)) == len(ids), rules.JOB_IDS, " ".join(map(str, ids)))
    return ids


def _states(jobs: etree._Element) -> list[str]:
    return [child_text(job, WSCN, "JobState") for job in children(jobs)]
