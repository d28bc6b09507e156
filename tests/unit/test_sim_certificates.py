"""The simulated authority: used again while it lasts, and its bad certificates are bad in just the said way."""

from __future__ import annotations

import contextlib
import datetime
import ssl
import stat

import pytest
from cryptography import x509

from dsm_sim.certificates import create_authority, open_authority


def handshake(credentials, name="localhost", ca=None, client=None):
    """A TLS handshake in memory; raises what the client's check raises."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(credentials.certificate, credentials.key)
    checker = ssl.create_default_context(cafile=ca or credentials.ca)
    # What Python 3.13 checks by default.
    checker.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    checker.hostname_checks_common_name = False
    if client:
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(credentials.ca)
        checker.load_cert_chain(client.certificate, client.key)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        checker.wrap_bio(back, there, server_hostname=name),
        server.wrap_bio(there, back, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[1].getpeercert()


def test_server_certificate_passes_a_strict_check_for_its_names(tmp_path):
    credentials = create_authority(tmp_path).server(["localhost", "scan01.corp.example.com"], ["127.0.0.1", "::1"])
    for name in ("localhost", "scan01.corp.example.com", "127.0.0.1", "::1"):
        handshake(credentials, name)
    assert stat.S_IMODE(credentials.key.stat().st_mode) == 0o600


def reason(credentials, name="localhost", ca=None):
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(credentials, name, ca)
    return caught.value.verify_message


def test_bad_certificates_are_bad_in_just_the_said_way(tmp_path):
    authority = create_authority(tmp_path)
    names = ["localhost"]
    assert "expired" in reason(authority.expired(names))
    assert "not yet valid" in reason(authority.not_yet_valid(names))
    assert "mismatch" in reason(authority.server(["other.example"]))
    assert "mismatch" in reason(authority.without_names("localhost"))
    stranger = create_authority(tmp_path / "stranger")
    assert "unable to get local issuer" in reason(stranger.server(names), ca=authority.ca_file)


def test_client_certificate_is_for_clients_only(tmp_path):
    authority = create_authority(tmp_path)
    client = authority.client("amelie")
    peer = handshake(authority.server(["localhost"]), client=client)
    assert (("commonName", "amelie"),) in peer["subject"]
    assert "unsuitable certificate purpose" in reason(client)


def test_authority_and_server_certificate_are_used_again(tmp_path):
    first = open_authority(tmp_path).server(["localhost"], ["127.0.0.1"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    second = open_authority(tmp_path).server(["localhost"], ["127.0.0.1"])
    assert second == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_server_certificate_is_made_anew_for_other_names_by_the_same_authority(tmp_path):
    first = open_authority(tmp_path).server(["localhost"])
    ca, server = first.ca.read_bytes(), first.certificate.read_bytes()
    second = open_authority(tmp_path).server(["other.example"])
    assert (second.ca.read_bytes() == ca, second.certificate.read_bytes() == server) == (True, False)
    handshake(second, "other.example")


@pytest.mark.parametrize("damage", ["ca.pem", "ca.key", "server.pem", "server.key"])
def test_damaged_file_is_replaced(tmp_path, damage):
    open_authority(tmp_path).server(["localhost"])
    (tmp_path / damage).write_text("damaged")
    handshake(open_authority(tmp_path).server(["localhost"]))


def test_server_certificate_of_a_former_authority_is_replaced(tmp_path):
    open_authority(tmp_path).server(["localhost"])
    create_authority(tmp_path)
    handshake(open_authority(tmp_path).server(["localhost"]))


def test_server_certificate_that_is_about_to_expire_is_replaced(tmp_path):
    authority = open_authority(tmp_path)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)
    old = authority.issue("server", names=["localhost"], end=soon).certificate.read_bytes()
    made = authority.server(["localhost"])
    assert made.certificate.read_bytes() != old
    lasting = x509.load_pem_x509_certificate(made.certificate.read_bytes()).not_valid_after_utc
    assert lasting > soon + datetime.timedelta(days=300)
