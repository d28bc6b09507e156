"""What a console has read, as lines for people. Nothing of a device reaches a terminal unfiltered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.console.announcements import Announcement
from dsm_sim.peers.console.configuration import Configuration, Size, read_configuration
from dsm_sim.peers.console.console import Device
from dsm_sim.peers.console.eventing import Event
from dsm_sim.peers.console.image_size import ImageSize
from dsm_sim.peers.console.names import WSCN, readable, tag
from dsm_sim.peers.console.ticket import leaves
from dsm_sim.peers.console.validation import Verdict
from dsm_sim.peers.console.xml import child_text, children, find, local_of, text_of

_LABEL: Final = 14


def printable(text: str) -> str:
    """Without characters that a terminal would act on."""
    return "".join(character if character.isprintable() else "�" for character in text)


@dataclass(frozen=True)
class Picture:
    """Everything that ``show`` shows."""

    device: Device
    elements: dict[str, etree._Element]
    active: Sequence[etree._Element]
    history: Sequence[etree._Element]

    def lines(self) -> Iterator[str]:
        yield from self._device()
        yield from _description(self.elements.get("ScannerDescription"))
        yield from _status(self.elements.get("ScannerStatus"))
        configuration = self.elements.get("ScannerConfiguration")
        if configuration is not None:
            yield from _configuration(read_configuration(configuration))
        ticket = self.elements.get("DefaultScanTicket")
        if ticket is not None:
            yield from ("", "Default ticket")
            yield from ticket_lines(ticket)
        yield from _jobs("Active jobs", self.active)
        yield from _jobs("Job history", self.history)

    def _device(self) -> Iterator[str]:
        metadata = self.device.metadata
        fields = metadata.fields
        yield metadata.name or "(no name)"
        yield _row("model", f"{fields.get('Manufacturer', '')} {fields.get('ModelName', '')}")
        yield _row("firmware", f"{fields.get('FirmwareVersion', '')}, serial {fields.get('SerialNumber', '')}")
        yield _row("endpoint", metadata.endpoint)
        yield _row("address", self.device.url)
        for service in metadata.services:
            yield _row("service", f"{service.url}  {' '.join(map(readable, service.types))}")

    def as_json(self) -> Iterator[dict[str, object]]:
        metadata = self.device.metadata
        services = [{"url": each.url, "types": list(map(readable, each.types))} for each in metadata.services]
        yield {
            "event": "device",
            "endpoint": metadata.endpoint,
            "url": self.device.url,
            "fields": metadata.fields,
            "services": services,
        }
        for name, element in self.elements.items():
            yield {"event": "element", "name": name, "content": as_plain(element)}
        for kind, jobs in (("active", self.active), ("history", self.history)):
            for job in jobs:
                yield {"event": "job", "list": kind, **{local_of(part): as_plain(part) for part in children(job)}}


def announcement_line(device: Announcement) -> str:
    version = "" if device.metadata_version is None else f"  metadata {device.metadata_version}"
    return printable(f"{device.kind:<12} {device.endpoint}{version}  {' '.join(device.xaddrs) or 'no address'}")


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    yield "valid" if verdict.is_valid else "not valid"
    if verdict.is_valid:
        for side, image in (("front", verdict.front), ("back", verdict.back)):
            if image is not None:
                yield _row(side, _image(image))
    if verdict.corrected is not None:
        yield "The device would take this instead:"
        yield from ticket_lines(verdict.corrected)


def ticket_lines(ticket: etree._Element) -> Iterator[str]:
    for path, value in leaves(ticket).items():
        yield printable(f"  {path.partition('/')[2]:<52} {value}")


def event_line(event: Event) -> str:
    """One line, whatever is in it."""
    content = next(iter(children(event.body)), None)
    if event.detail or content is None:
        facts = event.detail
    elif event.name == "ScannerElementsChangeEvent":
        facts = " ".join(local_of(part) for part in children(content))
    else:
        number = content.get(tag(WSCN, "Id"), "")
        facts = " ".join([*([f"Id={number}"] if number else []), *_facts(content)])
    return printable(f"{event.at:%H:%M:%S}  {event.service.name:<4}  {event.name:<34} {facts}")


def event_json(event: Event) -> dict[str, object]:
    body = None if event.body is None else as_plain(event.body)
    return {
        "event": event.name,
        "service": event.service.url,
        "at": event.at.isoformat(),
        "detail": event.detail,
        "content": body,
    }


def as_plain(element: etree._Element) -> object:
    """An element as JSON: text, or its children by local name, in lists where a name is repeated."""
    parts = children(element)
    if not parts:
        return text_of(element)
    found: dict[str, object] = {}
    names = [local_of(part) for part in parts]
    for name, part in zip(names, parts, strict=True):
        value = as_plain(part)
        if names.count(name) == 1:
            found[name] = value
        else:
            entries = found.setdefault(name, [])
            if isinstance(entries, list):
                entries.append(value)
    return found


# ------------------------------------------------------------------------------------------- sections


def _row(label: str, text: str) -> str:
    return printable(f"  {label:<{_LABEL}} {text}").rstrip()


def _facts(element: etree._Element) -> Iterator[str]:
    for part in children(element):
        inner = " ".join(text_of(child) for child in children(part))
        yield f"{local_of(part)}={inner or text_of(part)}"


def _description(element: etree._Element | None) -> Iterator[str]:
    yield from ("", "Description")
    for part in children(element):
        language = part.get("{http://www.w3.org/XML/1998/namespace}lang", "")
        yield _row(
            local_of(part).removeprefix("Scanner").lower(),
            f"{text_of(part)} {f'[{language}]' if language else ''}",
        )


def _status(status: etree._Element | None) -> Iterator[str]:
    yield from ("", "Status")
    reasons = " ".join(text_of(reason) for reason in children(find(status, WSCN, "ScannerStateReasons")))
    yield _row("state", f"{child_text(status, WSCN, 'ScannerState')} ({reasons})")
    yield _row("clock", child_text(status, WSCN, "ScannerCurrentTime"))
    for label, name in (("condition", "ActiveConditions"), ("cleared", "ConditionHistory")):
        for condition in children(find(status, WSCN, name)):
            number = condition.get(tag(WSCN, "Id"), "?")
            texts = [
                child_text(condition, WSCN, each)
                for each in ("Severity", "Name", "Component", "Time", "ClearTime")
            ]
            yield _row(label, f"{number:>4}  {texts[0]:<13} {texts[1]} at {texts[2]}, {texts[3]} {texts[4]}")


def _configuration(found: Configuration) -> Iterator[str]:
    yield from ("", "Configuration")
    yield _row("formats", " ".join(found.formats))
    yield _row("contents", " ".join(found.content_types))
    yield _row("rotations", " ".join(found.rotations))
    yield _row("quality", _span(found.quality))
    yield _row("scaling", f"{_span(found.scaling_width)} x {_span(found.scaling_height)} %")
    can = {
        "brightness": found.has_brightness,
        "contrast": found.has_contrast,
        "auto exposure": found.can_expose_automatically,
        "size detection": found.can_detect_size,
        "duplex": found.is_duplex,
    }
    yield _row("can", ", ".join(name for name, is_so in can.items() if is_so) or "nothing more")
    yield _row("cannot", ", ".join(name for name, is_so in can.items() if not is_so) or "-")
    rows = [("source", "optical dpi", "size in mm", "resolutions in dpi", "colours")]
    for source in found.sources:
        size = f"{_mm(source.minimum_mil)} to {_mm(source.maximum_mil)}"
        optical = f"{source.optical_dpi.width} x {source.optical_dpi.height}"
        dpi = " ".join(map(str, source.widths_dpi))
        if source.heights_dpi != source.widths_dpi:
            dpi += f" x {' '.join(map(str, source.heights_dpi))}"
        rows.append((source.name, optical, size, dpi, " ".join(source.colors)))
    yield from table(rows)


def _jobs(title: str, jobs: Sequence[etree._Element]) -> Iterator[str]:
    yield from ("", f"{title}: {len(jobs) or 'none'}")
    if not jobs:
        return
    rows = [("id", "state", "images", "user", "name")]
    for job in jobs:
        names = ("JobId", "JobState", "ScansCompleted", "JobOriginatingUserName", "JobName")
        number, state, images, user, name = (child_text(job, WSCN, each) for each in names)
        reasons = " ".join(text_of(reason) for reason in children(find(job, WSCN, "JobStateReasons")))
        is_plain = reasons in {"", "None"}
        rows.append((number, state if is_plain else f"{state} ({reasons})", images, user, name))
    yield from table(rows)


def table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Rows under one another, each column as wide as it needs."""
    cells = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _span(limits: tuple[int, int]) -> str:
    return f"{limits[0]} to {limits[1]}"


def _mm(size_mil: Size) -> str:
    return f"{size_mil.width * 0.0254:.0f} x {size_mil.height * 0.0254:.0f}"


def _image(image: ImageSize) -> str:
    stride = f", {image.octets_per_line:,} octets a line" if image.octets_per_line else ", compressed"
    return f"{image.pixels_per_line:,} x {image.lines:,} px{stride}"
