"""The rules that a device's messages are held against, and the notebook of those that were broken.

Level ``must`` breaks interoperability with some receiver; ``should`` is a form that every receiver reads but no
sender should use.
"""

from __future__ import annotations

import datetime
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from dsm_sim.peers.rule import Rule

_KEPT = 10_000
_DETAIL_LENGTH = 300


# ----------------------------------------------------------------------------------------------- HTTP
HTTP_MALFORMED: Final = Rule("http-malformed", "The request is well-formed HTTP/1.1", "RFC 9112")
HTTP_METHOD: Final = Rule("http-method", "A message is sent with POST", "SOAP 1.2 Part 2, 7.5.1")
HTTP_MEDIA_TYPE: Final = Rule(
    "http-media-type", "A plain message is application/soap+xml", "SOAP 1.2 Part 2, 7.1.4"
)
HTTP_CHARSET: Final = Rule(
    "http-charset", "Content-Type names charset=utf-8", "RFC 3902, 2; WS-DSP messages", "should"
)
HTTP_HOST: Final = Rule("http-host", "Host names this server", "RFC 9112, 3.2")
HTTP_SOAP_ACTION: Final = Rule("http-soapaction", "No SOAPAction header: that is SOAP 1.1", "SOAP 1.2 Part 2, 7")
HTTP_FOLDED: Final = Rule("http-folded", "No header is folded over several lines", "RFC 9112, 5.2")
HTTP_LENGTH: Final = Rule(
    "http-length", "SendImage has a Content-Length, it is not chunked", "WS-DSP SendImage", "should"
)

# ------------------------------------------------------------------------------------------- envelope
ENVELOPE_SIZE: Final = Rule(
    "envelope-size", "An envelope has at most 32,767 octets", "DPWS 1.0, MAX_ENVELOPE_SIZE"
)
XML_WELL_FORMED: Final = Rule("xml-well-formed", "The envelope is well-formed XML", "SOAP 1.2 Part 1, 5")
XML_DECLARATION: Final = Rule(
    "xml-declaration",
    "The envelope starts with an XML declaration, in UTF-8, without BOM",
    "WS-DSP messages",
    "should",
)
XML_DTD: Final = Rule("xml-dtd", "No DTD and no processing instruction", "SOAP 1.2 Part 1, 5")
SOAP_VERSION: Final = Rule("soap-version", "The envelope is of SOAP 1.2", "SOAP 1.2 Part 1, 5.4.7")
SOAP_STRUCTURE: Final = Rule(
    "soap-structure", "An envelope has one Header, then one Body, and nothing else", "SOAP 1.2 Part 1, 5.1"
)
SOAP_UNDERSTAND: Final = Rule(
    "soap-must-understand",
    "No header demands to be understood that the server does not know",
    "SOAP 1.2 Part 1, 5.2.3",
)
WSA_REQUIRED: Final = Rule(
    "wsa-required", "Every request has wsa:To, wsa:Action and wsa:MessageID, once each", "WS-Addressing 3.1"
)
WSA_TO: Final = Rule("wsa-to", "wsa:To is the URL that the message is sent to", "WS-Addressing 2.3, 3.1")
WSA_DISCOVERY_TO: Final = Rule("wsa-discovery-to", "A Probe's wsa:To is the discovery URN", "WS-Discovery 5.2")
WSA_MESSAGE_ID: Final = Rule(
    "wsa-message-id", "wsa:MessageID is urn:uuid: and a UUID", "WS-Addressing 3.1", "should"
)
WSA_UNIQUE: Final = Rule(
    "wsa-unique", "wsa:MessageID is fresh in each message, also when it is repeated", "WS-Addressing 3"
)
WSA_REPLY_TO: Final = Rule("wsa-reply-to", "wsa:ReplyTo is the anonymous address", "WS-Addressing 3.1")
ACTION_KNOWN: Final = Rule("action-known", "The action is one of the addressed service", "WS-Addressing 4.4")
ACTION_BODY: Final = Rule("action-body", "The body is the one that the action names", "WS-DSP operations")
BODY_SCHEMA: Final = Rule("body-schema", "The body follows its schema", "WS-DSP operations; MS-BDSRR 2.2")

# ------------------------------------------------------------------------------------------ discovery
PROBE_TYPES: Final = Rule(
    "probe-types", "A directed Probe has wsd:Types and they are not empty", "WSDAPI, DPWS specification compliance"
)
PROBE_SCOPES: Final = Rule(
    "probe-scopes", "A directed Probe names no scopes", "WSDAPI, DPWS specification compliance", "should"
)

# ----------------------------------------------------------------------------------------------- MIME
MIME_PARAMETERS: Final = Rule(
    "mime-parameters",
    'multipart/related with type="application/xop+xml", boundary, start and start-info="application/soap+xml"',
    "WS-DSP SendImage; SOAP MTOM 3.2; XOP 1.0, 4.1; RFC 2387, 3",
)
MIME_QUOTED: Final = Rule(
    "mime-quoted", "The parameters of the package's Content-Type are quoted", "RFC 2045, 5.1; WS-DSP SendImage"
)
MIME_SYNTAX: Final = Rule(
    "mime-syntax", "A media type and its parameters are separated by ';', none is left over", "RFC 2045, 5.1"
)
MIME_VERSION: Final = Rule("mime-version", "MIME-Version: 1.0 is an HTTP header", "WS-DSP SendImage", "should")
MIME_BOUNDARY: Final = Rule(
    "mime-boundary",
    "The boundary is 1 to 70 letters, digits and '-'",
    "RFC 2046, 5.1.1; WS-DSP SendImage",
    "should",
)
MIME_LINES: Final = Rule("mime-lines", "Lines of MIME structure end in CRLF and are not folded", "RFC 2046, 5.1.1")
MIME_FRAME: Final = Rule(
    "mime-frame",
    "The package begins with its first boundary and ends with its last one and CRLF",
    "RFC 2046, 5.1.1",
)
MIME_TRUNCATED: Final = Rule("mime-truncated", "The package is closed by its last boundary", "RFC 2046, 5.1.1")
MIME_ROOT_FIRST: Final = Rule("mime-root-first", "The root part is the first part", "DPWS 1.0 R0038, R0039")
MIME_ROOT_TYPE: Final = Rule(
    "mime-root-type",
    'The root part is application/xop+xml; charset=UTF-8; type="application/soap+xml"',
    "SOAP MTOM 3.2; XOP 1.0, 4.1; WS-DSP SendImage",
)
MIME_BINARY: Final = Rule(
    "mime-binary", "Every part has Content-Transfer-Encoding: binary", "DPWS 1.0 R0036, R0037; WS-DSP SendImage"
)
MIME_CONTENT_ID: Final = Rule(
    "mime-content-id", "Every part has a Content-ID in angle brackets, different from the others", "RFC 2392, 2"
)
MIME_IMAGE_TYPE: Final = Rule(
    "mime-image-type",
    "The image part has the media type of its format or application/octet-stream",
    "WS-DSP SendImage",
)
MIME_PARTS: Final = Rule("mime-parts", "There are two parts: the envelope and the image", "WS-DSP SendImage")
XOP_INCLUDE: Final = Rule(
    "xop-include",
    "dsp:ImageData holds one xop:Include whose href is cid: and the image's Content-ID",
    "XOP 1.0, 2.1",
)
XOP_ALONE: Final = Rule(
    "xop-alone",
    "xop:Include stands alone in dsp:ImageData, without white space or other attributes",
    "XOP 1.0, 2.1",
)

# ------------------------------------------------------------------------------------------------ job
USER_SID: Final = Rule(
    "user-sid", "dsp:UserIdentifier is a SID as text", "WS-DSP CreatePostScanJob; MS-DTYP 2.4.2.1"
)
PSP_GUID: Final = Rule(
    "psp-guid",
    "dsp:PSP_Identifier is a GUID in upper case without braces",
    "WS-DSP CreatePostScanJob; MS-BDSRR 2.2",
    "should",
)
INSTRUCTIONS_EQUAL: Final = Rule(
    "instructions-equal", "The instructions are those of the stored scan process", "WS-DSP CreatePostScanJob"
)
DOCUMENT_ORDER: Final = Rule(
    "document-order", "DocumentIds count 1, 2, 3 … in a job", "WS-DSP SendImage; MS-BDSRR 2.2", "should"
)
DOCUMENT_ONCE: Final = Rule(
    "document-once", "A DocumentId is used once in a job", "WS-DSP SendImage; MS-BDSRR 2.2"
)
FORMAT_KNOWN: Final = Rule(
    "format-known", "dsp:Format is one of the 16 formats", "WS-DSP SendImage; WS-Scan Format"
)
FORMAT_TRUE: Final = Rule("format-true", "The image is a whole file of the declared format", "WS-DSP SendImage")
JOB_EMPTY: Final = Rule(
    "job-empty", "A job without images is cancelled, not ended", "WS-DSP EndPostScanJob", "should"
)
JOB_CANCELED: Final = Rule(
    "job-canceled", "Nothing is sent to a job after it was cancelled", "WS-DSP CancelPostScanJob"
)
JOB_ENDED: Final = Rule("job-ended", "Nothing is sent to a job after it was ended", "WS-DSP EndPostScanJob")
JOB_OWNER: Final = Rule(
    "job-owner", "The identity that created a job sends, ends and cancels it", "WS-DSP CancelPostScanJob"
)

# -------------------------------------------------------------------------------------------- eventing
WSE_OUTLINE: Final = Rule("wse-outline", "The body of an eventing request follows its outline", "WS-Eventing 3")
WSE_DELIVERY: Final = Rule("wse-delivery", "Events are asked for by Push", "WS-Eventing 3.1; DPWS 1.0, 6.1")
WSE_ENDPOINTS: Final = Rule(
    "wse-endpoints", "NotifyTo and EndTo are http or https URLs", "WS-Eventing 3.1; DPWS 1.0, 6.1"
)
WSE_EXPIRES: Final = Rule(
    "wse-expires", "Expires is a duration or a point in time, and in the future", "WS-Eventing 3.1, 3.2"
)
WSE_DURATION: Final = Rule(
    "wse-duration", "Expires is a duration: no clock is needed to read it", "DPWS 1.0, 6.2", "should"
)
WSE_FILTER: Final = Rule(
    "wse-filter", "The filter is of the dialect Action and names events of this service", "DPWS 1.0, 6.1.1"
)
WSE_MANAGER: Final = Rule(
    "wse-manager",
    "Renew, GetStatus and Unsubscribe go to the subscription's manager with all its reference parameters",
    "WS-Eventing 3; WS-Addressing 2.3",
)
EVENT_ANSWER: Final = Rule(
    "event-answer",
    "An event is answered with 202 and an empty body",
    "SOAP 1.2 Part 2, 7.5.1; WS-Eventing 4",
    "should",
)

#: All of them, by name.
RULES: Final = {rule.name: rule for rule in tuple(globals().values()) if isinstance(rule, Rule)}


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule in one message."""

    rule: str
    level: str
    text: str
    source: str
    detail: str
    operation: str
    job_token: str
    at: datetime.datetime


@dataclass
class Violations:
    """All of them, the newest 10,000 with their details."""

    total: int = 0
    kept: deque[Violation] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def add(self, violation: Violation) -> None:
        self.total += 1
        self.kept.append(violation)


@dataclass
class Notes:
    """What is found wrong while one message is read; entered as a whole when the message is known."""

    operation: str = ""
    job_token: str = ""
    #: Of an image that was accepted.
    document_id: int = 0
    found: list[tuple[Rule, str]] = field(default_factory=list)

    def record(self, rule: Rule, detail: str = "") -> None:
        entry = (rule, " ".join(detail.split())[:_DETAIL_LENGTH])
        if entry not in self.found:
            self.found.append(entry)

    def enter(self, book: Violations, at: datetime.datetime) -> list[Violation]:
        entered = [
            Violation(rule.name, rule.level, rule.text, rule.source, detail, self.operation, self.job_token, at)
            for rule, detail in self.found
        ]
        for violation in entered:
            book.add(violation)
        return entered
