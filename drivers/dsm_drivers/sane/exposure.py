"""What a SANE device adjusts itself: brightness, contrast, sharpness, threshold (SANE standard 1.06, 4.5).

An option counts only where it is active and 0, which leaves the image as it is, lies within its range: there are
options that are inactive in some modes, and ranges of 0 to 0 or of one sign.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dsm_device.errors import ScannerUnsupported
from dsm_device.hardware import Adjustment, Adjustments, ColorProcessing

from .borrowed import Borrowed
from .option import Kind, Option, Range
from .options import Options

_THRESHOLD_MAXIMUM = 255
#: Where a bilevel mode has no brightness, it moves the level between black and white from here, to 1 or to 255.
_MIDDLE, _FARTHEST = 128, 127


@dataclass(frozen=True, slots=True)
class _Scale:
    """The options for one adjustment, the first that can be used, and the port's largest value."""

    names: tuple[str, ...]
    full: int


_SCALES = {
    Adjustment.BRIGHTNESS: _Scale(("brightness",), 1000),
    Adjustment.CONTRAST: _Scale(("contrast",), 1000),
    # `emphasis` softens below 0 and sharpens above it.
    Adjustment.SHARPNESS: _Scale(("sharpness", "sharpening", "sharpen", "emphasis"), 100),
    Adjustment.THRESHOLD: _Scale(("threshold",), _THRESHOLD_MAXIMUM),
}


class Exposure:
    """The adjustments of an opened device. Options that are configured stay as they are, and are not offered."""

    def __init__(self, options: Options, configured: Collection[str], borrowed: Borrowed) -> None:
        self._options = options
        self._configured = configured
        self._borrowed = borrowed

    def usable(self, color: ColorProcessing, *, halftone: bool = False) -> frozenset[Adjustment]:
        """Those that can be made in the mode that is set now, which is one for ``color``."""
        found = frozenset(each for each in Adjustment if self._option(each))
        if color is not ColorProcessing.BLACK_AND_WHITE_1 or halftone:
            return found - {Adjustment.THRESHOLD}
        # Brightness can be a matter of the threshold; contrast turns about the middle, where the threshold is.
        by_level = {Adjustment.BRIGHTNESS, Adjustment.CONTRAST}
        return found | by_level if Adjustment.THRESHOLD in found else found

    def apply(self, adjust: Adjustments, color: ColorProcessing, *, halftone: bool = False) -> None:
        """Make them in the mode that is set now; what is not asked for goes back to what it was at first.

        Raises ``ScannerUnsupported`` for what :meth:`usable` does not hold.
        """
        wanted = self._wanted(adjust, color, halftone=halftone)
        for each in Adjustment:
            option = self._option(each)
            if each not in wanted:
                self._borrowed.give_back(self._options, _SCALES[each].names)
            elif option:
                value = mapped(option, wanted[each], _SCALES[each].full)
                self._borrowed.set(self._options, option, option.number(value))

    def _wanted(self, adjust: Adjustments, color: ColorProcessing, *, halftone: bool) -> dict[Adjustment, int]:
        asked = {
            Adjustment.BRIGHTNESS: adjust.brightness or None,
            Adjustment.CONTRAST: adjust.contrast or None,
            Adjustment.SHARPNESS: adjust.sharpness or None,
            Adjustment.THRESHOLD: adjust.threshold,
        }
        wanted = {each: value for each, value in asked.items() if value is not None}
        usable = self.usable(color, halftone=halftone)
        if not wanted.keys() <= usable:
            missing = ", ".join(each for each in Adjustment if each in wanted and each not in usable)
            raise ScannerUnsupported(f"the scanner does not adjust {missing} itself for {color}")
        if adjust.brightness and self._option(Adjustment.BRIGHTNESS) is None:
            wanted[Adjustment.THRESHOLD] = _level(adjust)
        return wanted

    def _option(self, adjustment: Adjustment) -> Option | None:
        suits = _is_level if adjustment is Adjustment.THRESHOLD else _has_both_signs
        names = (name for name in _SCALES[adjustment].names if name not in self._configured)
        options = (self._options.usable(name) for name in names)
        return next((option for option in options if option and suits(option)), None)


def mapped(option: Option, value: int, full: int) -> float:
    """Linear, each sign to its own end of the range; the nearest number that the option takes."""
    limits = option.limits or Range(0, 0)
    wanted = value / full * (limits.maximum if value >= 0 else -limits.minimum)
    return option.nearest(wanted)


def _has_both_signs(option: Option) -> bool:
    limits = option.limits if option.kind in (Kind.INT, Kind.FIXED) else None
    return limits is not None and limits.minimum < 0 < limits.maximum and option.nearest(0) == 0


def _is_level(option: Option) -> bool:
    limits = option.limits if option.kind in (Kind.INT, Kind.FIXED) else None
    return limits is not None and 0 <= limits.minimum < limits.maximum


def _level(adjust: Adjustments) -> int:
    start = _MIDDLE if adjust.threshold is None else adjust.threshold
    moved = start - round(adjust.brightness / 1000 * _FARTHEST)
    return min(max(moved, 1), _THRESHOLD_MAXIMUM)
