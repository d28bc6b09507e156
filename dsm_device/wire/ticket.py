"""The scan ticket (WS-Scan ScanTicket, in the form that MS-BDSRR gives it inside a scan process).

A ticket states values by path (:mod:`~dsm_device.wire.ticket_elements`) and locks some of them with
``wscn:MustHonor``: exactly this value, or no scan. What it does not state is left to the device. Lengths are in
1/1000 inch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from dsm_device.hardware import Size
from dsm_device.wire.schema import Value

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Setting(Generic[V]):
    """A value that a ticket states; with ``must_honor`` it is this value or no scan."""

    value: V
    must_honor: bool = False


@dataclass(frozen=True, slots=True)
class InputSize:
    """Either ``media`` or, where that is None, the answer to DocumentSizeAutoDetect."""

    auto_detect: bool = False
    media: Size | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """AutoExposure, or the three ExposureSettings: contrast and brightness ±1000, sharpness ±100, 0 = as is."""

    auto: bool = False
    contrast: int = 0
    brightness: int = 0
    sharpness: int = 0


@dataclass(frozen=True, slots=True)
class Scaling:
    """Percent, 1 to 1000; 100 = as is."""

    width_percent: int
    height_percent: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """Pixels per inch. A ticket without Height means the same as Width."""

    x_dpi: int
    y_dpi: int


@dataclass(frozen=True, slots=True)
class ScanRegion:
    """The part of the sheet to scan, each number with a lock of its own. An offset not stated is 0."""

    x_mil: Setting[int]
    y_mil: Setting[int]
    width_mil: Setting[int]
    height_mil: Setting[int]


@dataclass(frozen=True, slots=True)
class MediaSide:
    """wscn:MediaFront or wscn:MediaBack."""

    region: ScanRegion | None = None
    color: Setting[str] | None = None
    resolution: Setting[Resolution] | None = None


@dataclass(frozen=True, slots=True)
class DocumentParameters:
    """wscn:DocumentParameters; None = not stated.

    Keywords are spelt as in the schema; a vendor's own value stands as it is and is never supported here.
    """

    format: Setting[str] | None = None
    compression_quality: Setting[int] | None = None
    images_to_transfer: Setting[int] | None = None
    input_source: Setting[str] | None = None
    film_scan_mode: Setting[str] | None = None
    content_type: Setting[str] | None = None
    input_size: Setting[InputSize] | None = None
    exposure: Setting[Exposure] | None = None
    scaling: Setting[Scaling] | None = None
    rotation: Setting[str] | None = None
    front: MediaSide = field(default=MediaSide())
    back: MediaSide | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """An element of another namespace in the acquisition settings: nothing that this device knows."""

    name: str
    must_honor: bool


@dataclass(frozen=True)
class ScanTicket:
    """A ticket. ``values`` and ``locks`` are by path; :attr:`parameters` is their typed view.

    Read strictly it is valid; read leniently, numbers may be in no range and words in no list.
    """

    job_name: str = ""
    user_name: str = ""
    job_information: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    locks: frozenset[str] = frozenset()
    foreign: tuple[Foreign, ...] = ()

    def locked(self, path: str) -> bool:
        """Whether ``path`` or an element around it carries MustHonor."""
        parts = path.split("/")
        return any("/".join(parts[:count]) in self.locks for count in range(1, len(parts) + 1))

    @cached_property
    def parameters(self) -> DocumentParameters:
        return _View(self).parameters()


# ------------------------------------------------------------------------------------ the typed view


class _View:
    """Reads the typed parameters out of a ticket whose values are complete."""

    def __init__(self, ticket: ScanTicket) -> None:
        self._values = ticket.values
        self._locked = ticket.locked
        self._stated = set(ticket.locks) | {
            path[:end] for path in ticket.values for end, sign in enumerate(f"{path}/") if sign == "/"
        }

    def parameters(self) -> DocumentParameters:
        return DocumentParameters(
            format=self._leaf("Format"),
            compression_quality=self._leaf("CompressionQualityFactor"),
            images_to_transfer=self._leaf("ImagesToTransfer"),
            input_source=self._leaf("InputSource"),
            film_scan_mode=self._leaf("FilmScanMode"),
            content_type=self._leaf("ContentType"),
            input_size=self._whole("InputSize", self._input_size()),
            exposure=self._whole("Exposure", self._exposure()),
            scaling=self._scaling(),
            rotation=self._leaf("Rotation"),
            front=self._side("MediaFront"),
            back=self._side("MediaBack") if "MediaBack" in self._stated else None,
        )

    # Any: what stands at a path has the type that ticket_elements gives it.
    def _get(self, path: str, absent: Any = None) -> Any:
        return self._values.get(path, absent)

    def _leaf(self, path: str, absent: Any = None) -> Any:
        value = self._get(path, absent)
        return None if value is None else Setting(value, self._locked(path))

    def _whole(self, path: str, value: V) -> Setting[V] | None:
        return Setting(value, self._locked(path)) if path in self._stated else None

    def _input_size(self) -> InputSize:
        width_mil = self._get("InputSize/InputMediaSize/Width")
        height_mil = self._get("InputSize/InputMediaSize/Height")
        media = None if width_mil is None else Size(width_mil, height_mil)
        return InputSize(self._get("InputSize/DocumentSizeAutoDetect", False), media)

    def _exposure(self) -> Exposure:
        numbers = "Exposure/ExposureSettings"
        return Exposure(
            self._get("Exposure/AutoExposure", False),
            self._get(f"{numbers}/Contrast", 0),
            self._get(f"{numbers}/Brightness", 0),
            self._get(f"{numbers}/Sharpness", 0),
        )

    def _scaling(self) -> Setting[Scaling] | None:
        width, height = self._get("Scaling/ScalingWidth"), self._get("Scaling/ScalingHeight")
        return self._whole("Scaling", Scaling(width, height))

    def _side(self, side: str) -> MediaSide:
        x_dpi = self._get(f"{side}/Resolution/Width")
        y_dpi = self._get(f"{side}/Resolution/Height", x_dpi)
        return MediaSide(
            self._region(f"{side}/ScanRegion"),
            self._leaf(f"{side}/ColorProcessing"),
            self._whole(f"{side}/Resolution", Resolution(x_dpi, y_dpi)),
        )

    def _region(self, path: str) -> ScanRegion | None:
        if path not in self._stated:
            return None
        return ScanRegion(
            self._leaf(f"{path}/ScanRegionXOffset", 0),
            self._leaf(f"{path}/ScanRegionYOffset", 0),
            self._leaf(f"{path}/ScanRegionWidth"),
            self._leaf(f"{path}/ScanRegionHeight"),
        )
