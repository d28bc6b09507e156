"""Settings that this device knows and does not carry out: met where they ask for nothing special, else told.

Each of them is refused where it is locked at something special, as every other setting is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsm_device.hardware import InputSource
from dsm_device.job.outcomes import Ledger
from dsm_device.wire.ticket import Exposure, MediaSide, ScanTicket, Setting


def settle_back(back: MediaSide | None, source: InputSource, front: Mapping[str, str], ledger: Ledger) -> None:
    """MediaBack counts only with ADFDuplex (WS-Scan), and then the back is scanned as the front.

    ``front`` is what the front becomes: ColorProcessing, Resolution and ScanRegion, each in one word.
    """
    for name, asked, locked in _stated_of(back) if back is not None else ():
        element = f"MediaBack/{name}"
        if source is not InputSource.ADF_DUPLEX:
            ledger.leave_out(element, asked, locked=False, reason=f"there is no back with {source}")
            continue
        ledger.settle(
            element,
            asked,
            front[name],
            locked=locked,
            reason="this device scans the back as the front",
            possible=front[name],
        )


def _stated_of(back: MediaSide) -> Iterator[tuple[str, str, bool]]:
    """The settings of MediaBack: name, value, lock."""
    if back.color is not None:
        yield "ColorProcessing", back.color.value, back.color.must_honor
    if back.resolution is not None:
        asked = back.resolution.value
        yield "Resolution", f"{asked.x_dpi}x{asked.y_dpi}", back.resolution.must_honor
    if (region := back.region) is not None:
        numbers = (region.x_mil, region.y_mil, region.width_mil, region.height_mil)
        text = region_text(*(number.value for number in numbers))
        yield "ScanRegion", text, any(number.must_honor for number in numbers)


def region_text(x_mil: int, y_mil: int, width_mil: int, height_mil: int) -> str:
    """A region in one word, as X11 writes geometries."""
    return f"{width_mil}x{height_mil}+{x_mil}+{y_mil}"


def settle_neutral(ticket: ScanTicket, ledger: Ledger) -> None:
    """Settings that are met only where they ask for nothing special."""
    asked = ticket.parameters
    neutral: list[tuple[str, Setting[str] | None, str]] = [
        ("FilmScanMode", asked.film_scan_mode, "NotApplicable"),
        ("ContentType", asked.content_type, _neutral_content(asked.content_type)),
        ("Rotation", asked.rotation, "0"),
        ("Scaling", _scaling_text(ticket), "100x100"),
        ("Exposure", _exposure_text(asked.exposure), "as is"),
    ]
    for element, setting, nothing in neutral:
        ledger.settle(
            element,
            None if setting is None else setting.value,
            nothing,
            locked=setting is not None and setting.must_honor,
            reason="this device does not do it",
            possible=nothing,
        )
    for foreign in ticket.foreign:
        ledger.leave_out(foreign.name, "stated", locked=foreign.must_honor, reason="this device does not know it")


def _neutral_content(asked: Setting[str] | None) -> str:
    """Mixed, like Auto, leaves the image as it comes from the scanner."""
    return "Mixed" if asked is not None and asked.value == "Mixed" else "Auto"


def _scaling_text(ticket: ScanTicket) -> Setting[str] | None:
    setting = ticket.parameters.scaling
    if setting is None:
        return None
    return Setting(f"{setting.value.width_percent}x{setting.value.height_percent}", setting.must_honor)


def _exposure_text(setting: Setting[Exposure] | None) -> Setting[str] | None:
    if setting is None:
        return None
    asked = setting.value
    if asked.auto:
        return Setting("AutoExposure", setting.must_honor)
    if asked == Exposure():
        return Setting("as is", setting.must_honor)
    text = f"Contrast {asked.contrast}, Brightness {asked.brightness}, Sharpness {asked.sharpness}"
    return Setting(text, setting.must_honor)
