"""How the published servers differ from each other, as one table.

``strict`` does what the specifications say. The others are the scan servers of Windows Server by what Microsoft
has published of them; a trait whose source says *inferred* is a reading of ours and not stated anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from dsm_sim.peers.scan_server.names import CANCEL, END, QUERY, SEND

#: Where a subscription is managed: at the service by a reference parameter (wse:Identifier, an opaque one) or a
#: reference property, or at an address of its own.
ManagerForm = Literal["identifier", "opaque", "property", "path"]
#: In which form the granted expiry is written: in that of the request, or always in one.
ExpiresForm = Literal["as-asked", "duration", "date-time"]


@dataclass(frozen=True, kw_only=True)
class Personality:
    """``sources`` has a line for each trait by the name of its field; ``dataclasses.replace`` makes others."""

    name: str
    #: Actions that meet a token which is no GUID with wsa:EndpointUnavailable.
    unavailable_for_odd_tokens: frozenset[str] = frozenset()
    #: Asked for elements that it does not know, it leaves them out instead of answering Valid="false".
    skips_unknown_names: bool = False
    #: Whether AllowDeviceFileNameChange and AllowDeviceFilePathChange permit anything.
    knows_extensions: bool = True
    #: Words of the protocol that it does not say, with those it says instead.
    words: Mapping[str, str] = field(default_factory=dict)
    #: Whether TLS 1.3 is offered.
    has_tls_1_3: bool = True
    expires_form: ExpiresForm = "as-asked"
    #: Whether an expiry as a point in time is taken at all; DPWS obliges a source to durations only.
    takes_points_in_time: bool = True
    manager_form: ManagerForm = "identifier"
    sources: Mapping[str, str] = field(default_factory=dict)

    def say(self, word: str) -> str:
        """The word as this server spells it."""
        return self.words.get(word, word)


STRICT: Final = Personality(
    name="strict",
    sources={
        "expires_form": "WS-Eventing 3.1: of the same type as the requested expiration",
        "manager_form": "WS-Eventing 3.1; which form a scan server uses is not published",
        "takes_points_in_time": "WS-Eventing 3.1",
    },
)

_NO_TLS_1_3: Final = {"has_tls_1_3": "Microsoft, Protocols in TLS/SSL (Schannel SSP): from Windows Server 2022 on"}
_SPELLING: Final = {
    "SharePointAccessDenied": "SharepointAccessDenied",
    "SharePointOutOfDiskSpace": "SharepointOutOfDiskSpace",
}

WS2008R2: Final = Personality(
    name="ws2008r2",
    unavailable_for_odd_tokens=frozenset({CANCEL, QUERY, SEND, END}),
    skips_unknown_names=True,
    knows_extensions=False,
    words={"PostScanJobCompletedWithWarnings": "PostScanJobCompletedSuccessfully", **_SPELLING},
    has_tls_1_3=False,
    sources={
        "unavailable_for_odd_tokens": "MS-BDSRR appendix B <14> (cancel), <15> (query); send and end are inferred",
        "skips_unknown_names": "MS-BDSRR appendix B <16>: the request is ignored; that the rest of it is answered "
        "is inferred",
        "knows_extensions": "MS-BDSRR appendix B <6>, <7>, <18>",
        "words": "MS-BDSRR appendix B <8>, what comes instead is inferred; WS-DSP FilterStateReason spells "
        "Sharepoint where MS-BDSRR 2.2.5.5 has SharePoint, by which server is inferred",
        **_NO_TLS_1_3,
    },
)
WS2012: Final = Personality(name="ws2012", has_tls_1_3=False, sources=_NO_TLS_1_3)
WS2016: Final = Personality(name="ws2016", has_tls_1_3=False, sources=_NO_TLS_1_3)

#: What all published servers have in common is not a trait of one: tokens are GUIDs (appendix B <5>), the state
#: Terminating (<9>) and the fault ServerErrorTemporaryError (<11>) are not sent, the detail of
#: ClientErrorJobTokenNotFound is the token (<12>). ``strict`` keeps to it as well.
PERSONALITIES: Final[Mapping[str, Personality]] = {each.name: each for each in (STRICT, WS2008R2, WS2012, WS2016)}


def personality(name: str) -> Personality:
    """The one of that name. Raises ValueError with the names that there are."""
    if name not in PERSONALITIES:
        raise ValueError(f"there is no personality {name!r}: choose one of {', '.join(PERSONALITIES)}")
    return PERSONALITIES[name]
