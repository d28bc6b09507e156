"""Throws broken input at everything that reads what strangers wrote.

    python tests/fuzz/fuzz_parsers.py --runs 200000 --seed 1 [--target answer]

Each input is made from a valid one, by a seed and its own number alone: a finding is repeated by
``--target NAME --seed S --first NUMBER --runs 1``. A parser may answer or raise its documented errors; anything
else, and anything that takes longer than :data:`LIMIT_S`, is a finding. Another parser joins by one entry in
:data:`TARGETS`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import faulthandler
import ipaddress
import os
import random
import re
import struct
import sys
import time
import traceback
import urllib.parse
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile

import httpx
from lxml import etree

from dsm_device import settings
from dsm_device.acquisition import messages
from dsm_device.client import certificate
from dsm_device.errors import ConfigurationError, SpoolError, UsageError
from dsm_device.hardware import ColorProcessing, Frame
from dsm_device.imaging.documents import DocumentInfo, DocumentPage, compose
from dsm_device.job import model
from dsm_device.job.image_information import ImageInfo
from dsm_device.server.discovery.responder import Responder
from dsm_device.server.sink_address import NotAllowed, SinkRule
from dsm_device.spool import job_log
from dsm_device.wire import (
    announcing,
    discovery,
    event_source,
    eventing,
    metadata,
    processing,
    repository,
    scan_process,
)
from dsm_device.wire.device import operations
from dsm_device.wire.envelope import parse_answer
from dsm_device.wire.names import WSA
from dsm_device.wire.service_request import (
    RequestFault,
    parse_request,
    render_answer,
    render_fault,
    render_one_way,
)
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_overrides import with_overrides
from dsm_device.wire.xml import XmlError
from tests.fuzz import door_targets

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
#: Processor time for one input. A valid one takes a thousandth of it.
LIMIT_S = 1.0
#: A parser that does not come back at all is ended after this time, with a traceback.
HANG_S = 60
#: A parser with so many findings is not tried any further.
MAX_FINDINGS = 3


@dataclass(frozen=True)
class Target:
    """A parser, the errors that its documentation allows, and valid inputs."""

    parse: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    seeds: Sequence[bytes]


# --------------------------------------------------------------------------------------------- targets


_NOW = datetime(2026, 3, 2, tzinfo=UTC)


def _answer(data: bytes) -> None:
    """Everything that may be looked for in an answer, wherever it comes from."""
    answer = parse_answer(data, request_id="urn:uuid:00000000-0000-4000-8000-000000000011")
    readers: list[Callable[[], object]] = [
        lambda: discovery.choose(discovery.parse_probe_matches(answer), "scan01.corp.example.com", ["192.0.2.7"]),
        lambda: metadata.processing_address(metadata.parse_get_response(answer), "scan01.corp.example.com"),
        lambda: processing.CreatePostScanJob.parse_answer(answer),
        lambda: processing.GetPostScanJobElements.parse_answer(answer),
        lambda: processing.SendImage.check_answer(answer),
        lambda: eventing.Renew(eventing.Subscribe.parse_answer(answer, _NOW).manager, 60).render("", "urn:uuid:1"),
        lambda: eventing.Renew.parse_answer(answer, _NOW),
    ]
    for read in readers:
        try:
            read()
        except XmlError:
            continue


def _question(data: bytes) -> None:
    """What can be read of a request can be answered, in a message that a client reads."""
    try:
        question, manner = operations.read(parse_request(data))
    except RequestFault as refused:
        told = render_fault(refused.fault, "urn:uuid:2", refused.message_id)
        assert parse_answer(told, request_id=refused.message_id).fault is not None
        raise
    if isinstance(question, operations.ValidateScanTicket):
        image = ImageInfo(2480, 3508, 310)
        body = operations.validation(manner, front=image, back=image, valid=False, corrected=question.ticket)
    elif isinstance(question, operations.GetScannerElements):
        body = operations.scanner_elements(manner, question.names, lambda _: None)
    elif isinstance(question, operations.GetJobElements):
        body = operations.job_elements(manner, question.names, lambda _: None)
    else:
        body = operations.job_list(manner, question, [])
    answer = parse_answer(render_answer(manner.action, "urn:uuid:2", "", body), request_id="")
    assert answer.body is not None
    assert answer.action == manner.action


def _process(data: bytes) -> None:
    """What can be read can also be sent."""
    process = scan_process.parse(scan_process.read(data), identifier="0" * 8, name="fuzz")
    request = processing.CreatePostScanJob("S-1-5-21-1", process.identifier, process.instructions)
    request.render("https://scan01/", "urn:uuid:1")


def _url(data: bytes) -> None:
    """What is accepted goes to the host that it was accepted for: httpx must read the same in it as we do."""
    text = data.decode("utf-8", "replace")
    discovery.is_acceptable(text, "scan01.corp.example.com", ["192.0.2.7"])
    if discovery.is_https(text):
        try:
            url = httpx.URL(text)
            httpx.Request("POST", url)
        except (httpx.InvalidURL, UnicodeError):
            return  # as the transport expects them
        assert url.scheme == "https"
        assert discovery.url_host(f"https://{url.netloc.decode()}/") == discovery.url_host(text)


def _subscriber(data: bytes) -> None:
    """What a subscriber asks: whatever of it comes back in an event, the event is a message that can be read."""
    request = parse_request(data)
    for read in (event_source.check_get_status, event_source.check_unsubscribe):
        with contextlib.suppress(RequestFault):
            read(request)
    with contextlib.suppress(RequestFault):
        event_source.read_renew(request, _NOW)
    event_source.subscription_ids(request)
    wanted = event_source.read_subscribe(request, _NOW)
    assert wanted.expires_s is None or wanted.expires_s > 0
    for reference in filter(None, (wanted.notify_to, wanted.end_to)):
        for action in wanted.actions.values():
            body = event_source.SubscriptionEnd(event_source.DELIVERY_FAILURE, "x").render("http://a/", "1")
            message = render_one_way(reference.address, action, "urn:uuid:1", body, reference.blocks)
            read_back = etree.fromstring(message)
            assert len(read_back) == 2
            assert len(read_back[0]) == 2 + bool(reference.address) + len(reference.blocks)
            assert (read_back.findtext(f"{{*}}Header/{{{WSA}}}Action") or "").split() == [action]


_RUNNER = asyncio.Runner()
_OWN = [ipaddress.ip_interface(each) for each in ("127.0.0.1/8", "192.0.2.40/24", "2001:db8::40/64", "::1/128")]


def _sink_url(data: bytes) -> None:
    """Where a subscriber may have events sent: to itself and its neighbours, however it writes it."""

    async def resolve(_name: str) -> list[str]:
        return ["127.0.0.1", "192.0.2.9"]

    text = data.decode("utf-8", "replace")
    found = _RUNNER.run(SinkRule(lambda: _OWN, resolve).check(text, "192.0.2.9"))
    address = ipaddress.ip_address(found.address)
    assert not address.is_loopback
    assert any(address in each.network for each in _OWN)
    parts = urllib.parse.urlsplit(text)
    assert parts.hostname == found.host.strip("[]").lower()
    assert parts.scheme == found.scheme
    assert (parts.port or {"http": 80, "https": 443}[parts.scheme]) == found.port
    assert "@" not in parts.netloc


_INFO = DocumentInfo("Title", datetime(2026, 11, 20, tzinfo=UTC), "job")


def _page_file(data: bytes) -> None:
    """A damaged page of a job: a document is made of it in full, or the page is refused."""
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        page = DocumentPage(
            Path(file.name), "tiff-single-g4", len(data), 40, 50, 300, 300, ColorProcessing.BLACK_AND_WHITE_1, 0
        )
        refused = 0
        for name in ("tiff-multi-g4", "pdf-a", "xps"):
            try:
                (document,) = compose(name, [page, page], _INFO)
                with document.open() as reader:
                    assert len(reader.read()) == document.size_bytes
            except SpoolError:
                refused += 1
    if refused:
        raise SpoolError(f"{refused} formats refuse the page")


def _tiff(order: str) -> bytes:
    """A G4 page of 40 x 50 pixels in strips of 32 and 18 lines; what lies in them nobody decodes."""

    def pack(kinds: str, *values: int) -> bytes:
        return struct.pack(order + kinds, *values)

    entries = [
        *((tag, 4, 1, pack("I", value)) for tag, value in ((256, 40), (257, 50))),
        *((tag, 3, 1, pack("HH", value, 0)) for tag, value in ((258, 1), (259, 4), (262, 0))),
        (273, 4, 2, pack("I", 200)),
        (278, 3, 1, pack("HH", 32, 0)),
        (279, 3, 2, pack("HH", 9, 5)),
        (282, 5, 1, pack("I", 208)),
        (34675, 7, 9, pack("I", 216)),
    ]
    directory = b"".join(pack("HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    head = (b"II" if order == "<" else b"MM") + pack("HIH", 42, 8, len(entries))
    values = pack("II", 225, 234) + pack("II", 300, 1) + b"a profile"
    return (head + directory + bytes(4)).ljust(200, b"\0") + values + b"strip one" + b"strip"


def _samples(pattern: str) -> list[bytes]:
    """Ids are made the same, so that answers pass the check for being one."""
    ids = re.compile(rb"(RelatesTo>urn:uuid:00000000-0000-4000-8000-0000000000)..")
    return [ids.sub(rb"\g<1>11", path.read_bytes()) for path in sorted(SAMPLES.glob(pattern))]


_CERTIFICATE = base64.b64decode("""
MIICHzCCAcWgAwIBAgIUR8zu0mVKRyrZW3M7hqYjmBNpyAUwCgYIKoZIzj0EAwIwSzFJMEcGA1UEAwxAZHNtLWRldmljZSBzaW11
bGF0ZWQgYXV0aG9yaXR5IDZmYmI2NjdjMzQyMWYzYzI1OWM2ZWYwNDEzYTI2MDIzNzAeFw0yNjExMTkxMTAwNDRaFw0yNzExMjAx
MTAwNDRaMCIxIDAeBgNVBAMMF3NjYW4wMS5jb3JwLmV4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExnVTjgMg
8dzdNB8ZobWQXJnkA6UK1ND7uqsk2rji+0fvjKEho+dJBU7nTS99I5rSOSsRBiniie+xEyPpwc1mzqOBrzCBrDAdBgNVHQ4EFgQU
TmZo3DqpYx5Avryr+neKXutFzAIwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwHwYD
VR0jBBgwFoAUPQ1LVeWmXWOlGb7W31WcoNT9BLwwNwYDVR0RBDAwLoIXc2NhbjAxLmNvcnAuZXhhbXBsZS5jb22CDWIuZXhhbXBs
ZS5jb22HBMAAAgcwCgYIKoZIzj0EAwIDSAAwRQIgSQUwMjFRn9ruQIqfAOessG5JEXxqvkhjb162Kbbphv4CIQCgAyiXfCvdkX/i
wigII3dd6JYB3lPPZBVWjgUylKxLPg==
""")
_SETTINGS = b"""
[device]
name = "Front desk"
[scanner.options]
"read-limit" = true
[scan_server]
port = 5362
probe = ["https", "udp"]
connect_timeout = 1.5
[spool]
max_bytes = 4_000_000_000
"""

_JOB_RECORD = model.encode(
    model.Job(
        id="20261120-100000-0a1b2c",
        process_id="6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11",
        process_name="Invoices",
        repository="scan01.corp.example.com",
        user="amelie",
        user_sid="S-1-5-21-1-2-3-1107",
        instructions="<i/>",
        format="jfif",
        created=datetime(2026, 11, 20, tzinfo=UTC),
        pages=(model.SpooledPage(1, "page-00001.jpg", 4711, sent=True),),
    )
)
_JOB_LOG = b'{"job": %s}\n{"change": {"state": "created", "token": "t"}}\n' % _JOB_RECORD


def _signed(lines: bytes) -> bytes:
    """With the checksums that a log has."""
    return b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines.splitlines())


_REPORTS = [
    messages.encode(messages.PageStarted(1, Frame(ColorProcessing.RGB_24, 2480, 3508, 7440, 300, 300))),
    messages.encode(
        messages.PageAcquired(
            1, Path("page-00001.part"), 4711, 2480, 3508, 0, 0x1234, None, messages.PageTimes(1.0, 1.5, 1.75)
        )
    ),
    messages.encode(messages.Failed("ScannerJammed", "paper jam", "clear it")),
]

_DEVICE = announcing.Announced(
    "urn:uuid:6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7",
    1,
    scopes=("http://example.com/a/b", "uuid:6f1e7c1a-5d0f-5b7c"),
)
#: A Probe that uses everything there is in one.
_PROBE = (Path(__file__).parents[1] / "data" / "samples" / "dsd-dpws-probe.xml").read_bytes()
_SCOPED_PROBES = [
    _PROBE.replace(
        b"</wsd:Types>", b"</wsd:Types><wsd:Scopes MatchBy='%s'>%s</wsd:Scopes>" % (rule.encode(), scopes)
    )
    for rule in ("", announcing.RFC2396, announcing.STRCMP0, announcing.UUID)
    for scopes in (
        b"http://EXAMPLE.com/a",
        b"urn:uuid:6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7 ldap:///ou=x http://[::1]/",
    )
]


def _datagram(data: bytes) -> None:
    """Silence, or an answer that fits into a packet."""
    responder = Responder(lambda: _DEVICE, 0.0)
    question = responder.question(data, ip_address("192.0.2.9"), 5000, 0.0)
    if question is not None:
        url = "http://[2001:db8:1111:2222:3333:4444:5555:6666]:5357/6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7"
        sequence = announcing.AppSequence(2**32 - 1, 2**32 - 1)
        answer = announcing.render_matches(question, _DEVICE, url, "urn:uuid:" + 36 * "0", sequence)
        assert len(answer) <= 4_096


TARGETS: dict[str, Target] = {
    "answer": Target(_answer, (XmlError,), [*_samples("dsp-*.xml"), *_samples("wire-*.xml")]),
    "event": Target(
        eventing.parse_notification, (XmlError,), [*_samples("dsp-*-event.xml"), *_samples("wire-*-end.xml")]
    ),
    "request": Target(parse_request, (XmlError, RequestFault), _samples("dsd-*.xml")),
    "question": Target(_question, (XmlError, RequestFault), _samples("dsd-*-request.xml")),
    "datagram": Target(_datagram, (), [*_samples("dsd-dpws-*.xml"), *_SCOPED_PROBES]),
    "scan_process": Target(_process, (XmlError,), _samples("psp-*.xml")),
    "certificate": Target(certificate.read, (ValueError,), [_CERTIFICATE]),
    "repository": Target(
        lambda data: repository.parse_repository(data.decode("utf-8", "replace")),
        (XmlError,),
        [b"scan01.corp.example.com", b"[2001:db8::7]:5362", b"192.0.2.7:444", "scän.example".encode()],
    ),
    "url": Target(
        _url,
        (),
        [
            b"https://scan01.corp.example.com:5362/ScanServer",
            b"https://[2001:db8::7]:5362/x",
            b"https://user:password@192.0.2.7/a?b#c",
            b"https://xn--bcher-kva.example/",
        ],
    ),
    "subscriber": Target(_subscriber, (XmlError, RequestFault), _samples("dsd-wse-subscribe.xml")),
    "sink_url": Target(
        _sink_url,
        (NotAllowed,),
        [
            b"http://192.0.2.9:5357/7e0d1f7a-3c1b-4bd2-8a0a-1c52e1b9f6aa?a=b#c",
            b"https://[2001:db8::7]:5358/x",
            b"http://console.example.com/",
            b"http://[::ffff:192.0.2.9]/",
            b"HTTP://192.0.2.10",
        ],
    ),
    "settings": Target(
        lambda data: settings.parse(data.decode("utf-8", "replace"), "config.toml"),
        (ConfigurationError,),
        [_SETTINGS],
    ),
    "override": Target(
        lambda data: with_overrides(ScanTicket(), data.decode("utf-8", "replace").splitlines()),
        (UsageError,),
        [b"Format=png\nMediaFront/Resolution=300x300\nInputSize/InputMediaSize=8268x11693\nImagesToTransfer=2"],
    ),
    "job_record": Target(model.decode, (ValueError,), [_JOB_RECORD]),
    "job_log": Target(job_log.replay, (ValueError,), [_signed(_JOB_LOG)]),
    "job_log_lines": Target(lambda data: job_log.replay(_signed(data)), (ValueError,), [_JOB_LOG]),
    "page_file": Target(_page_file, (SpoolError,), [_tiff("<"), _tiff(">")]),
    "console_request": Target(door_targets.ask_console, (), door_targets.REQUEST_SEEDS),
    "http": Target(door_targets.speak_http, (), door_targets.HTTP_SEEDS),
    "acquisition_report": Target(messages.decode_report, (messages.ProtocolBreach,), _REPORTS),
}


# ------------------------------------------------------------------------------------------- mutations

_TAG = re.compile(rb"<[^<>]*>")
_WORDS: tuple[bytes, ...] = (
    b"", b" ", b"\r\n", b"\x00", b"\x80", b"\xc3", b"\xff\xfe", b"\xef\xbb\xbf", "\u202e\u0664".encode(),
    b"&amp;", b"&#0;", b"&x;", b"]]>", b"<![CDATA[", b"<!--", b"<?x y?>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b'xmlns=""', b'xmlns:dsp="urn:x"', b"dsp:", b":", b"https://", b"http://[", b"%", b"@", b"..",
    b"true", b"-1", b"0", b"4294967296", b"9" * 5000, b"1e999", b"NaN", b"'''", b'"', b"[[", b"=",
    b"\x30\x84\xff\xff\xff\xff", b"\xa3\x00",
)  # fmt: skip


Mutation = Callable[[random.Random, bytes, bytes], bytes]


def _span(rng: random.Random, data: bytes, longest: int = 200) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.randint(0, longest))


def _flip(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    changed = bytearray(data or b" ")
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _delete(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * rng.choice([1, 2, 50]) + data[end:]


def _truncate(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _insert(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, data, 20)
    return data[:start] + rng.choice(_WORDS) + data[rng.choice([start, end]) :]


def _tags(data: bytes) -> list[tuple[int, int]]:
    return [match.span() for match in _TAG.finditer(data)]


def _swap_tags(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    tags = _tags(data)
    if len(tags) < 2:
        return data
    (a, b), (c, d) = sorted(rng.sample(tags, 2))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _move_elements(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """From one tag to another: mostly well-formed pieces, put anywhere between tags."""
    theirs, ours = _tags(other), _tags(data)
    if not theirs or not ours:
        return data
    first, last = sorted((rng.randrange(len(theirs)), rng.randrange(len(theirs))))
    place = rng.choice(ours)[0]
    return data[:place] + other[theirs[first][0] : theirs[last][1]] + data[place:]


def _replace_text(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    """The text between two tags, or the value of an attribute, by a word."""
    values = [match.span(1) for match in re.finditer(rb'>([^<>]+)<|="([^"]*)"', data) if match.group(1)]
    if not values:
        return data
    start, end = rng.choice(values)
    return data[:start] + rng.choice(_WORDS) + data[end:]


def _nest(rng: random.Random, data: bytes, _other: bytes) -> bytes:
    tags = _tags(data)
    if not tags:
        return data * 2
    place, depth = rng.choice(tags)[0], rng.choice([10, 60, 300])
    return data[:place] + b"<n>" * depth + b"</n>" * depth + data[place:]


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _delete, _repeat, _truncate, _splice, _insert, _swap_tags, _move_elements, _replace_text, _nest,
)  # fmt: skip


def make_input(target: Target, name: str, seed: int, number: int) -> bytes:
    """The input of that number."""
    rng = random.Random(f"{name} {seed} {number}")
    data = rng.choice(target.seeds)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        data = rng.choice(MUTATIONS)(rng, data, rng.choice(target.seeds))
    return data


# ------------------------------------------------------------------------------------------------ runs


@dataclass(frozen=True)
class Finding:
    target: str
    number: int
    data: bytes
    problem: str


def try_input(target: Target, data: bytes) -> str:
    """What is wrong with how ``target`` takes ``data``; "" for nothing."""
    began = time.process_time()
    try:
        target.parse(data)
    except target.allowed as error:
        if "\n" in str(error):
            return f"an error of more than one line: {error}"
    except Exception:
        return "".join(traceback.format_exc(limit=-4))
    took_s = time.process_time() - began
    return f"took {took_s:.1f} s" if took_s > LIMIT_S else ""


def findings(name: str, *, runs: int, seed: int, first: int, at: Callable[[int], None]) -> Iterator[Finding]:
    """``at`` is told the number of each input before that is tried."""
    target = TARGETS[name]
    for number in range(first, first + runs):
        at(number)
        data = make_input(target, name, seed, number)
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        if problem := try_input(target, data):
            yield Finding(name, number, data, problem)
    faulthandler.cancel_dump_traceback_later()


class _MemoryMarks:
    """What this process has in memory at the beginning of each quarter of the inputs, and at the end."""

    def __init__(self, first: int, runs: int) -> None:
        self._numbers = {first + runs * quarter // 4 for quarter in range(4)}
        self._marks: list[float] = []

    def at(self, number: int) -> None:
        if number in self._numbers:
            self._marks.append(_rss_mib())

    def __str__(self) -> str:
        return ", ".join(f"{each:.1f}" for each in (*self._marks, _rss_mib())) + " MiB"


def _rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description="Throws broken input at every parser.")
    parser.add_argument("--runs", type=int, default=2000, help="inputs for each parser")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one")
    options = parser.parse_args()
    faulthandler.enable()
    failed = False
    for name in options.target or TARGETS:
        began, memory = time.monotonic(), _MemoryMarks(options.first, options.runs)
        found = findings(name, runs=options.runs, seed=options.seed, first=options.first, at=memory.at)
        for finding in islice(found, MAX_FINDINGS):
            failed = True
            print(f"{name} input {finding.number} of seed {options.seed}: {finding.problem}")
            print(f"  {len(finding.data):,} octets: {finding.data[:500]!r}")
        took = f"{time.monotonic() - began:.1f} s"
        print(f"{name}: {options.runs:,} inputs in {took}, memory {memory}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
