"""HTTPS beside HTTP, with and without certificates of clients."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from dsm_device.errors import ConfigurationError
from dsm_device.server.door_ports import DoorPorts, PortOptions
from dsm_device.server.front_door import DoorOptions
from dsm_device.server.http_server import HttpOptions
from dsm_device.server.places import PlaceLimits
from dsm_sim.certificates import Authority, Credentials, create_authority
from tests.integration.door.knocking import ask, connected, open_door, request, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def credentials(authority: Authority) -> Credentials:
    return authority.server(["localhost"], ["127.0.0.1"])


def options(credentials: Credentials, **more: object) -> HttpOptions:
    return HttpOptions(certificate=str(credentials.certificate), key=str(credentials.key), **more)  # type: ignore[arg-type]


def trusting(authority: Authority, own: Credentials | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context


async def test_both_ports_answer_and_each_says_what_it_is(authority: Authority, credentials: Credentials) -> None:
    async with open_door(options(credentials)) as door:
        assert 0 != door.ports.https_port != door.ports.http_port
        assert (await ask(door.ports.http_port, request())).status == 200
        assert (await ask(door.ports.https_port, request(), tls=trusting(authority))).status == 200
    assert [asked[2] for asked in door.service.asked] == ["http://printer:5357", "https://printer:5357"]


async def test_without_a_certificate_there_is_no_second_port() -> None:
    async with open_door() as door:
        assert door.ports.https_port == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_from_1_2_on(version: ssl.TLSVersion, authority: Authority, credentials: Credentials) -> None:
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    async with open_door(options(credentials)) as door, connected(door.ports.https_port, tls=context) as client:
        for _ in range(2):
            await client.send(request(b"x" * 32_767))
            assert (await client.answer()).status == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_no_older_tls(authority: Authority, credentials: Credentials) -> None:
    context = trusting(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with open_door(options(credentials)) as door:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(door.ports.https_port, request(), tls=context)
        await until(lambda: door.ports.connections == 0)


async def test_plain_http_at_the_https_port_gets_nothing(credentials: Credentials) -> None:
    async with open_door(options(credentials)) as door, connected(door.ports.https_port) as client:
        await client.send(request())
        assert b"HTTP" not in await client.rest()
        assert door.service.asked == []


async def test_a_handshake_that_does_not_come_has_its_time_and_its_place(credentials: Credentials) -> None:
    few = options(credentials, head_s=0.3, places=PlaceLimits(total=2, per_host=2))
    async with open_door(few) as door, connected(door.ports.https_port) as one:
        async with connected(door.ports.https_port) as two, connected(door.ports.https_port) as three:
            await two.send(b"\x16\x03\x01")
            assert await three.rest() == b""  # no words before a handshake
            began = time.monotonic()
            assert await one.rest() == await two.rest() == b""
            assert time.monotonic() - began < 2
        await until(lambda: door.ports.connections == 0)


async def test_a_client_shows_a_certificate_where_one_is_asked_for(
    authority: Authority, credentials: Credentials, tmp_path: Path
) -> None:
    asking = options(credentials, client_ca=str(authority.ca_file))
    known, stranger = authority.client("console"), create_authority(tmp_path).client("console")
    async with open_door(asking, DoorOptions(needs_certificate=True)) as door:
        path = door.sink.open(lambda _: None)
        port = door.ports.https_port
        assert (await ask(port, request(), tls=trusting(authority, known))).status == 200
        for octets in (request(), request(b"", "/", "GET"), request(path="/x"), request(path="/", method="PUT")):
            assert (await ask(port, octets, tls=trusting(authority))).status == 403
            assert (await ask(door.ports.http_port, octets)).status == 403
        assert (await ask(port, request(path=path), tls=trusting(authority))).status == 202
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await ask(port, request(), tls=trusting(authority, stranger))
        assert (await ask(port, request(), tls=trusting(authority, known))).status == 200
    assert len(door.service.asked) == 2


async def test_a_certificate_that_nobody_asked_for_is_no_matter(
    authority: Authority, credentials: Credentials
) -> None:
    async with open_door(options(credentials)) as door:
        context = trusting(authority, authority.client("console"))
        assert (await ask(door.ports.https_port, request(), tls=context)).status == 200


def _encrypted(folder: Path, key: Path) -> Path:
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    written = folder / "encrypted.pem"
    written.write_bytes(
        loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    )
    return written


@pytest.mark.parametrize("wrong", ["missing", "garbage", "other-key", "encrypted-key", "missing-ca", "garbage-ca"])
async def test_certificates_that_cannot_be_used(
    wrong: str, authority: Authority, credentials: Credentials, tmp_path: Path
) -> None:
    garbage, missing = tmp_path / "garbage.pem", tmp_path / "missing.pem"
    garbage.write_text("nothing")
    certificate, key, ca = credentials.certificate, credentials.key, authority.ca_file
    if wrong in ("missing", "garbage"):
        certificate = {"missing": missing, "garbage": garbage}[wrong]
    elif wrong.endswith("-key"):
        key = _encrypted(tmp_path, key) if wrong == "encrypted-key" else authority.client("other").key
    else:
        ca = {"missing-ca": missing, "garbage-ca": garbage}[wrong]
    http = HttpOptions(certificate=str(certificate), key=str(key), client_ca=str(ca))
    async with open_door() as door:
        ports = DoorPorts(door.ports.application, PortOptions("127.0.0.1", 0, 0, http))
        with pytest.raises(ConfigurationError) as caught:
            await asyncio.wait_for(ports.start(), 10)
        assert ports.http_port == 0  # neither port stays open
    assert "\n" not in str(caught.value)
    assert str(ca if wrong.endswith("-ca") else certificate) in str(caught.value)


async def test_a_client_that_breaks_off_a_handshake_leaves_nothing(
    authority: Authority, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    distrusting = ssl.create_default_context()
    async with open_door(options(credentials)) as door:
        for octets in (b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 300):
            async with connected(door.ports.https_port) as client:
                with contextlib.suppress(ConnectionError):
                    await client.send(octets)
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(door.ports.https_port, request(), tls=distrusting)
        await until(lambda: door.ports.connections == 0)
        assert (await ask(door.ports.https_port, request(), tls=trusting(authority))).status == 200
    assert not [each for each in caplog.records if each.levelname in ("WARNING", "ERROR")]
