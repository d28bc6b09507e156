"""What strangers ask that this device does not know: each kind is logged once in full, so that it can be learned.

Bounded: so many kinds, so many octets of each. Without secrets: not the fields and elements that carry
credentials, and nobody's job. What is logged is escaped: it can end no line and forge none.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from dsm_device.server.asgi import Message

_log = logging.getLogger(__name__)

#: Of each sort.
_MAX_KINDS: Final = 16
_MAX_FIELDS: Final = 1_000
_MAX_BODY: Final = 4_000
#: Header fields that say what a client is and wants. Others may have credentials, under any name.
_TELLING: Final = frozenset(
    {b"content-type", b"content-length", b"content-encoding", b"accept", b"expect", b"host", b"soapaction"}
    | {b"transfer-encoding", b"user-agent", b"connection", b"origin"}
)
#: Elements whose content is nobody's business, by their local name.
_SECRET: Final = re.compile(
    rb"<((?:[\w.-]+:)?(?:\w*(?:Password|Security|Token|Credential|UserName|JobName|Document|Cipher|Signature)\w*))"
    rb"(?:\s[^<>]*)?>.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)


class UnknownRequests:
    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def note(self, unknown: str, scope: Message, path: str, body: bytes = b"") -> None:
        """``unknown``: sort and kind of what is not known of it, as in "method PATCH"; "" for nothing."""
        sort, _, kind = unknown.partition(" ")
        seen = self._seen.setdefault(sort, set())
        if not unknown or kind in seen or len(seen) >= _MAX_KINDS:
            return
        seen.add(kind)
        fields = b"; ".join(name + b": " + value for name, value in scope["headers"] if name in _TELLING)
        _log.warning(
            "a request that this device does not know (%s): %s %s, %s, %s",
            _shown(unknown.encode(), 200),
            scope["method"][:40],
            _shown(path.encode("utf-8", "replace"), 200),
            _shown(fields, _MAX_FIELDS),
            _shown(without_secrets(body), _MAX_BODY),
        )


def without_secrets(body: bytes) -> bytes:
    """``body`` with what credentials, users and jobs are called left out."""
    flat = body.replace(b"\0", b"") if body[:2] in (b"\xff\xfe", b"\xfe\xff") else body
    return _SECRET.sub(rb"<\1>...</\1>", flat[:MAX_LOOKED_AT])


#: Octets that are looked through.
MAX_LOOKED_AT: Final = 32_767


def _shown(data: bytes, limit: int) -> str:
    text = repr(data[:limit])[2:-1]
    return text if len(data) <= limit else text + " ..."
