"""The scan server's page for a browser, over a raw socket: what it shows, and what it refuses to do."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import signal
import socket
import struct
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lxml import etree
from lxml import html as lxml_html
from PIL import Image

from dsm_sim.peers.scan_server import ScanServerOptions, running_scan_server
from dsm_sim.peers.scan_server.filters import Targets
from tests.documents import PdfPage, pdf_a, xps, xps_parts

HOSTILE = "<script>alert(1)</script>\"'&\u202e@evil.example"
SID = "S-1-5-21-1085031214-1563985344-725345543-1107"


@pytest.fixture
def shown(start_server, connect):
    """A device at a server that has a page."""

    def start(**options):
        return connect(start_server(web_port=0, **options))

    return start


class Reply:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else 0
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}

    @property
    def tree(self):
        return lxml_html.document_fromstring(self.body)

    @property
    def picture(self):
        picture = Image.open(io.BytesIO(self.body))
        picture.load()
        return picture


def ask_raw(server, data):
    """Everything that comes back until the server closes."""
    url = urlsplit(server.web_address)
    with socket.create_connection((url.hostname, url.port), timeout=20) as wire:
        wire.sendall(data)
        wire.shutdown(socket.SHUT_WR)
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := wire.recv(65_536):
                parts.append(part)
    return Reply(b"".join(parts))


def ask(server, path="/", method="GET", host="localhost", **headers):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ask_raw(server, "\r\n".join([*lines, "", ""]).encode("latin-1"))


def image(kind, size=(400, 600), mode="RGB", color="white", **options):
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, kind, **options)
    return buffer.getvalue()


def delivered(device, *images, instructions=None):
    token = device.new_job(instructions)
    for number, (data, image_format) in enumerate(images, 1):
        assert device.send(token, number, data, image_format).status == 200
    assert device.end(token).status == 200
    device.server.report()  # waits for the filters
    return token


JPEG = (image("JPEG", dpi=(300, 300)), "jfif")

# ---------------------------------------------------------------------------------------------- pages


def test_jobs_are_listed_newest_first(shown, png):
    device = shown(users={SID: "amelie@corp.example.com"})
    first = delivered(device, JPEG)
    second = delivered(device, (png, "png"), JPEG)
    open_one = device.new_job()
    reply = ask(device.server)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.body.startswith(b"<!DOCTYPE html>")
    rows = reply.tree.xpath("//section[@id='jobs']//tbody/tr")
    assert [row.xpath("string(.//a/@href)") for row in rows] == [
        f"/jobs/{token}" for token in (open_one, second, first)
    ]
    texts = [[" ".join(cell.text_content().split()) for cell in row] for row in rows]
    assert [text[0] for text in texts] == ["Creating", "Completed", "Completed"]
    assert [text[2:4] for text in texts] == [["amelie@corp.example.com", number] for number in ("0", "2", "1")]
    assert device.server.address in reply.tree.xpath("string(//header)")


def test_job_has_its_images_filters_and_violations(shown, instructions):
    device = shown()
    token = device.new_job(instructions(r"\\files\finance"))
    device.send(token, 1, *JPEG)
    device.send(token, 7, *JPEG)  # out of order
    device.end(token)
    (job,) = device.server.report().jobs
    tree = ask(device.server, f"/jobs/{token}").tree
    figures = tree.xpath("//figure")
    assert len(figures) == 2
    text = " ".join(figures[0].text_content().split())
    for fact in ("jfif", "400 × 600 px", "300 dpi", job.documents[0].sha256):
        assert fact in text
    places = tree.xpath("//section[@id='filters']//li/bdi/text()")
    assert places == [str(path) for path in job.files]
    (row,) = tree.xpath("//section[@id='violations']//tbody/tr")
    (violation,) = device.server.report().violations
    for part in (violation.rule, violation.text, violation.detail, violation.source):
        assert part in row.text_content()


def test_failed_filter_shows_its_reason_and_why(shown, tmp_path):
    device = shown(targets=Targets(shares={r"\\files\scans": tmp_path / "gone<b>"}))
    token = delivered(device, JPEG)
    assert "UnknownError" in ask(device.server).tree.xpath("string(//section[@id='jobs'])")
    filters = ask(device.server, f"/jobs/{token}").tree.xpath("string(//section[@id='filters'])")
    assert "UnknownError" in filters
    assert "gone<b>" in filters


def test_strangers_words_are_text_everywhere(shown, instructions):
    device = shown(users={SID: HOSTILE})
    token = delivered(device, JPEG, instructions=instructions(name="&lt;img src=x onerror=alert(2)&gt;"))
    device.post("/<script>alert(3)</script>", device.operation("<b>x", ""))
    for path in ("/", f"/jobs/{token}"):
        reply = ask(device.server, path)
        assert [each.get("src") for each in reply.tree.iter("script")] == ["/refresh.js"]
        assert not reply.tree.xpath("//*[@onerror] | //b[starts-with(., 'x')] | //a[not(starts-with(@href, '/'))]")
        assert HOSTILE in reply.tree.text_content()


def test_page_needs_nothing_from_elsewhere_and_no_script(shown):
    device = shown()
    tree = ask(device.server, f"/jobs/{delivered(device, JPEG)}").tree
    wanted = set(tree.xpath("//@src | //link/@href | //a/@href"))
    assert all(address.startswith("/") and not address.startswith("//") for address in wanted)
    assert {ask(device.server, address).status for address in wanted} == {200}
    assert tree.xpath("//noscript/meta/@http-equiv") == ["refresh"]
    assert not tree.xpath("//@style | //style | //script[not(@src)]")
    assert b"http" not in ask(device.server, "/style.css").body + ask(device.server, "/refresh.js").body


# --------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize(
    ("data", "image_format"),
    [
        JPEG,
        (image("PNG"), "png"),
        (image("PNG", mode="I;16", color=65_535), "png"),
        (image("PNG", mode="LA", color=(0, 0)), "png"),
        (image("TIFF", mode="1", compression="group4"), "tiff-single-g4"),
        (image("TIFF", mode="L"), "tiff-single-uncompressed"),
        (image("BMP"), "dib"),
    ],
    ids=["jpeg", "png", "png-16", "png-alpha", "g4", "tiff", "bmp"],
)
def test_thumbnails_and_whole_pictures_can_be_seen(shown, data, image_format):
    device = shown()
    base = f"/jobs/{delivered(device, (data, image_format))}/1"
    thumbnail = ask(device.server, f"{base}/1/thumbnail")
    assert (thumbnail.status, thumbnail.picture.size) == (200, (320, 480))
    assert min(thumbnail.picture.convert("L").getextrema()) > 250  # white stays white
    picture = ask(device.server, f"{base}/1/picture")
    assert picture.headers["content-type"] in {"image/jpeg", "image/png"}
    assert picture.picture.size == (400, 600)
    original = ask(device.server, f"{base}/original")
    assert original.body == data
    assert original.headers["content-disposition"].startswith("attachment;")


def test_sixteen_bits_of_gray_keep_their_brightness(shown):
    data = image("PNG", mode="I;16", color=0x8000)
    device = shown()
    thumbnail = ask(device.server, f"/jobs/{delivered(device, (data, 'png'))}/1/1/thumbnail").picture
    assert all(abs(value - 128) < 4 for value in thumbnail.convert("L").getextrema())


def test_every_page_of_a_file_is_shown(shown):
    pages = [Image.new("1", (100 + 20 * number, 200), 1) for number in range(3)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", compression="group4", save_all=True, append_images=pages[1:])
    device = shown()
    token = delivered(device, (buffer.getvalue(), "tiff-multi-g4"))
    sources = ask(device.server, f"/jobs/{token}").tree.xpath("//figure//img/@src")
    assert [ask(device.server, source).picture.width for source in sources] == [100, 120, 140]
    assert ask(device.server, f"/jobs/{token}/1/4/thumbnail").status == 404
    assert ask(device.server, f"/jobs/{token}/1/0/thumbnail").status == 404


def bomb(side_px):
    """A PNG of a few kB with more pixels than anybody may decode."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 999))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "image_format", "word"),
    [
        (b"<svg onload=alert(1)>", "evil:format", "evil:format"),
        (bomb(100_000), "png", "png"),
        (bomb(9_000), "png", "png"),
        (JPEG[0][:-900] + bytes(700) + b"\xff\xd9", "jfif", None),
    ],
    ids=["vendor", "bomb", "broken-png", "broken-jpeg"],
)
def test_what_cannot_be_shown_is_a_tile_and_harms_nobody(shown, data, image_format, word):
    device = shown()
    token = delivered(device, (data, image_format), JPEG)
    reply = ask(device.server, f"/jobs/{token}/1/1/thumbnail")
    assert reply.status == 200
    if word:
        assert reply.headers["content-type"] == "image/svg+xml"
        assert etree.fromstring(reply.body).xpath("string()") == word
    assert ask(device.server, f"/jobs/{token}/2/1/thumbnail").picture.size == (320, 480)
    assert ask(device.server, f"/jobs/{token}").status == 200


@pytest.mark.parametrize("image_format", ["pdf-a", "xps"])
def test_each_page_of_a_document_is_shown_with_its_size(shown, image_format):
    pages = [Image.new("RGB", (400, 600), "red"), Image.new("RGB", (300, 200), "blue")]
    data = pdf_a([PdfPage([page]) for page in pages]) if image_format == "pdf-a" else xps(xps_parts(pages))
    device = shown()
    token = delivered(device, (data, image_format))
    figures = ask(device.server, f"/jobs/{token}").tree.xpath("//figure")
    texts = [" ".join(figure.text_content().split()) for figure in figures]
    assert ["400 × 600 px, 100 dpi" in texts[0], "300 × 200 px, 100 dpi" in texts[1]] == [True, True]
    red, blue = (ask(device.server, f"/jobs/{token}/1/{page}/thumbnail").picture for page in (1, 2))
    assert (red.size, blue.size) == ((320, 480), (300, 200))
    assert red.getpixel((9, 9))[0] > 240
    assert blue.getpixel((9, 9))[2] > 240


def test_page_survives_the_death_of_the_process_that_makes_pictures(shown):
    device = shown()
    token = delivered(device, JPEG, (image("PNG"), "png"))
    assert ask(device.server, f"/jobs/{token}/1/1/thumbnail").picture
    tasks = Path("/proc/self/task").glob("*/children")
    children = [int(pid) for path in tasks for pid in path.read_text().split()]
    (worker,) = [pid for pid in children if b"picture_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(worker, signal.SIGKILL)
    assert ask(device.server, f"/jobs/{token}/2/1/thumbnail").picture


def test_images_are_there_while_the_server_runs_and_gone_afterwards(connect, tmp_path):
    with running_scan_server(ScanServerOptions(out=tmp_path / "o", web_port=0)) as server:
        token = delivered(connect(server), JPEG)
        assert ask(server, f"/jobs/{token}/1/original").body == JPEG[0]
    assert not (tmp_path / "o" / "incoming").exists()


def test_image_of_a_cancelled_job_is_gone_and_says_so(shown):
    device = shown()
    token = device.new_job()
    device.send(token, 1, *JPEG)
    device.cancel(token)
    reply = ask(device.server, f"/jobs/{token}/1/1/thumbnail")
    assert (reply.status, etree.fromstring(reply.body).xpath("string()")) == (410, "removed")
    assert ask(device.server, f"/jobs/{token}").status == 200


def test_picture_that_is_known_is_not_sent_again(shown):
    device = shown()
    path = f"/jobs/{delivered(device, JPEG)}/1/1/thumbnail"
    tag = ask(device.server, path).headers["etag"]
    again = ask(device.server, path, If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")
    assert ask(device.server, path, If_None_Match='"other"').status == 200


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/style.css/",
        "/../style.css",
        "/service.py",
        "/jobs/",
        "/jobs/00000000-0000-4000-8000-000000000000",
        "/jobs/{token}/",
        "/jobs/{token}/2/1/thumbnail",
        "/jobs/{token}/1/1/../../../../tls/ca.pem",
        "/jobs/{token}/1/1/%2e%2e%2foriginal",
        "/jobs/{token}/../../../../../../etc/passwd",
        "/jobs/{token}/99999999999999999999/1/thumbnail",
        "/jobs/{token}/1/1/evil",
        "//etc/passwd",
        "/jobs/{token}%00",
    ],
)
def test_nothing_else_is_there(shown, path):
    device = shown()
    token = delivered(device, JPEG)
    assert ask(device.server, path.format(token=token)).status == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80", "[", "a@b"]
)
def test_other_names_are_not_served(shown, host):
    assert ask(shown().server, host=host).status in {400, 421}


@pytest.mark.parametrize("host", ["localhost:1234", "LOCALHOST", "127.0.0.1:80", "[::1]:80", "192.0.2.7"])
def test_own_names_and_bare_addresses_are_served(shown, host):
    assert ask(shown().server, host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"])
def test_page_is_for_reading_only(shown, method):
    reply = ask(shown().server, method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


def test_body_is_not_taken(shown):
    server = shown().server
    reply = ask_raw(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde")
    assert reply.status == 413


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"x" * 20_000, b"GET /\r\n\r\n", b"", b"GET / HT"],
)
def test_what_is_no_request_ends_the_connection_only(shown, data):
    server = shown().server
    assert ask_raw(server, data).status in {0, 400, 431}
    assert ask(server).status == 200


def test_head_has_the_headers_and_no_body(shown):
    device = shown()
    path = f"/jobs/{delivered(device, JPEG)}/1/original"
    reply = ask(device.server, path, method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) == len(JPEG[0])


def test_every_answer_forbids_what_the_page_does_not_need(shown):
    device = shown()
    token = delivered(device, JPEG)
    for path in ("/", f"/jobs/{token}", f"/jobs/{token}/1/1/picture", "/missing", "/icon.svg"):
        headers = ask(device.server, path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert ("unsafe" in headers["content-security-policy"]) == headers["content-type"].startswith("image/")
        assert "script-src 'unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_connection_is_kept(shown):
    url = urlsplit(shown().server.web_address)
    browser = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    browser.connect()
    wire = browser.sock
    for method, path in (("GET", "/"), ("HEAD", "/style.css"), ("GET", "/missing"), ("GET", "/"), ("POST", "/")):
        browser.request(method, path)
        browser.getresponse().read()
        assert browser.sock is wire
    browser.close()


def test_idle_browsers_do_not_keep_the_device_waiting(shown):
    """As many connections as there may be, and more, all of them silent."""
    device = shown()
    url = urlsplit(device.server.web_address)
    with contextlib.ExitStack() as open_ones:
        silent = [
            open_ones.enter_context(socket.create_connection((url.hostname, url.port), timeout=20))
            for _ in range(80)
        ]
        assert silent[-1].recv(1) == b""
        assert delivered(device, JPEG)


def test_without_being_asked_for_there_is_no_page(start_server, connect, png):
    device = connect(start_server())
    assert device.server.web_address == ""
    token = delivered(device, (png, "png"))
    assert not (device.server.output / "incoming" / token).exists()


def test_page_is_on_loopback(shown):
    server = shown().server
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.web_address)
    assert urlsplit(server.web_address).port != server.port
