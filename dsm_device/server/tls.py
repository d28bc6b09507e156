"""TLS of this device as a server: 1.2 or later, clients asked for a certificate where an authority is named."""

from __future__ import annotations

import ssl

from dsm_device.errors import ConfigurationError


def server_context(certificate: str, key: str = "", client_ca: str = "") -> ssl.SSLContext:
    """``key`` "" = in the file of the certificate; ``client_ca`` "" = clients are not asked.

    A client that shows no certificate is let in even so: what it gets then is for the application to say. One
    that is not of ``client_ca`` ends the handshake. All are PEM files. Raises :class:`ConfigurationError`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a passphrase given OpenSSL would ask for it at the terminal, and wait.
        context.load_cert_chain(certificate, key or None, password="")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the certificate {certificate} of this device cannot be used: {_why(error)}",
            "give a PEM file with the certificate and one with its key, neither encrypted",
        ) from error
    if client_ca:
        _ask_for_certificates(context, client_ca)
    return context


def _ask_for_certificates(context: ssl.SSLContext, client_ca: str) -> None:
    try:
        context.load_verify_locations(cafile=client_ca)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the authority {client_ca} for certificates of clients cannot be used: {_why(error)}",
            "give a PEM file with the certificates of the authorities",
        ) from error
    context.verify_mode = ssl.CERT_OPTIONAL


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(reason).replace("_", " ").lower()
