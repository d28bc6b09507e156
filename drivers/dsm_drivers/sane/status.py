"""SANE_Status values and the errors that they become (SANE standard 1.06, 4.2.7 and 4.3)."""

from __future__ import annotations

from dsm_device import errors

GOOD = 0
EOF = 5

#: code: (name, error). 12 and 13 are extensions that some backends return and libsane has no text for.
_STATUS: dict[int, tuple[str, type[errors.ScannerError]]] = {
    1: ("UNSUPPORTED", errors.ScannerUnsupported),
    3: ("DEVICE_BUSY", errors.ScannerBusy),
    4: ("INVAL", errors.ScannerInvalid),
    5: ("EOF", errors.ScannerIoError),
    6: ("JAMMED", errors.ScannerJammed),
    7: ("NO_DOCS", errors.ScannerNoDocuments),
    8: ("COVER_OPEN", errors.ScannerCoverOpen),
    9: ("IO_ERROR", errors.ScannerIoError),
    10: ("NO_MEM", errors.ScannerNoMemory),
    11: ("ACCESS_DENIED", errors.ScannerAccessDenied),
    12: ("WARMING_UP", errors.ScannerWarmingUp),
    13: ("HW_LOCKED", errors.ScannerLocked),
}
CANCELLED = 2
KNOWN_CODES = (GOOD, CANCELLED, *_STATUS)


def error_for(code: int, doing: str) -> errors.DsmError:
    """The error of a status other than GOOD; ``doing`` names the call and what it was made on."""
    if code == CANCELLED:
        return errors.Cancelled(f"the scan was cancelled ({doing}: SANE_STATUS_CANCELLED, {code})")
    name, kind = _STATUS.get(code, ("unknown", errors.ScannerError))
    return kind(f"{kind.text} ({doing}: SANE_STATUS_{name}, {code})")
