"""From what a user asks for to a job that can be scanned: the process, the ticket, the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex

from lxml import etree

from dsm_device.directory.port import Directory, User
from dsm_device.errors import ProcessUnusable
from dsm_device.hardware import Capabilities
from dsm_device.imaging.available import written_formats
from dsm_device.job.habits import Habits
from dsm_device.job.model import Job, new_job_id
from dsm_device.job.plan import Plan, make_plan
from dsm_device.wire import ticket_writer
from dsm_device.wire.names import WSCN
from dsm_device.wire.scan_process import ScanProcess, with_added_addresses
from dsm_device.wire.ticket import ScanTicket
from dsm_device.wire.ticket_overrides import with_overrides

from .order import ScanOrder as ScanOrder  # noqa: PLC0414 - what this is about


@dataclass(frozen=True, slots=True)
class PreparedScan:
    """An order that the directory and the process allow; the scanner has not been asked yet."""

    process: ScanProcess
    user: User
    ticket: ScanTicket
    addresses: tuple[str, ...]
    instructions: str
    habits: Habits

    def plan(self, capabilities: Capabilities) -> Plan:
        """Raises ``TicketRefused`` where the scanner cannot do what the ticket demands."""
        return make_plan(capabilities, self.ticket, written_formats(), self.habits)

    def job(self, plan: Plan) -> Job:
        now = datetime.now(UTC)
        return Job(
            id=new_job_id(now, token_hex(3)),
            process_id=self.process.identifier,
            process_name=self.process.name,
            repository=str(self.process.repository),
            user=self.user.name,
            user_sid=self.user.sid,
            instructions=self.instructions,
            addresses=self.addresses,
            format=plan.format,
            created=now,
            parameters=plan.outcomes,
            ticket=etree.tostring(self._asked_for(), encoding="unicode"),
        )

    def _asked_for(self) -> etree._Element:
        """The ticket in this job's name, for a console that wants to know."""
        ticket = replace(self.ticket, job_name=self.process.name, user_name=self.user.name)
        return ticket_writer.render(ticket, WSCN)


def prepare(order: ScanOrder, directory: Directory, habits: Habits) -> PreparedScan:
    """Read the process as it stands now and apply what the user wants otherwise.

    Raises ``DirectoryError`` and ``UsageError``; nothing has moved yet.
    """
    process = directory.load(order.process)
    ticket = with_overrides(process.ticket, order.settings)
    instructions = _instructions(process, order.addresses)
    return PreparedScan(process, directory.user, ticket, order.addresses, instructions, habits)


def fresh_instructions(job: Job, directory: Directory) -> str:
    """Those of ``job`` by its scan process as it stands now, with the addresses that the user added.

    Raises ``DirectoryError``, also where the process goes to another scan server now, and ``UsageError``.
    """
    process = directory.load(job.process_id)
    if str(process.repository) != job.repository:
        raise ProcessUnusable(
            f'scan process "{process.name}" goes to another scan server now, {process.repository}', "scan again"
        )
    return _instructions(process, job.addresses)


def _instructions(process: ScanProcess, addresses: Sequence[str]) -> str:
    return etree.tostring(with_added_addresses(process, addresses), encoding="unicode")
