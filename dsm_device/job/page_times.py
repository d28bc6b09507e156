"""When an image was where, on its way from the scanner to the disk."""

from __future__ import annotations

import msgspec


class PageTimes(msgspec.Struct, frozen=True):
    """When an image began, was in, and was encoded: seconds of CLOCK_MONOTONIC, alike in all processes."""

    began_s: float
    acquired_s: float
    encoded_s: float
