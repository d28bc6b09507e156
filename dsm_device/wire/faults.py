"""SOAP faults of the scan server, and what each of them asks the client to do.

Sources: WS-DSP, faults; SOAP 1.2 part 1, 5.4; WS-Addressing (2004/08) 4;
WS-Eventing (2004/08) 6; MS-BDSRR for the codes that the sister configuration service documents.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Final

from lxml import etree

from dsm_device.errors import Recovery
from dsm_device.wire import xml
from dsm_device.wire.names import SOAP, WSA, WSDP, WSE, qname

_REASON_LIMIT: Final = 200
#: SOAP nests them without limit; nobody nests more than two.
_MAX_SUBCODES: Final = 8


class Operation(enum.Enum):
    """What was asked of the server. The value is the name as in the action."""

    PROBE = "Probe"
    METADATA = "Get"
    CREATE = "CreatePostScanJob"
    SEND = "SendImage"
    END = "EndPostScanJob"
    CANCEL = "CancelPostScanJob"
    QUERY = "GetPostScanJobElements"
    SUBSCRIBE = "Subscribe"
    RENEW = "Renew"
    UNSUBSCRIBE = "Unsubscribe"

    @property
    def is_locating(self) -> bool:
        """Whether it serves to find the address of the service, and cannot be helped by finding it again."""
        return self in (Operation.PROBE, Operation.METADATA)

    @property
    def is_eventing(self) -> bool:
        """Whether it is about events, without which every job works as well."""
        return self in (Operation.SUBSCRIBE, Operation.RENEW, Operation.UNSUBSCRIBE)

    @property
    def is_repeatable(self) -> bool:
        """Whether the message may go out again although it may have been carried out (WS-DSP, repeating safely).

        An image or an end must not come twice. A job created twice does no harm: without images it ends by itself.
        Nor does a subscription: it expires, and events may come twice anyway.
        """
        return self not in (Operation.SEND, Operation.END)

    @property
    def after_lost_answer(self) -> Recovery:
        return Recovery.RETRY_LATER if self.is_repeatable else Recovery.ASK_FIRST

    @property
    def after_unusable_answer(self) -> Recovery:
        """A server that answers a plain question with nonsense will do so again."""
        return Recovery.GIVE_UP if self.is_repeatable else Recovery.ASK_FIRST


@dataclass(frozen=True, slots=True)
class Fault:
    """A soap:Fault. ``code`` and ``subcode`` are local names, ``subcode`` is "" for none."""

    code: str
    subcode: str
    subcode_namespace: str
    #: English text of the server in one line, for people only.
    reason: str
    #: The character data of Detail: the token, the argument or the operation that it is about.
    detail: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What a fault means and what to do about it."""

    meaning: str
    #: One sentence to the operator.
    remedy: str
    recovery: Recovery
    by_operation: Mapping[Operation, Recovery] = field(default_factory=lambda: MappingProxyType({}))

    def recovery_of(self, operation: Operation) -> Recovery:
        return self.by_operation.get(operation, self.recovery)


_RESTART = "see whether the scan server's service is running and not being reconfigured"
_REPORT = "this is a defect of the device or of the server: report it with the device's log"

_DSP: Final[Mapping[str, Advice]] = {
    "InvalidArgs": Advice(
        "an argument is missing, unknown or departs from the scan process in the directory",
        "compare the scan process on the scan server and in the directory; save it again in the console",
        Recovery.RELOAD_PROCESS,
        {Operation.QUERY: Recovery.STOP_ASKING, Operation.CANCEL: Recovery.GIVE_UP},
    ),
    "OperationFailed": Advice(
        "the service is stopped, disabled or being reconfigured", _RESTART, Recovery.RETRY_LATER
    ),
    "ServerErrorTemporaryError": Advice(
        "a passing error at the server", "nothing has to be done: it is tried again", Recovery.RETRY_LATER
    ),
    "ServerErrorInternalError": Advice(
        "an error inside the server that will not pass by itself",
        "look into the scan server's event log",
        Recovery.ASK_FIRST,
        {
            Operation.CREATE: Recovery.RETRY_TWICE,
            Operation.QUERY: Recovery.STOP_ASKING,
            Operation.CANCEL: Recovery.GIVE_UP,
        },
    ),
    "ClientErrorJobTokenNotFound": Advice(
        "the server has no such job: it has ended, timed out, was cancelled, or the server was restarted",
        "nothing has to be done: the images are sent again in a new job",
        Recovery.NEW_JOB,
        {Operation.CANCEL: Recovery.SUCCESS, Operation.QUERY: Recovery.STOP_ASKING},
    ),
    "ServerErrorPostScanJobCanceled": Advice(
        "the job was cancelled at the server",
        "scan again if that was a mistake",
        Recovery.MARK_CANCELLED,
        {Operation.CANCEL: Recovery.SUCCESS, Operation.QUERY: Recovery.STOP_ASKING},
    ),
    "ClientErrorCurrentUserNotScanAdmin": Advice(
        "the operation is for administrators of the scan server",
        "check the user's rights on the scan server",
        Recovery.GIVE_UP,
    ),
}

_WSA: Final[Mapping[str, Advice]] = {
    "ActionNotSupported": Advice(
        "the service does not know this operation: another service or version",
        "check that ScanRepository names a DSM scan server",
        Recovery.RELOCATE,
        {
            Operation.PROBE: Recovery.GIVE_UP,
            Operation.METADATA: Recovery.GIVE_UP,
            # A service without events is where it is.
            Operation.SUBSCRIBE: Recovery.GIVE_UP,
            Operation.RENEW: Recovery.GIVE_UP,
            Operation.UNSUBSCRIBE: Recovery.GIVE_UP,
        },
    ),
    # Windows Server 2008 R2 also answers this to a token that is no GUID. Ours comes from the server itself and
    # goes back unchanged, so "busy" is what it means here.
    "EndpointUnavailable": Advice("the service is busy", _RESTART, Recovery.RETRY_LATER),
    "DestinationUnreachable": Advice(
        "the service is no longer at this address",
        "see whether the scan server's service is running",
        Recovery.RELOCATE,
        {Operation.PROBE: Recovery.RETRY_LATER, Operation.METADATA: Recovery.RETRY_LATER},
    ),
    "InvalidMessageInformationHeader": Advice("the message's header was refused", _REPORT, Recovery.GIVE_UP),
    "MessageInformationHeaderRequired": Advice("the message lacks a header", _REPORT, Recovery.GIVE_UP),
}

_NO_EVENTS: Final = "nothing has to be done: without events the server is asked for the job's state"

_WSE: Final[Mapping[str, Advice]] = {
    "FilteringNotSupported": Advice("events cannot be chosen", _NO_EVENTS, Recovery.GIVE_UP),
    "FilteringRequestedUnavailable": Advice("events cannot be chosen like this", _NO_EVENTS, Recovery.GIVE_UP),
    "FilterActionNotSupported": Advice("there are no such events", _NO_EVENTS, Recovery.GIVE_UP),
    "DeliveryModeRequestedUnavailable": Advice("events are not delivered by push", _NO_EVENTS, Recovery.GIVE_UP),
    "InvalidExpirationTime": Advice("the subscription's end is refused", _NO_EVENTS, Recovery.GIVE_UP),
    "UnsupportedExpirationType": Advice(
        "the form of the subscription's end is refused", _NO_EVENTS, Recovery.GIVE_UP
    ),
    "UnableToRenew": Advice("the subscription is not renewed", _NO_EVENTS, Recovery.GIVE_UP),
    "EventSourceUnableToProcess": Advice("no subscription is taken now", _NO_EVENTS, Recovery.RETRY_LATER),
    "InvalidMessage": Advice(
        "the subscription is unknown, or the message was refused", _NO_EVENTS, Recovery.GIVE_UP
    ),
}

_BY_CODE: Final[Mapping[str, Advice]] = {
    "MustUnderstand": Advice("a header of the message is not understood", _REPORT, Recovery.GIVE_UP),
    "VersionMismatch": Advice("the server speaks another version of SOAP", _REPORT, Recovery.GIVE_UP),
    "Sender": Advice("the server refused the message", "look into the scan server's event log", Recovery.GIVE_UP),
    "Receiver": Advice("the server failed", "look into the scan server's event log", Recovery.RETRY_LATER),
}


def parse(fault: etree._Element) -> Fault:
    """The content of a soap:Fault element; whatever is missing is "", and a missing code is ``Sender``."""
    code = xml.child(fault, SOAP, "Code")
    value = xml.child(code, SOAP, "Value") if code is not None else None
    namespace, subcode = _most_telling(list(_subcodes(code)) if code is not None else [])
    detail = xml.child(fault, SOAP, "Detail")
    return Fault(
        code=xml.token(value).rpartition(":")[2] or "Sender",
        subcode=subcode,
        subcode_namespace=namespace,
        reason=_one_line(_reason(fault)),
        detail=_one_line(str(detail.xpath("string()"))) if detail is not None else "",
    )


def _subcodes(code: etree._Element) -> Iterator[tuple[str, str]]:
    """The subcodes as (namespace, local name), from the outermost to the most specific."""
    for subcode in islice(code.iterdescendants(qname(SOAP, "Subcode")), _MAX_SUBCODES):
        value = xml.child(subcode, SOAP, "Value")
        if value is not None:
            yield xml.resolve_qname(xml.token(value), value)


def _most_telling(subcodes: list[tuple[str, str]]) -> tuple[str, str]:
    known = [each for each in subcodes if _known(*each) is not None]
    return (known or subcodes or [("", "")])[-1]


def _reason(fault: etree._Element) -> str:
    reason = xml.child(fault, SOAP, "Reason")
    texts = reason.findall(qname(SOAP, "Text")) if reason is not None else []
    return xml.text(texts[0]) if texts else ""


def _one_line(text: str) -> str:
    """Printable and short: the text comes from the network and goes to logs and terminals."""
    printable = "".join(each if unicodedata.category(each)[0] != "C" else " " for each in text)
    line = " ".join(printable.split())
    return line if len(line) <= _REASON_LIMIT else line[:_REASON_LIMIT] + " …"


def _known(namespace: str, subcode: str) -> Advice | None:
    """By local name in any namespace of the family, since published examples use a former one, or none."""
    if namespace == WSA:
        return _WSA.get(subcode)
    if namespace in (WSE, WSDP):
        return _WSE.get(subcode)
    if "/wdp/" in namespace or not namespace:
        return _DSP.get(subcode)
    return None


def advice(fault: Fault) -> Advice:
    """What to do about ``fault``; for unknown subcodes the code decides."""
    by_subcode = _known(fault.subcode_namespace, fault.subcode)
    return by_subcode or _BY_CODE.get(fault.code, _BY_CODE["Sender"])
