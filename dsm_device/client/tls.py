"""TLS with the scan server: who is believed, who we are, and what to say when it fails.

Source: WS-DSP and the scan process pages, trust; RFC 5280; RFC 6125 for names.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from dsm_device.client import certificate
from dsm_device.client.certificate import Certificate
from dsm_device.errors import ClockNotSet, ConfigurationError, ServerNotTrusted

#: OpenSSL's verification results (x509_vfy.h) that have a remedy of their own.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_UNKNOWN_ISSUER: Final = frozenset({2, 18, 19, 20, 21})
_WRONG_PURPOSE: Final = 26
_WRONG_NAME: Final = frozenset({62, 64})

#: Alerts by which a server says that it wants a client certificate, or another one.
_ABOUT_OUR_CERTIFICATE: Final = (
    "CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_UNKNOWN_CA",
    "ALERT_ACCESS_DENIED",
    "ALERT_DECRYPT_ERROR",
    # Up to TLS 1.2 a server that got no certificate may only say that the handshake failed.
    "ALERT_HANDSHAKE_FAILURE",
)


#: This program is younger than any clock that says less: boards without a battery start in 1970.
_OLDEST_TRUE_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)
#: Nobody installs a certificate so long before it begins: a clock that was saved at the last shutdown is behind.
_LONGEST_IN_ADVANCE: Final = timedelta(days=366)

#: The server answered a handshake a moment ago.
_FETCH_WITHIN_S: Final = 5.0
#: An alert comes one round trip after the handshake.
_ALERT_WITHIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """As in the section ``scan_server`` of the configuration; "" for the default."""

    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """The context for all connections to scan servers. Raises :class:`ConfigurationError`.

    TLS 1.2 at least; the name is checked against DNS subject alternative names alone. ``ca_file`` replaces the
    system's store. The client certificate is offered to whoever asks for it once its own certificate has passed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    _load_roots(context, options.ca_file)
    if options.client_cert:
        _load_client_certificate(context, Path(options.client_cert), options.client_key)
        # http.sys asks for the certificate after the handshake unless it is told otherwise.
        context.post_handshake_auth = True
    elif options.client_key:
        raise ConfigurationError(
            "scan_server.client_key is set without scan_server.client_cert", "set both or neither"
        )
    return context


def _load_roots(context: ssl.SSLContext, ca_file: str) -> None:
    if not ca_file:
        context.set_default_verify_paths()
        return
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"scan_server.ca_file {ca_file} cannot be used: {_reason(error)}",
            "name a readable PEM file with the certificate of the authority that issued the server's",
        ) from error


def _load_client_certificate(context: ssl.SSLContext, path: Path, key: str) -> None:
    try:
        data = path.read_bytes()
        if b"-----BEGIN" in data:
            # Without a password function OpenSSL would ask for one on the terminal.
            context.load_cert_chain(path, key or None, password=lambda: "")
        else:
            _load_pem(context, _pem_of_pkcs12(data, path))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"scan_server.client_cert {path} cannot be used: {_reason(error)}",
            "give PEM or PKCS#12 with its private key, neither encrypted, readable by the agent alone",
        ) from error


def _pem_of_pkcs12(data: bytes, path: Path) -> bytes:
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - only needed here
        from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"scan_server.client_cert {path} is not PEM, and PKCS#12 needs the package cryptography",
            "convert it with `openssl pkcs12 -nodes`, or install dsm-device[sim]",
        ) from error
    key, leaf, chain = pkcs12.load_key_and_certificates(data, None)
    if key is None or leaf is None:
        raise ValueError("it holds no certificate with its private key")
    certificates = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in (leaf, *chain))
    return certificates + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_pem(context: ssl.SSLContext, pem: bytes) -> None:
    """By way of a file in memory: OpenSSL takes a path, and a key must not be written to a disk."""
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"not what it should be ({(error.reason or 'no certificate found').replace('_', ' ').lower()})"
    return getattr(error, "strerror", None) or str(error)


# ------------------------------------------------------------------------------------ what went wrong


async def explain(error: ssl.SSLError, *, name: str, host: str, port: int) -> ServerNotTrusted:
    """One sentence about a handshake that failed.

    ``name`` is what the certificate was checked against; the server is at ``host``. Its certificate is fetched
    once more to say what it is, by a handshake that trusts anyone, offers no certificate, and is hung up at once.
    """
    if not isinstance(error, ssl.SSLCertVerificationError):
        return _explain_handshake(error, name)
    presented = await _fetch(name, host, port)
    return _explain_verification(error, name, presented, datetime.now(UTC))


async def _fetch(name: str, host: str, port: int) -> Certificate | None:
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError, ValueError, TimeoutError):
        async with asyncio.timeout(_FETCH_WITHIN_S):
            _, writer = await asyncio.open_connection(host, port, ssl=trusting, server_hostname=name)
            try:
                tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
                return certificate.read(tls.getpeercert(binary_form=True) or b"")
            finally:
                writer.transport.abort()
    return None


def _explain_verification(
    error: ssl.SSLCertVerificationError, name: str, presented: Certificate | None, today: datetime
) -> ServerNotTrusted:
    clock = f"this device's clock says {today:%Y-%m-%d}: set it if that is wrong"
    if error.verify_code == _EXPIRED:
        when = f" on {presented.not_after:%Y-%m-%d}" if presented and presented.not_after < today else ""
        return _refused(name, f"has expired{when}", f"{clock}, else renew the server's certificate")
    if error.verify_code == _NOT_YET_VALID and is_clock_behind(today, presented.not_before if presented else None):
        return _clock_not_set(name, today)
    if error.verify_code == _NOT_YET_VALID:
        when = f" before {presented.not_before:%Y-%m-%d}" if presented and presented.not_before > today else ""
        return _refused(name, f"is not valid{when or ' yet'}", clock)
    if error.verify_code in _WRONG_NAME:
        return _explain_name(name, presented)
    if error.verify_code in _UNKNOWN_ISSUER:
        issuer = f"issuer '{presented.issuer}'" if presented else "issuer"
        return _refused(
            name, f"has an {issuer} that is not trusted", "add the issuer's certificate with scan_server.ca_file"
        )
    if error.verify_code == _WRONG_PURPOSE:
        return _refused(name, "is not made for a server", "give the server one for server authentication")
    return _refused(name, f"does not pass: {error.verify_message}", "have the server's administrator look at it")


def is_clock_behind(today: datetime, not_before: datetime | None) -> bool:
    """Whether it is rather our clock that is wrong than a certificate that is not valid yet; None: not known."""
    if today < _OLDEST_TRUE_TIME:
        return True
    return not_before is not None and not_before - today > _LONGEST_IN_ADVANCE


def _clock_not_set(name: str, today: datetime) -> ClockNotSet:
    return ClockNotSet(
        f"this device's clock is wrong, it says {today:%Y-%m-%d}: no certificate of scan server {name} is valid",
        "connect the device to a time server (NTP), or set the clock by hand; then it goes on by itself",
    )


def _explain_name(name: str, presented: Certificate | None) -> ServerNotTrusted:
    remedy = "make ScanRepository of the scan process and the certificate's DNS names agree"
    if presented is None:
        return _refused(name, "is for another name", remedy)
    if presented.dns_names:
        return _refused(name, f"is for {', '.join(presented.dns_names)[:200]}", remedy)
    return _refused(
        name,
        f"has only the common name '{presented.subject}' and no DNS subject alternative name",
        f"give the server a certificate with the DNS subject alternative name {name}",
    )


def _refused(name: str, problem: str, remedy: str) -> ServerNotTrusted:
    return ServerNotTrusted(f"the certificate of the scan server {name} {problem}", remedy)


def _explain_handshake(error: ssl.SSLError, name: str) -> ServerNotTrusted:
    if is_about_our_certificate(error):
        return refused_us(name)
    reason = error.reason or ""
    if reason == "WRONG_VERSION_NUMBER" or "HTTP" in reason:
        return ServerNotTrusted(
            f"what answers at the scan server {name} does not speak TLS",
            "check the port in ScanRepository or scan_server.port, and the server's HTTPS binding",
        )
    if "PROTOCOL" in reason:
        return ServerNotTrusted(
            f"the scan server {name} speaks no TLS 1.2 or later", "enable TLS 1.2 on the server"
        )
    return ServerNotTrusted(
        f"TLS with the scan server {name} failed: {reason.replace('_', ' ').lower() or error}",
        "look into the scan server's event log (Schannel)",
    )


def is_about_our_certificate(error: ssl.SSLError) -> bool:
    """Whether the server wants a client certificate, or another one. In TLS 1.3 it says so after the handshake."""
    return any(alert in (error.reason or "") for alert in _ABOUT_OUR_CERTIFICATE)


async def refuses_us(context: ssl.SSLContext, *, name: str, host: str, port: int) -> bool:
    """Whether the server hangs up on a connection that says nothing, for want of a client certificate.

    In TLS 1.3 a server sees the client's certificate, or that there is none, when for the client the handshake is
    over. Its alert is lost when the client is writing at that moment, and looks like any broken connection.
    """
    try:
        async with asyncio.timeout(_ALERT_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
            try:
                await reader.read(1)
            finally:
                writer.transport.abort()
    except ssl.SSLError as error:
        return is_about_our_certificate(error)
    except OSError:  # TimeoutError is one: the server waits for a request, as it should
        return False
    return False


def refused_us(name: str) -> ServerNotTrusted:
    return ServerNotTrusted(
        f"the scan server {name} refused this device for want of a client certificate that it accepts",
        "set scan_server.client_cert to one that the server's administrator accepts",
    )
