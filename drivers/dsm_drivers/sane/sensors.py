"""What the sensors of a SANE device say.

SANE has names for two of them (saneopts.h: ``page-loaded``, ``cover-open``), makers have more; the spellings are
those of real backends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dsm_device.errors import ScannerError, ScannerIoError
from dsm_device.hardware import Sensors

from .options import Options

#: Whether there is paper in the feeder. canon_dr has the second, hp5590 the third.
PAPER: Final = ("page-loaded", "adf-loaded", "doc-in-adf")
#: fujitsu has the second.
COVER: Final = ("cover-open", "adf-open")
#: fujitsu has both.
DOUBLE_FEED: Final = ("double-feed", "omr-df")


def read_sensors(options: Options, *, has_feeder: bool) -> Sensors:
    """Raises ``ScannerIoError`` where the scanner does not answer at all."""
    return Sensors(
        page_loaded=_any(options, PAPER) if has_feeder else None,
        cover_open=_any(options, COVER),
        double_feed=_any(options, DOUBLE_FEED) if has_feeder else None,
    )


def _any(options: Options, names: Sequence[str]) -> bool | None:
    """Whether one of them says so; None where there is none, or none that has an answer."""
    answers = [_answer(options, name) for name in names]
    return any(answers) if set(answers) - {None} else None


def _answer(options: Options, name: str) -> bool | None:
    try:
        return options.sense(name)
    except ScannerIoError:
        raise
    except ScannerError:
        return None
