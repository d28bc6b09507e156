"""The whole strict run: every operation asked right and wrong, every answer held against the rules.

Each step is independent: what breaks one off is a finding of its own and does not keep the next from running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from lxml import etree

from dsm_sim.peers.console import rules
from dsm_sim.peers.console.announcements import SCAN_DEVICE
from dsm_sim.peers.console.configuration import Configuration, read_configuration
from dsm_sim.peers.console.console import Console, Device
from dsm_sim.peers.console.conversation import Question
from dsm_sim.peers.console.default_ticket import check_default_ticket
from dsm_sim.peers.console.discovery import UNKNOWN_TYPE, directed_probe, probe_question
from dsm_sim.peers.console.errors import ConsoleError, Refused
from dsm_sim.peers.console.eventing import Subscription
from dsm_sim.peers.console.findings import Notes
from dsm_sim.peers.console.image_size import Settings
from dsm_sim.peers.console.metadata import get_metadata
from dsm_sim.peers.console.names import DSD, JOB_ELEMENTS, SCANNER_ELEMENTS, WSCN, WSD, WXF, tag
from dsm_sim.peers.console.service import UNKNOWN_NAME, Service
from dsm_sim.peers.console.sink import Sink
from dsm_sim.peers.console.ticket import new_ticket, set_value
from dsm_sim.peers.console.trial_tickets import TrialTicket, clashing_ticket, right_tickets, wrong_tickets
from dsm_sim.peers.console.validation import Verdict, check_refusal, check_verdict, read_verdict
from dsm_sim.peers.console.xml import child_text, new

_FOREIGN_ENDPOINT: Final = "urn:uuid:00000000-0000-4000-8000-000000000000"
_LEASE_S: Final = 600.0
_UNKNOWN_JOB: Final = "2147483647"
_PULL_FAULTS: Final = ("ActionNotSupported", "ServerErrorNotAcceptingJobs")


@dataclass(frozen=True, slots=True)
class Step:
    """One step that was run: its findings, and what broke it off ("" for nothing)."""

    name: str
    findings: int
    problem: str


Tell = Callable[[Step], None]
_Run = Callable[[], Awaitable[None]]


async def check_device(
    console: Console, address: str, tell: Tell, *, with_udp: bool = True, only: str = ""
) -> list[Step]:
    """The steps whose names hold ``only``, against the device at ``address``.

    ``tell`` is called after each. Raises :class:`ConsoleError` where the device is not found at all.
    """
    device = await console.find(address)
    sink = await console.open_sink(device)
    done = []
    for name, run in _Check(console, device, sink).steps(with_udp=with_udp):
        if only not in name:
            continue
        before, problem = len(console.findings.kept), ""
        try:
            await run()
        except ConsoleError as error:
            problem = str(error)
        done.append(Step(name, len(console.findings.kept) - before, problem))
        tell(done[-1])
    return done


@dataclass(frozen=True)
class _Check:
    console: Console
    device: Device
    sink: Sink

    def steps(self, *, with_udp: bool) -> Iterator[tuple[str, _Run]]:
        yield "directed probe by HTTP", self._directed_probe
        yield "metadata", self._metadata
        if with_udp:
            yield "discovery by UDP", self._udp
        for own in self.device.services:
            for namespace in (DSD, WSCN):
                service = replace(own, namespace=namespace)
                where = f"{service.name} form at {own.url}"
                yield f"scanner elements, {where}", partial(self._scanner_elements, service)
                yield f"jobs, {where}", partial(self._jobs, service)
            yield f"tickets at {own.url}", partial(self._tickets, own)
            yield f"other actions at {own.url}", partial(self._other_actions, own)
            yield f"events at {own.url}", partial(self._events, own)

    # -------------------------------------------------------------------------- discovery and metadata

    async def _directed_probe(self) -> None:
        conversation, origin = self.console.conversation, self.device.origin
        notes = self.console.findings.at(f"Probe at {origin}")
        found = await directed_probe(conversation, self.console.reader, origin)
        notes.require(self._endpoint in {match.endpoint for match in found}, rules.MATCH_ABSENT)
        others = await directed_probe(conversation, self.console.reader, origin, UNKNOWN_TYPE)
        notes.require(not others, rules.MATCH_FOREIGN, "a type that nobody has")
        unknown_rule = probe_question(origin, SCAN_DEVICE, f"{WSD}/no-such-rule")
        await conversation.expect_refusal(unknown_rule, ["MatchingRuleNotSupported"], "an unknown matching rule")

    async def _metadata(self) -> None:
        conversation, url = self.console.conversation, self.device.url
        again = await get_metadata(conversation, url, self._endpoint)
        notes = self.console.findings.at(f"Get at {url}")
        notes.require(again.fingerprint == self.device.metadata.fingerprint, rules.METADATA_STABLE)
        put = Question(url, f"{WXF}/Put", to=self._endpoint)
        await conversation.expect_refusal(put, ["ActionNotSupported"], "Put")

    async def _udp(self) -> None:
        discovery, host = self.console.discovery, self.device.host
        matches, foreign, resolved, foreign_resolved = await asyncio.gather(
            discovery.probe(only_from=host),
            discovery.probe(UNKNOWN_TYPE, only_from=host),
            discovery.resolve(self._endpoint, only_from=host),
            discovery.resolve(_FOREIGN_ENDPOINT, only_from=host),
        )
        notes = self.console.findings.at(f"discovery of {self._endpoint}")
        for what, found in (("Probe", matches), ("Resolve", resolved)):
            is_there = self._endpoint in {match.endpoint for match in found}
            notes.require(is_there, rules.MATCH_ABSENT, what)
        for what, found in (("Probe", foreign), ("Resolve", foreign_resolved)):
            notes.require(not found, rules.MATCH_FOREIGN, what)

    @property
    def _endpoint(self) -> str:
        return self.device.metadata.endpoint

    # --------------------------------------------------------------------------------- scanner elements

    async def _scanner_elements(self, service: Service) -> None:
        elements = await service.scanner_elements()
        question = service.elements_question([])
        name = child_text(elements.get("ScannerDescription"), WSCN, "ScannerName")
        service.notes(question).require(name == self.device.metadata.name, rules.SCANNER_NAME, name or "absent")
        for each in (*SCANNER_ELEMENTS, UNKNOWN_NAME):
            await service.scanner_elements([each])
        await service.scanner_elements(
            [SCANNER_ELEMENTS[3], UNKNOWN_NAME, SCANNER_ELEMENTS[0], SCANNER_ELEMENTS[3]]
        )
        conversation = service.conversation
        await conversation.expect_refusal(question, ["InvalidArgs"], "no name")
        no_list = service.question("GetScannerElements")
        await conversation.expect_refusal(no_list, ["InvalidArgs"], "no RequestedElements")

    # --------------------------------------------------------------------------------------------- jobs

    async def _jobs(self, service: Service) -> None:
        names = [tag(WSCN, name) for name in JOB_ELEMENTS]
        for jobs in (await service.active_jobs(), await service.job_history()):
            for job in jobs[-1:]:
                await self._job(service, child_text(job, WSCN, "JobId"))
        refuse = service.conversation.expect_refusal
        for unknown in (_UNKNOWN_JOB, "0", "4294967297"):
            await refuse(service.job_question(unknown, names), ["ClientErrorJobIdNotFound"], f"JobId {unknown}")
        await refuse(service.job_question("twelve", names), ["InvalidArgs"], "JobId twelve")

    async def _job(self, service: Service, job_id: str) -> None:
        if not (job_id.isascii() and job_id.isdigit()):
            return
        try:
            await service.job_elements(int(job_id))
            await service.job_elements(int(job_id), ["JobStatus", UNKNOWN_NAME])
        except Refused as refusal:
            # Between the list and the question the device may have forgotten an old job.
            if refusal.fault.name != "ClientErrorJobIdNotFound":
                raise

    # ------------------------------------------------------------------------------------------ tickets

    async def _tickets(self, service: Service) -> None:
        elements = await service.scanner_elements()
        element, default = elements.get("ScannerConfiguration"), elements.get("DefaultScanTicket")
        if element is None or default is None:
            raise ConsoleError("without a configuration and a default ticket no ticket can be tried")
        configuration = read_configuration(element)
        check_default_ticket(default, configuration, service.notes(service.ticket_question(default)))
        trials = _Trials(service, configuration, default)
        await trials.right(TrialTicket("the default ticket", default))
        for trial in right_tickets(configuration, default):
            await trials.right(trial)
        for trial in wrong_tickets(configuration, default):
            await trials.wrong(trial)
        await trials.refused()

    # ------------------------------------------------------------------------------------ other actions

    async def _other_actions(self, service: Service) -> None:
        refuse = service.conversation.expect_refusal
        for operation in ("CreateScanJob", "RetrieveImage", "CancelJob"):
            question = replace(service, namespace=WSCN).question(operation)
            await refuse(question, _PULL_FAULTS, operation)
        unknown = service.question("NoSuchOperation")
        await refuse(unknown, ["ActionNotSupported"], "an unknown action")

    # ------------------------------------------------------------------------------------------- events

    async def _events(self, service: Service) -> None:
        refuse = service.conversation.expect_refusal
        async with Subscription(service, self.sink, _LEASE_S) as subscription:
            await subscription.status()
            await subscription.renew()
            ask = subscription.subscribe_question
            await refuse(ask(mode="urn:no-such-mode"), ["DeliveryModeRequestedUnavailable"], "an unknown mode")
            await refuse(
                ask(dialect="urn:no-such-dialect"), ["FilteringRequestedUnavailable"], "an unknown dialect"
            )
            await refuse(ask(actions=f"{WSCN}/NoSuchEvent"), ["FilterActionNotSupported"], "an unknown event")
            await refuse(ask(expires="PT0S"), ["InvalidExpirationTime"], "no time at all")
        for operation, fault in (
            ("GetStatus", "InvalidMessage"),
            ("Renew", "UnableToRenew"),
            ("Unsubscribe", "InvalidMessage"),
        ):
            question = subscription.manager_question(operation)
            await refuse(question, [fault, "EndpointUnavailable"], f"{operation} after Unsubscribe")


@dataclass(frozen=True)
class _Trials:
    """Tickets that are sent, and the answers to them."""

    service: Service
    configuration: Configuration
    default: etree._Element

    async def right(self, trial: TrialTicket) -> None:
        notes = self._notes(trial.purpose)
        verdict = await self._verdict(trial, notes)
        if verdict is None:
            return
        notes.require(verdict.is_valid, rules.TICKET_VALID, trial.purpose)
        check_verdict(verdict, Settings(trial.ticket, self.default), self.configuration, notes)

    async def wrong(self, trial: TrialTicket) -> None:
        notes = self._notes(trial.purpose)
        verdict = await self._verdict(trial, notes)
        if verdict is None or trial.correction is None:
            return
        check_refusal(verdict, trial.ticket, trial.correction, notes)
        if verdict.is_valid:
            return
        check_verdict(verdict, Settings(trial.ticket, self.default), self.configuration, notes)
        if verdict.corrected is not None:
            await self.right(TrialTicket(f"the corrected ticket for {trial.purpose}", verdict.corrected))

    async def _verdict(self, trial: TrialTicket, notes: Notes) -> Verdict | None:
        """None where the device refused to judge, which is a finding."""
        try:
            return read_verdict(await self.service.validate(trial.ticket))
        except Refused as refusal:
            notes.record(rules.FAULT_UNEXPECTED, f"{trial.purpose}: {refusal.fault.name}")
            return None

    async def refused(self) -> None:
        refuse = self.service.conversation.expect_refusal
        clash = clashing_ticket(self.configuration, self.default)
        if clash is not None:
            fault = "ClientErrorConflictingRequiredParameters"
            await refuse(self.service.ticket_question(clash), [fault], "demands that clash")
        bare = new(WSCN, "ScanTicket")
        await refuse(self.service.ticket_question(bare), ["InvalidArgs"], "a ticket without JobDescription")
        await refuse(self.service.question("ValidateScanTicket"), ["InvalidArgs"], "no ticket")
        numberless = new_ticket("no number")
        set_value(numberless, "CompressionQualityFactor", "much")
        await refuse(self.service.ticket_question(numberless), ["InvalidArgs"], "a quality that is no number")

    def _notes(self, purpose: str) -> Notes:
        return self.service.conversation.findings.at(
            f"{self.service.name}:ValidateScanTicket of {purpose} at {self.service.url}"
        )
