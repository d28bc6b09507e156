"""The e-mail filter against aiosmtpd: whole messages, refusals of every kind, a server that goes away."""

from __future__ import annotations

import email
import email.policy
import socket
import tracemalloc

import pytest
from aiosmtpd.smtp import SMTP

from dsm_sim.peers.scan_server.filters import SmtpServer


class Mailbox:
    """Keeps what arrives; refuses the recipients in ``strangers``."""

    def __init__(self, strangers=(), after_data="250 OK", sender="250 OK"):
        self.strangers, self.after_data, self.sender = strangers, after_data, sender
        self.received = []

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return self.sender

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.strangers:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.after_data.startswith("250"):
            self.received.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return self.after_data


def smtp(port, timeout_s=10.0):
    return SmtpServer("127.0.0.1", port, timeout_s)


def attachments(content):
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert not message.defects
    return [part.get_content() for part in message.iter_attachments()]


def test_message_arrives_whole_at_every_recipient(mail_server, make_batch, outcome):
    mailbox = Mailbox()
    batch = make_batch(".hidden\r\n.\r\nSubject: Größe", smtp=smtp(mail_server(mailbox)))
    assert outcome("email", batch, "a@b.example", "c@d.example", own=True) == (
        ["mailto:a@b.example", "mailto:c@d.example", "mailto:amelie@corp.example.com"],
        "",
        "",
    )
    ((sender, recipients, content),) = mailbox.received
    assert sender == "scan-server@sim.example"
    assert recipients == ["a@b.example", "c@d.example", "amelie@corp.example.com"]
    assert attachments(content) == [document.path.read_bytes() for document in batch.documents]
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message.get_all("Subject") == ["Scanned documents: .hidden . Subject: Größe"]
    text = message.get_body().get_content()
    assert text.splitlines()[0] == ".hidden . Subject: Größe"
    assert content.isascii()
    assert not (batch.out / "mail").exists()


@pytest.mark.parametrize(
    "address", ["a@b\nBcc: thief@example.com", "a@b> SIZE=1", "müller@b.example", "", "a b@c"]
)
def test_what_is_no_address_never_reaches_the_mail_server(mail_server, make_batch, outcome, address):
    mailbox = Mailbox()
    batch = make_batch(smtp=smtp(mail_server(mailbox)))
    assert outcome("email", batch, "good@b.example", address)[1] == "UnableToSendEmail"
    assert mailbox.received == []


def test_some_refused_recipients_do_not_keep_it_from_the_others(mail_server, make_batch, outcome):
    mailbox = Mailbox(strangers={"gone@b.example"})
    places, reason, detail = outcome(
        "email", make_batch(smtp=smtp(mail_server(mailbox))), "gone@b.example", "here@b.example"
    )
    assert (places, reason) == (["mailto:here@b.example"], "UnableToSendEmail")
    assert detail == "gone@b.example: 550 5.1.1 no such user"
    assert [recipients for _, recipients, _ in mailbox.received] == [["here@b.example"]]


@pytest.mark.parametrize(
    ("mailbox", "detail"),
    [
        (Mailbox(strangers={"a@b.example"}), "550 5.1.1 no such user"),
        (Mailbox(after_data="554 5.6.0 looks like spam"), "554 5.6.0 looks like spam"),
        (Mailbox(after_data="452 4.3.1 disk full"), "452 4.3.1 disk full"),
        (Mailbox(sender="530 5.7.0 who are you"), "530 5.7.0 who are you"),
    ],
    ids=["recipient", "data", "disk", "sender"],
)
def test_refusal_at_any_step_is_told(mail_server, make_batch, outcome, mailbox, detail):
    batch = make_batch(smtp=smtp(mail_server(mailbox)))
    places, reason, told = outcome("email", batch, "a@b.example")
    assert (places, reason) == ([], "UnableToSendEmail")
    assert told.endswith(detail)
    assert mailbox.received == []


def test_message_that_is_too_large_for_the_server_is_refused(mail_server, make_batch, outcome):
    mailbox = Mailbox()
    batch = make_batch(smtp=smtp(mail_server(mailbox, data_size_limit=5_000)))
    assert outcome("email", batch, "a@b.example")[:2] == ([], "UnableToSendEmail")
    assert mailbox.received == []


class GoesAway(SMTP):
    """Breaks the connection when a part of the message has arrived."""

    async def smtp_DATA(self, arg):
        await self.push("354 go on")
        await self._reader.readexactly(2_000)
        self.transport.abort()


def test_server_that_goes_away_in_the_message_is_a_failure(mail_server, make_batch, outcome):
    mailbox = Mailbox()
    batch = make_batch(smtp=smtp(mail_server(mailbox, GoesAway)), images=[("jfif", b"x" * 3_000_000)])
    assert outcome("email", batch, "a@b.example")[:2] == ([], "UnableToSendEmail")


class Endless(SMTP):
    """Swallows the message and never answers."""

    async def smtp_DATA(self, arg):
        await self.push("354 go on")
        await self._reader.readuntil(b"\r\n.\r\n")


def test_server_that_never_answers_is_given_up(mail_server, make_batch, outcome):
    batch = make_batch(smtp=smtp(mail_server(Mailbox(), Endless), timeout_s=0.3))
    assert outcome("email", batch, "a@b.example")[:2] == ([], "UnableToSendEmail")


def test_image_that_cannot_be_read_leaves_no_half_message(mail_server, make_batch, outcome):
    mailbox = Mailbox()
    batch = make_batch(smtp=smtp(mail_server(mailbox)))
    batch.documents[1].path.unlink()
    assert outcome("email", batch, "a@b.example")[:2] == ([], "UnknownError")
    assert mailbox.received == []


def test_no_mail_server_is_its_own_reason(make_batch, outcome):
    with socket.socket() as taken:  # bound, not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        places, reason, detail = outcome("email", make_batch(smtp=smtp(port)), "a@b.example")
    assert (places, reason) == ([], "InvalidSMTPServer")
    assert f"127.0.0.1:{port}" in detail


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 80, "a..b"])
def test_name_without_a_server_is_no_mail_server(make_batch, outcome, host):
    assert outcome("email", make_batch(smtp=SmtpServer(host, 25, 5)), "a@b")[1] == "InvalidSMTPServer"


def test_what_does_not_speak_smtp_is_no_mail_server(make_batch, outcome):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        batch = make_batch(smtp=smtp(listener.getsockname()[1], timeout_s=0.3))
        assert outcome("email", batch, "a@b.example")[1] == "InvalidSMTPServer"


class Sink(SMTP):
    """Keeps the size of the message only."""

    octets = 0

    async def smtp_DATA(self, arg):
        await self.push("354 go on")
        tail = b""
        while not tail.endswith(b"\r\n.\r\n"):
            data = await self._reader.read(65_536)
            type(self).octets += len(data)
            tail = (tail + data)[-5:]
        await self.push("250 OK")


def test_memory_does_not_depend_on_the_images(mail_server, make_batch, outcome):
    Sink.octets = 0
    image = b"\0" * 24_000_000
    batch = make_batch(smtp=smtp(mail_server(Mailbox(), Sink)), images=[("jfif", image)])
    del image
    tracemalloc.start()
    try:
        assert outcome("email", batch, "a@b.example")[1] == ""
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
    assert Sink.octets > 32_000_000
