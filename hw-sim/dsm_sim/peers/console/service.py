"""The five operations of a scanner's service, in WS-DSD's or in WS-Scan's namespace.

Source: WS-DSD operations; WS-Scan GetScannerElements, GetActiveJobs, GetJobHistory, GetJobElements,
ValidateScanTicket.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.content import check_content
from dsm_sim.peers.console.conversation import Conversation, Question, expect_body
from dsm_sim.peers.console.envelope import Message
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.names import DSD, FOREIGN, JOB_ELEMENTS, SCANNER_ELEMENTS, WSCN, readable, tag
from dsm_sim.peers.console.schemas import body_error
from dsm_sim.peers.console.xml import add, boolean, child_text, children, find, new, resolve

#: A name that no device knows.
UNKNOWN_NAME: Final = tag(FOREIGN, "NoSuchElement")
_KNOWN: Final = frozenset(tag(WSCN, name) for name in (*SCANNER_ELEMENTS, *JOB_ELEMENTS))


@dataclass(frozen=True)
class Service:
    """A service to ask. ``namespace`` is that of the messages: a device answers in the one it is asked in."""

    conversation: Conversation
    url: str
    namespace: str

    @property
    def name(self) -> str:
        """``dsd`` or ``wscn``."""
        return "dsd" if self.namespace == DSD else "wscn"

    def question(self, operation: str, body: etree._Element | None = None) -> Question:
        """A request with the body of its name, an empty one where none is given."""
        content = new(self.namespace, f"{operation}Request") if body is None else body
        return Question(self.url, f"{self.namespace}/{operation}", content)

    def elements_question(self, names: Sequence[str]) -> Question:
        """GetScannerElements for Clark names."""
        body = new(self.namespace, "GetScannerElementsRequest")
        body.append(self._requested(names))
        return self.question("GetScannerElements", body)

    def job_question(self, job_id: str, names: Sequence[str]) -> Question:
        """GetJobElements; the id as text, since it may be wrong on purpose."""
        body = new(self.namespace, "GetJobElementsRequest")
        add(body, self.namespace, "JobId", job_id)
        body.append(self._requested(names))
        return self.question("GetJobElements", body)

    def ticket_question(self, ticket: etree._Element) -> Question:
        """ValidateScanTicket with the children of ``ticket``."""
        body = new(self.namespace, "ValidateScanTicketRequest")
        add(body, self.namespace, "ScanTicket").extend(deepcopy(child) for child in children(ticket))
        return self.question("ValidateScanTicket", body)

    async def scanner_elements(self, names: Sequence[str] = SCANNER_ELEMENTS) -> dict[str, etree._Element]:
        """The elements by local name, those that are valid; names of WS-Scan unless they are Clark names."""
        return await self._elements(self.elements_question(_clark(names)), "ScannerElements", _clark(names))

    async def job_elements(self, job_id: int, names: Sequence[str] = JOB_ELEMENTS) -> dict[str, etree._Element]:
        """The elements of one job by local name."""
        question = self.job_question(str(job_id), _clark(names))
        elements = await self._elements(question, "JobElements", _clark(names))
        told = child_text(elements.get("JobStatus"), WSCN, "JobId")
        self.notes(question).require(told in {"", str(job_id)}, rules.JOB_ASKED, f"{told}, not {job_id}")
        return elements

    async def active_jobs(self) -> list[etree._Element]:
        """The summaries of the jobs that have not ended."""
        return await self._summaries("GetActiveJobs", "ActiveJobs")

    async def job_history(self) -> list[etree._Element]:
        """The summaries of the jobs that have ended."""
        return await self._summaries("GetJobHistory", "JobHistory")

    async def validate(self, ticket: etree._Element) -> etree._Element:
        """ValidationInfo for the ticket whose children are those of ``ticket``; :class:`Refused` may be lawful."""
        question = self.ticket_question(ticket)
        return self._content(question, await self.conversation.try_asking(question), "ValidationInfo")

    async def _ask(self, question: Question, name: str) -> etree._Element:
        return self._content(question, await self.conversation.ask(question), name)

    def _content(self, question: Question, message: Message, name: str) -> etree._Element:
        """The first level of an answer. Raises :class:`Unreadable` for the answer to something else."""
        notes = self.notes(question)
        body = expect_body(message, tag(self.namespace, f"{question.operation}Response"), notes)
        problem = body_error(body)
        notes.require(not problem, rules.BODY_SCHEMA, problem)
        check_content(body, notes)
        content = find(body, self.namespace, name)
        return etree.Element("absent") if content is None else content

    def notes(self, question: Question) -> Notes:
        return self.conversation.findings.at(question.where)

    async def _summaries(self, operation: str, name: str) -> list[etree._Element]:
        return children(await self._ask(self.question(operation), name))

    async def _elements(self, question: Question, name: str, asked: Sequence[str]) -> dict[str, etree._Element]:
        content = await self._ask(question, name)
        return _element_data(content, asked, self.notes(question))

    def _requested(self, names: Sequence[str]) -> etree._Element:
        requested = new(self.namespace, "RequestedElements")
        for clark in names:
            text = readable(clark)
            namespaces = {} if not text.startswith("{") else {"other": clark[1:].partition("}")[0]}
            name = etree.SubElement(requested, tag(WSCN, "Name"), nsmap=namespaces)
            name.text = text if not namespaces else f"other:{clark.rpartition('}')[2]}"
        return requested


def _clark(names: Sequence[str]) -> list[str]:
    return [name if name.startswith("{") else tag(WSCN, name) for name in names]


def _element_data(content: etree._Element, asked: Sequence[str], notes: Notes) -> dict[str, etree._Element]:
    """The valid elements; one ElementData a name, in order, and each as it must be."""
    entries = [(resolve(data.get(tag(WSCN, "Name"), ""), data) or "", data) for data in children(content)]
    told = [name for name, _ in entries]
    notes.require(told == list(asked), rules.ELEMENT_ORDER, " ".join(map(readable, told)) or "none")
    found: dict[str, etree._Element] = {}
    for name, data in entries:
        is_valid = boolean(data.get(tag(WSCN, "Valid"), "")) is True
        held = children(data)
        is_right = [child.tag for child in held] == ([name] if is_valid else []) and (is_valid or not data.text)
        notes.require(is_right, rules.ELEMENT_CONTENT, readable(name))
        notes.require(is_valid == (name in _KNOWN), rules.ELEMENT_KNOWN, f"{readable(name)} Valid={is_valid}")
        if held and is_valid:
            found.setdefault(name.rpartition("}")[2], held[0])
    return found
