"""The way out: TLS, HTTP and SOAP to a scan server."""

from dsm_device.client.scan_server import ScanServer, ServerOptions
from dsm_device.client.tls import TlsOptions, client_context
from dsm_device.client.transport import TimeLimits

__all__ = ["ScanServer", "ServerOptions", "TimeLimits", "TlsOptions", "client_context"]
