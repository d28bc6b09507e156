"""The simulated scan server's MIME reader: any split, any payload, every tolerated form, every refusal."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_sim.peers.scan_server.multipart import (
    MimeError,
    MultipartReader,
    Oddity,
    PartData,
    PartEnd,
    PartHead,
)

BOUNDARY = "b-4f1d"
PACKAGE = (
    b"--b-4f1d\r\nContent-Type: a/b\r\nContent-ID: <r>\r\n\r\n<root/>"
    b"\r\n--b-4f1d\r\nContent-ID: <i>\r\n\r\n\x89PNG\r\n\r\n--b-4f1\r\n--b-4f1dx\r\n--\r\n"
    b"\r\n--b-4f1d--\r\n"
)
IMAGE = b"\x89PNG\r\n\r\n--b-4f1\r\n--b-4f1dx\r\n--\r\n"


def read(*pieces, boundary=BOUNDARY):
    """Parts as (headers, content), and the oddities."""
    reader, parts, open_parts = MultipartReader(boundary), [], 0
    for piece in pieces:
        for event in reader.feed(piece):
            match event:
                case PartHead(headers):
                    assert open_parts == 0
                    open_parts = 1
                    parts.append([headers, b""])
                case PartData(data):
                    assert open_parts == 1
                    assert data
                    parts[-1][1] += data
                case PartEnd():
                    open_parts -= 1
    reader.finish()
    assert open_parts == 0
    return parts, reader.oddities


def test_parts_are_read_with_octets_that_look_like_boundaries():
    parts, oddities = read(PACKAGE)
    assert parts == [[{"content-type": "a/b", "content-id": "<r>"}, b"<root/>"], [{"content-id": "<i>"}, IMAGE]]
    assert oddities == set()


@pytest.mark.parametrize("at", range(len(PACKAGE) + 1))
def test_any_split_in_two_reads_the_same(at):
    assert read(PACKAGE[:at], PACKAGE[at:]) == read(PACKAGE)


def test_single_octets_read_the_same():
    assert read(*(PACKAGE[at : at + 1] for at in range(len(PACKAGE)))) == read(PACKAGE)


#: Octets of which a payload makes near misses of a boundary.
NEAR = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"--b-4f1d", b"b-4f1d", b"\r\n--", b" ", b"\t", b"x", b"\0"])
).map(b"".join)


def holds_delimiter(payload):
    """Whether a payload contains what lawfully ends a part."""
    lines = (b"\n" + payload + b"\r\n").split(b"\n")[1:]
    marks = [line for number, line in enumerate(lines) if number and line.startswith(b"--b-4f1d")]
    return any(line[8:].startswith(b"--") or not line[8:].strip(b" \t\r") for line in marks)


@given(payload=NEAR | st.binary(max_size=300), cuts=st.lists(st.integers(0, 600), max_size=12))
def test_every_payload_survives_every_split(payload, cuts):
    if holds_delimiter(payload):
        return
    data = b"--b-4f1d\r\n\r\n" + payload + b"\r\n--b-4f1d--\r\n"
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts, oddities = read(*(data[a:b] for a, b in itertools.pairwise(places)))
    assert parts == [[{}, payload]]
    assert oddities == set()


@given(data=NEAR | st.binary(max_size=500), cuts=st.lists(st.integers(0, 500), max_size=6))
def test_anything_is_read_or_refused_the_same_however_it_is_split(data, cuts):
    def outcome(pieces):
        try:
            return read(*pieces)
        except MimeError as error:
            return str(error)

    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    assert outcome([data]) == outcome([data[a:b] for a, b in itertools.pairwise(places)])


def test_memory_is_bounded_by_the_boundary_not_by_the_part():
    reader = MultipartReader(BOUNDARY)
    list(reader.feed(b"--b-4f1d\r\n\r\n"))
    for _ in range(100):
        passed = sum(len(event.data) for event in reader.feed(b"\n--b-4f1" * 1000))
        assert passed > 7900
    assert len(reader._buffer) <= len("\r\n--b-4f1d")


@pytest.mark.parametrize(
    ("package", "oddity"),
    [
        (PACKAGE.replace(b"\r\n--b-4f1d\r\n", b"\r\n--b-4f1d \t\r\n"), Oddity.PADDING),
        (b"preamble\r\n" + PACKAGE, Oddity.PREAMBLE),
        (b"\r\n" + PACKAGE, Oddity.PREAMBLE),
        (PACKAGE + b"epilogue", Oddity.EPILOGUE),
        (PACKAGE + b"\r\n", Oddity.EPILOGUE),
        (PACKAGE[:-2], Oddity.NO_LAST_CRLF),
        (PACKAGE[:-2] + b"\n", Oddity.BARE_LF),
        (PACKAGE.replace(b"Content-Type: a/b\r\n", b"Content-Type:\r\n\ta/b\r\n"), Oddity.FOLDED),
        (PACKAGE.replace(b"<root/>\r\n", b"<root/>\n"), Oddity.BARE_LF),
        (PACKAGE.replace(b"a/b\r\n", b"a/b\n"), Oddity.BARE_LF),
        (PACKAGE.replace(b"--b-4f1d\r\n", b"--b-4f1d\n"), Oddity.BARE_LF),
    ],
)
def test_tolerated_forms_read_the_same_and_are_remembered(package, oddity):
    parts, oddities = read(package)
    assert parts == read(PACKAGE)[0]
    assert oddities == {oddity}


def test_lines_that_all_end_in_lf_are_read():
    package = b"--b-4f1d\nContent-ID: <r>\n\n<root/>\n--b-4f1d\nContent-ID: <i>\n\nimage\n--b-4f1d--\n"
    parts, oddities = read(package)
    assert [content for _, content in parts] == [b"<root/>", b"image"]
    assert oddities == {Oddity.BARE_LF}


@pytest.mark.parametrize("end", range(len(PACKAGE) - 4))
def test_package_that_breaks_off_anywhere_is_refused(end):
    with pytest.raises(MimeError, match="before its last boundary"):
        read(PACKAGE[:end])


@pytest.mark.parametrize(
    "package",
    [b"--b-4f1d\r\nno header\r\n\r\nx\r\n--b-4f1d--\r\n", b"--b-4f1d\r\nX: " + b"x" * 20_000],
)
def test_unreadable_or_endless_part_headers_are_refused(package):
    with pytest.raises(MimeError, match="header"):
        read(package)


def test_part_without_headers_and_empty_part():
    parts, _ = read(b"--b\r\n\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", boundary="b")
    assert parts == [[{}, b""], [{}, b"x"]]
