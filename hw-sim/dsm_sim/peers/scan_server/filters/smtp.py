"""A message to a mail server, piece by piece: memory does not depend on it.

The dialogue is smtplib's; only its DATA, which takes a whole message, is done here.
Source: RFC 5321, 3.3 (transaction), 4.5.2 (dots at the start of a line).
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from dsm_sim.peers.scan_server.filters.delivery import FilterError
from dsm_sim.peers.scan_server.filters.targets import SmtpServer

_LEADING_DOT: Final = re.compile(rb"^\.", re.MULTILINE)
_READY, _OK, _WILL_FORWARD, _START_INPUT = 220, 250, 251, 354


def send(server: SmtpServer, sender: str, recipients: Iterable[str], chunks: Iterable[bytes]) -> Iterator[str]:
    """Delivers to everybody whom the server takes, and yields them; then complains of the others.

    ``chunks`` hold whole lines. Raises :class:`FilterError`: InvalidSMTPServer where there is no mail server,
    UnableToSendEmail where it refuses.
    """
    with _session(server) as smtp:
        _expect(smtp.mail(sender), _OK)
        refusals = {address: smtp.rcpt(address) for address in recipients}
        accepted = [address for address, (code, _) in refusals.items() if code in {_OK, _WILL_FORWARD}]
        if accepted:
            _expect(smtp.docmd("DATA"), _START_INPUT)
            for chunk in chunks:
                smtp.send(_LEADING_DOT.sub(b"..", chunk))
            smtp.send(b".\r\n")
            _expect(smtp.getreply(), _OK)
    yield from accepted
    for address in accepted:
        del refusals[address]
    for address, (code, text) in refusals.items():
        raise _refused(f"{address}: {_said(code, text)}")


@contextmanager
def _session(server: SmtpServer) -> Iterator[smtplib.SMTP]:
    """A session that was greeted. An end in the middle of a message closes it, so that no half of one counts."""
    smtp = smtplib.SMTP(timeout=server.timeout_s, local_hostname="localhost")
    try:
        _greet(smtp, server)
        yield smtp
        with suppress(smtplib.SMTPException):
            smtp.quit()
    except smtplib.SMTPException as error:
        raise _refused(f"{server.host}:{server.port}: {error}") from error
    finally:
        smtp.close()


def _greet(smtp: smtplib.SMTP, server: SmtpServer) -> None:
    try:
        code, text = smtp.connect(server.host, server.port)
        if code != _READY:
            raise smtplib.SMTPConnectError(code, text)
        smtp.ehlo_or_helo_if_needed()
    except (OSError, UnicodeError) as error:  # UnicodeError: what cannot be a host's name
        raise FilterError("InvalidSMTPServer", f"{server.host}:{server.port}: {error}") from error


def _expect(reply: tuple[int, bytes], code: int) -> None:
    if reply[0] != code:
        raise _refused(_said(*reply))


def _refused(detail: str) -> FilterError:
    return FilterError("UnableToSendEmail", detail)


def _said(code: int, text: bytes) -> str:
    return f"{code} {text.decode(errors='replace')}"
