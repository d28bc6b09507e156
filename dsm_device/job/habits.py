"""What this device does by its own configuration, whatever a ticket says. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from dsm_device.imaging.treatment import RIGHT_ANGLES


@dataclass(frozen=True, slots=True)
class Habits:
    """``two_pass_duplex`` lets a simplex feeder take both sides, the sheets being put in a second time;
    ``rotate_back`` is by how many degrees (clockwise, one of :data:`RIGHT_ANGLES`) backs are turned besides what
    the ticket says, for feeders that deliver them upside down."""

    skip_blank_pages: bool = False
    deskew: bool = False
    two_pass_duplex: bool = False
    rotate_back: int = 0

    def __post_init__(self) -> None:
        if self.rotate_back not in RIGHT_ANGLES:
            raise ValueError(f"backs cannot be turned by {self.rotate_back} degrees")
