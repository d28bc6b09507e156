"""What a filter is given to deliver, and how it says that it could not."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lxml import etree

from dsm_sim.image_files import FORMATS
from dsm_sim.peers.scan_server.file_names import safe_component
from dsm_sim.peers.scan_server.filters.targets import Targets
from dsm_sim.peers.scan_server.jobs import Document
from dsm_sim.peers.scan_server.names import tag

_OCTET_STREAM: Final = "application/octet-stream"

#: Where something was delivered: a file, or the URL of what is elsewhere.
Place = Path | str


class FilterError(Exception):
    """A filter that could not deliver; ``str()`` is its FilterStateReason, ``detail`` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


@dataclass(frozen=True)
class Batch:
    """What a filter delivers, for whom, and where to. ``user`` has the form user@domain.

    What has no target of its own goes below ``out``.
    """

    user: str
    root_name: str
    documents: tuple[Document, ...]
    out: Path
    at: datetime.datetime
    targets: Targets = field(default_factory=Targets)

    def stem(self, document: Document) -> str:
        """Root name, date, time and number, as one safe component without extension."""
        return f"{self.dated_name}-{document.document_id:03}"

    @property
    def dated_name(self) -> str:
        """Root name, date and time, as one safe component."""
        return f"{safe_component(self.root_name)}-{self.at:%Y%m%d-%H%M%S}"


#: From the instructions of one filter, the deliveries to each of its targets, each begun when it is iterated.
Deliver = Callable[[etree._Element, Batch], list[Iterator[Place]]]


def extension(document: Document) -> str:
    return FORMATS.get(document.format, ("bin", _OCTET_STREAM))[0]


def media_type(document: Document) -> str:
    return FORMATS.get(document.format, ("bin", _OCTET_STREAM))[1]


def is_true(config: etree._Element, namespace: str, local: str) -> bool:
    """The boolean child of the instructions; absent means false."""
    return (config.findtext(tag(namespace, local)) or "").strip() in {"true", "1"}


def texts(config: etree._Element, namespace: str, local: str) -> list[str]:
    return [element.text or "" for element in config.iter(tag(namespace, local))]
