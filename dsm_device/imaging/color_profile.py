"""The colour profiles that go into files: sRGB, and gray with sRGB's tone curve.

ICC.1:2001-04 (version 2.4), which PDF/A-1 demands (ISO 19005-1, 6.2.2) and every reader knows: matrix and tone
curves, the D50-adapted primaries of sRGB (IEC 61966-2-1). Scanners deliver what their makers mean to be sRGB.
"""

from __future__ import annotations

import struct
from typing import Final

#: XYZ of D50, and of sRGB's red, green and blue adapted to it (Bradford); rounded so that they add up to D50.
_D50: Final = (0.96420, 1.00000, 0.82491)
_PRIMARIES: Final = {
    b"rXYZ": (0.43607, 0.22249, 0.01392),
    b"gXYZ": (0.38515, 0.71687, 0.09708),
    b"bXYZ": (0.14307, 0.06061, 0.71410),
}
_CURVE_POINTS: Final = 1024
_COPYRIGHT: Final = b"No copyright, use freely"
_RENDERING_INTENT_PERCEPTUAL: Final = 0


def _curve() -> bytes:
    """IEC 61966-2-1, from the stored value to the light, as a table."""
    light = []
    for index in range(_CURVE_POINTS):
        value = index / (_CURVE_POINTS - 1)
        linear = value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        light.append(round(linear * 65535))
    return struct.pack(f">4sII{_CURVE_POINTS}H", b"curv", 0, _CURVE_POINTS, *light)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(value * 65536) for value in values))


def _text(text: bytes) -> bytes:
    return b"text\0\0\0\0" + text + b"\0"


def _description(text: bytes) -> bytes:
    """textDescriptionType: ASCII, and empty Unicode and ScriptCode parts."""
    return struct.pack(">4sII", b"desc", 0, len(text) + 1) + text + b"\0" + bytes(8 + 2 + 1 + 67)


def _profile(space: bytes, name: bytes, tags: dict[bytes, bytes]) -> bytes:
    all_tags = {
        b"desc": _description(name),
        b"cprt": _text(_COPYRIGHT),
        b"wtpt": _xyz(_D50),
        **tags,
    }
    table, data, places = b"", b"", dict[bytes, int]()
    start = 128 + 4 + 12 * len(all_tags)
    for signature, value in all_tags.items():
        if value not in places:  # curves are shared
            places[value] = start + len(data)
            data += value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", signature, places[value], len(value))
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sI4s4s8sI3i4s44x",
        start + len(data),
        bytes(4),
        0x02400000,
        b"mntr",
        space,
        b"XYZ ",
        *(2000, 1, 1, 0, 0, 0),
        b"acsp",
        bytes(4),
        0,
        bytes(4),
        bytes(4),
        bytes(8),
        _RENDERING_INTENT_PERCEPTUAL,
        *(round(value * 65536) for value in _D50),
        bytes(4),
    )
    return header + struct.pack(">I", len(all_tags)) + table + data


SRGB: Final = _profile(
    b"RGB ",
    b"sRGB",
    {
        **{name: _xyz(value) for name, value in _PRIMARIES.items()},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve()),
    },
)
GRAY: Final = _profile(b"GRAY", b"Gray, sRGB tone curve", {b"kTRC": _curve()})


def profile_of(channels: int) -> bytes:
    """The ICC profile for samples of 1 or 3 channels."""
    return SRGB if channels == 3 else GRAY
