"""What a failed request proves, and which of our errors says so.

Source: WS-DSP, repeating safely; RFC 9110 9.2.2 and RFC 9112 9 for what a closed connection proves.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from dsm_device.client import tls
from dsm_device.errors import AnswerLost, ServerError, ServerProtocolError, ServerUnreachable
from dsm_device.wire.faults import Operation

_MAYBE_STRONG: Final = "if it wants a client certificate, set scan_server.client_cert"
_SEE: Final = "see the network and the scan server's event log"
#: What the TLS library calls a connection that ended, or has nothing to read yet.
_BROKEN_TLS: Final = (
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    ssl.SSLSyscallError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
)


@dataclass(frozen=True, slots=True)
class Server:
    """Who was asked: ``name`` is in the certificate, ``host`` and ``port`` in the URL."""

    name: str
    host: str
    port: int
    context: ssl.SSLContext


@dataclass(slots=True)
class Progress:
    """How far one request came. httpcore's trace events tell."""

    operation: Operation
    connection_is_new: bool = False
    is_in_handshake: bool = False
    is_connected: bool = False
    is_sent: bool = False
    was_closed: bool = False

    def note(self, event: str) -> None:
        match event:
            case "connection.connect_tcp.started":
                self.connection_is_new = True
            case "connection.start_tls.started":
                self.is_in_handshake = True
            case "http11.send_request_headers.started":
                self.is_connected = True
            case "http11.send_request_body.complete":
                self.is_sent = True

    @property
    def was_stale(self) -> bool:
        """Whether a kept connection had been closed, and trying another one does no harm."""
        is_harmless = not self.is_sent or self.operation.is_repeatable
        return self.was_closed and not self.connection_is_new and is_harmless


async def translate(error: Exception, progress: Progress, server: Server) -> ServerError:
    """The error to raise for what httpx raised; notes in ``progress`` whether the server closed the connection."""
    progress.was_closed = isinstance(error, httpx.NetworkError | ssl.SSLError) or _is_disconnect(error)
    tls_error = _tls_error(error)
    if not progress.is_connected:
        if tls_error is not None:
            return await tls.explain(tls_error, name=server.name, host=server.host, port=server.port)
        return _unreachable(error, progress, server)
    if progress.connection_is_new and progress.was_closed and await _refuses_us(tls_error, server):
        return tls.refused_us(server.name)
    if isinstance(error, httpx.RemoteProtocolError) and not progress.was_closed:
        said = " ".join(str(error).split())[:120]
        return nonsense(server.name, f"answers with something that is not HTTP: {said}", progress.operation)
    return _lost(error, progress, server) if progress.is_sent else _broken(error, progress, server)


def nonsense(name: str, problem: str, operation: Operation) -> ServerProtocolError:
    return ServerProtocolError(
        f"the scan server {name} {problem} ({operation.value})",
        "check that ScanRepository names a DSM scan server, and see its event log",
        recovery=operation.after_unusable_answer,
    )


async def _refuses_us(error: ssl.SSLError | None, server: Server) -> bool:
    if error is not None:
        return tls.is_about_our_certificate(error)
    return await tls.refuses_us(server.context, name=server.name, host=server.host, port=server.port)


def _unreachable(error: Exception, progress: Progress, server: Server) -> ServerUnreachable:
    problem, remedy = _handshake_problem(error) if progress.is_in_handshake else _connect_problem(error)
    at = f"{server.host} port {server.port}"
    return ServerUnreachable(f"cannot reach the scan server {server.name} at {at}: {problem}", remedy)


def _handshake_problem(error: Exception) -> tuple[str, str]:
    if isinstance(error, httpx.TimeoutException):
        return "it does not answer to TLS in time", "check that this is the server's HTTPS port"
    return "it hung up during the TLS handshake", f"look into its event log (Schannel); {_MAYBE_STRONG}"


def _connect_problem(error: Exception) -> tuple[str, str]:
    if isinstance(error, httpx.TimeoutException):
        return "nothing answers in time", "see that it is switched on and that no firewall is between"
    causes = [each for each in _causes(error) if isinstance(each, OSError)]
    if any(isinstance(each, socket.gaierror) for each in causes):
        return "its name is not known", "check ScanRepository and this device's DNS servers"
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return "nothing listens there", "start the scan server's service, or correct the port"
    reasons = [each.strerror for each in causes if each.strerror]
    return reasons[-1].lower() if reasons else "the connection broke", "check the network"


def _broken(error: Exception, progress: Progress, server: Server) -> ServerUnreachable:
    stalled = isinstance(error, httpx.TimeoutException)
    problem = "does not take the rest of" if stalled else "closed the connection in the middle of"
    return ServerUnreachable(f"the scan server {server.name} {problem} {progress.operation.value}", _see(progress))


def _lost(error: Exception, progress: Progress, server: Server) -> AnswerLost:
    late = isinstance(error, httpx.TimeoutException | TimeoutError)
    problem = "did not finish its answer in time" if late else "closed the connection without a full answer"
    return AnswerLost(
        f"the scan server {server.name} {problem} ({progress.operation.value})",
        _see(progress),
        recovery=progress.operation.after_lost_answer,
    )


def _see(progress: Progress) -> str:
    return f"{_SEE}; {_MAYBE_STRONG}" if progress.connection_is_new and progress.was_closed else _SEE


def _is_disconnect(error: Exception) -> bool:
    """An end instead of (the rest of) an answer; httpcore and h11 tell it from garbage by their wording only."""
    endings = ("Server disconnected", "peer closed connection")
    return isinstance(error, httpx.RemoteProtocolError) and str(error).startswith(endings)


def _tls_error(error: Exception) -> ssl.SSLError | None:
    """What TLS itself found wrong; None where the connection merely broke, or was waited for."""
    found = (each for each in _causes(error) if isinstance(each, ssl.SSLError))
    return next((each for each in found if not isinstance(each, _BROKEN_TLS)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """``error`` and what lies under it: httpcore hides some causes, so contexts count as well."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
