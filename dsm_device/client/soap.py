"""One SOAP message to the scan server and its answer; whatever is no answer becomes one typed error."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from dsm_device.client import failures
from dsm_device.client.messages import SOAP_TYPE, FileMessage, Message
from dsm_device.client.transport import IDLE_CONNECTIONS, HttpAnswer, StaleConnection, Transport
from dsm_device.errors import Recovery, ServerFault, ServerProtocolError, ServerRefused
from dsm_device.wire import envelope, faults
from dsm_device.wire.envelope import Answer
from dsm_device.wire.faults import Operation
from dsm_device.wire.xml import XmlError

#: HTTP statuses that come without a usable body (WS-DSP, HTTP): what they mean, and the remedy.
_STATUSES: Final = {
    401: ("asks who this device is", "set scan_server.client_cert, or allow the device on the server"),
    403: ("denies access", "set scan_server.client_cert, or allow the device and the user on the server"),
    404: ("has no service at this address", "see whether the scan server's service is running"),
    413: ("finds the message too large", "shorten the scan process, or raise the limit on the server"),
    503: ("is busy", "nothing has to be done: it is tried again"),
}
_STALE: Final = frozenset({404, 410})
_BUSY: Final = frozenset({408, 429, 503})
_HALF_DONE: Final = frozenset({500, 502, 504})


def new_message_id() -> str:
    """A fresh one for every message, a repeated one too."""
    return uuid.uuid4().urn


async def call(transport: Transport, url: str, build: Callable[[str], Message | FileMessage]) -> Answer:
    """The answer to the message that ``build`` makes of a message id. Raises any :class:`ServerError`."""
    for _ in range(IDLE_CONNECTIONS):
        with suppress(StaleConnection):
            return await _attempt(transport, url, build)
    try:
        return await _attempt(transport, url, build)
    except StaleConnection as stale:
        raise stale.cause from stale


async def _attempt(transport: Transport, url: str, build: Callable[[str], Message | FileMessage]) -> Answer:
    message_id = new_message_id()
    message = build(message_id)
    return _answer(await transport.post(url, message), message_id, message.operation, transport.name)


def _answer(http: HttpAnswer, message_id: str, operation: Operation, name: str) -> Answer:
    # A body whose type nobody names is tried; an empty one is none, whatever its type.
    if not http.body or http.media_type not in (SOAP_TYPE, ""):
        raise _not_soap(http, name, operation)
    try:
        answer = envelope.parse_answer(http.body, request_id=message_id)
    except XmlError as error:
        if http.media_type == "" and http.status >= 400:
            raise _not_soap(http, name, operation) from error
        raise unusable(error, name, operation) from error
    if answer.fault is not None:
        raise _fault(answer.fault, name, operation)
    if http.status >= 400:
        raise _not_soap(http, name, operation)
    return answer


def unusable(error: XmlError, name: str, operation: Operation) -> ServerProtocolError:
    """An answer that could not be read, or is not the one to this operation."""
    return failures.nonsense(name, f"gives an answer that cannot be used: {error}", operation)


def _not_soap(http: HttpAnswer, name: str, operation: Operation) -> ServerRefused | ServerProtocolError:
    if http.status < 400:
        kind = f"{http.media_type[:80] or 'no type'}, {len(http.body):,} octets"
        return failures.nonsense(name, f"answers without SOAP (HTTP {http.status}, {kind})", operation)
    meaning, remedy = _STATUSES.get(http.status, ("fails", "look into the scan server's event log"))
    return ServerRefused(
        f"the scan server {name} {meaning} (HTTP {http.status} to {operation.value})",
        remedy,
        status=http.status,
        recovery=_recovery(http.status, operation),
    )


def _recovery(status: int, operation: Operation) -> Recovery:
    if status in _STALE:
        return Recovery.RETRY_LATER if operation.is_locating else Recovery.RELOCATE
    if status in _BUSY:
        return Recovery.RETRY_LATER
    return operation.after_lost_answer if status in _HALF_DONE else Recovery.GIVE_UP


def _fault(fault: faults.Fault, name: str, operation: Operation) -> ServerFault:
    advice = faults.advice(fault)
    said = ": ".join(each for each in (fault.subcode or fault.code, fault.reason, fault.detail) if each)
    return ServerFault(
        f"the scan server {name} refused {operation.value}: {advice.meaning} ({said})",
        advice.remedy,
        code=fault.code,
        subcode=fault.subcode,
        recovery=advice.recovery_of(operation),
    )
