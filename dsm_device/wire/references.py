"""Endpoint references: an address, and the header blocks that every message to it carries.

Source: WS-Addressing (2004/08) 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from lxml import etree

from dsm_device.wire import xml
from dsm_device.wire.envelope import MessageError
from dsm_device.wire.names import WSA, qname

#: More than anybody gives; a message with more might exceed what its receiver takes.
_MAX_BLOCKS: Final = 16
_MAX_BLOCK_OCTETS: Final = 8_192


@dataclass(frozen=True, slots=True)
class Reference:
    """Where messages go, and what each of them must carry.

    Each block is as it came, with all declarations that were in scope. Which blocks there are is the other side's
    business alone. ``address`` is "" where none was given.
    """

    address: str
    blocks: tuple[bytes, ...]
    #: Names and texts of the blocks: what tells two references apart, however they are written.
    identity: tuple[tuple[str, str], ...]

    def is_same(self, other: Reference) -> bool:
        return (self.address, self.identity) == (other.address, other.identity)


def read(reference: etree._Element) -> Reference:
    """``reference`` is of the type wsa:EndpointReferenceType.

    Raises :class:`MessageError` where it has more or larger blocks than we would send back.
    """
    elements = list(islice(_blocks(reference), _MAX_BLOCKS + 1))
    blocks = tuple(_as_block(each) for each in elements)
    if len(blocks) > _MAX_BLOCKS or sum(map(len, blocks)) > _MAX_BLOCK_OCTETS:
        raise MessageError(f"its {xml.local_name(reference)} has more reference parameters than can be sent back")
    identity = tuple(sorted((str(each.tag), xml.token(each)) for each in elements))
    return Reference(xml.token(xml.child(reference, WSA, "Address")), blocks, identity)


def _blocks(reference: etree._Element) -> Iterator[etree._Element]:
    for holder in ("ReferenceProperties", "ReferenceParameters"):
        for parent in reference.iterchildren(qname(WSA, holder)):
            yield from xml.elements(parent)


def _as_block(element: etree._Element) -> bytes:
    """As text with every declaration in scope: moved as an element, it might get other prefixes.

    Processing instructions, which an envelope must not have, are left out.
    """
    text = etree.tostring(element, encoding="utf-8", with_tail=False)
    if b"<?" not in text:
        return text
    copy = xml.parse(text, limit=len(text))
    etree.strip_tags(copy, etree.ProcessingInstruction)
    return etree.tostring(copy, encoding="utf-8")
