"""The faults of WS-DSD, which are WS-Scan's (WS-DSD, faults). ``InvalidArgs`` stands in ``service_request``."""

from __future__ import annotations

from lxml import etree

from dsm_device.wire.device.elements import root
from dsm_device.wire.names import WSCN
from dsm_device.wire.service_request import MAX_REPEATED, OutgoingFault, invalid_args

_UNEXPECTED = "The service had an unexpected error."


def bad_job_id(text: str) -> OutgoingFault:
    """``InvalidArgs`` for a JobId that is no number."""
    fault = invalid_args()
    return OutgoingFault(fault.code, fault.subcode, fault.reason, _job_id(text))


def job_id_not_found(text: str) -> OutgoingFault:
    """``text`` as it was sent."""
    reason = "The specified JobId was not found."
    return OutgoingFault("Sender", (WSCN, "ClientErrorJobIdNotFound"), reason, _job_id(text))


def conflicting_parameters() -> OutgoingFault:
    """Settings that must be honoured exclude each other."""
    reason = "Settings that must be honored cannot be combined."
    return OutgoingFault("Sender", (WSCN, "ClientErrorConflictingRequiredParameters"), reason)


def operation_failed() -> OutgoingFault:
    """The service's state forbids it: it is shutting down."""
    reason = "The service cannot perform the requested operation."
    return OutgoingFault("Receiver", (WSCN, "OperationFailed"), reason)


def temporary_error() -> OutgoingFault:
    """The same request may succeed later."""
    return OutgoingFault("Receiver", (WSCN, "ServerErrorTemporaryError"), _UNEXPECTED)


def internal_error() -> OutgoingFault:
    """A lasting failure."""
    return OutgoingFault("Receiver", (WSCN, "ServerErrorInternalError"), _UNEXPECTED)


def not_accepting_jobs() -> OutgoingFault:
    """To a client that wants to fetch images: this device pushes them."""
    reason = "The scanner is not accepting jobs from clients."
    return OutgoingFault("Receiver", (WSCN, "ServerErrorNotAcceptingJobs"), reason)


def _job_id(text: str) -> etree._Element:
    element = root("JobId")
    element.text = text[:MAX_REPEATED]
    return element
