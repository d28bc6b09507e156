"""Which filters there are, and how one is run. Blocking; called off the event loop."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.filters import file_share, mail, sharepoint
from dsm_sim.peers.scan_server.filters.delivery import Batch, Deliver, FilterError, Place
from dsm_sim.peers.scan_server.names import EMLF, FSF, SPF, tag

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Filter:
    element: str
    deliver: Deliver
    #: The FilterStateReason for an errno.
    reasons: Mapping[int, str]


_FILTERS: Final[Mapping[str, _Filter]] = {
    FSF: _Filter(tag(FSF, "FileShareConfig"), file_share.store_on_shares, file_share.REASONS),
    EMLF: _Filter(tag(EMLF, "EmailConfig"), mail.deliver_mail, mail.REASONS),
    SPF: _Filter(tag(SPF, "SharePointConfig"), sharepoint.put_to_sites, sharepoint.REASONS),
}


def is_known(dialect: str, config: etree._Element | None) -> bool:
    """Whether a filter of this server understands the dialect and its instructions."""
    return dialect in _FILTERS and config is not None and config.tag == _FILTERS[dialect].element


def run_filter(dialect: str, config: etree._Element | None, batch: Batch) -> Iterator[Place]:
    """Delivers a batch, and yields what has been delivered where.

    Every target is tried. Raises :class:`FilterError` at the end for the first one that failed.
    """
    if config is None or not is_known(dialect, config):
        raise FilterError("InvalidArgs", "not the instructions of this filter")
    known = _FILTERS[dialect]
    problems: list[FilterError] = []
    for delivery in known.deliver(config, batch):
        try:
            yield from delivery
        except Exception as error:
            problems.append(_problem(error, known.reasons))
    if problems:
        raise problems[0]


def _problem(error: Exception, reasons: Mapping[int, str]) -> FilterError:
    match error:
        case FilterError():
            return error
        case OSError():
            return FilterError(reasons.get(error.errno or 0, "UnknownError"), str(error))
        case MemoryError():
            return FilterError("ServerOutOfMemory")
    _LOG.error("a filter of the simulated scan server failed", exc_info=error)
    return FilterError("UnknownError", repr(error))
