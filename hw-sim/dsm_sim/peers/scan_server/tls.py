"""The server's certificate and its side of TLS."""

from __future__ import annotations

import ssl

from dsm_sim.certificate_kinds import certificate_of_kind, server_context
from dsm_sim.certificates import Credentials
from dsm_sim.peers.scan_server.options import ScanServerOptions
from dsm_sim.peers.scan_server.sockets import own_addresses


def own_credentials(options: ScanServerOptions) -> Credentials:
    """Those that the options give, else of the server's own authority, made where they are not there yet."""
    if options.credentials:
        return options.credentials
    folder = (options.tls or options.out / "tls").absolute()
    return certificate_of_kind(options.certificate, folder, options.names, own_addresses(options.host))


def tls_context(options: ScanServerOptions, credentials: Credentials) -> ssl.SSLContext:
    has_tls_1_3 = options.personality.has_tls_1_3
    context = server_context(credentials, options.certificate, has_tls_1_3=has_tls_1_3)
    if options.require_client_cert:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(credentials.ca)
    return context
