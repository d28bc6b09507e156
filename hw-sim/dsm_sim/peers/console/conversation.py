"""A question to a device and its answer, held against the rules that all answers share.

Source: SOAP 1.2 Part 2, 7.5; WS-Addressing (2004/08) 3; DPWS 1.0, 3.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.envelope import Message, fault_of, new_message_id, read, write
from dsm_sim.peers.console.errors import ConsoleError, Refused, Unreadable
from dsm_sim.peers.console.findings import Findings, Notes
from dsm_sim.peers.console.names import ANONYMOUS, SOAP, readable, tag
from dsm_sim.peers.console.transport import HttpAnswer, Transport

_SENDER: Final = tag(SOAP, "Sender")


@dataclass
class SeenIds:
    """The message ids that a device has used, over all its answers and events."""

    _known: set[str] = field(default_factory=set)

    def check(self, message: Message, notes: Notes) -> None:
        notes.require(message.message_id not in self._known, rules.WSA_UNIQUE, message.message_id)
        if message.message_id:
            self._known.add(message.message_id)


@dataclass(frozen=True)
class Question:
    """A request before it is sent. ``to`` is the endpoint's address where that is not the URL."""

    url: str
    action: str
    body: etree._Element | None = None
    to: str = ""
    reference_parameters: Sequence[etree._Element] = ()
    #: The action of the right answer; "": the request's and Response.
    answer_action: str = ""

    @property
    def operation(self) -> str:
        return self.action.rpartition("/")[2]

    @property
    def where(self) -> str:
        """``dsd:GetActiveJobs at http://…``: one operation has two forms."""
        namespace = self.action.rpartition("/")[0]
        return f"{readable(tag(namespace, self.operation)).rpartition('}')[2]} at {self.url}"


class Conversation:
    """Asks questions. Everything wrong with an answer is entered in ``findings``."""

    def __init__(self, transport: Transport, findings: Findings) -> None:
        self._transport = transport
        self.findings = findings
        self.seen_ids = SeenIds()

    async def ask(self, question: Question) -> Message:
        """The answer. A refusal is a finding and raises :class:`Refused`; other errors are those of ``demand``."""
        try:
            return await self._exchange(question)
        except Refused as refusal:
            self.findings.at(question.where).record(rules.FAULT_UNEXPECTED, refusal.fault.name)
            raise

    async def try_asking(self, question: Question) -> Message:
        """The answer where a refusal is lawful: it raises :class:`Refused` and is no finding."""
        return await self._exchange(question)

    async def expect_refusal(self, question: Question, faults: Collection[str], what: str) -> None:
        """Asks what is wrong on purpose; anything but one of ``faults`` (local names) is a finding."""
        notes = self.findings.at(question.where)
        wanted = " or ".join(sorted(faults))
        try:
            await self._exchange(question)
        except Refused as refusal:
            notes.require(
                refusal.fault.name in faults, rules.FAULT_EXPECTED, f"{what}: {refusal.fault.name}, not {wanted}"
            )
        except ConsoleError as error:
            notes.record(rules.FAULT_EXPECTED, f"{what}: {error}, not {wanted}")
        else:
            notes.record(rules.FAULT_EXPECTED, f"{what}: answered as if right, not {wanted}")

    async def _exchange(self, question: Question) -> Message:
        notes = self.findings.at(question.where)
        message_id = new_message_id()
        envelope = write(
            question.action,
            question.to or question.url,
            message_id,
            question.body,
            header_blocks=question.reference_parameters,
        )
        answer = await self._transport.post(question.url, envelope, notes)
        message = self._message(question, answer, notes)
        self.seen_ids.check(message, notes)
        notes.require(message.to in {"", ANONYMOUS}, rules.WSA_TO, message.to)
        notes.require(message.relates_to == message_id, rules.WSA_RELATES_TO, message.relates_to or "absent")
        self._refuse(question, message, answer.status, notes)
        wanted = question.answer_action or f"{question.action}Response"
        notes.require(message.action == wanted, rules.WSA_ACTION, message.action)
        return message

    def _message(self, question: Question, answer: HttpAnswer, notes: Notes) -> Message:
        if not answer.body:
            notes.record(rules.HTTP_STATUS, f"{answer.status} and no body")
            raise Unreadable(f"{question.where}: HTTP status {answer.status} without a message")
        check_content_type(answer.content_type, notes)
        try:
            return read(answer.body, notes)
        except Unreadable as error:
            raise Unreadable(f"{question.where}: {error} (HTTP status {answer.status})") from error

    def _refuse(self, question: Question, message: Message, status: int, notes: Notes) -> None:
        fault = fault_of(message, notes)
        right = 200 if fault is None else 400 if fault.code == _SENDER else 500
        notes.require(status == right, rules.HTTP_STATUS, f"{status}, not {right}")
        if fault is not None:
            raise Refused(question.operation, fault)


def check_content_type(content_type: str, notes: Notes) -> None:
    """The HTTP header of a message."""
    media_type, _, parameters = content_type.lower().partition(";")
    notes.require(media_type.strip() == "application/soap+xml", rules.HTTP_MEDIA_TYPE, content_type or "absent")
    charset = parameters.replace(" ", "").replace('"', "")
    notes.require("charset=utf-8" in charset, rules.HTTP_CHARSET, content_type)


def expect_body(message: Message, name: str, notes: Notes) -> etree._Element:
    """The body if it has this Clark name. Raises :class:`Unreadable` otherwise."""
    if message.body is None or message.body.tag != name:
        found = "an empty body" if message.body is None else str(message.body.tag)
        notes.record(rules.BODY_NAME, f"{found}, not {name}")
        raise Unreadable(f"{notes.where}: the answer holds {found}, not {name}")
    return message.body
