"""What the console is shown of the offer (WS-DSD, ScannerConfiguration)."""

from __future__ import annotations

from typing import Final

from dsm_device.hardware import InputSource, Size
from dsm_device.job.offer import Offer, SourceOffer
from dsm_device.wire.device.configuration import Configuration, DeviceSettings, SourceSettings

#: Scanners do not tell their optical resolution: the largest that is offered, and no more than this.
_OPTICAL_DPI: Final = 600


def configuration(offer: Offer) -> Configuration | None:
    """``offer`` as the console reads it; None where nothing can be scanned.

    Its sources have to be possible ones
    (:func:`~dsm_device.job.validation.possible_offer`): clients refuse a device of which one source is defective.
    """
    sources = {each.source: _settings(each) for each in offer.sources}
    if not sources or not offer.formats:
        return None
    duplex = sources.get(InputSource.ADF_DUPLEX)
    film = offer.source(InputSource.FILM)
    return Configuration(
        _device(offer),
        platen=sources.get(InputSource.PLATEN),
        feeder=sources.get(InputSource.ADF, duplex),
        feeder_back=duplex,
        film=sources.get(InputSource.FILM),
        film_modes=() if film is None else tuple(film.films),
    )


def _device(offer: Offer) -> DeviceSettings:
    return DeviceSettings(
        formats=tuple(offer.formats),
        content_types=offer.content_types,
        rotations=offer.rotations,
        quality=offer.quality,
        scaling_percent=offer.scaling_percent,
        size_auto_detect=offer.size_auto_detect,
        auto_exposure=offer.auto_exposure,
        brightness=offer.brightness != (0, 0),
        contrast=offer.contrast != (0, 0),
    )


def _settings(source: SourceOffer) -> SourceSettings:
    optical = [min(_OPTICAL_DPI, max(dpis)) for dpis in (source.x_resolutions_dpi, source.y_resolutions_dpi)]
    return SourceSettings(
        (optical[0], optical[1]),
        source.x_resolutions_dpi,
        source.y_resolutions_dpi,
        source.colors,
        Size(max(1, source.minimum.width_mil), max(1, source.minimum.height_mil)),
        source.maximum,
    )
