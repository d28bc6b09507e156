"""Faults: every code of the published table, however it is spelt, asks for the right thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.errors import Recovery
from dsm_device.wire import faults
from dsm_device.wire.envelope import parse_answer
from dsm_device.wire.faults import Fault, Operation, advice
from dsm_device.wire.names import DSP, SOAP, WSA, WSE

FORMER = "http://schemas.microsoft.com/windows/2008/02/wdp/repository/processing"
ALL = set(Operation)
LOCATING = {Operation.PROBE, Operation.METADATA}
EVENTING = {Operation.SUBSCRIBE, Operation.RENEW, Operation.UNSUBSCRIBE}


def read(code: str, subcode: str = "", namespace: str = DSP, reason: str = "r", extra: str = "") -> Fault:
    inner = f"<s:Subcode><s:Value> q:{subcode}\n</s:Value>{extra}</s:Subcode>" if subcode else ""
    data = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:q="{namespace}"><s:Body><s:Fault><s:Code><s:Value>s:{code}</s:Value>'
        f"{inner}</s:Code><s:Reason><s:Text xml:lang='en'>{reason}</s:Text></s:Reason></s:Fault></s:Body>"
        "</s:Envelope>"
    )
    fault = parse_answer(data.encode(), request_id="").fault
    assert fault is not None
    return fault


TABLE = [
    ("Sender", "InvalidArgs", DSP, Recovery.RELOAD_PROCESS, {Operation.QUERY, Operation.CANCEL}),
    ("Receiver", "OperationFailed", DSP, Recovery.RETRY_LATER, set()),
    ("Receiver", "ServerErrorTemporaryError", DSP, Recovery.RETRY_LATER, set()),
    (
        "Receiver",
        "ServerErrorInternalError",
        DSP,
        Recovery.ASK_FIRST,
        {Operation.CREATE, Operation.QUERY, Operation.CANCEL},
    ),
    ("Sender", "ClientErrorJobTokenNotFound", DSP, Recovery.NEW_JOB, {Operation.CANCEL, Operation.QUERY}),
    (
        "Receiver",
        "ServerErrorPostScanJobCanceled",
        DSP,
        Recovery.MARK_CANCELLED,
        {Operation.CANCEL, Operation.QUERY},
    ),
    ("Sender", "ClientErrorCurrentUserNotScanAdmin", DSP, Recovery.GIVE_UP, set()),
    ("Sender", "ActionNotSupported", WSA, Recovery.RELOCATE, LOCATING | EVENTING),
    ("Receiver", "EndpointUnavailable", WSA, Recovery.RETRY_LATER, set()),
    ("Sender", "DestinationUnreachable", WSA, Recovery.RELOCATE, LOCATING),
    ("Sender", "InvalidMessageInformationHeader", WSA, Recovery.GIVE_UP, set()),
    ("Sender", "MessageInformationHeaderRequired", WSA, Recovery.GIVE_UP, set()),
    ("MustUnderstand", "", DSP, Recovery.GIVE_UP, set()),
    ("VersionMismatch", "", DSP, Recovery.GIVE_UP, set()),
    ("Sender", "", DSP, Recovery.GIVE_UP, set()),
    ("Receiver", "EventSourceUnableToProcess", WSE, Recovery.RETRY_LATER, set()),
    ("Receiver", "UnableToRenew", WSE, Recovery.GIVE_UP, set()),
    ("Sender", "MadeUp", "urn:vendor", Recovery.GIVE_UP, set()),
    ("Receiver", "", DSP, Recovery.RETRY_LATER, set()),
    ("Receiver", "MadeUp", "urn:vendor", Recovery.RETRY_LATER, set()),
]


@pytest.mark.parametrize(("code", "subcode", "namespace", "recovery", "exceptions"), TABLE)
def test_the_table(
    code: str, subcode: str, namespace: str, recovery: Recovery, exceptions: set[Operation]
) -> None:
    what = advice(read(code, subcode, namespace))
    assert {what.recovery_of(operation) for operation in ALL - exceptions} == {recovery}
    assert recovery not in {what.recovery_of(operation) for operation in exceptions}
    assert what.meaning
    assert what.remedy


@pytest.mark.parametrize(
    ("subcode", "operation", "recovery"),
    [
        ("ClientErrorJobTokenNotFound", Operation.CANCEL, Recovery.SUCCESS),
        ("ClientErrorJobTokenNotFound", Operation.QUERY, Recovery.STOP_ASKING),
        ("ServerErrorPostScanJobCanceled", Operation.CANCEL, Recovery.SUCCESS),
        ("ServerErrorInternalError", Operation.CREATE, Recovery.RETRY_TWICE),
        ("InvalidArgs", Operation.QUERY, Recovery.STOP_ASKING),
    ],
)
def test_where_the_operation_makes_a_difference(subcode: str, operation: Operation, recovery: Recovery) -> None:
    assert advice(read("Sender", subcode)).recovery_of(operation) is recovery


def test_codes_of_a_former_namespace_count_by_local_name() -> None:
    assert advice(read("Sender", "ClientErrorJobTokenNotFound", FORMER)).recovery is Recovery.NEW_JOB


def test_the_same_word_in_a_foreign_namespace_is_another_code() -> None:
    assert advice(read("Sender", "ClientErrorJobTokenNotFound", "urn:vendor")).recovery is Recovery.GIVE_UP


def test_of_nested_subcodes_the_most_specific_known_one_counts() -> None:
    deeper = "<s:Subcode><s:Value>q:ClientErrorJobTokenNotFound</s:Value>{}</s:Subcode>"
    deepest = "<s:Subcode><s:Value>q:VendorDetail</s:Value></s:Subcode>"
    fault = read("Sender", "InvalidArgs", extra=deeper.format(deepest))
    assert fault.subcode == "ClientErrorJobTokenNotFound"


def test_an_empty_fault_is_a_senders() -> None:
    data = f'<s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault/></s:Body></s:Envelope>'
    assert parse_answer(data.encode(), request_id="").fault == Fault("Sender", "", "", "", "")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="<&￾￿"), max_size=400))
def test_the_servers_words_become_one_short_printable_line(text: str) -> None:
    allowed = "".join(each for each in text if each >= " " or each in "\t\n\r")
    reason = read("Sender", reason=f"\u200b{allowed}\u202e").reason
    assert len(reason) <= 202
    assert reason == " ".join(reason.split())
    assert all(each.isprintable() for each in reason)


def test_only_images_and_ends_are_asked_for_after_a_lost_answer() -> None:
    asked = {operation for operation in ALL if operation.after_lost_answer is Recovery.ASK_FIRST}
    assert asked == {Operation.SEND, Operation.END}
    assert asked == {operation for operation in ALL if not operation.is_repeatable}


def test_what_is_about_events_can_be_told() -> None:
    assert {operation for operation in ALL if operation.is_eventing} == EVENTING


def test_what_everything_is_for_is_said_in_one_sentence() -> None:
    for what in [*faults._DSP.values(), *faults._WSA.values(), *faults._WSE.values(), *faults._BY_CODE.values()]:
        assert "\n" not in what.meaning + what.remedy
        assert not what.remedy.endswith(".")
