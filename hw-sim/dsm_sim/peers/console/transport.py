"""One HTTP exchange with a device that may be slow, broken or hostile."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.errors import ConsoleError, NoAnswer, Unreadable
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import MAX_ENVELOPE_OCTETS
from dsm_sim.peers.console.options import ConsoleOptions

#: More than any device has to say; the connection is closed here.
_ANSWER_CAP_OCTETS: Final = 1_048_576
_HEADERS: Final = {
    "Content-Type": "application/soap+xml; charset=utf-8",
    "User-Agent": "WSDAPI",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back, not decoded."""

    status: int
    content_type: str
    body: bytes


class Transport:
    """Posts envelopes. Goes to hosts that the user named and to loopback, elsewhere only where that is allowed."""

    def __init__(self, options: ConsoleOptions) -> None:
        self._options = options
        self._named_hosts: set[str] = set()
        import httpx  # noqa: PLC0415 - slow to load, and no other command of the simulator needs it

        self._client = httpx.AsyncClient(
            verify=_trust(options.ca_file),
            trust_env=False,
            follow_redirects=False,
            timeout=options.timeout_s,
            headers=_HEADERS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def allow(self, host: str) -> None:
        """The user named this host."""
        self._named_hosts.add(host.lower())

    async def post(self, url: str, envelope: bytes, notes: Notes) -> HttpAnswer:
        """Raises :class:`NoAnswer` or :class:`Unreadable`, both entered in ``notes``."""
        import httpx  # noqa: PLC0415 - loaded with the client

        self._refuse_stranger(url)
        try:
            async with asyncio.timeout(self._options.timeout_s):
                answer = await self._exchange(url, envelope, notes)
        except TimeoutError as error:
            notes.record(rules.NO_ANSWER, f"within {self._options.timeout_s:g} s")
            raise NoAnswer(f"{url} did not answer within {self._options.timeout_s:g} s") from error
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            notes.record(rules.HTTP_MALFORMED, str(error))
            raise NoAnswer(f"{url} sent no whole HTTP answer: {error}{_other_scheme(url)}") from error
        except (httpx.ReadError, httpx.WriteError, httpx.CloseError) as error:
            notes.record(rules.NO_ANSWER, "closed")
            raise NoAnswer(f"{url} closed the connection without an answer{_other_scheme(url)}") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            notes.record(rules.NO_ANSWER, str(error) or type(error).__name__)
            raise NoAnswer(f"{url} cannot be reached: {str(error) or type(error).__name__}") from error
        notes.require(len(answer.body) <= MAX_ENVELOPE_OCTETS, rules.ENVELOPE_SIZE, f"{len(answer.body):,} octets")
        return answer

    async def _exchange(self, url: str, envelope: bytes, notes: Notes) -> HttpAnswer:
        async with self._client.stream("POST", url, content=envelope) as response:
            coding = response.headers.get("content-encoding", "identity")
            notes.require(coding.lower() == "identity", rules.HTTP_CODING, coding)
            if response.status_code not in {202, 204}:
                notes.require("content-length" in response.headers, rules.HTTP_LENGTH)
            body = bytearray()
            # Raw: a compressed answer could grow a thousandfold in decoding.
            async for part in response.aiter_raw():
                body += part
                if len(body) > _ANSWER_CAP_OCTETS:
                    notes.record(rules.ENVELOPE_SIZE, f"more than {_ANSWER_CAP_OCTETS:,} octets")
                    raise Unreadable(f"{url} sent more than {_ANSWER_CAP_OCTETS:,} octets")
            return HttpAnswer(response.status_code, response.headers.get("content-type", ""), bytes(body))

    def _refuse_stranger(self, url: str) -> None:
        host = host_of(url)
        if not (self._options.is_network_allowed or host.lower() in self._named_hosts or is_loopback(host)):
            raise ConsoleError(
                f"the device leads to {host or url!r}, neither itself nor loopback: allow the network"
            )


def _other_scheme(url: str) -> str:
    """A port for TLS has no answer to plain HTTP, or one that is none."""
    return "; try https://" if url.startswith("http://") else ""


@cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Made once: reading the system's certificates takes longer than a whole conversation."""
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


def host_of(url: str) -> str:
    """The host of a URL without brackets; "" where it is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_http_url(url: str) -> bool:
    """Whether this is a usable http or https URL with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by number or as localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
