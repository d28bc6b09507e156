"""What a server shows when its TLS is in order, and in each way in which it can be out of order.

Each kind is wrong in one respect only, so that a client that overlooks just that is found out. Source: RFC 5280
(path validation), RFC 9525 (names), RFC 8996 (old TLS versions).
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, get_args

from cryptography.x509.oid import ExtendedKeyUsageOID

from dsm_sim.certificates import Authority, Credentials, create_authority, open_authority, self_signed

#: ``intermediate`` is in order as well: a chain of two that is sent whole.
CertificateKind = Literal[
    "good",
    "intermediate",
    "expired",
    "not-yet-valid",
    "wrong-name",
    "no-names",
    "wrong-usage",
    "unknown-authority",
    "self-signed",
    "missing-intermediate",
    "weak-key",
    "old-tls",
]
CERTIFICATE_KINDS: Final[tuple[CertificateKind, ...]] = get_args(CertificateKind)
#: OpenSSL refuses weak keys and old versions even to a server that wants them, unless told so.
_PERMISSIVE: Final = "DEFAULT:@SECLEVEL=0"


@dataclass(frozen=True)
class _Subject:
    """Who asks for a certificate: its authority, names and addresses."""

    authority: Authority
    names: Sequence[str]
    addresses: Sequence[str]


def certificate_of_kind(
    kind: CertificateKind, folder: Path, names: Sequence[str], addresses: Sequence[str]
) -> Credentials:
    """Made by the authority in ``folder``, which is what clients are to trust whatever the kind."""
    authority = open_authority(folder)
    subject = _Subject(authority, names, addresses)
    return replace(_MAKERS[kind](subject), ca=authority.ca_file)


def server_context(credentials: Credentials, kind: CertificateKind, *, has_tls_1_3: bool = True) -> ssl.SSLContext:
    """The server's side of TLS: version 1.2 or later, unless the kind says otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not has_tls_1_3:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if kind in {"weak-key", "old-tls"}:
        context.set_ciphers(_PERMISSIVE)
    if kind == "old-tls":
        with warnings.catch_warnings():  # Python warns of what is the very point here
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.load_cert_chain(credentials.certificate, credentials.key)
    return context


def _good(subject: _Subject) -> Credentials:
    return subject.authority.server(subject.names, subject.addresses)


def _expired(subject: _Subject) -> Credentials:
    return subject.authority.expired(subject.names)


def _not_yet_valid(subject: _Subject) -> Credentials:
    return subject.authority.not_yet_valid(subject.names)


def _wrong_name(subject: _Subject) -> Credentials:
    return subject.authority.issue("wrong-name", names=["other.sim.example"])


def _no_names(subject: _Subject) -> Credentials:
    return subject.authority.without_names(subject.names[0])


def _wrong_usage(subject: _Subject) -> Credentials:
    usage = ExtendedKeyUsageOID.CLIENT_AUTH
    return subject.authority.issue("wrong-usage", names=subject.names, addresses=subject.addresses, usage=usage)


def _unknown_authority(subject: _Subject) -> Credentials:
    stranger = create_authority(subject.authority.folder / "stranger")
    return stranger.server(subject.names, subject.addresses)


def _self_signed(subject: _Subject) -> Credentials:
    authority = subject.authority
    return self_signed(authority.folder, subject.names, subject.addresses, authority.ca_file)


def _intermediate(subject: _Subject) -> Credentials:
    between = subject.authority.subordinate()
    credentials = between.server(subject.names, subject.addresses)
    chain = credentials.certificate.with_name("chain.pem")
    chain.write_bytes(credentials.certificate.read_bytes() + between.ca_file.read_bytes())
    return replace(credentials, certificate=chain)


def _missing_intermediate(subject: _Subject) -> Credentials:
    return subject.authority.subordinate().server(subject.names, subject.addresses)


def _weak(subject: _Subject) -> Credentials:
    return subject.authority.weak(subject.names, subject.addresses)


_MAKERS: Final[Mapping[CertificateKind, Callable[[_Subject], Credentials]]] = {
    "good": _good,
    "intermediate": _intermediate,
    "expired": _expired,
    "not-yet-valid": _not_yet_valid,
    "wrong-name": _wrong_name,
    "no-names": _no_names,
    "wrong-usage": _wrong_usage,
    "unknown-authority": _unknown_authority,
    "self-signed": _self_signed,
    "missing-intermediate": _missing_intermediate,
    "weak-key": _weak,
    "old-tls": _good,
}
