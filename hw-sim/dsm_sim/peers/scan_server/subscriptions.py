"""Who is told of events: subscriptions with their ends, expiries and counts.

Source: WS-Eventing (2004/08) 3; WS-Addressing (2004/08) 2 (endpoint references).
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.jobs import Clock
from dsm_sim.peers.scan_server.names import WSA, WSE, tag
from dsm_sim.peers.scan_server.personalities import ManagerForm

#: Below the service's path: a subscription that is managed at an address of its own.
MANAGER_FOLDER: Final = "subscriptions"
#: The opaque reference parameter; the header block comes back under this name.
_TICKET: Final = "{urn:dsm-device:simulated-scan-server}Ticket"


@dataclass(frozen=True)
class Reference:
    """An endpoint: its address, and the header blocks that each message to it carries."""

    address: str
    blocks: tuple[etree._Element, ...] = ()

    def headers(self) -> list[etree._Element]:
        """Copies, to be put into one envelope."""
        return [copy.deepcopy(block) for block in self.blocks]


def read_reference(element: etree._Element) -> Reference:
    """The endpoint of an element of type EndpointReferenceType; the address is "" where it has none."""
    blocks = [
        block
        for name in ("ReferenceProperties", "ReferenceParameters")
        for parent in element.iterfind(tag(WSA, name))
        for block in parent.iterchildren(tag=etree.Element)
    ]
    address = (element.findtext(tag(WSA, "Address")) or "").strip()
    return Reference(address, tuple(copy.deepcopy(block) for block in blocks))


@dataclass
class Subscription:
    """One subscriber. ``actions`` are those that it wants; ``ends_at`` is monotonic.

    ``ended`` says how it came to its end, "" while it lives. ``events`` counts events, not tries.
    """

    identifier: str
    notify_to: Reference
    end_to: Reference | None
    actions: frozenset[str]
    ends_at: float
    granted_s: float
    ended: str = ""
    sent: int = 0
    failed: int = 0

    def manager(self, service: str, form: ManagerForm) -> etree._Element:
        """The wse:SubscriptionManager that the subscriber is told, for the service at the URL ``service``."""
        element = etree.Element(tag(WSE, "SubscriptionManager"), nsmap={"wse": WSE, "wsa": WSA})
        address = etree.SubElement(element, tag(WSA, "Address"))
        address.text = service
        if form == "path":
            address.text = f"{service}/{MANAGER_FOLDER}/{self.identifier.removeprefix('urn:uuid:')}"
            return element
        holder = "ReferenceProperties" if form == "property" else "ReferenceParameters"
        name = _TICKET if form == "opaque" else tag(WSE, "Identifier")
        etree.SubElement(etree.SubElement(element, tag(WSA, holder)), name).text = self.identifier
        return element


@dataclass
class Subscriptions:
    """All of a server, ended ones too. ``limit`` is how many may live at once."""

    clock: Clock
    limit: int
    known: dict[str, Subscription] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self.known.values())

    def live(self) -> list[Subscription]:
        """Those that have neither ended nor expired."""
        now = self.clock.monotonic()
        for each in self:
            if not each.ended and each.ends_at <= now:
                each.ended = "Expired"
        return [each for each in self if not each.ended]

    def is_full(self) -> bool:
        return len(self.live()) >= self.limit

    def open(
        self, notify_to: Reference, end_to: Reference | None, actions: frozenset[str], granted_s: float
    ) -> Subscription:
        identifier = f"urn:uuid:{uuid.uuid4()}"
        ends_at = self.clock.monotonic() + granted_s
        subscription = Subscription(identifier, notify_to, end_to, actions, ends_at, granted_s)
        self.known[identifier] = subscription
        return subscription

    def find(self, path: str, header: etree._Element) -> Subscription | None:
        """The living subscription that a request means: by the path that it came to, else by its header."""
        _, folder, name = path.rpartition(f"/{MANAGER_FOLDER}/")
        identifiers = [f"urn:uuid:{name}"] if folder else []
        identifiers += [(block.text or "").strip() for block in identifying_blocks(header)]
        living = {each.identifier: each for each in self.live()}
        return next((living[each] for each in identifiers if each in living), None)


def identifying_blocks(header: etree._Element) -> list[etree._Element]:
    """The header blocks that could name a subscription."""
    return [*header.findall(tag(WSE, "Identifier")), *header.findall(_TICKET)]
