"""The options of ``dsm-device sim server`` that say where its filters deliver and how they fail."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import msgspec

from dsm_sim.cli.usage import SimUsageError
from dsm_sim.peers.scan_server.filters import FILTER_DIALECTS, FilterTrouble, FilterTroubles, Targets
from dsm_sim.peers.scan_server.filters.targets import (
    FilterName,
    FilterReason,
    read_share,
    read_smtp,
    read_webdav,
)

_Value = TypeVar("_Value")


def add_targets(add: Callable[..., Any]) -> None:
    """``add`` is the parser's ``add_argument``."""
    add(
        "--share",
        action="append",
        type=_saying_why(read_share),
        metavar=r"\\SERVER\SHARE=DIR",
        help="folder of a share, repeatable (default: one below OUT/shares)",
    )
    add(
        "--smtp", type=_saying_why(read_smtp), metavar="HOST:PORT", help="mail server (default: files in OUT/mail)"
    )
    add(
        "--webdav",
        type=_saying_why(read_webdav),
        metavar="URL",
        help="collection that SharePoint sites are put below (default: folders below OUT/sharepoint)",
    )
    add(
        "--filter-error",
        action="append",
        type=_saying_why(_read_error),
        metavar="FILTER=REASON",
        help="fileshare, email or sharepoint fails, as in email=UnableToSendEmail; repeatable",
    )
    add(
        "--filter-delay",
        action="append",
        type=_saying_why(_read_delay),
        metavar="FILTER=SECONDS",
        help="a filter takes so long, repeatable",
    )


def read_targets(arguments: argparse.Namespace) -> Targets:
    shares = dict(arguments.share or ())
    for unc, folder in shares.items():
        if not folder.is_dir():
            raise SimUsageError(f"{folder} is no folder: make it, or name another one for {unc}")
    return Targets(shares=shares, smtp=arguments.smtp, webdav=arguments.webdav)


def read_troubles(arguments: argparse.Namespace) -> FilterTroubles:
    reasons, delays = dict(arguments.filter_error or ()), dict(arguments.filter_delay or ())
    return {
        name: FilterTrouble(reason=reasons.get(name), delay_s=delays.get(name, 0.0))
        for name in {**reasons, **delays}
    }


def _read_error(text: str) -> tuple[FilterName, FilterReason]:
    name, _, reason = text.partition("=")
    if reason not in get_args(FilterReason):
        raise ValueError(f"{reason!r} is no reason, take one of {', '.join(get_args(FilterReason))}")
    return _read_filter(name), msgspec.convert(reason, FilterReason)


def _read_delay(text: str) -> tuple[FilterName, float]:
    name, _, seconds = text.partition("=")
    if not re.fullmatch(r"\d+(\.\d+)?", seconds, re.ASCII):
        raise ValueError(f"{seconds!r} is no number of seconds")
    return _read_filter(name), float(seconds)


def _read_filter(name: str) -> FilterName:
    if name not in FILTER_DIALECTS:
        raise ValueError(f"{name!r} is no filter, take one of {', '.join(FILTER_DIALECTS)}")
    known: FilterName = msgspec.convert(name, FilterName)
    return known


def _saying_why(read: Callable[[str], _Value]) -> Callable[[str], _Value]:
    def convert(text: str) -> _Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert
