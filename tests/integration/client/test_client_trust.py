"""Whom the client believes: nothing is sent to a server whose certificate does not pass, and it is said why."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from dsm_device.client import ScanServer, ServerOptions, TimeLimits, TlsOptions, client_context
from dsm_device.client.tls import is_clock_behind
from dsm_device.errors import ClockNotSet, ConfigurationError, ServerError, ServerNotTrusted, ServerUnreachable
from dsm_sim.certificates import Authority, Credentials, create_authority
from tests.integration.client.raw_server import Connection, answer_all, server_context, serving

pytestmark = pytest.mark.anyio

LIMITS = TimeLimits(connect_s=3, probe_s=3, answer_s=3, datagram_s=0.05)
TODAY = datetime.now(UTC)


async def failure(port: int, context: ssl.SSLContext, name: str = "localhost") -> ServerError:
    async with ScanServer(f"{name}:{port}", ServerOptions(limits=LIMITS), context) as client:
        with pytest.raises(ServerError) as caught:
            await client.locate()
    assert "\n" not in str(caught.value)
    return caught.value


BAD: dict[str, tuple[Callable[[Authority], Credentials], str, str]] = {
    "expired": (
        lambda authority: authority.expired(["localhost"]),
        f"has expired on {TODAY - timedelta(days=1):%Y-%m-%d}",
        f"this device's clock says {TODAY:%Y-%m-%d}",
    ),
    "not yet valid": (
        lambda authority: authority.not_yet_valid(["localhost"]),
        f"is not valid before {TODAY + timedelta(days=1):%Y-%m-%d}",
        f"this device's clock says {TODAY:%Y-%m-%d}",
    ),
    "wrong name": (
        lambda authority: authority.issue("other", names=["scan01.example.com", "b.example.com"]),
        "is for scan01.example.com, b.example.com",
        "make ScanRepository of the scan process and the certificate's DNS names agree",
    ),
    "common name only": (
        lambda authority: authority.without_names("localhost"),
        "has only the common name 'localhost' and no DNS subject alternative name",
        "DNS subject alternative name localhost",
    ),
    "an address only": (
        lambda authority: authority.issue("address", common_name="localhost", addresses=["127.0.0.1"]),
        "has only the common name 'localhost'",
        "DNS subject alternative name localhost",
    ),
    "made for a client": (
        lambda authority: authority.issue("purpose", names=["localhost"], usage=ExtendedKeyUsageOID.CLIENT_AUTH),
        "is not made for a server",
        "server authentication",
    ),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_certificate_is_refused_with_its_reason(
    kind: str, tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    make, problem, remedy = BAD[kind]
    issuer = Authority(tmp_path, authority.certificate, authority.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    credentials = make(issuer)
    context.load_cert_chain(credentials.certificate, credentials.key)
    async with serving(answer_all, context) as server:
        error = await failure(server.port, trusting)
    assert isinstance(error, ServerNotTrusted)
    assert problem in error.message
    assert remedy in error.remedy
    assert not error.temporary
    assert server.requests == []


@pytest.mark.parametrize(
    ("today", "not_before", "behind"),
    [
        ("1970-01-01", "", True),
        ("2025-12-31", "2026-01-02", True),
        ("2026-06-01", "", False),
        ("2026-06-01", "2026-06-02", False),
        ("2026-06-01", "2027-06-01", False),
        ("2026-06-01", "2027-06-03", True),
    ],
)
def test_the_clock_is_behind(today: str, not_before: str, behind: bool) -> None:
    def day(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert is_clock_behind(day(today), day(not_before) if not_before else None) is behind


async def test_a_certificate_that_begins_in_years_tells_of_our_clock(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    """A clock that was saved when the device was switched off two years ago."""
    issuer = Authority(tmp_path, authority.certificate, authority.key)
    begin, end = TODAY + timedelta(days=730), TODAY + timedelta(days=1000)
    credentials = issuer.issue("late", names=["localhost"], begin=begin, end=end)
    async with serving(answer_all, server_context(credentials)) as server:
        error = await failure(server.port, trusting)
    assert isinstance(error, ClockNotSet)
    assert f"this device's clock is wrong, it says {TODAY:%Y-%m-%d}" in error.message
    assert error.temporary
    assert server.requests == []


async def test_an_unknown_authority_is_named(tmp_path: Path, trusting: ssl.SSLContext) -> None:
    other = create_authority(tmp_path)
    async with serving(answer_all, server_context(other.server(["localhost"]))) as server:
        error = await failure(server.port, trusting)
    assert isinstance(error, ServerNotTrusted)
    assert (
        f"issuer '{other.certificate.subject.rdns[0].rfc4514_string()[3:]}' that is not trusted" in error.message
    )
    assert "scan_server.ca_file" in error.remedy
    assert server.requests == []


async def test_the_systems_store_is_asked_where_no_file_is_named(trusted: ssl.SSLContext) -> None:
    async with serving(answer_all, trusted) as server:
        error = await failure(server.port, client_context(TlsOptions()))
    assert isinstance(error, ServerNotTrusted)
    assert "not trusted" in error.message


async def test_the_name_is_the_one_of_the_scan_process_whatever_the_url_says(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    """The server sends the client to its IP address; the certificate has no name but the repository's."""

    async def elsewhere(connection: Connection) -> None:
        while True:
            request = await connection.request()
            answer = answer_for_address(request.message_id, request.path)
            await connection.send(answer)

    def answer_for_address(message_id: str, path: str) -> bytes:
        from tests.integration.client import raw_server as raw

        name = "wire-get-response.xml" if path == "/elsewhere" else "wire-probe-matches.xml"
        text = (raw.SAMPLES / name).read_text()
        text = text.replace("scan01.corp.example.com:5362/ScanServer", f"127.0.0.1:{server.port}/elsewhere")
        text = text.replace("urn:uuid:00000000-0000-4000-8000-000000000011", message_id)
        text = text.replace("urn:uuid:00000000-0000-4000-8000-000000000013", message_id)
        return raw.http(text.encode())

    credentials = Authority(tmp_path, authority.certificate, authority.key).issue("name", names=["localhost"])
    async with serving(elsewhere, server_context(credentials)) as server:
        async with ScanServer(f"localhost:{server.port}", ServerOptions(limits=LIMITS), trusting) as client:
            address = await client.locate()
        assert address.startswith(f"https://127.0.0.1:{server.port}/elsewhere/")
        error = await failure(server.port, trusting, "127.0.0.1")
    assert isinstance(error, ServerNotTrusted)


async def test_an_address_as_repository_needs_a_certificate_for_it(
    tmp_path: Path, authority: Authority, trusting: ssl.SSLContext
) -> None:
    issuer = Authority(tmp_path, authority.certificate, authority.key)
    credentials = issuer.issue("address", addresses=["127.0.0.1"])
    async with serving(answer_all, server_context(credentials)) as server:
        options = ServerOptions(limits=LIMITS, probe=())
        async with ScanServer(f"127.0.0.1:{server.port}", options, trusting) as client:
            assert await client.locate()


# ------------------------------------------------------------------------------- no TLS, or an old one


async def test_a_server_that_speaks_plain_http_is_told_from_one_that_is_not_there(
    trusting: ssl.SSLContext,
) -> None:
    async def plain(connection: Connection) -> None:
        await connection.reader.read(1)
        await connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with serving(plain, None) as server:
        error = await failure(server.port, trusting)
    assert isinstance(error, ServerNotTrusted)
    assert "does not speak TLS" in error.message
    assert "port" in error.remedy


async def test_a_server_that_is_silent_in_the_handshake_is_given_up(trusting: ssl.SSLContext) -> None:
    async def silent(connection: Connection) -> None:
        await connection.reader.read()

    async with serving(silent, None) as server:
        options = ServerOptions(limits=TimeLimits(connect_s=0.3))
        async with ScanServer(f"localhost:{server.port}", options, trusting) as client:
            with pytest.raises(ServerUnreachable, match="does not answer to TLS in time"):
                await client.locate()
    assert server.connections == 1


async def test_tls_1_1_is_too_old(authority: Authority, trusting: ssl.SSLContext) -> None:
    context = server_context(authority.server(["localhost"]))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with threaded(context) as port:
        error = await failure(port, trusting)
    assert isinstance(error, ServerNotTrusted)
    assert "speaks no TLS 1.2" in error.message


# --------------------------------------------------------------------------------- client certificates


@contextmanager
def threaded(context: ssl.SSLContext) -> Iterator[int]:
    """A server by blocking sockets: asyncio's own swallows the alert that tells why a handshake failed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).recv(1)
                except OSError:
                    continue

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shows", ["none", "one of another authority"])
async def test_a_refused_client_certificate_is_recognised(
    version: ssl.TLSVersion, shows: str, tmp_path: Path, authority: Authority
) -> None:
    own = create_authority(tmp_path).client("device") if shows != "none" else None
    context = client_context(
        TlsOptions(str(authority.ca_file), str(own.certificate), str(own.key))
        if own
        else TlsOptions(str(authority.ca_file))
    )
    strict = server_context(authority.server(["localhost"]), clients=authority)
    strict.maximum_version = version
    with threaded(strict) as port:
        error = await failure(port, context)
    assert isinstance(error, ServerNotTrusted)
    assert "for want of a client certificate" in error.message
    assert "scan_server.client_cert" in error.remedy


async def test_a_server_that_hangs_up_without_a_word_may_be_wanting_a_certificate(
    authority: Authority, trusting: ssl.SSLContext
) -> None:
    strict = server_context(authority.server(["localhost"]), clients=authority)
    async with serving(answer_all, strict) as server:
        error = await failure(server.port, trusting)
    assert not isinstance(error, ServerNotTrusted)
    assert "scan_server.client_cert" in error.remedy


def client_files(folder: Path, authority: Authority) -> dict[str, TlsOptions]:
    """The same client certificate in every form that is taken."""
    issued = Authority(folder, authority.certificate, authority.key).client("device")
    both = folder / "both.pem"
    both.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
    bundle = folder / "client.p12"
    bundle.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"device",
            serialization.load_pem_private_key(issued.key.read_bytes(), None),  # type: ignore[arg-type]  # EC
            x509.load_pem_x509_certificate(issued.certificate.read_bytes()),
            [authority.certificate],
            serialization.NoEncryption(),
        )
    )
    ca = str(authority.ca_file)
    return {
        "PEM": TlsOptions(ca, str(both)),
        "PEM and key": TlsOptions(ca, str(issued.certificate), str(issued.key)),
        "PKCS#12": TlsOptions(ca, str(bundle)),
    }


@pytest.mark.parametrize("form", ["PEM", "PEM and key", "PKCS#12"])
async def test_a_client_certificate_is_shown_in_every_form(
    form: str, tmp_path: Path, authority: Authority
) -> None:
    strict = server_context(authority.server(["localhost"]), clients=authority)
    async with serving(answer_all, strict) as server:
        context = client_context(client_files(tmp_path, authority)[form])
        async with ScanServer(f"localhost:{server.port}", ServerOptions(limits=LIMITS), context) as client:
            assert await client.locate()


async def test_a_client_certificate_is_not_shown_to_a_server_that_is_not_trusted(
    tmp_path: Path, authority: Authority
) -> None:
    seen: list[object] = []
    other = create_authority(tmp_path / "other")
    curious = server_context(other.server(["localhost"]))
    curious.verify_mode = ssl.CERT_OPTIONAL
    curious.load_verify_locations(authority.ca_file)

    async def look(connection: Connection) -> None:
        seen.append(connection.writer.get_extra_info("peercert"))
        await asyncio.wait_for(connection.reader.read(1), 5)

    async with serving(look, curious) as server:
        error = await failure(server.port, client_context(client_files(tmp_path, authority)["PEM"]))
    assert isinstance(error, ServerNotTrusted)
    assert not any(seen)


def encrypted_key(folder: Path, authority: Authority) -> TlsOptions:
    issued = Authority(folder, authority.certificate, authority.key).client("locked")
    issued.key.write_bytes(
        serialization.load_pem_private_key(issued.key.read_bytes(), None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return TlsOptions("", str(issued.certificate), str(issued.key))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder, authority: TlsOptions(ca_file=str(folder / "no")), "ca_file .*: No such file"),
        (lambda folder, authority: TlsOptions(ca_file=str(folder)), "ca_file .* cannot be used"),
        (lambda folder, authority: TlsOptions(ca_file="/dev/null"), "ca_file /dev/null cannot be used"),
        (lambda folder, authority: TlsOptions(client_cert=str(folder / "no")), "client_cert .*: No such file"),
        (lambda folder, authority: TlsOptions(client_cert="/dev/null"), "client_cert /dev/null cannot be used"),
        (lambda folder, authority: TlsOptions(client_cert=str(authority.ca_file)), "client_cert .* cannot be"),
        (lambda folder, authority: TlsOptions(client_key="x"), "client_key is set without"),
        (encrypted_key, "client_cert .* cannot be used"),
    ],
)
def test_unusable_files_are_the_configurations_fault(
    make: Callable[[Path, Authority], TlsOptions], message: str, tmp_path: Path, authority: Authority
) -> None:
    with pytest.raises(ConfigurationError, match=f"scan_server.{message}") as caught:
        client_context(make(tmp_path, authority))
    assert "\n" not in str(caught.value)


def test_pkcs12_without_its_package_is_explained(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.serialization", None)
    with pytest.raises(ConfigurationError, match="PKCS#12 needs the package cryptography"):
        client_context(TlsOptions(client_cert=str(_a_bundle(tmp_path))))


def _a_bundle(folder: Path) -> Path:
    path = folder / "client.p12"
    path.write_bytes(b"0\x82")
    return path
