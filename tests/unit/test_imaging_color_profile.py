"""The embedded profiles against littlecms, which is not ours."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageCms

from dsm_device.imaging.color_profile import GRAY, SRGB, profile_of


@pytest.mark.parametrize(("profile", "space"), [(SRGB, "RGB"), (GRAY, "GRAY")])
def test_little_cms_reads_version_2_profiles(profile: bytes, space: str) -> None:
    read = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    assert read.xcolor_space.strip() == space
    assert 2 <= read.version < 3
    assert read.connection_space.strip() == "XYZ"


def test_the_colors_are_those_of_srgb() -> None:
    """Every corner and a ramp of each channel, converted to littlecms' own sRGB, stays within one step."""
    levels = (0, 16, 64, 128, 200, 255)
    pixels = [(r, g, b) for r in levels for g in levels for b in levels]
    image = Image.new("RGB", (len(pixels), 1))
    image.putdata(pixels)
    converted = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(SRGB)), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None
    for before, after in zip(pixels, converted.get_flattened_data(), strict=True):
        assert max(abs(x - y) for x, y in zip(before, after, strict=True)) <= 1


def test_a_profile_for_each_kind_of_samples() -> None:
    assert profile_of(1) is GRAY
    assert profile_of(3) is SRGB
