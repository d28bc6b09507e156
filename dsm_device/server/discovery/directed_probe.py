"""Probes by HTTP, from a console that was given this device's address (DPWS hosting, directed probe)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lxml import etree

from dsm_device.server.discovery.options import DiscoveryOptions
from dsm_device.server.identity import Identity
from dsm_device.wire import announcing


def probe_answer(
    identity: Identity, options: DiscoveryOptions
) -> Callable[[etree._Element, str], tuple[etree._Element, Sequence[bytes]]]:
    """What answers the body of a Probe, given the URL of the device: a body and header blocks for its envelope.

    It works without a :class:`DiscoveryHost`, and raises :class:`~dsm_device.wire.service_request.RequestFault`.
    No MessageID is looked at: a known client sends one constant one.
    """

    def answer(body: etree._Element, url: str) -> tuple[etree._Element, Sequence[bytes]]:
        matches = announcing.answer_probe_over_http(body, options.announced(identity), url)
        return matches, (announcing.app_sequence_block(identity.next_sequence()),)

    return answer
