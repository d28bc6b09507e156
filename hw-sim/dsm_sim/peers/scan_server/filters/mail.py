"""The e-mail filter: one message to all addresses, to a mail server or into a file.

Source: MS-BDSRR 2.2 (EmailConfig), 3.1; WS-DSP FilterStateReason.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from lxml import etree

from dsm_sim.peers.scan_server.filters.delivery import Batch, FilterError, Place, is_true, texts
from dsm_sim.peers.scan_server.filters.message import SENDER, is_address, message_chunks
from dsm_sim.peers.scan_server.filters.smtp import send
from dsm_sim.peers.scan_server.names import EMLF
from dsm_sim.peers.scan_server.storage import place

REASONS: Final[Mapping[int, str]] = {errno.ENOSPC: "OutOfDiskSpace", errno.EDQUOT: "OutOfDiskSpace"}


def deliver_mail(config: etree._Element, batch: Batch) -> list[Iterator[Place]]:
    """One delivery: a message goes to all recipients at once."""
    recipients = [address.strip() for address in texts(config, EMLF, "EmailAddress")]
    if is_true(config, EMLF, "SendToScanUser"):
        recipients.append(batch.user)
    if not recipients:
        raise FilterError("InvalidArgs", "nobody to send to")
    for address in recipients:
        if not is_address(address):
            raise FilterError("UnableToSendEmail", f"{address!r} is no mail address")
    return [_send(recipients, batch) if batch.targets.smtp else _write(recipients, batch)]


def _send(recipients: list[str], batch: Batch) -> Iterator[Place]:
    assert batch.targets.smtp  # noqa: S101 - looked at before
    for address in send(batch.targets.smtp, SENDER, recipients, message_chunks(recipients, batch)):
        yield f"mailto:{address}"


def _write(recipients: list[str], batch: Batch) -> Iterator[Place]:
    def write(temporary: Path) -> None:
        with temporary.open("xb") as file:
            file.writelines(message_chunks(recipients, batch))

    yield place(batch.out / "mail", batch.dated_name, "eml", write)
