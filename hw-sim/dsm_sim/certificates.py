"""A certificate authority for a desk and for tests, and certificates good and bad.

EC P-256, SHA-256, except where weakness is the point. An authority lives in a folder and is used again until it
expires, so that a client needs to be told of it only once. Source: RFC 5280.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DAY: Final = datetime.timedelta(days=1)
_AUTHORITY_LIFE: Final = 3650 * _DAY
_LIFE: Final = 365 * _DAY
#: An authority or certificate that expires earlier than this is made anew.
_RENEWAL: Final = 30 * _DAY


@dataclass(frozen=True)
class Credentials:
    """Files in PEM: a certificate, its key, and the authority that signed it."""

    certificate: Path
    key: Path
    ca: Path


@dataclass(frozen=True)
class Authority:
    """A root that signs. Certificates are written into its folder."""

    folder: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, names: Sequence[str], addresses: Sequence[str] = ()) -> Credentials:
        """``server.pem`` for DNS names and IP addresses; an existing one that fits is used again."""
        present = self._credentials("server")
        if not self._fits(present, names, addresses):
            self.issue("server", names=names, addresses=addresses)
        return present

    def client(self, name: str) -> Credentials:
        """A client certificate whose common name is ``name``; the files are named after it."""
        return self.issue(f"client-{name}", common_name=name, usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def expired(self, names: Sequence[str]) -> Credentials:
        """A server certificate that ended yesterday."""
        return self.issue("expired", names=names, begin=_now() - 30 * _DAY, end=_now() - _DAY)

    def not_yet_valid(self, names: Sequence[str]) -> Credentials:
        """A server certificate that begins tomorrow."""
        return self.issue("not-yet-valid", names=names, begin=_now() + _DAY, end=_now() + _LIFE)

    def without_names(self, common_name: str) -> Credentials:
        """A server certificate with a common name only."""
        return self.issue("common-name-only", common_name=common_name)

    def issue(
        self,
        file_name: str,
        *,
        names: Sequence[str] = (),
        addresses: Sequence[str] = (),
        common_name: str = "",
        begin: datetime.datetime | None = None,
        end: datetime.datetime | None = None,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
        key: PrivateKey | None = None,
    ) -> Credentials:
        """Any certificate. Without names and addresses it has no subject alternative name; ``key`` None: EC."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = _builder(
            subject=_name(common_name or (names[0] if names else "simulated")),
            issuer=self.certificate.subject,
            key=key,
            begin=begin or _now() - _DAY,
            end=end or _now() + _LIFE,
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(_issuer_id(self.certificate), critical=False)
        if names or addresses:
            builder = builder.add_extension(_alternative_names(names, addresses), critical=False)
        credentials = self._credentials(file_name)
        _write(credentials.certificate, credentials.key, builder.sign(self.key, hashes.SHA256()), key)
        return credentials

    def weak(self, names: Sequence[str], addresses: Sequence[str] = ()) -> Credentials:
        """A server certificate with an RSA key of 1024 bits."""
        key = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - clients are to refuse it
        return self.issue("weak", names=names, addresses=addresses, key=key)

    def subordinate(self) -> Authority:
        """An authority below this one, in the folder ``intermediate``."""
        folder = self.folder / "intermediate"
        folder.mkdir(exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _authority_builder(issuer=self.certificate.subject, key=key, path_length=0)
        builder = builder.add_extension(_issuer_id(self.certificate), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        _write(folder / "ca.pem", folder / "ca.key", certificate, key)
        return Authority(folder, certificate, key)

    def _credentials(self, file_name: str) -> Credentials:
        return Credentials(self.folder / f"{file_name}.pem", self.folder / f"{file_name}.key", self.ca_file)

    def _fits(self, present: Credentials, names: Sequence[str], addresses: Sequence[str]) -> bool:
        loaded = _load(present.certificate, present.key)
        if loaded is None or loaded[0].issuer != self.certificate.subject:
            return False
        try:
            loaded[0].verify_directly_issued_by(self.certificate)
        except Exception:  # whatever is wrong with it, a new one is made
            return False
        found = loaded[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(found) == set(_alternative_names(names, addresses))


def open_authority(folder: Path) -> Authority:
    """The authority in ``folder``, made there if there is none or it is about to expire."""
    loaded = _load(folder / "ca.pem", folder / "ca.key")
    if loaded is None:
        return create_authority(folder)
    return Authority(folder, *loaded)


def create_authority(folder: Path) -> Authority:
    """A new authority in ``folder``, in the place of any other."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _authority_builder(issuer=None, key=key, path_length=1).sign(key, hashes.SHA256())
    _write(folder / "ca.pem", folder / "ca.key", certificate, key)
    return Authority(folder, certificate, key)


def self_signed(folder: Path, names: Sequence[str], addresses: Sequence[str], ca_file: Path) -> Credentials:
    """A server certificate that no authority knows; ``ca_file`` is what clients are told to trust all the same."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(names[0])
    builder = _builder(subject=name, issuer=name, key=key, begin=_now() - _DAY, end=_now() + _LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(_alternative_names(names, addresses), critical=False)
    certificate, key_file = folder / "self-signed.pem", folder / "self-signed.key"
    _write(certificate, key_file, builder.sign(key, hashes.SHA256()), key)
    return Credentials(certificate, key_file, ca_file)


# ----------------------------------------------------------------------------------------------- parts


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority_builder(
    *, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey, path_length: int
) -> x509.CertificateBuilder:
    """``issuer`` None: itself."""
    # The name is unique: clients that know several such authorities must not mix them up.
    name = _name(f"dsm-device simulated authority {x509.random_serial_number():x}"[:64])
    end = _now() + _AUTHORITY_LIFE
    builder = _builder(subject=name, issuer=issuer or name, key=key, begin=_now() - _DAY, end=end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_usage(signs_certificates=True), critical=True)


def _builder(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_id(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _alternative_names(names: Sequence[str], addresses: Sequence[str]) -> x509.SubjectAlternativeName:
    dns = [x509.DNSName(name) for name in names]
    return x509.SubjectAlternativeName([*dns, *(x509.IPAddress(ipaddress.ip_address(each)) for each in addresses)])


# ----------------------------------------------------------------------------------------------- files


def _write(certificate_file: Path, key_file: Path, certificate: x509.Certificate, key: PrivateKey) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file.unlink(missing_ok=True)
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private)
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _load(certificate_file: Path, key_file: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """Certificate and key that belong together and last for a while; None where there is no such pair."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return (certificate, key) if certificate.not_valid_after_utc > _now() + _RENEWAL else None
