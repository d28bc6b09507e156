"""Which ``mode`` and ``depth`` of a SANE device give which wscn:ColorProcessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dsm_device.errors import DriverError
from dsm_device.hardware import Adjustment, ColorProcessing

from .device import Device
from .exposure import Exposure
from .library import Parameters
from .names import Spellings
from .options import Options

GRAY, RGB, RED, GREEN, BLUE = range(5)
PLANES = (RED, GREEN, BLUE)

LINEART_MODES = Spellings(
    ("lineart", "binary", "black&white", "monochrome", "bitonal", "threshold"),
    parts=("lineart", "black&white", "blackandwhite"),
    without=("color", "colour", "halftone"),
)
GRAY_MODES = Spellings(
    ("gray", "grayscale", "truegray", "8bitgray"),
    parts=("gray", "grey"),
    without=("error", "diffusion", "dither", "halftone", "16bit", "negative"),
)
DEEP_GRAY_MODES = Spellings(("16bitgray", "16bitsgray"))
COLOR_MODES = Spellings(
    ("color", "24bitcolor", "24bitcolor[fast]", "rgb"),
    parts=("color", "colour", "rgb"),
    without=("lineart", "halftone", "dither", "48bit", "16bit", "infrared", "negative"),
)
DEEP_COLOR_MODES = Spellings(("48bitcolor", "48bitscolor"))
HALFTONE_MODES = Spellings(
    ("halftone", "gray[errordiffusion]", "errordiffusion", "dither"),
    parts=("halftone", "diffusion", "dither"),
    without=("color", "colour"),
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """``implied``: the mode alone gives this depth where ``depth`` cannot be set."""

    color: ColorProcessing
    spellings: Spellings
    implied: bool

    @property
    def depth(self) -> int:
        return self.color.bits_per_sample


#: The first rule of a colour that a device satisfies is taken.
_RULES = (
    _Rule(ColorProcessing.BLACK_AND_WHITE_1, LINEART_MODES, implied=True),
    _Rule(ColorProcessing.BLACK_AND_WHITE_1, GRAY_MODES, implied=False),
    _Rule(ColorProcessing.GRAYSCALE_8, GRAY_MODES, implied=True),
    _Rule(ColorProcessing.GRAYSCALE_16, DEEP_GRAY_MODES, implied=True),
    _Rule(ColorProcessing.GRAYSCALE_16, GRAY_MODES, implied=False),
    _Rule(ColorProcessing.RGB_24, COLOR_MODES, implied=True),
    _Rule(ColorProcessing.RGB_48, DEEP_COLOR_MODES, implied=True),
    _Rule(ColorProcessing.RGB_48, COLOR_MODES, implied=False),
)
_COLOR_OF_FRAME: dict[tuple[int, int], ColorProcessing] = {
    (GRAY, 1): ColorProcessing.BLACK_AND_WHITE_1,
    (GRAY, 8): ColorProcessing.GRAYSCALE_8,
    (GRAY, 16): ColorProcessing.GRAYSCALE_16,
    **{(frame, 8): ColorProcessing.RGB_24 for frame in (RGB, *PLANES)},
    **{(frame, 16): ColorProcessing.RGB_48 for frame in (RGB, *PLANES)},
}


_HALFTONE = _Rule(ColorProcessing.BLACK_AND_WHITE_1, HALFTONE_MODES, implied=True)


@dataclass(frozen=True, slots=True)
class ModeChoice:
    """How a kind of pixel is chosen, and what can be adjusted in it. None: there is nothing to set."""

    mode: str | None
    depth: int | None
    adjustments: frozenset[Adjustment] = frozenset()

    def select(self, options: Options) -> None:
        if self.mode is not None:
            options.settle("mode", self.mode)
        if self.depth is not None:
            options.settle("depth", self.depth)


def color_of(parameters: Parameters) -> ColorProcessing | None:
    """What a frame holds, None where there is no name for it. A plane of three counts as colour."""
    return _COLOR_OF_FRAME.get((parameters.format, parameters.depth))


@dataclass(frozen=True, slots=True)
class Modes:
    """What a source delivers in hardware; ``halftone`` is its own pattern of black and white."""

    colors: Mapping[ColorProcessing, ModeChoice]
    halftone: ModeChoice | None

    @property
    def adjustments(self) -> frozenset[Adjustment]:
        """Those that it makes whatever the mode; the threshold only says something of black and white."""
        bilevel = self.colors.get(ColorProcessing.BLACK_AND_WHITE_1)
        threshold = (bilevel.adjustments if bilevel else frozenset()) & {Adjustment.THRESHOLD}
        every = [*self.colors.values(), *([self.halftone] if self.halftone else [])]
        return frozenset.intersection(*(each.adjustments for each in every)) | threshold


def read_modes(options: Options, device: Device, exposure: Exposure) -> Modes:
    """What the source that is set now delivers in hardware. Changes ``mode`` and ``depth``."""
    found: dict[ColorProcessing, ModeChoice] = {}
    for rule in _RULES:
        if rule.color not in found and (choice := _choice(options, rule, exposure)):
            found[rule.color] = choice
    return Modes(found or _unnamed_choices(options, device, exposure), _halftone(options, device, exposure))


def _choice(options: Options, rule: _Rule, exposure: Exposure) -> ModeChoice | None:
    option = options.usable("mode")
    mode = rule.spellings.find(option.strings if option else ())
    if mode is None:
        return None
    options.settle("mode", mode)
    depth = options.usable("depth")
    if depth and depth.holds(rule.depth):
        if rule.depth == 1:
            options.settle("depth", rule.depth)  # only now the threshold may be active
        return ModeChoice(mode, rule.depth, exposure.usable(rule.color))
    # 8 is what a mode's bare name means; where other depths are offered without it, it is not to be had.
    is_implied = rule.implied and not (depth and rule.depth == 8)
    return ModeChoice(mode, None, exposure.usable(rule.color)) if is_implied else None


def _halftone(options: Options, device: Device, exposure: Exposure) -> ModeChoice | None:
    """The mode's name promises dots, but of how many bits only the device can say."""
    choice = _choice(options, _HALFTONE, exposure)
    if choice is None or color_of(device.parameters()) is not _HALFTONE.color:
        return None
    return ModeChoice(choice.mode, choice.depth, exposure.usable(_HALFTONE.color, halftone=True))


def _unnamed_choices(options: Options, device: Device, exposure: Exposure) -> dict[ColorProcessing, ModeChoice]:
    """Where no mode is known by name: what the device says that it would deliver as it stands."""
    option = options.usable("depth")
    depths = [depth for depth in (1, 8, 16) if option and option.holds(depth)]
    found: dict[ColorProcessing, ModeChoice] = {}
    for choice in [ModeChoice(None, depth) for depth in depths] or [ModeChoice(None, None)]:
        choice.select(options)
        color = color_of(device.parameters())
        if color is not None:
            found[color] = ModeChoice(choice.mode, choice.depth, exposure.usable(color))
    if not found:
        raise DriverError(
            f"the scanner {device.name} delivers pixels of a kind that has no name here",
            "choose a gray or colour `mode` in [scanner.options]",
        )
    return found
