"""How the image is to look: ContentType, Exposure, Scaling and Rotation as the ticket asks for them.

What they mean for the samples is decided in :mod:`.processing`, once it is known what the scanner does itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dsm_device.hardware import Adjustment, ColorProcessing, SourceCapabilities
from dsm_device.imaging.treatment import RIGHT_ANGLES
from dsm_device.job.offer import CONTENT_TYPES, ROTATIONS, Offer, Range
from dsm_device.job.outcomes import Ledger, listed
from dsm_device.wire.ticket import Exposure, Scaling, ScanTicket, Setting

_EXPOSURE: Final = "Exposure/ExposureSettings"
_SHARPNESS: Final = f"{_EXPOSURE}/Sharpness"
_NONE: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class Look:
    """``sharpness`` is None where the ticket leaves it to the kind of content. ``rotation`` is the front's."""

    content: str
    auto_exposure: bool
    contrast: int
    brightness: int
    sharpness: int | None
    scaling: Scaling
    rotation: int


def choose_look(ticket: ScanTicket, offer: Offer, source: SourceCapabilities, ledger: Ledger) -> Look:
    asked = ticket.parameters
    content = _keyword("ContentType", asked.content_type, CONTENT_TYPES, ledger)
    limits = _limits_of_exposure(offer, source)
    auto, contrast, brightness, sharpness = _exposure(ticket, limits, ledger)
    scaling = _scaling(asked.scaling, offer.scaling_percent, ledger)
    rotation = int(_keyword("Rotation", asked.rotation, ROTATIONS, ledger))
    is_stated = not auto and _SHARPNESS in ticket.values
    return Look(content, auto, contrast, brightness, sharpness if is_stated else None, scaling, rotation)


def _keyword(element: str, asked: Setting[str] | None, known: tuple[str, ...], ledger: Ledger) -> str:
    """One of ``known``, the first where nothing (or a vendor's own word) is asked."""
    used = asked.value if asked is not None and asked.value in known else known[0]
    ledger.settle(element, asked, used, reason="this device does not know it", possible=listed(known))
    return used


@dataclass(frozen=True, slots=True)
class _ExposureLimits:
    """What can be done; ``why`` where that is less than what this device does otherwise."""

    auto: bool
    contrast: Range
    brightness: Range
    sharpness: Range
    why: str = ""


def _limits_of_exposure(offer: Offer, source: SourceCapabilities) -> _ExposureLimits:
    """A scanner that delivers black and white only has no levels to be changed, unless it sets its own."""
    if any(color is not ColorProcessing.BLACK_AND_WHITE_1 for color in source.colors):
        return _ExposureLimits(True, offer.contrast, offer.brightness, offer.sharpness)
    brightness = offer.brightness if Adjustment.THRESHOLD in source.adjustments else _NONE
    return _ExposureLimits(False, _NONE, brightness, _NONE, "this scanner delivers black and white only")


def _exposure(ticket: ScanTicket, limits: _ExposureLimits, ledger: Ledger) -> tuple[bool, int, int, int]:
    """AutoExposure, contrast, brightness, sharpness. AutoExposure false is the default exposure (WS-Scan)."""
    asked = ticket.parameters.exposure
    exposure = Exposure() if asked is None else asked.value
    locked = asked is not None and asked.must_honor
    if exposure.auto:
        used_auto = "true" if limits.auto else "false"
        ledger.settle("Exposure/AutoExposure", Setting("true", locked), used_auto, reason=limits.why)
        return limits.auto, 0, 0, 0
    used = []
    for name, number, limit in (
        ("Contrast", exposure.contrast, limits.contrast),
        ("Brightness", exposure.brightness, limits.brightness),
        ("Sharpness", exposure.sharpness, limits.sharpness),
    ):
        element = f"{_EXPOSURE}/{name}"
        used.append(_within(number, limit))
        stated = Setting(number, locked) if element in ticket.values else None
        words = _limits(limit)
        ledger.settle(element, stated, used[-1], **words | ({"reason": limits.why} if limits.why else {}))
    contrast, brightness, sharpness = used
    return False, contrast, brightness, sharpness


def _scaling(asked: Setting[Scaling] | None, limits: Range, ledger: Ledger) -> Scaling:
    used = Scaling(100, 100)
    if asked is not None:
        used = Scaling(_within(asked.value.width_percent, limits), _within(asked.value.height_percent, limits))
    ledger.settle("Scaling", asked, used, **_limits(limits))
    return used


def _within(number: int, limits: Range) -> int:
    return max(limits[0], min(number, limits[1]))


def _limits(limits: Range) -> dict[str, str]:
    low, high = limits
    return {"reason": f"this device does {low} to {high}", "possible": f"{low} to {high}"}


def turned(rotation: int, further: int) -> int:
    """``rotation`` clockwise and ``further``: again one of :data:`RIGHT_ANGLES`."""
    return RIGHT_ANGLES[(rotation + further) // 90 % 4]
