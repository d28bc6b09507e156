"""Octets of a request to octets of an answer, and its status of HTTP: what lies between the door and the device.

Source: DPWS hosting; SOAP 1.2 part 2, 7.5 (statuses).
"""

from __future__ import annotations

import re
import uuid
from typing import Final, Protocol

from dsm_device.server.device_service import Endpoint
from dsm_device.server.front_door import Reply
from dsm_device.wire.names import WSA
from dsm_device.wire.service_request import Request, RequestFault, parse_request, render_fault
from dsm_device.wire.xml import XmlError

#: Of SOAP's own codes; Receiver and Sender are told apart so that a client knows whether to come again.
_STATUS: Final = {"Sender": 400, "Receiver": 500, "MustUnderstand": 500, "VersionMismatch": 500}
_DIRECTED_PROBE: Final = "/StableWSDiscoveryEndpoint/schemas-xmlsoap-org_ws_2005_04_discovery"
_SUBSCRIPTIONS: Final = "/subscriptions/"
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_ENCODING: Final = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)""")
_UTF_8_NAMES: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_UTF_16_NAMES: Final = frozenset({b"utf-16", b"utf-16le", b"utf-16be"})


class Service(Protocol):
    """:class:`~dsm_device.server.device_service.DeviceService`."""

    async def answer(self, request: Request, endpoint: Endpoint, base_url: str, peer_host: str) -> bytes:
        """The answer, b"" for a message that has none. Raises :class:`RequestFault`."""


class SoapEndpoint:
    """The :class:`~dsm_device.server.front_door.SoapService` of a device."""

    def __init__(self, service: Service, device_id: str) -> None:
        """``device_id`` is the device's UUID, the path of its own endpoint."""
        self._service = service
        self._endpoints: dict[str, Endpoint] = {
            f"/{device_id.lower()}": "device",
            "/": "device",
            _DIRECTED_PROBE: "device",
            "/scan": "scan",
            "/dsd": "dsd",
        }

    def serves(self, path: str) -> bool:
        return self._endpoint(path) is not None

    async def answer(self, data: bytes, path: str, base_url: str, peer_host: str) -> Reply:
        endpoint = self._endpoint(path)
        if endpoint is None:
            return Reply(404)
        try:
            check_octets(data)
            request = parse_request(data)
        except XmlError as error:
            return Reply(400, unknown=f"message {error}")
        except RequestFault as refused:
            return _refused(refused, "")
        try:
            body = await self._service.answer(request, endpoint, base_url, peer_host)
        except RequestFault as refused:
            return _refused(refused, request.action)
        return Reply(200 if body else 202, body)

    def _endpoint(self, path: str) -> Endpoint | None:
        if path.startswith(_SUBSCRIPTIONS):
            return "subscription"
        return self._endpoints.get(path) or self._endpoints.get(path.lower() if len(path) == 37 else "")


def _refused(refused: RequestFault, action: str) -> Reply:
    fault = refused.fault
    is_unknown = fault.subcode is None or fault.subcode == (WSA, "ActionNotSupported")
    envelope = render_fault(fault, f"urn:uuid:{uuid.uuid4()}", refused.message_id)
    return Reply(_STATUS[fault.code], envelope, f"{fault.code} {action or fault.reason}" if is_unknown else "")


def check_octets(data: bytes) -> None:
    """What libxml2 need not see of strangers. Raises :class:`XmlError`.

    Encodings other than UTF-16 with its mark and UTF-8, as SOAP has them: it would read some thirty
    that it guesses or is told, through iconv. A DTD, which SOAP forbids: it would expand entities in attributes.
    """
    if data.startswith(_UTF_16_MARKS):
        try:
            text, names = data.decode("utf-16").encode(), _UTF_8_NAMES | _UTF_16_NAMES
        except ValueError as error:
            raise XmlError("not the UTF-16 that its mark promises") from error
    else:
        text, names = data.removeprefix(_UTF_8_MARK), _UTF_8_NAMES
    if text.lstrip()[:1] != b"<" or b"\0" in text:
        raise XmlError("not XML in UTF-8 or in UTF-16 with its mark")
    if b"<!DOCTYPE" in text:
        raise XmlError("has a DOCTYPE, which is not allowed")
    declared = _ENCODING.match(text)
    if declared and declared[1].lower() not in names:
        raise XmlError("declared to be in another encoding than its own")
