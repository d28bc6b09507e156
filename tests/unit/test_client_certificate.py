"""What is said of a certificate, compared with what a full X.509 library says of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from dsm_device.client import certificate
from dsm_sim.certificates import create_authority

KEY = ec.generate_private_key(ec.SECP256R1())
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "C", "Z"]), min_size=1, max_size=16)
DNS_NAMES = st.lists(st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z]{1,5}){0,3}", fullmatch=True), max_size=4, unique=True)
#: UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5).
TIMES = st.datetimes(datetime(1951, 1, 1), datetime(2200, 1, 1)).map(lambda time: time.replace(microsecond=0))  # noqa: DTZ001


def signed(subject: x509.Name, issuer: x509.Name, names: list[str], begin: datetime, end: datetime) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if names:
        kinds = [*map(x509.DNSName, names), x509.RFC822Name("a@example.com")]
        builder = builder.add_extension(x509.SubjectAlternativeName(kinds), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def common_name(text: str, kind: _ASN1Type | None = None) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, kind)])


@settings(max_examples=60)
@given(subject=NAMES, issuer=NAMES, names=DNS_NAMES, times=st.tuples(TIMES, TIMES))
def test_names_and_times_are_read(
    subject: str, issuer: str, names: list[str], times: tuple[datetime, datetime]
) -> None:
    begin, end = sorted(times)
    der = signed(common_name(subject), common_name(issuer), names, begin, end)
    read = certificate.read(der)
    assert (read.subject, read.issuer, read.dns_names) == (subject, issuer, tuple(names))
    assert (read.not_before, read.not_after) == (begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC))


def test_windows_wide_strings_are_read() -> None:
    der = signed(common_name("Größe", _ASN1Type.BMPString), common_name("i"), [], *_any_times())
    assert certificate.read(der).subject == "Größe"


def test_without_a_common_name_the_organisation_stands_in() -> None:
    organisation = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Corp")])
    read = certificate.read(signed(organisation, x509.Name([]), [], *_any_times()))
    assert (read.subject, read.issuer) == ("Example Corp", "")


def _any_times() -> tuple[datetime, datetime]:
    return datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"-----BEGIN", bytes(99)]
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        certificate.read(data)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    pem = create_authority(tmp_path).server(["localhost"], ["127.0.0.1"]).certificate.read_bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    assert certificate.read(der).dns_names == ("localhost",)
    for length in range(len(der)):
        with pytest.raises(ValueError, match=r".+"):
            certificate.read(der[:length])
