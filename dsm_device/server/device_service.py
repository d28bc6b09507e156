"""Answers the console: WS-DSD's five operations, the host's metadata, directed probes.

Subscriptions are another's (:class:`Subscriptions`), as is matching of probes (:data:`ProbeAnswer`). What else a
WS-Scan client might ask, a job of its own above all, is refused: this device pushes.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeVar

from lxml import etree

from dsm_device.errors import TicketConflict
from dsm_device.server.device_view import DeviceView
from dsm_device.wire import hosting
from dsm_device.wire.device import configuration, description, faults, jobs, operations, status
from dsm_device.wire.device.model import JobSummary
from dsm_device.wire.device.operations import (
    GetActiveJobs,
    GetJobElements,
    GetJobHistory,
    GetScannerElements,
    Manner,
    ValidateScanTicket,
)
from dsm_device.wire.envelope import MAX_ENVELOPE_OCTETS
from dsm_device.wire.names import GET, GET_RESPONSE, PROBE, WSCN, WSD, WSE, qname
from dsm_device.wire.service_request import (
    Request,
    RequestFault,
    action_not_supported,
    destination_unreachable,
    invalid_args,
    render_answer,
)
from dsm_device.wire.ticket import ScanTicket

#: Which address a request came to.
Endpoint = Literal["device", "scan", "dsd", "subscription"]
#: Body and further header blocks of the answer to a wsd:Probe by HTTP, from its body and the device's own URL.
#: May raise :class:`RequestFault` (``wsd:MatchingRuleNotSupported``).
ProbeAnswer = Callable[[etree._Element, str], tuple[etree._Element, Sequence[bytes]]]

#: The most jobs, past conditions and images that an answer has, the newest (WS-DSD, open points). Fewer where they
#: would not fit into an envelope.
MAX_JOBS: Final = 50
MAX_CONDITIONS: Final = 50
MAX_DOCUMENTS: Final = 200
#: By this everything is cut again and again until it fits.
_SHORTER: Final = 0.75

_log = logging.getLogger(__name__)
_PULLING: Final = frozenset({"CreateScanJob", "RetrieveImage", "CancelJob"})

V = TypeVar("V")


class Subscriptions(Protocol):
    """WS-Eventing's side of the event source."""

    async def answer(self, request: Request, endpoint: Endpoint, base_url: str, peer_host: str) -> bytes:
        """The answer. Raises :class:`RequestFault`."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """``plain_ids``: conditions in ScannerStatus carry their Id without a namespace as well, as a known client
    reads them. ``busy_for_pulling``: who wants to fetch images is told that the scanner is busy."""

    plain_ids: bool = False
    busy_for_pulling: bool = False


class DeviceService:
    """One for all endpoints."""

    def __init__(
        self,
        view: DeviceView,
        subscriptions: Subscriptions,
        probe_answer: ProbeAnswer,
        options: DeviceOptions = DeviceOptions(),
    ) -> None:
        self._view = view
        self._subscriptions = subscriptions
        self._probe_answer = probe_answer
        self._options = options
        self._judging = asyncio.Lock()
        self._is_closed = False
        self._description = _Kept(description.render)
        self._configuration = _Kept(configuration.render)
        self._default_ticket: _Kept[ScanTicket] = _Kept(
            lambda ticket: jobs.render_ticket(ticket, "DefaultScanTicket")
        )

    async def answer(self, request: Request, endpoint: Endpoint, base_url: str, peer_host: str = "") -> bytes:
        """The answer, whole and of at most 32,767 octets.

        ``base_url`` is scheme, host and port at which the request came in, without final slash. Raises
        :class:`RequestFault`, whose ``message_id`` is set.
        """
        try:
            return await self._answer(request, endpoint, base_url, peer_host)
        except RequestFault as refused:
            refused.message_id = request.message_id
            raise
        except Exception as error:
            _log.exception("%s could not be answered", request.action[:120])
            raise RequestFault(faults.internal_error(), request.message_id) from error

    def close(self) -> None:
        """From now on questions are refused: the device is being stopped."""
        self._is_closed = True

    async def _answer(self, request: Request, endpoint: Endpoint, base_url: str, peer_host: str) -> bytes:
        self._check_addressee(request)
        if request.action.startswith(f"{WSE}/"):
            return await self._subscriptions.answer(request, endpoint, base_url, peer_host)
        if request.action == GET:
            return _answer(request, GET_RESPONSE, hosting.render(self._view.metadata(), base_url))
        if request.action == PROBE:
            return self._answer_probe(request, base_url)
        return await self._answer_question(request)

    def _check_addressee(self, request: Request) -> None:
        """Any URL is ours, since it led here; a urn:uuid that is not ours is another device."""
        to = request.to.lower()
        if to.startswith("urn:uuid:") and to != self._view.metadata().address:
            raise RequestFault(destination_unreachable())

    def _answer_probe(self, request: Request, base_url: str) -> bytes:
        if request.body is None or request.body.tag != qname(WSD, "Probe"):
            raise RequestFault(action_not_supported(request.action))
        body, blocks = self._probe_answer(request.body, f"{base_url}/{self._view.metadata().uuid}")
        return _answer(request, f"{WSD}/ProbeMatches", body, blocks)

    async def _answer_question(self, request: Request) -> bytes:
        namespace, _, name = request.action.rpartition("/")
        if self._options.busy_for_pulling and namespace == WSCN and name in _PULLING:
            raise RequestFault(faults.not_accepting_jobs())
        question, manner = operations.read(request)
        if self._is_closed:
            raise RequestFault(faults.operation_failed())
        if isinstance(question, GetScannerElements | ValidateScanTicket):
            await self._view.ready()
        match question:
            case GetScannerElements():
                render = self._scanner_elements(question, manner)
            case GetActiveJobs() | GetJobHistory():
                render = self._job_list(question, manner)
            case GetJobElements():
                render = self._job_elements(question, manner)
            case ValidateScanTicket():
                render = await self._validation(question, manner)
        return _fitting(lambda share: _answer(request, manner.action, render(share)))

    # ------------------------------------------------------------------------------ the five operations
    # Each gives what renders the answer's body with a share, from 1 down to 0, of what may be left out.

    def _scanner_elements(self, question: GetScannerElements, manner: Manner) -> _Render:
        def content(name: str, share: float) -> etree._Element | None:
            match name:
                case "ScannerDescription":
                    return self._description(self._view.description())
                case "ScannerConfiguration":
                    return self._configuration(_known(self._view.configuration()))
                case "DefaultScanTicket":
                    return self._default_ticket(_known(self._view.default_ticket()))
                case "ScannerStatus":
                    history = round(MAX_CONDITIONS * share)
                    return status.render(
                        _known(self._view.status()), history=history, plain_ids=self._options.plain_ids
                    )
                case _:
                    return None

        return lambda share: operations.scanner_elements(manner, question.names, lambda name: content(name, share))

    def _job_list(self, question: GetActiveJobs | GetJobHistory, manner: Manner) -> _Render:
        active = isinstance(question, GetActiveJobs)
        found = self._view.active_jobs() if active else self._view.job_history()
        return lambda share: operations.job_list(manner, question, _newest(found, round(MAX_JOBS * share)))

    def _job_elements(self, question: GetJobElements, manner: Manner) -> _Render:
        job = self._view.job(question.job_id) if question.job_id else None
        if job is None:
            raise RequestFault(faults.job_id_not_found(question.job_id_text))

        def content(name: str, share: float) -> etree._Element | None:
            match name:
                case "JobStatus":
                    return jobs.render_status(job.status)
                case "ScanTicket":
                    return jobs.render_ticket(job.ticket)
                case "Documents":
                    return jobs.render_documents(job, round(MAX_DOCUMENTS * share))
                case _:
                    return None

        return lambda share: operations.job_elements(manner, question.names, lambda name: content(name, share))

    async def _validation(self, question: ValidateScanTicket, manner: Manner) -> _Render:
        """Judged beside the event loop, one ticket at a time: some take a tenth of a second."""
        try:
            async with self._judging:
                found = _known(await asyncio.to_thread(self._view.validate, question.ticket))
        except TicketConflict as conflict:
            raise RequestFault(faults.conflicting_parameters()) from conflict
        images = found.image_information
        return lambda _: operations.validation(
            manner, front=images.front, back=images.back, valid=found.valid, corrected=found.corrected
        )


_Render = Callable[[float], etree._Element]


class _Kept(Generic[V]):
    """What was last rendered of a value, for as long as it is the same object: each call gives a copy."""

    def __init__(self, render: Callable[[V], etree._Element]) -> None:
        self._render = render
        self._last: tuple[V, etree._Element] | None = None

    def __call__(self, value: V) -> etree._Element:
        if self._last is None or self._last[0] is not value:
            self._last = (value, self._render(value))
        return deepcopy(self._last[1])


def _default_ticket(ticket: ScanTicket) -> etree._Element:
    return jobs.render_ticket(ticket, "DefaultScanTicket")


def _known(value: V | None) -> V:
    """Raises :class:`RequestFault` for what the device does not know yet."""
    if value is None:
        raise RequestFault(faults.temporary_error())
    return value


def _newest(summaries: Sequence[JobSummary], count: int) -> Sequence[JobSummary]:
    return summaries[max(0, len(summaries) - count) :]


def _fitting(render: Callable[[float], bytes]) -> bytes:
    """The longest answer that a client takes. One that asks for too much at once has to ask again."""
    answer = render(1.0)
    if len(answer) <= MAX_ENVELOPE_OCTETS:
        return answer
    least = render(0.0)
    if len(least) > MAX_ENVELOPE_OCTETS:
        raise RequestFault(invalid_args())
    share = _SHORTER
    while share > 1 / MAX_DOCUMENTS:
        answer = render(share)
        if len(answer) <= MAX_ENVELOPE_OCTETS:
            return answer
        share *= _SHORTER
    return least


def _answer(request: Request, action: str, body: etree._Element, blocks: Sequence[bytes] = ()) -> bytes:
    return render_answer(action, f"urn:uuid:{uuid.uuid4()}", request.message_id, body, blocks)
