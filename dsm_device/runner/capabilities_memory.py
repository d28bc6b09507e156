"""What the scanner could do when it was opened last, so that it can be told before it is there again.

One file, ``capabilities.json`` in the state folder. It counts for the scanner that it was read from, with the raw
options that were set then.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import msgspec

from dsm_device.durable import replace_file
from dsm_device.hardware import Capabilities, OptionValue

from .scanner_keeper import ScannerChoice
from .small_file import octets_of

FILE: Final = "capabilities.json"
_log = logging.getLogger(__name__)


class _Remembered(msgspec.Struct, frozen=True):
    driver: str
    device: str
    options: dict[str, OptionValue]
    capabilities: Capabilities


def recall(state_dir: Path, choice: ScannerChoice) -> Capabilities | None:
    """None where nothing is known, or that of another scanner. A damaged file is told in the log."""
    file = state_dir / FILE
    try:
        known = msgspec.json.decode(octets_of(file), type=_Remembered)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        _log.warning("%s is ignored, and written anew: %s", file, error)
        return None
    is_same = (known.driver, known.device, known.options) == (choice.driver, choice.device, dict(choice.options))
    return known.capabilities if is_same and known.capabilities.sources else None


def remember(state_dir: Path, choice: ScannerChoice, capabilities: Capabilities) -> None:
    """Takes a sync of the disk. A file that cannot be written is told in the log."""
    known = _Remembered(choice.driver, choice.device, dict(choice.options), capabilities)
    try:
        replace_file(state_dir / FILE, msgspec.json.format(msgspec.json.encode(known), indent=1))
    except OSError as error:
        _log.warning("%s cannot be written: %s", state_dir / FILE, error)
