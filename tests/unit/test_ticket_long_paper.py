"""A sheet that is longer than usual is scanned as long as it is said to be, and not where nobody says so."""

from __future__ import annotations

import pytest

from dsm_device.hardware import ColorProcessing, InputSource, Size, SourceCapabilities
from dsm_device.job.geometry import choose_surfaces
from dsm_device.job.outcomes import Ledger
from dsm_device.wire.ticket import InputSize, Setting

FEEDER = SourceCapabilities(
    source=InputSource.ADF,
    colors=(ColorProcessing.GRAYSCALE_8,),
    x_resolutions_dpi=(100,),
    y_resolutions_dpi=(100,),
    minimum=Size(100, 100),
    maximum=Size(8500, 14000),
    longest_mil=40000,
)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [(None, 14000), (11693, 11693), (14000, 14000), (35433, 35433), (40000, 40000), (50000, 40000)],
)
def test_the_length_of_a_sheet(stated: int | None, expected: int) -> None:
    size = None if stated is None else Setting(InputSize(media=Size(8268, stated)), must_honor=False)
    surfaces = choose_surfaces(size, {"MediaFront": None}, FEEDER, Ledger())
    assert surfaces.sides[0].y.length_mil == expected
    assert surfaces.area.height_mil == expected
