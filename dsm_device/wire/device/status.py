"""wscn:ScannerStatus with its conditions (WS-DSD, ScannerStatus and conditions)."""

from __future__ import annotations

from typing import Final

from lxml import etree

from dsm_device.wire.device.elements import add, add_reasons, add_time, root
from dsm_device.wire.device.model import DeviceCondition, PastCondition, ScannerStatus
from dsm_device.wire.names import WSCN, qname

_ID: Final = qname(WSCN, "Id")


def render(status: ScannerStatus, *, history: int, plain_ids: bool = False) -> etree._Element:
    """With the newest ``history`` past conditions. ``plain_ids``: each Id also without a namespace, as a known
    client reads it."""
    element = root("ScannerStatus")
    add_time(element, "ScannerCurrentTime", status.time)
    add_state(element, status)
    active = add(element, "ActiveConditions")
    for condition in status.active:
        fill_condition(add(active, "DeviceCondition"), condition, plain_id=plain_ids)
    past = add(element, "ConditionHistory")
    for entry in status.history[max(0, len(status.history) - history) :]:
        _fill_past(add(past, "ConditionHistoryEntry"), entry, plain_id=plain_ids)
    return element


def add_state(parent: etree._Element, status: ScannerStatus) -> None:
    add(parent, "ScannerState", status.state)
    add_reasons(parent, "ScannerStateReasons", "ScannerStateReason", status.reasons)


def fill_condition(element: etree._Element, condition: DeviceCondition, *, plain_id: bool) -> None:
    """``plain_id``: the attribute Id also without a namespace (WS-DSD, open points)."""
    if plain_id:
        element.set("Id", str(condition.id))
    element.set(_ID, str(condition.id))
    add_time(element, "Time", condition.time)
    add(element, "Name", condition.name)
    add(element, "Component", condition.component)
    add(element, "Severity", condition.severity)


def _fill_past(element: etree._Element, past: PastCondition, *, plain_id: bool) -> None:
    fill_condition(element, past.condition, plain_id=plain_id)
    add_time(element, "ClearTime", past.clear_time)
