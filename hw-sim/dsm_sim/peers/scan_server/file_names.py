"""File and folder names made of what strangers write: one component, inside its folder, on any file system.

Every octet sequence that could mean something to a file system is written as ``%XX``; different names stay
different.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import quote

_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f%<>:"/\\|?*\u2028\u2029\ud800-\udfff]')
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.DOTALL)
_MAX_OCTETS: Final = 120


def safe_component(name: str) -> str:
    """``name`` as one path component of at most 120 octets: never empty, ``.``, ``..`` or a device name."""
    encoded = _UNSAFE.sub(lambda match: quote(match[0], safe="", errors="surrogatepass"), name)
    # Windows drops dots and spaces at the end; this also catches "." and "..".
    stem = encoded.rstrip(". ")
    encoded = stem + "".join(f"%{ord(letter):02X}" for letter in encoded[len(stem) :])
    if _RESERVED.fullmatch(encoded) or encoded.startswith((".", " ")):
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    return _shortened(encoded) or "%"


def _shortened(name: str) -> str:
    data = name.encode()
    if len(data) <= _MAX_OCTETS:
        return name
    mark = hashlib.sha256(data).hexdigest()[:16]
    return f"{data[: _MAX_OCTETS - 17].decode(errors='ignore')}~{mark}"


def share_components(unc: str) -> list[str]:
    r"""``\\server\share\folder`` as safe path components, at least one."""
    parts = [part for part in re.split(r"[\\/]+", unc) if part]
    return [safe_component(part) for part in parts] or [safe_component("")]
