"""The device's side of WS-Discovery: what it says of itself, what it is asked, and whether it is meant.

Sources: WS-Discovery (2005/04) 4 to 6 and appendix I; DPWS 1.0, 4; DPWS hosting. Messages of the OASIS version
(WS-Discovery 1.1) have other namespaces and are refused as unknown.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lxml import etree

from dsm_device.wire import xml
from dsm_device.wire.envelope import MessageError
from dsm_device.wire.hosting import DEVICE_TYPES, type_prefixes, written_types
from dsm_device.wire.names import ANONYMOUS, DISCOVERY_URN, PROBE, SOAP, WSA, WSD, qname
from dsm_device.wire.service_request import RequestFault, matching_rule_not_supported, parse_request

HELLO: Final = f"{WSD}/Hello"
BYE: Final = f"{WSD}/Bye"
RESOLVE: Final = f"{WSD}/Resolve"
PROBE_MATCHES: Final = f"{WSD}/ProbeMatches"
RESOLVE_MATCHES: Final = f"{WSD}/ResolveMatches"

#: It goes into the answer, which has to stay small, whatever was asked (characters).
_MAX_MESSAGE_ID: Final = 256


class MatchingRuleNotSupported(Exception):
    """A Probe compares scopes by a rule that we do not know. By UDP that is silence, by HTTP a fault."""


# --------------------------------------------------------------------------------- what the device says


@dataclass(frozen=True, slots=True)
class Announced:
    """What is told of the device, but for the address that differs from interface to interface."""

    #: ``urn:uuid:…``, the same for ever.
    endpoint: str
    metadata_version: int
    #: Clark names.
    types: tuple[str, ...] = DEVICE_TYPES
    #: URIs. A device without any matches no Probe that names one.
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppSequence:
    """A message's place among all messages of this device: the start that it belongs to, and its number there."""

    instance_id: int
    message_number: int


def app_sequence_block(sequence: AppSequence) -> bytes:
    """The header block, with all the declarations that it needs: for answers that are written elsewhere."""
    return etree.tostring(_sequence_element(sequence))


def render_hello(announced: Announced, xaddr: str, message_id: str, sequence: AppSequence) -> bytes:
    """A Hello for the interface on which the device is found at the URL ``xaddr``."""
    body = _described("Hello", announced, xaddr)
    return _envelope(DISCOVERY_URN, HELLO, message_id, sequence, body)


def render_bye(announced: Announced, message_id: str, sequence: AppSequence) -> bytes:
    body = etree.Element(qname(WSD, "Bye"), nsmap={"wsa": WSA, "wsd": WSD})
    _add_reference(body, announced.endpoint)
    return _envelope(DISCOVERY_URN, BYE, message_id, sequence, body)


def probe_matches(announced: Announced, xaddr: str) -> etree._Element:
    """The body that answers a Probe which matches."""
    return _wrapped("ProbeMatches", _described("ProbeMatch", announced, xaddr))


def resolve_matches(announced: Announced, xaddr: str) -> etree._Element:
    """The body that answers a Resolve for this device."""
    return _wrapped("ResolveMatches", _described("ResolveMatch", announced, xaddr))


def no_probe_matches() -> etree._Element:
    """The body that answers a Probe by HTTP which does not match. By UDP there is no answer at all."""
    return etree.Element(qname(WSD, "ProbeMatches"), nsmap={"wsd": WSD})


def render_matches(
    question: Question, announced: Announced, xaddr: str, message_id: str, sequence: AppSequence
) -> bytes:
    """The datagram that answers ``question``, which has to be one that is meant for this device."""
    if isinstance(question, Probe):
        action, body = PROBE_MATCHES, probe_matches(announced, xaddr)
    else:
        action, body = RESOLVE_MATCHES, resolve_matches(announced, xaddr)
    return _envelope(ANONYMOUS, action, message_id, sequence, body, relates_to=question.message_id)


def answer_probe_over_http(body: etree._Element, announced: Announced, xaddr: str) -> etree._Element:
    """The body of the answer to a directed Probe, with or without a match.

    ``body`` is a wsd:Probe. Raises :class:`RequestFault`.
    """
    try:
        is_match = is_probed(_read_probe(body, ""), announced)
    except MatchingRuleNotSupported as error:
        raise RequestFault(matching_rule_not_supported(" ".join(_SCOPE_RULES))) from error
    return probe_matches(announced, xaddr) if is_match else no_probe_matches()


def _envelope(
    to: str, action: str, message_id: str, sequence: AppSequence, body: etree._Element, *, relates_to: str = ""
) -> bytes:
    envelope = etree.Element(qname(SOAP, "Envelope"), nsmap={"soap": SOAP, "wsa": WSA, **_declared(body)})
    header = etree.SubElement(envelope, qname(SOAP, "Header"))
    etree.SubElement(header, qname(WSA, "To")).text = to
    etree.SubElement(header, qname(WSA, "Action")).text = action
    etree.SubElement(header, qname(WSA, "MessageID")).text = message_id
    if relates_to:
        etree.SubElement(header, qname(WSA, "RelatesTo")).text = relates_to
    header.append(_sequence_element(sequence))
    etree.SubElement(envelope, qname(SOAP, "Body")).append(body)
    return xml.serialize(envelope)


def _sequence_element(sequence: AppSequence) -> etree._Element:
    element = etree.Element(qname(WSD, "AppSequence"), nsmap={"wsd": WSD})
    element.set("InstanceId", str(sequence.instance_id))
    element.set("MessageNumber", str(sequence.message_number))
    return element


def _declared(element: etree._Element) -> dict[str, str]:
    return {prefix: uri for prefix, uri in element.nsmap.items() if prefix}


def _wrapped(name: str, match: etree._Element) -> etree._Element:
    matches = etree.Element(qname(WSD, name), nsmap=_declared(match))
    matches.append(match)
    return matches


def _described(name: str, announced: Announced, xaddr: str) -> etree._Element:
    """Children in the order of the schema: some clients read them by their place."""
    prefixes = type_prefixes(announced.types)
    declared = {prefix: uri for uri, prefix in prefixes.items()}
    element = etree.Element(qname(WSD, name), nsmap={"wsa": WSA, "wsd": WSD, **declared})
    _add_reference(element, announced.endpoint)
    etree.SubElement(element, qname(WSD, "Types")).text = written_types(announced.types, prefixes)
    if announced.scopes:
        etree.SubElement(element, qname(WSD, "Scopes")).text = " ".join(announced.scopes)
    etree.SubElement(element, qname(WSD, "XAddrs")).text = xaddr
    etree.SubElement(element, qname(WSD, "MetadataVersion")).text = str(announced.metadata_version)
    return element


def _add_reference(parent: etree._Element, endpoint: str) -> None:
    reference = etree.SubElement(parent, qname(WSA, "EndpointReference"))
    etree.SubElement(reference, qname(WSA, "Address")).text = endpoint


# --------------------------------------------------------------------------------- what it is asked


@dataclass(frozen=True, slots=True)
class Probe:
    """Who is there of these types (Clark names) in these scopes? ``message_id`` "" where it came by HTTP."""

    message_id: str
    types: tuple[str, ...]
    scopes: tuple[str, ...]
    match_by: str


@dataclass(frozen=True, slots=True)
class Resolve:
    """Where is the device with this endpoint address?"""

    message_id: str
    endpoint: str


Question = Probe | Resolve


def read_question(data: bytes) -> Question:
    """What a datagram asks. Raises :class:`~dsm_device.wire.xml.XmlError` for whatever asks nothing of us.

    That is what cannot be read, a message of another kind or version, one whose answer is to go elsewhere than
    to its sender, one that demands a header be understood which is not, and one that has no MessageID.
    """
    try:
        request = parse_request(data)
    except RequestFault as refused:
        raise MessageError(str(refused)) from refused
    body, message_id = request.body, request.message_id
    if body is None or not 0 < len(message_id) <= _MAX_MESSAGE_ID:
        raise MessageError("it has no body, or no MessageID that can be repeated")
    if (request.action, body.tag) == (PROBE, qname(WSD, "Probe")):
        return _read_probe(body, message_id)
    if (request.action, body.tag) == (RESOLVE, qname(WSD, "Resolve")):
        return Resolve(message_id, _endpoint_of(body))
    raise MessageError(f"it asks nothing: its action is {request.action[:120]}")


def _read_probe(body: etree._Element, message_id: str) -> Probe:
    types, scopes = xml.child(body, WSD, "Types"), xml.child(body, WSD, "Scopes")
    names = (xml.resolve_qname(word, types) for word in xml.token(types).split()) if types is not None else ()
    match_by = "" if scopes is None else " ".join(scopes.get("MatchBy", "").split())
    return Probe(
        message_id,
        types=tuple(f"{{{namespace}}}{local}" for namespace, local in names),
        scopes=tuple(xml.token(scopes).split()),
        match_by=match_by or RFC2396,
    )


def _endpoint_of(body: etree._Element) -> str:
    reference = xml.child(body, WSA, "EndpointReference")
    return "" if reference is None else xml.token(xml.child(reference, WSA, "Address"))


# --------------------------------------------------------------------------------- whether it is meant

RFC2396: Final = f"{WSD}/rfc2396"
STRCMP0: Final = f"{WSD}/strcmp0"
UUID: Final = f"{WSD}/uuid"


def is_asked(question: Question, announced: Announced) -> bool:
    """Whether ``question`` is one that this device answers. Raises :class:`MatchingRuleNotSupported`."""
    if isinstance(question, Resolve):
        return question.endpoint.lower() == announced.endpoint.lower()
    return is_probed(question, announced)


def is_probed(probe: Probe, announced: Announced) -> bool:
    """Whether all types are among ours, and each scope matches one of ours (WS-Discovery 5.1)."""
    is_same = _SCOPE_RULES.get(probe.match_by)
    if is_same is None:
        raise MatchingRuleNotSupported(f"scopes cannot be compared by {probe.match_by[:120]!r}")
    return set(probe.types) <= set(announced.types) and all(
        any(is_same(asked, ours) for ours in announced.scopes) for asked in probe.scopes
    )


def _is_within(asked: str, ours: str) -> bool:
    """``{wsd}/rfc2396``: scheme and authority alike but for case; the path a prefix of ours by whole segments."""
    try:
        wanted, own = urlsplit(asked), urlsplit(ours)
    except ValueError:  # brackets without an address between them
        return False
    wanted_path, own_path = _segments(wanted.path), _segments(own.path)
    if {".", ".."} & {*wanted_path, *own_path}:
        return False
    is_same_place = (wanted.scheme, wanted.netloc.lower()) == (own.scheme, own.netloc.lower())
    return is_same_place and own_path[: len(wanted_path)] == wanted_path


def _segments(path: str) -> list[str]:
    """A slash at the end begins no segment."""
    return path.removesuffix("/").split("/") if path not in ("", "/") else []


def _is_same_text(asked: str, ours: str) -> bool:
    return asked == ours


def _is_same_uuid(asked: str, ours: str) -> bool:
    wanted = _uuid(asked)
    return wanted is not None and wanted == _uuid(ours)


def _uuid(text: str) -> uuid.UUID | None:
    scheme, colon, digits = text.lower().removeprefix("urn:").rpartition(":")
    try:
        return uuid.UUID(digits) if (scheme, colon) == ("uuid", ":") else None
    except ValueError:
        return None


_SCOPE_RULES: Final[Mapping[str, Callable[[str, str], bool]]] = {
    RFC2396: _is_within,
    STRCMP0: _is_same_text,
    UUID: _is_same_uuid,
}
