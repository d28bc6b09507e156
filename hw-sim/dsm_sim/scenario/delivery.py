"""Whether the images that arrived are those that the scanner fed: all, in order, the right way up, and whole."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dsm_sim.image_files import PageFacts
from dsm_sim.page_images import eight_bit, opened_page
from dsm_sim.peers.scan_server import JobReport, Report
from dsm_sim.scanner import Mark, ScannerEvent, read_mark
from dsm_sim.scenario.pictures import Originals, Side
from dsm_sim.scenario.player import Performance
from dsm_sim.scenario.rendering import rendering_problem

_NEVER_FED: Final = (0, 0, "front")


@dataclass(frozen=True)
class Delivered:
    """An image as it lies at the server, one page of its document; ``path`` is None where no filter wrote it.

    ``side`` and ``rotation`` are what its mark says. Without one its place among all may still tell the side.
    ``page`` counts from 1, and is 0 in a file of one page.
    """

    document_id: int
    page: int
    path: Path | None
    side: Side | None
    rotation: int | None
    format: str
    facts: PageFacts

    @property
    def size_px(self) -> tuple[int, int]:
        return self.facts.width_px, self.facts.height_px

    @property
    def name(self) -> str:
        return f"image {self.document_id}" + (f", page {self.page}" if self.page else "")


def delivery_problems(performance: Performance, report: Report) -> Iterator[str]:
    """One line for each."""
    originals = Originals(performance)
    fed = fed_sides(performance)
    wanted = _wanted(performance, fed)
    jobs = claimed_jobs(performance, report)
    claimed = [_images(job, originals) for job in jobs]
    yield from _scan_problems(performance, dict(zip((job.token for job in jobs), claimed, strict=True)))
    if isinstance(wanted, list):
        claimed = _known_by_place(claimed, wanted, originals)
    yield from _number_problems(performance, claimed, wanted, fed)
    # What the device does not count as delivered has been delivered all the same.
    for images in (*claimed, *(_images(job, originals) for job in unclaimed_jobs(performance, report))):
        yield from _mark_problems(images, fed, originals)
        if not isinstance(performance.scenario.expect.delivered, tuple):
            yield from _order_problems(images, fed)
        for image in images:
            yield from _image_problems(image, performance)
            yield from _picture_problems(image, originals)


def claimed_tokens(performance: Performance) -> list[str]:
    """The post-scan jobs that the device calls delivered, in that order."""
    return [each.run.token for each in performance.steps if each.run.token]


def claimed_jobs(performance: Performance, report: Report) -> list[JobReport]:
    """Those of them that the server knows."""
    by_token = {job.token: job for job in report.jobs}
    return [by_token[token] for token in claimed_tokens(performance) if token in by_token]


def unclaimed_jobs(performance: Performance, report: Report) -> list[JobReport]:
    """Jobs that the server completed and the device does not count."""
    tokens = claimed_tokens(performance)
    return [job for job in report.jobs if job.state == "Completed" and job.token not in tokens]


def fed_sides(performance: Performance) -> list[Side]:
    """The sides that the scanner delivered whole, in that order."""
    return [(event.load, event.sheet, event.side) for event in whole_images(performance)]


def whole_images(performance: Performance) -> list[ScannerEvent]:
    """The ends of images; in three-pass colour those of the last plane."""
    log = performance.scanner_log
    last_plane = max((event.plane for event in log), default=0)
    return [event for event in log if event.event == "image-end" and event.plane == last_plane]


# --------------------------------------------------------------------------------------- which, how many


def _wanted(performance: Performance, fed: list[Side]) -> list[Side] | int:
    """The sides that are to be delivered, in that order, or only their number."""
    match performance.scenario.expect.delivered:
        case "all":
            return fed
        case int(number):
            return number
        case numbers:
            return [fed[number - 1] if number <= len(fed) else _NEVER_FED for number in numbers]


def _known_by_place(
    claimed: list[list[Delivered]], wanted: list[Side], originals: Originals
) -> list[list[Delivered]]:
    """Images of sides without a mark are taken for those that are to be in their places."""
    places = iter(wanted)
    return [[_known(image, next(places, None), originals) for image in images] for images in claimed]


def _known(image: Delivered, side: Side | None, originals: Originals) -> Delivered:
    is_unmarked = image.side is None and side is not None and not originals.is_marked(side)
    return dataclasses.replace(image, side=side) if is_unmarked else image


def _number_problems(
    performance: Performance, claimed: list[list[Delivered]], wanted: list[Side] | int, fed: list[Side]
) -> Iterator[str]:
    expect = performance.scenario.expect
    delivered = [image.side for images in claimed for image in images]
    number = wanted if isinstance(wanted, int) else len(wanted)
    if len(delivered) != number:
        yield f"{len(delivered)} images are delivered instead of {number}"
    if expect.delivered == "all":
        for side in Counter(fed) - Counter(filter(None, delivered)):
            yield f"{_in_words(side)} was scanned and not delivered"
    elif isinstance(wanted, list) and delivered != wanted:
        yield f"{_listed(delivered)} are delivered instead of {_listed(wanted)}"
    repeated = [side for images in claimed for side in _repeated(images)]
    if len(repeated) != expect.repeated:
        yield f"{len(repeated)} sides are in a job more than once: {_listed(repeated)}"


def _repeated(images: list[Delivered]) -> list[Side]:
    """The sides of a job that are in it more than once."""
    return [side for side, count in Counter(image.side for image in images).items() if side and count > 1]


def _mark_problems(images: list[Delivered], fed: list[Side], originals: Originals) -> Iterator[str]:
    unknown = sum(image.side is None for image in images)
    if unknown > sum(not originals.is_marked(side) for side in fed):
        yield f"{unknown} delivered images have no mark that can be read"


def _order_problems(images: list[Delivered], fed: list[Side]) -> Iterator[str]:
    """A job holds what was fed, in that order, though perhaps not all of it."""
    sides = [image.side for image in images if image.side]
    if strange := [side for side in sides if side not in fed]:
        yield f"{_listed(strange)} are delivered, and were never scanned to their end"
    rest = iter(fed)
    if not strange and not all(side in rest for side in sides):
        yield f"delivered in the order {_listed(sides)}"


def _scan_problems(performance: Performance, images: Mapping[str, list[Delivered]]) -> Iterator[str]:
    """The job of a scan, by its token, holds what was fed since that scan began, and nothing of another one."""
    scans = [
        each.run for each in performance.steps if each.run.arguments[0] == "scan" and each.run.token in images
    ]
    for run in scans:
        ended = [event for event in whole_images(performance) if event.t > run.began_s]
        own = {(event.load, event.sheet, event.side) for event in ended}
        for image in images[run.token]:
            if image.side and image.side not in own:
                yield f"{_in_words(image.side)} is in job {run.token}, whose scan began after it was fed"


# --------------------------------------------------------------------------------------------- images


def _image_problems(image: Delivered, performance: Performance) -> Iterator[str]:
    expect = performance.scenario.expect
    is_back = image.side is not None and image.side[2] == "back"
    turned = performance.scenario.process.rotation + (expect.back_rotation if is_back else 0)
    if image.rotation not in {turned % 360, None}:
        yield f"{image.name} is rotated by {image.rotation}° instead of {turned % 360}°"
    size_px = (is_back and expect.back_size_px) or expect.size_px
    if size_px and image.size_px != size_px:
        yield f"{image.name} has {image.size_px} instead of {size_px} pixels"
    if expect.format and image.format != expect.format:
        yield f"{image.name} is sent as {image.format} instead of {expect.format}"


def _picture_problems(image: Delivered, originals: Originals) -> Iterator[str]:
    if image.side is None or image.path is None:
        return
    found = [*originals.header_problems(image.facts, image.side)]
    with opened_page(image.path, max(0, image.page - 1)) as picture:
        found += filter(None, [originals.problem(picture, image.side, image.rotation)])
        found += filter(None, [rendering_problem(image.path, max(1, image.page), picture)])
    for problem in found:
        yield f"{image.name}, {_in_words(image.side)}, {problem}"


def _images(job: JobReport, originals: Originals) -> list[Delivered]:
    """Each page of each document of a job, as it lies where the filters put it."""
    files = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in job.files}
    found = []
    for document in job.documents:
        path = files.get(document.sha256)
        for number in range(document.pages):
            mark = _mark(path, number, originals) if path else None
            side = (mark.load, mark.sheet, mark.side) if mark else None
            rotation = mark.rotation if mark else None
            facts = document.each_page[number] if document.each_page else PageFacts()
            page = number + 1 if document.pages > 1 else 0
            found.append(Delivered(document.document_id, page, path, side, rotation, document.format, facts))
    return found


def _mark(path: Path, page: int, originals: Originals) -> Mark | None:
    try:
        with opened_page(path, page) as image:
            return read_mark(originals.as_on_paper(eight_bit(image)))
    except OSError:
        return None


def _in_words(side: Side | None) -> str:
    if side is None:
        return "an unknown side"
    load, sheet, face = side
    if not sheet:
        return "a side that was never scanned"
    return f"{face} of sheet {sheet}" + (f" of load {load}" if load > 1 else "")


def _listed(sides: Sequence[Side | None]) -> str:
    return ", ".join(map(_in_words, sides)) or "none"
