"""The SharePoint filter against WsgiDAV: collections, free names, refusals, a server that goes away."""

from __future__ import annotations

import socket
import tracemalloc

import pytest

from dsm_sim.peers.scan_server.filters import WebDav

SITE = "https://portal.example/finance/Shared%20Documents/"


def answering(status, methods=("PUT",)):
    """A layer in front of WsgiDAV that refuses some methods without reading their bodies."""

    def wrap(app):
        def layer(environ, start_response):
            if environ["REQUEST_METHOD"] in methods:
                start_response(status, [("Content-Length", "0")])
                return []
            return app(environ, start_response)

        return layer

    return wrap


def stored(tmp_path):
    root = tmp_path / "site"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_documents_arrive_in_collections_that_were_missing(dav_server, make_batch, outcome, tmp_path):
    base = dav_server()
    batch = make_batch("Größe & mehr", webdav=WebDav(base))
    places, reason, _ = outcome("sharepoint", batch, SITE, own=True)
    assert reason == ""
    folder = "portal.example/finance/Shared Documents/amelie@corp.example.com"
    own = "my.sim.example/personal/amelie@corp.example.com/amelie@corp.example.com"
    data = [document.path.read_bytes() for document in batch.documents]
    assert stored(tmp_path) == {
        f"{place}/Größe & mehr-20260302-091407-{name}": content
        for place in (folder, own)
        for name, content in zip(("001.jpg", "002.pdf"), data, strict=True)
    }
    assert places[0] == (
        f"{base}/portal.example/finance/Shared%20Documents/amelie@corp.example.com/"
        "Gr%C3%B6%C3%9Fe%20%26%20mehr-20260302-091407-001.jpg"
    )
    assert len(places) == 4
    assert not (batch.out / "sharepoint").exists()


def test_what_is_there_is_never_replaced(dav_server, make_batch, outcome, tmp_path):
    batch = make_batch(webdav=WebDav(dav_server()), images=[("jfif", b"first")])
    outcome("sharepoint", batch, SITE)
    batch.documents[0].path.write_bytes(b"second")
    places, reason, _ = outcome("sharepoint", batch, SITE)
    assert (reason, places[0].rpartition("/")[2]) == ("", "Scan-20260302-091407-001-2.jpg")
    assert sorted(stored(tmp_path).values()) == [b"first", b"second"]


@pytest.mark.parametrize(
    "site",
    ["https://a/../../../etc", "https://a/%2e%2e/%2E%2E%2Fx", r"\\..\..\x", "https://a/b?c=../../d#../e", ""],
)
def test_no_site_leaves_its_base(dav_server, make_batch, outcome, tmp_path, site):
    (tmp_path / "site" / "base").mkdir(parents=True)
    batch = make_batch("../../evil\r\nX: y", user="../../user", webdav=WebDav(f"{dav_server()}/base"))
    assert outcome("sharepoint", batch, site)[1] == ""
    assert len(stored(tmp_path)) == 2
    assert all(name.startswith("base/") and ".." not in name.split("/") for name in stored(tmp_path))


def test_user_and_password_are_used_and_not_told(dav_server, make_batch, outcome):
    base = dav_server({"scan": {"password": "s3cret/"}})
    url = base.replace("http://", "http://scan:s3cret%2F@")
    places, reason, _ = outcome("sharepoint", make_batch(webdav=WebDav(url)), SITE)
    assert (reason, len(places)) == ("", 2)
    assert all(place.startswith(f"{base}/portal.example/") for place in places)


@pytest.mark.parametrize("secret", ["", "scan:wrong-one@"])
def test_no_or_wrong_password_is_access_denied(dav_server, make_batch, outcome, secret):
    base = dav_server({"scan": {"password": "s3cret"}}).replace("http://", f"http://{secret}")
    places, reason, detail = outcome("sharepoint", make_batch(webdav=WebDav(base)), SITE)
    assert (places, reason) == ([], "SharePointAccessDenied")
    assert detail.endswith("HTTP 401")
    assert "wrong-one" not in detail


def test_read_only_site_is_access_denied(dav_server, make_batch, outcome, tmp_path):
    batch = make_batch(webdav=WebDav(dav_server(readonly=True)))
    assert outcome("sharepoint", batch, SITE)[:2] == ([], "SharePointAccessDenied")
    assert stored(tmp_path) == {}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("507 Insufficient Storage", "SharePointOutOfDiskSpace"),
        ("403 Forbidden", "SharePointAccessDenied"),
        ("500 Oops", "UnknownError"),
        ("302 Found", "UnknownError"),
        ("423 Locked", "UnknownError"),
        ("412 Precondition Failed", "UnknownError"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "MKCOL"])
def test_each_refusal_has_its_reason(dav_server, make_batch, outcome, status, reason, method):
    base = dav_server(wrap=answering(status, {method}))
    places, told, detail = outcome("sharepoint", make_batch(webdav=WebDav(base)), SITE)
    assert (places, told) == ([], reason)
    assert detail.startswith(method)
    assert detail.endswith(f"HTTP {status[:3]}")


def test_refusal_before_the_body_was_read_is_understood(dav_server, make_batch, outcome):
    base = dav_server(wrap=answering("507 Insufficient Storage"))
    batch = make_batch(webdav=WebDav(base), images=[("jfif", b"x" * 20_000_000)])
    assert outcome("sharepoint", batch, SITE)[:2] == ([], "SharePointOutOfDiskSpace")


def test_missing_base_is_not_made(dav_server, make_batch, outcome, tmp_path):
    batch = make_batch(webdav=WebDav(f"{dav_server()}/no/such/base"))
    assert outcome("sharepoint", batch, SITE)[:2] == ([], "UnknownError")
    assert list((tmp_path / "site").iterdir()) == []


def test_other_sites_get_theirs_when_one_refuses(dav_server, make_batch, outcome):
    def wrap(app):
        refusing = answering("403 Forbidden")(app)
        return lambda environ, start: (refusing if "bad.example" in environ["PATH_INFO"] else app)(environ, start)

    batch = make_batch(webdav=WebDav(dav_server(wrap=wrap)))
    places, reason, detail = outcome("sharepoint", batch, "https://bad.example/x", "https://good.example/x")
    assert reason == "SharePointAccessDenied"
    assert "bad.example" in detail
    assert len(places) == 2
    assert all("good.example" in place for place in places)


def test_server_that_goes_away_in_the_document_is_a_failure(dav_server, make_batch, outcome):
    def wrap(app):
        def layer(environ, start_response):
            if environ["REQUEST_METHOD"] != "PUT":
                return app(environ, start_response)
            environ["wsgi.input"].read(10_000)
            environ["wsgi.input"].raw.raw._sock.shutdown(socket.SHUT_RDWR)
            return []

        return layer

    batch = make_batch(webdav=WebDav(dav_server(wrap=wrap)), images=[("jfif", b"x" * 5_000_000)])
    assert outcome("sharepoint", batch, SITE)[:2] == ([], "UnknownError")


def test_server_that_never_answers_is_given_up(make_batch, outcome):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        batch = make_batch(webdav=WebDav(url, timeout_s=0.3))
        assert outcome("sharepoint", batch, SITE)[:2] == ([], "UnknownError")


def test_nobody_there_is_unknown_error_with_the_address(make_batch, outcome):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        places, reason, detail = outcome("sharepoint", make_batch(webdav=WebDav(url)), SITE)
    assert (places, reason) == ([], "UnknownError")
    assert url in detail


def test_memory_does_not_depend_on_the_images(dav_server, make_batch, outcome, tmp_path):
    image = b"\0" * 24_000_000
    batch = make_batch(webdav=WebDav(dav_server()), images=[("jfif", image)])
    del image
    outcome("sharepoint", make_batch(webdav=batch.targets.webdav, images=[("png", b"1")]), "https://a/warm")
    batch.documents[0].path.write_bytes(bytes(24_000_000))
    tracemalloc.start()
    try:
        assert outcome("sharepoint", batch, SITE)[1] == ""
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
    assert max(path.stat().st_size for path in (tmp_path / "site").rglob("*.jpg")) == 24_000_000
