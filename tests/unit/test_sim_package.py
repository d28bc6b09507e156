"""The packaging rules of SendImage at the simulated scan server: each deviation noted, the unreadable refused."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dsm_sim.peers.scan_server.media_type import read_media_type
from dsm_sim.peers.scan_server.package import PackageReceiver
from dsm_sim.peers.scan_server.refusals import HttpRefusal, SoapFault
from dsm_sim.peers.scan_server.rules import Notes

SAMPLE = (Path(__file__).parents[1] / "data" / "samples" / "wire-send-image.http").read_bytes()
HEAD, _, BODY = SAMPLE.partition(b"\r\n\r\n")
TYPE = next(line for line in HEAD.decode().split("\r\n") if line.startswith("Content-Type: ")).partition(": ")[2]
IMAGE = BODY[1401:1468]
ROOT_TYPE = b'application/xop+xml; charset=UTF-8; type="application/soap+xml"'


def receive(folder, body=BODY, content_type=TYPE, pieces=None, limit=32_767):
    """The package, its image and the names of the rules that it broke."""
    notes = Notes()
    receiver = PackageReceiver(read_media_type(content_type), folder, limit, notes)
    try:
        for piece in pieces or [body]:
            receiver.feed(piece)
        package = receiver.finish()
        package.check_acceptable()
        image = package.image_of(etree.fromstring(package.envelope).find(".//{*}SendImageRequest"), notes)
    except BaseException:
        receiver.abandon()
        receive.broken = {rule.name for rule, _ in notes.found}
        raise
    return package, image, {rule.name for rule, _ in notes.found}


def test_sample_package_keeps_every_rule(tmp_path):
    package, image, broken = receive(tmp_path)
    assert broken == set()
    assert package.envelope == BODY[182 : 182 + 1086]
    assert image.path.read_bytes() == IMAGE
    assert (image.octets, image.media_type) == (67, "image/png")
    assert image.sha256 == hashlib.sha256(IMAGE).hexdigest()
    package.discard()
    assert not list(tmp_path.iterdir())


@given(cuts=st.lists(st.integers(0, len(BODY)), max_size=8))
def test_package_is_the_same_however_it_is_split(tmp_path_factory, cuts):
    places = sorted({0, len(BODY), *cuts})
    pieces = [BODY[a:b] for a, b in itertools.pairwise(places)]
    package, image, broken = receive(tmp_path_factory.mktemp("split"), pieces=pieces)
    assert (package.envelope, image.path.read_bytes(), broken) == (BODY[182:1268], IMAGE, set())


@pytest.mark.parametrize(
    ("content_type", "rule"),
    [
        (TYPE.replace('type="application/xop+xml"; ', ""), "mime-parameters"),
        (TYPE.replace('type="application/xop+xml"', 'type="text/xml"'), "mime-parameters"),
        (TYPE.replace('; start-info="application/soap+xml"', ""), "mime-parameters"),
        (TYPE.replace('; start="<soap@mfp-3f.corp.example.com>"', ""), "mime-parameters"),
        (TYPE.replace('"b-4f1d6c0a9e7b42d8"', "b-4f1d6c0a9e7b42d8"), "mime-quoted"),
        (TYPE.replace('"<soap@mfp-3f.corp.example.com>"', "<soap@mfp-3f.corp.example.com>"), "mime-quoted"),
        (TYPE.replace("; boundary", " boundary"), "mime-syntax"),
        (TYPE + ";", "mime-syntax"),
        (TYPE.replace('"<soap@', '"< soap@'), None),
        (TYPE.replace("multipart/related", "Multipart/Related").replace("boundary=", "BOUNDARY="), None),
        (TYPE.replace("; ", ";").replace('type="', 'type = "'), None),
    ],
)
def test_every_form_of_the_content_type_is_read_and_judged(tmp_path, content_type, rule):
    _, image, broken = receive(tmp_path, content_type=content_type)
    assert image.path.read_bytes() == IMAGE
    assert broken == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (b'charset=UTF-8; type="application/soap+xml"', b"charset=UTF-8", "mime-root-type"),
        (b"; charset=UTF-8", b"", "mime-root-type"),
        (ROOT_TYPE, b"text/xml", "mime-root-type"),
        (b'charset=UTF-8; type="', b'charset=UTF-8 type="', "mime-syntax"),
        (b"Content-Type: image/png", b"Content-Type: application/octet-stream;", "mime-syntax"),
        (b"Content-ID: <image-1@", b"Content-ID: < image-1@", "mime-content-id"),
        (
            b"Content-ID: <image-1@mfp-3f.corp.example.com>",
            b"Content-ID: image-1@mfp-3f.corp.example.com",
            "mime-content-id",
        ),
        (b"Content-Type: application/xop+xml", b"content-TYPE:\r\n application/xop+xml", "mime-lines"),
        (b"\r\n\r\n<?xml", b"\n\n<?xml", "mime-lines"),
        (b"<dsp:ImageData><xop", b"<dsp:ImageData>\n  <xop", "xop-alone"),
        (b'corp.example.com"/></dsp', b'corp.example.com"/>\n </dsp', "xop-alone"),
        (b'href="cid:image-1@', b'x="1" href="cid:image-1@', "xop-alone"),
        (b'href="cid:image-1@', b'href="cid:image%2D1@', "mime-content-id"),
        (b'href="cid:image-1@', b'href=" cid:image-1@', "mime-content-id"),
        (b"--b-4f1d6c0a9e7b42d8--\r\n", b"--b-4f1d6c0a9e7b42d8--", "mime-frame"),
        (b"Content-Transfer-Encoding: binary", b"content-transfer-encoding:Binary", None),
        (b"application/xop+xml; charset=UTF-8", b"Application/XOP+XML;charset=utf-8", None),
    ],
)
def test_every_tolerated_form_of_a_part_is_read_and_judged(tmp_path, before, after, rule):
    assert before in BODY
    _, image, broken = receive(tmp_path, BODY.replace(before, after))
    assert image.path.read_bytes() == IMAGE
    assert broken == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (b"Content-Transfer-Encoding: binary\r\nContent-ID: <image", b"Content-ID: <image", "mime-binary"),
        (b"Content-Transfer-Encoding: binary\r\nContent-ID: <soap", b"Content-ID: <soap", "mime-binary"),
        (b"Encoding: binary\r\nContent-ID: <image", b"Encoding: base64\r\nContent-ID: <image", "mime-binary"),
        (b"cid:image-1@", b"cid:image-2@", "xop-include"),
        (b"cid:image-1@", b"http://image-1@", "xop-include"),
        (b"2004/08/xop/include", b"2003/12/xop/include", "xop-include"),
        (b"<soap@mfp-3f.corp.example.com>\r\n", b"<other@mfp>\r\n", "mime-parameters"),
    ],
)
def test_what_dpws_lets_a_receiver_refuse_is_refused_and_leaves_no_file(tmp_path, before, after, rule):
    assert before in BODY
    with pytest.raises((SoapFault, HttpRefusal)):
        receive(tmp_path, BODY.replace(before, after))
    assert rule in receive.broken
    assert not list(tmp_path.iterdir())


def test_root_that_is_not_first_is_refused(tmp_path):
    mark = b"--b-4f1d6c0a9e7b42d8"
    _, root, image, rest = BODY.split(mark)
    swapped = mark + image + mark + root + mark + rest
    with pytest.raises(SoapFault, match="not the first"):
        receive(tmp_path, swapped)
    assert receive.broken == {"mime-root-first"}


def test_third_part_is_read_over_as_a_violation(tmp_path):
    extra = b"\r\n--b-4f1d6c0a9e7b42d8\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <x@y>\r\n\r\nmore"
    package, image, broken = receive(tmp_path, BODY.replace(IMAGE, IMAGE + extra))
    assert image.path.read_bytes() == IMAGE
    assert broken == {"mime-parts"}
    package.discard()
    assert not list(tmp_path.iterdir())


def test_endless_parts_are_refused(tmp_path):
    part = b"--b-4f1d6c0a9e7b42d8\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n"
    with pytest.raises(HttpRefusal):
        receive(tmp_path, part * 100)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", [0, 21, 100, 1267, 1268, 1300, 1400, 1450, 1493 - 5])
def test_broken_off_package_is_refused_and_leaves_no_file(tmp_path, end):
    with pytest.raises(HttpRefusal):
        receive(tmp_path, BODY[:end])
    assert receive.broken == {"mime-truncated"}
    assert not list(tmp_path.iterdir())


def test_package_without_boundary_is_refused(tmp_path):
    with pytest.raises(HttpRefusal):
        PackageReceiver(read_media_type('multipart/related; start="<a>"'), tmp_path, 1000, Notes())


def test_two_parts_with_one_content_id_are_noted(tmp_path):
    same = b"Content-Transfer-Encoding: binary\r\nContent-ID: <image-1@mfp-3f.corp.example.com>\r\n\r\nx"
    extra = b"\r\n--b-4f1d6c0a9e7b42d8\r\n" + same
    _, image, broken = receive(tmp_path, BODY.replace(IMAGE, IMAGE + extra))
    assert image.path.read_bytes() == IMAGE
    assert broken == {"mime-parts", "mime-content-id"}


@given(st.text(max_size=200))
def test_any_media_type_is_read_without_an_error(value):
    read = read_media_type(value)
    assert read.name == read.name.strip().lower()
    assert read.quoted <= set(read.parameters)


def test_microsofts_published_content_type_is_read():
    """The example of SendImage: folded (joined by the HTTP layer), root parameters without separators."""
    read = read_media_type(
        'multipart/related;  type="application/xop+xml";  boundary=4aa7d814-adc1;  '
        'start="<0@body>"; start-info="application/soap+xml" '
    )
    assert read.parameter("start") == "<0@body>"
    assert (read.quoted, read.oddity) == ({"type", "start", "start-info"}, "")
    root = read_media_type("application/xop+xml; type=application/soap+xml\r\n charset=UTF-8")
    assert root.parameters == {"type": "application/soap+xml", "charset": "UTF-8"}
    assert root.oddity
