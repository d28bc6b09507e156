"""From where the original is taken, and how many images of it: InputSource, FilmScanMode, ImagesToTransfer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dsm_device.hardware import FilmType, InputSource
from dsm_device.job.offer import NO_FILM, Offer, SourceOffer
from dsm_device.job.outcomes import Ledger, listed, refusal
from dsm_device.wire.ticket import DocumentParameters, Setting

#: Where a source is taken from when the ticket names none, and what a source yields to.
_USUAL: Final = (InputSource.PLATEN, InputSource.ADF)
#: Taken only where there is nothing else, as they deliver other images than anybody expects.
_LAST: Final = (InputSource.ADF_DUPLEX, InputSource.FILM)
_REPLACEMENTS: Final = {
    InputSource.ADF: (InputSource.ADF_DUPLEX, InputSource.PLATEN),
    InputSource.ADF_DUPLEX: (InputSource.ADF, InputSource.PLATEN),
}


def preferred_sources(asked: DocumentParameters, offer: Offer) -> Sequence[SourceOffer]:
    """The sources to try, the best first; not empty. A locked InputSource stands alone.

    The second and further ones are for locked settings that the first cannot meet: a free InputSource yields
    to them. Raises ``TicketRefused`` where the scanner has no source, or not the locked one.
    """
    there = {each.source: each for each in offer.sources}
    if not there:
        raise refusal("the scanner has no source to scan from")
    stated = asked.input_source
    if stated is not None and stated.must_honor:
        if stated.value not in list(there):
            raise refusal(f"InputSource must be {stated.value}, which the scanner does not have", listed(there))
        return [there[InputSource(stated.value)]]
    order = [*_wanted(asked), *_USUAL]
    found = [there[source] for source in dict.fromkeys(order) if source in there]
    return found or [next(there[source] for source in _LAST if source in there)]


def _wanted(asked: DocumentParameters) -> list[InputSource]:
    wanted = []
    if asked.input_source is not None and asked.input_source.value in list(InputSource):
        source = InputSource(asked.input_source.value)
        wanted += [source, *_REPLACEMENTS.get(source, ())]
    film = asked.film_scan_mode
    if film is not None and film.must_honor and film.value in list(FilmType):
        wanted.append(InputSource.FILM)
    return wanted


def settle_source(
    asked: Setting[str] | None, source: SourceOffer, offer: Offer, why_not_asked: str, ledger: Ledger
) -> None:
    """``why_not_asked``: the refusal that the source asked for led to, "" for none."""
    is_there = asked is not None and offer.source(asked.value) is not None
    ledger.settle(
        "InputSource",
        asked,
        source.source.value,
        reason=f"with it, {why_not_asked}" if is_there else "the scanner has no such source",
        possible=listed(each.source for each in offer.sources),
    )


def choose_film(asked: Setting[str] | None, source: SourceOffer, ledger: Ledger) -> FilmType | None:
    """What kind of film it is; a slide where the ticket does not say. None where there is no film."""
    if source.source is not InputSource.FILM:
        reason = f"there is no film with InputSource {source.source}"
        ledger.settle("FilmScanMode", asked, NO_FILM, reason=reason, possible=f"{NO_FILM}, or InputSource Film")
        return None
    known = asked is not None and asked.value in list(source.films)
    film = FilmType(asked.value) if asked is not None and known else FilmType.COLOR_SLIDE
    reason = "it is none that InputSource Film can have"
    ledger.settle("FilmScanMode", asked, film.value, reason=reason, possible=listed(source.films))
    return film


def choose_images(asked: Setting[int] | None, source: SourceOffer, ledger: Ledger) -> int:
    """How many images to take: 0 = until the feeder is empty. Platen and film hold one original, 0 means it too.

    With ADFDuplex each side counts, in two passes as well (WS-Scan, ImagesToTransfer).
    """
    wanted = 0 if asked is None else max(0, asked.value)
    if source.source.is_feeder:
        ledger.settle(
            "ImagesToTransfer", asked, wanted, reason="nothing can be less than none", possible="0 = all"
        )
        return wanted
    reason = f"InputSource {source.source} holds one original"
    ledger.settle("ImagesToTransfer", asked, min(wanted, 1), reason=reason, possible="0 or 1, or a feeder")
    return 1
