"""What the console asks and how it is answered: namespaces, names, faults, sizes (WS-DSD)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from dsm_device.server.device_service import DeviceOptions, DeviceService, Endpoint
from dsm_device.wire import names
from dsm_device.wire.announcing import Announced, probe_matches
from dsm_device.wire.device.configuration import Configuration
from dsm_device.wire.device.model import DeviceCondition, JobSummary, JobView, PastCondition, ScannerDescription
from dsm_device.wire.hosting import digest
from dsm_device.wire.names import DSD, GET, PROBE, SOAP, WSA, WSCN, WSCN_DRAFT, WSD, WSE, WXF
from dsm_device.wire.service_request import (
    OutgoingFault,
    Request,
    RequestFault,
    matching_rule_not_supported,
    parse_request,
)
from tests.unit.device_samples import (
    BASE_URL,
    CONFIGURATION,
    JOB,
    METADATA,
    STATUS,
    SampleView,
    at,
    schema_problem,
)

W, D = f"{{{WSCN}}}", f"{{{DSD}}}"
URL = f"{BASE_URL}/scan"
AS_USUAL = DeviceOptions()
NAMES = {"w": WSCN, "d": DSD, "s": SOAP, "a": WSA}
TICKET = (
    "<{0}:ScanTicket><w:JobDescription><w:JobName>J</w:JobName><w:JobOriginatingUserName/></w:JobDescription>"
    "<w:DocumentParameters>{1}</w:DocumentParameters></{0}:ScanTicket>"
)


class Subscriptions:
    """Says what it was asked."""

    async def answer(self, request: Request, endpoint: Endpoint, base_url: str, peer_host: str) -> bytes:
        if request.identifier == "wrong":
            raise RequestFault(OutgoingFault("Sender", (WSE, "InvalidMessage"), "unknown"))
        return f"{request.action} {endpoint} {base_url} {peer_host}".encode()


def probe_answer(body: etree._Element, xaddr: str) -> tuple[etree._Element, Sequence[bytes]]:
    if body.get("strange"):
        raise RequestFault(matching_rule_not_supported("urn:rule"))
    return probe_matches(Announced(METADATA.address, 1), xaddr), [
        f'<d:AppSequence xmlns:d="{WSD}" InstanceId="1" MessageNumber="1"/>'.encode()
    ]


def request(body: str, action: str, to: str = URL) -> Request:
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in {**NAMES, "o": WSCN_DRAFT}.items())
    return parse_request(
        f"<s:Envelope {declared}><s:Header><a:To>{to}</a:To><a:Action>{action}</a:Action>"
        f"<a:MessageID>urn:uuid:1</a:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>".encode()
    )


def send(asked: Request, view: SampleView | None = None, options: DeviceOptions = AS_USUAL) -> bytes:
    service = DeviceService(view or SampleView(), Subscriptions(), probe_answer, options)
    return asyncio.run(service.answer(asked, "scan", BASE_URL, "192.0.2.9"))


def ask(
    body: str, action: str, view: SampleView | None = None, options: DeviceOptions = AS_USUAL
) -> etree._Element:
    """The body of the answer, which is valid and small enough."""
    data = send(request(body, action), view, options)
    assert len(data) <= 32_767
    answer = etree.fromstring(data).find("s:Body/*", NAMES)
    assert answer is not None
    assert schema_problem(answer) == ""
    return answer


def refused(body: str, action: str, view: SampleView | None = None) -> OutgoingFault:
    with pytest.raises(RequestFault) as caught:
        send(request(body, action), view)
    assert caught.value.message_id == "urn:uuid:1"
    return caught.value.fault


def elements(*asked: str, prefix: str = "w", declared: str = "") -> str:
    listed = "".join(f"<w:Name>{each}</w:Name>" for each in asked)
    requested = f"<{prefix}:RequestedElements>{listed}</{prefix}:RequestedElements>"
    return f"<{prefix}:GetScannerElementsRequest {declared}>{requested}</{prefix}:GetScannerElementsRequest>"


def job_elements(*asked: str, job_id: str = "12") -> str:
    listed = "".join(f"<w:Name>{each}</w:Name>" for each in asked)
    return (
        f"<d:GetJobElementsRequest><d:JobId>{job_id}</d:JobId>"
        f"<d:RequestedElements>{listed}</d:RequestedElements></d:GetJobElementsRequest>"
    )


def validate(parameters: str) -> str:
    return f"<d:ValidateScanTicketRequest>{TICKET.format('d', parameters)}</d:ValidateScanTicketRequest>"


def answered(answer: etree._Element) -> list[tuple[str, str, str]]:
    """Of each ElementData: its name as written, in Clark notation, and whether it is valid."""
    told = []
    for data in answer.iter(f"{W}ElementData"):
        written = data.get(f"{W}Name", "")
        prefix, colon, local = written.rpartition(":")
        namespace = data.nsmap[prefix] if colon else data.nsmap.get(None)
        told.append((written, f"{{{namespace}}}{local}" if namespace else local, data.get(f"{W}Valid", "")))
        assert (len(data) == 1) == (data.get(f"{W}Valid") == "true")
        assert not len(data) or data[0].tag == told[-1][1]
    return told


# ------------------------------------------------------------------------------- answered as asked


@pytest.mark.parametrize("action", [DSD, WSCN, WSCN_DRAFT])
@pytest.mark.parametrize("body", ["d", "w", "o"])
def test_each_namespace_is_answered_in_its_own_in_any_combination(body: str, action: str) -> None:
    data = send(request(f"<{body}:GetActiveJobsRequest/>", f"{action}/GetActiveJobs"))
    answer = etree.fromstring(data)
    told = answer.findtext("s:Header/a:Action", namespaces=NAMES)
    assert told == f"{WSCN if action == WSCN_DRAFT else action}/GetActiveJobsResponse"
    content = answer.find("s:Body/*", NAMES)
    assert content is not None
    expected = D if body == "d" else W
    assert (content.tag, content[0].tag) == (f"{expected}GetActiveJobsResponse", f"{expected}ActiveJobs")
    assert content[0][0].tag == f"{W}JobSummary"


@pytest.mark.parametrize("operation", ["GetScannerElements", "GetActiveJobs", "GetJobHistory"])
def test_body_may_be_named_like_its_action(operation: str) -> None:
    """A published request of GetJobElements is."""
    body = elements("w:ScannerStatus").replace("GetScannerElementsRequest", "GetScannerElements")
    if operation != "GetScannerElements":
        body = f"<w:{operation}/>"
    assert ask(body, f"{WSCN}/{operation}").tag == f"{W}{operation}Response"


def test_draft_is_read_to_its_last_attribute() -> None:
    ticket = TICKET.format("o", '<w:InputSource w:MustHonor="true">ADF</w:InputSource>').replace("w:", "o:")
    view = SampleView()
    ask(f"<o:ValidateScanTicketRequest>{ticket}</o:ValidateScanTicketRequest>", f"{WSCN}/ValidateScanTicket", view)
    assert view.validated[0].locked("InputSource")


@pytest.mark.parametrize("prefix", ["d", "w"])
def test_the_first_level_may_be_in_either_namespace(prefix: str) -> None:
    other = "w" if prefix == "d" else "d"
    body = elements("w:ScannerStatus", prefix=prefix).replace(
        f"{prefix}:RequestedElements", f"{other}:RequestedElements"
    )
    assert answered(ask(body, f"{DSD}/GetScannerElements"))[0][2] == "true"


# ------------------------------------------------------------------------------------------- names


def test_names_are_answered_one_by_one_in_their_order_with_duplicates() -> None:
    asked = ["w:ScannerStatus", "a:To", "w:ScannerDescription", "w:ScannerStatus", "w:JobStatus"]
    told = answered(ask(elements(*asked), f"{WSCN}/GetScannerElements"))
    assert [each[2] for each in told] == ["true", "false", "true", "true", "false"]
    assert [each[1] for each in told] == [
        f"{W}ScannerStatus",
        f"{{{WSA}}}To",
        f"{W}ScannerDescription",
        f"{W}ScannerStatus",
        f"{W}JobStatus",
    ]


def test_the_prefix_of_the_client_is_given_back_and_bound_on_the_root() -> None:
    declared = f'xmlns:sca="{WSCN}" xmlns:acme="urn:acme"'
    data = send(
        request(elements("sca:ScannerStatus", "acme:Toner", declared=declared), f"{WSCN}/GetScannerElements")
    )
    root = etree.fromstring(data)
    assert [each[0] for each in answered(root)] == ["sca:ScannerStatus", "acme:Toner"]
    assert (root.nsmap["sca"], root.nsmap["acme"]) == (WSCN, "urn:acme")


def test_a_prefix_that_means_something_else_in_the_answer_is_exchanged() -> None:
    declared = f'xmlns:soap="{WSCN}" xmlns:wscn="urn:acme" xmlns:asked1="urn:b" xmlns:wsa="urn:c"'
    asked = ["soap:ScannerStatus", "wscn:Toner", "asked1:X", "wsa:Y", "asked1:Z"]
    answer = ask(elements(*asked, declared=declared), f"{DSD}/GetScannerElements")
    told = answered(answer)
    assert [each[1] for each in told] == [
        f"{W}ScannerStatus",
        "{urn:acme}Toner",
        "{urn:b}X",
        "{urn:c}Y",
        "{urn:b}Z",
    ]


@pytest.mark.parametrize(
    ("name", "meant", "valid"),
    [
        ("ScannerStatus", f"{W}ScannerStatus", "true"),
        ("unbound:ScannerStatus", f"{W}ScannerStatus", "true"),
        ("d:ScannerStatus", f"{W}ScannerStatus", "true"),
        ("o:ScannerStatus", f"{W}ScannerStatus", "true"),
        ("\n  w:ScannerStatus\n ", f"{W}ScannerStatus", "true"),
        ("a:ScannerStatus", f"{{{WSA}}}ScannerStatus", "false"),
        ("Toner", "Toner", "false"),
        ("unbound:Toner", "Toner", "false"),
        ("w:scannerstatus", f"{W}scannerstatus", "false"),
    ],
)
def test_a_name_by_its_meaning(name: str, meant: str, valid: str) -> None:
    told = answered(ask(elements(name), f"{WSCN}/GetScannerElements"))
    assert [each[1:] for each in told] == [(meant, valid)]


@pytest.mark.parametrize("default", [DSD, WSCN, "urn:x"])
def test_a_name_without_prefix_where_there_is_a_default_namespace(default: str) -> None:
    declared = f'xmlns="{default}"'
    told = answered(ask(elements("ScannerStatus", "Toner", declared=declared), f"{WSCN}/GetScannerElements"))
    assert [each[1:] for each in told] == [(f"{W}ScannerStatus", "true"), (f"{{{default}}}Toner", "false")]


@pytest.mark.parametrize("name", ["", "two words", "a:b:c", ":x", "w:", "1st", "x²", "<w:x/>", "a/b"])
def test_what_is_no_name_is_an_invalid_argument(name: str) -> None:
    fault = refused(elements(name), f"{WSCN}/GetScannerElements")
    assert fault.subcode == (WSCN, "InvalidArgs")
    assert fault.detail is not None
    assert fault.detail.tag == f"{W}Name"


@pytest.mark.parametrize(
    "body",
    [
        elements(),
        "<w:GetScannerElementsRequest/>",
        elements("w:ScannerStatus").replace("w:RequestedElements", "a:RequestedElements"),
        elements(*["w:ScannerStatus"] * 17),
        f"<w:GetScannerElementsRequest>{'<w:RequestedElements/>' * 2}</w:GetScannerElementsRequest>",
        "<w:GetActiveJobsRequest/>",
        "<a:GetScannerElementsRequest/>",
        "",
    ],
)
def test_arguments_that_lack_or_are_too_many(body: str) -> None:
    assert refused(body, f"{WSCN}/GetScannerElements").subcode == (WSCN, "InvalidArgs")


# -------------------------------------------------------------------------------------------- jobs


@pytest.mark.parametrize("job_id", ["12", " 12 ", "+012", "0" * 9000 + "12"])
def test_job_by_its_number(job_id: str) -> None:
    answer = ask(
        job_elements("w:JobStatus", "Documents", "w:ScannerStatus", job_id=job_id), f"{DSD}/GetJobElements"
    )
    assert [each[2] for each in answered(answer)] == ["true", "true", "false"]


@pytest.mark.parametrize("job_id", ["13", "0", "-12", "2147483647", "2147483648", "9" * 9000])
def test_job_that_is_unknown(job_id: str) -> None:
    fault = refused(job_elements("w:JobStatus", job_id=job_id), f"{DSD}/GetJobElements")
    assert (fault.code, fault.subcode) == ("Sender", (WSCN, "ClientErrorJobIdNotFound"))
    assert fault.detail is not None
    assert (fault.detail.tag, fault.detail.text) == (f"{W}JobId", job_id[:200])


@pytest.mark.parametrize("job_id", ["", "twelve", "1.5", "٣", "12 13"])
def test_job_that_is_no_number(job_id: str) -> None:
    assert refused(job_elements("w:JobStatus", job_id=job_id), f"{DSD}/GetJobElements").subcode == (
        WSCN,
        "InvalidArgs",
    )


def test_list_has_the_newest_fifty_oldest_first() -> None:
    past = [JobSummary(number, f"Job {number}", "dana", "Completed", (), 1) for number in range(1, 201)]
    answer = ask("<d:GetJobHistoryRequest/>", f"{DSD}/GetJobHistory", SampleView(past=past))
    assert [int(each.text or "") for each in answer.iter(f"{W}JobId")] == list(range(151, 201))


def test_list_that_would_not_fit_has_fewer() -> None:
    long = "&" * 300
    active = [JobSummary(number, long, long, "Pending", (), 0) for number in range(1, 61)]
    answer = ask("<w:GetActiveJobsRequest/>", f"{WSCN}/GetActiveJobs", SampleView(active=active))
    told = [int(each.text or "") for each in answer.iter(f"{W}JobId")]
    assert told == list(range(61 - len(told), 61))
    assert 5 < len(told) < 50
    assert {len(each.text or "") for each in answer.iter(f"{W}JobName")} == {255}


def test_images_that_would_not_fit_are_the_last_ones() -> None:
    job = replace(JOB, documents=tuple(f"page-{number:05}.{'x' * 200}" for number in range(1, 10_001)))
    answer = ask(job_elements("w:Documents"), f"{DSD}/GetJobElements", SampleView(only_job=job))
    told = [(each.text or "")[5:10] for each in answer.iter(f"{W}DocumentName")]
    assert 50 < len(told) < 200
    assert told[-1] == "10000"


def test_text_of_any_origin_is_written() -> None:
    active = [JobSummary(1, "a\x00b\x1b[31m\ud800\uffff<&", "", "Pending", (), 0)]
    answer = ask("<w:GetActiveJobsRequest/>", f"{WSCN}/GetActiveJobs", SampleView(active=active))
    assert answer.findtext(f".//{W}JobName") == "a\ufffdb\ufffd[31m\ufffd\ufffd<&"


def test_reasons_are_told_once_and_none_stands_alone() -> None:
    reasons = ("None", "JobScanning", "JobScanning")
    active = [JobSummary(1, "", "", "Pending", (), 0), JobSummary(2, "", "", "Pending", reasons, 0)]
    answer = ask("<w:GetActiveJobsRequest/>", f"{WSCN}/GetActiveJobs", SampleView(active=active))
    assert [each.text for each in answer.iter(f"{W}JobStateReason")] == ["None", "JobScanning"]


def test_numbers_of_a_ticket_are_those_of_the_schema() -> None:
    """The pages, and so tickets, know one that is larger by one."""
    ticket = replace(JOB.ticket, values={**JOB.ticket.values, "ImagesToTransfer": 2_147_483_648})
    job = JobView(JOB.summary, JOB.status, ticket, JOB.final, ())
    answer = ask(job_elements("w:ScanTicket"), f"{DSD}/GetJobElements", SampleView(only_job=job))
    assert answer.findtext(f".//{W}ImagesToTransfer") == "2147483647"


@pytest.mark.parametrize(
    ("path", "word", "told"),
    [
        ("Format", "acme-own", "acme-own"),
        ("Format", "image/x;y", None),
        ("ContentType", "acme:own", "acme:own"),
        ("ContentType", "acme:own/x", None),
        ("Rotation", "180", "180"),
    ],
)
def test_words_of_a_ticket_are_those_of_the_schema(path: str, word: str, told: str | None) -> None:
    ticket = replace(JOB.ticket, values={**JOB.ticket.values, path: word})
    answer = ask(
        job_elements("w:ScanTicket"), f"{DSD}/GetJobElements", SampleView(only_job=replace(JOB, ticket=ticket))
    )
    assert answer.findtext(f".//{W}{path}") == told


# --------------------------------------------------------------------------------- scanner elements

ALL_FOUR = elements("w:ScannerDescription", "w:ScannerConfiguration", "w:ScannerStatus", "w:DefaultScanTicket")


def test_all_four_with_the_longest_history_fit() -> None:
    past = tuple(
        PastCondition(
            DeviceCondition(number, at(8, 0, 0), "InputTrayEmpty", "MediaPath", "Informational"), at(9, 0, 0)
        )
        for number in range(1, 101)
    )
    view = SampleView(current=replace(STATUS, history=past))
    answer = ask(ALL_FOUR, f"{WSCN}/GetScannerElements", view)
    told = [int(each.get(f"{W}Id", "")) for each in answer.iter(f"{W}ConditionHistoryEntry")]
    assert told == list(range(51, 101))


def test_history_gives_way_where_all_would_not_fit() -> None:
    past = tuple(PastCondition(STATUS.active[0], at(9, 0, 0) + timedelta(seconds=number)) for number in range(50))
    view = SampleView(current=replace(STATUS, history=past))
    asked = elements("w:ScannerConfiguration", "w:ScannerConfiguration", "w:ScannerStatus", "w:ScannerStatus")
    answer = ask(asked, f"{WSCN}/GetScannerElements", view)
    assert 0 < len(list(answer.iter(f"{W}ConditionHistoryEntry"))) < 100


def test_who_asks_for_too_much_at_once_is_told_so() -> None:
    fault = refused(elements(*["w:ScannerConfiguration"] * 16), f"{WSCN}/GetScannerElements")
    assert fault.subcode == (WSCN, "InvalidArgs")


@pytest.mark.parametrize("name", ["ScannerConfiguration", "ScannerStatus", "DefaultScanTicket"])
def test_what_is_not_known_yet_may_be_asked_for_later(name: str) -> None:
    fault = refused(elements(f"w:{name}"), f"{WSCN}/GetScannerElements", SampleView(is_known=False))
    assert (fault.code, fault.subcode) == ("Receiver", (WSCN, "ServerErrorTemporaryError"))


def test_what_changes_is_told_as_it_is_now() -> None:
    """What was rendered is kept for as long as the value is the same object, and never given away itself."""
    view = SampleView()
    service = DeviceService(view, Subscriptions(), probe_answer)

    def told() -> str:
        data = asyncio.run(service.answer(request(ALL_FOUR, f"{WSCN}/GetScannerElements"), "scan", BASE_URL))
        root = etree.fromstring(data)
        backs = len(list(root.iter(f"{W}ADFBack")))
        return f"{root.findtext(f'.//{W}ScannerName')} {backs} {root.findtext(f'.//{W}JobName')}"

    assert told() == told() == "Front desk scanner 1 Scan"
    view.described = ScannerDescription("Other")
    view.configured = Configuration(CONFIGURATION.device, feeder=CONFIGURATION.feeder)
    view.ticket = replace(view.ticket, job_name="Changed")
    assert told() == "Other 0 Changed"


def test_description_without_more_to_say() -> None:
    view = SampleView(described=ScannerDescription(""))
    answer = ask(elements("w:ScannerDescription"), f"{WSCN}/GetScannerElements", view)
    assert [etree.QName(each).localname for each in answer.iter()][-2:] == ["ScannerDescription", "ScannerName"]


@pytest.mark.parametrize("plain", [True, False])
def test_conditions_have_their_id_without_a_namespace_if_wished(plain: bool) -> None:
    answer = ask(elements("w:ScannerStatus"), f"{WSCN}/GetScannerElements", options=DeviceOptions(plain_ids=plain))
    conditions = [*answer.iter(f"{W}DeviceCondition"), *answer.iter(f"{W}ConditionHistoryEntry")]
    assert [each.get(f"{W}Id") for each in conditions] == ["41", "40"]
    assert [each.get("Id") for each in conditions] == (["41", "40"] if plain else [None, None])


def test_long_lists_of_resolutions_keep_what_is_of_use() -> None:
    platen = CONFIGURATION.platen
    assert platen is not None
    many = replace(platen, x_resolutions_dpi=tuple(range(50, 1201)), y_resolutions_dpi=(*range(41, 1205, 4), 9999))
    view = SampleView(configured=replace(CONFIGURATION, platen=many, film=many, film_modes=("ColorSlideFilm",)))
    answer = ask(ALL_FOUR, f"{WSCN}/GetScannerElements", view)
    side = answer.find(f".//{W}PlatenResolutions")
    assert side is not None
    wide, high = ([int(each.text or "") for each in group] for group in side)
    assert len(wide) == len(high) == 32
    assert wide == sorted(wide)
    assert {50, 75, 1200, 601} & set(wide) == {50, 1200}, "the ends, and rather what is of use on both axes"
    assert {41, 9999} <= set(high)
    assert len(set(wide) & set(high)) == 30
    square = replace(many, y_resolutions_dpi=many.x_resolutions_dpi)
    answer = ask(
        ALL_FOUR, f"{WSCN}/GetScannerElements", SampleView(configured=replace(CONFIGURATION, platen=square))
    )
    told = {int(each.text or "") for each in answer.iterfind(f".//{W}PlatenResolutions/{W}Widths/{W}Width")}
    assert {75, 100, 150, 200, 240, 300, 400, 600, 1200} <= told


# -------------------------------------------------------------------------------- ValidateScanTicket


def test_malformed_tickets_are_invalid_arguments_and_named() -> None:
    fault = refused(validate("<w:ImagesToTransfer>many</w:ImagesToTransfer>"), f"{DSD}/ValidateScanTicket")
    assert fault.subcode == (WSCN, "InvalidArgs")
    assert fault.detail is not None
    assert (fault.detail.tag, fault.detail.text) == (f"{W}ImagesToTransfer", "many")


@pytest.mark.parametrize(
    "body",
    [
        "<d:ValidateScanTicketRequest/>",
        "<d:ValidateScanTicketRequest><d:ScanTicket/></d:ValidateScanTicketRequest>",
        "<d:ValidateScanTicketRequest><a:ScanTicket/></d:ValidateScanTicketRequest>",
        validate("").replace("</d:ValidateScanTicketRequest>", "<d:ScanTicket/></d:ValidateScanTicketRequest>"),
    ],
)
def test_no_ticket_or_two(body: str) -> None:
    assert refused(body, f"{DSD}/ValidateScanTicket").subcode == (WSCN, "InvalidArgs")


def test_settings_that_exclude_each_other() -> None:
    fault = refused(validate(""), f"{DSD}/ValidateScanTicket", SampleView(is_clashing=True))
    assert (fault.code, fault.subcode) == ("Sender", (WSCN, "ClientErrorConflictingRequiredParameters"))


def test_ticket_for_a_scanner_that_was_never_seen() -> None:
    fault = refused(validate(""), f"{DSD}/ValidateScanTicket", SampleView(is_known=False))
    assert fault.subcode == (WSCN, "ServerErrorTemporaryError")


# ---------------------------------------------------------------------------------- whatever else


@pytest.mark.parametrize(
    "action",
    [
        f"{WSCN}/CreateScanJob",
        f"{WSCN}/RetrieveImage",
        f"{WSCN}/CancelJob",
        f"{WSCN}/",
        "GetActiveJobs",
        "urn:x/GetActiveJobs",
        f"{WXF}/Put",
        f"{names.WSX}/GetMetadata/Request",
        f"{WSD}/Resolve",
    ],
)
def test_other_actions_are_not_supported(action: str) -> None:
    fault = refused("<w:GetActiveJobsRequest/>", action)
    assert fault.subcode == (WSA, "ActionNotSupported")
    assert fault.detail is not None
    assert fault.detail.text == action


def test_who_wants_to_fetch_may_be_told_that_the_scanner_is_busy() -> None:
    asked = request("<w:CreateScanJobRequest/>", f"{WSCN}/CreateScanJob")
    with pytest.raises(RequestFault) as caught:
        send(asked, options=DeviceOptions(busy_for_pulling=True))
    assert caught.value.fault.subcode == (WSCN, "ServerErrorNotAcceptingJobs")


@pytest.mark.parametrize("to", [METADATA.address, METADATA.address.upper(), f"{BASE_URL}/x", "http://scanner/"])
def test_metadata_is_given_to_whoever_means_us(to: str) -> None:
    data = send(request("", GET, to))
    metadata = etree.fromstring(data).find("s:Body/*", NAMES)
    assert metadata is not None
    assert [each.get("Dialect") for each in metadata] == [
        f"{names.WSDP}/{each}" for each in ("ThisDevice", "ThisModel", "Relationship")
    ]


def test_another_device_is_not_here() -> None:
    with pytest.raises(RequestFault) as caught:
        send(request("", GET, "urn:uuid:00000000-0000-4000-8000-000000000000"))
    assert caught.value.fault.subcode == (WSA, "DestinationUnreachable")


def test_types_of_a_strange_namespace_have_a_prefix_of_their_own() -> None:
    service = replace(
        METADATA.services[0], types=("{urn:strange}Type", f"{W}ScannerServiceType"), compatible_id=""
    )
    view = SampleView()
    view.metadata = lambda: replace(METADATA, services=(service,))  # type: ignore[method-assign]
    root = etree.fromstring(send(request("", GET), view))
    told = root.find(f".//{{{names.WSDP}}}Hosted/{{{names.WSDP}}}Types")
    assert told is not None
    first, second = (told.text or "").split()
    assert told.nsmap[first.partition(":")[0]] == "urn:strange"
    assert second == "wscn:ScannerServiceType"
    assert root.find(f".//{{{names.PNPX}}}CompatibleId") is None


def test_probe_is_answered_with_the_url_of_the_device() -> None:
    root = etree.fromstring(send(request(f'<p:Probe xmlns:p="{WSD}"/>', PROBE, names.DISCOVERY_URN)))
    assert root.findtext("s:Header/a:Action", namespaces=NAMES) == f"{WSD}/ProbeMatches"
    assert root.find(f"s:Header/{{{WSD}}}AppSequence", NAMES) is not None
    assert root.findtext(f"s:Body//{{{WSD}}}XAddrs", namespaces=NAMES) == f"{BASE_URL}/{METADATA.uuid}"
    fault = refused(f'<p:Probe xmlns:p="{WSD}" strange="1"/>', PROBE)
    assert (fault.subcode, fault.action) == ((WSD, "MatchingRuleNotSupported"), f"{WSD}/fault")


def test_whatever_fails_is_a_lasting_failure(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(SampleView):
        def active_jobs(self) -> Sequence[JobSummary]:
            raise RuntimeError("the list is lost")

    fault = refused("<w:GetActiveJobsRequest/>", f"{WSCN}/GetActiveJobs", Broken())
    assert (fault.code, fault.subcode) == ("Receiver", (WSCN, "ServerErrorInternalError"))
    assert "the list is lost" in caplog.text


def test_questions_are_refused_while_the_device_is_stopped() -> None:
    service = DeviceService(SampleView(), Subscriptions(), probe_answer)
    service.close()
    with pytest.raises(RequestFault) as caught:
        asyncio.run(
            service.answer(request("<w:GetActiveJobsRequest/>", f"{WSCN}/GetActiveJobs"), "scan", BASE_URL)
        )
    assert (caught.value.fault.code, caught.value.fault.subcode) == ("Receiver", (WSCN, "OperationFailed"))
    assert asyncio.run(service.answer(request("", GET), "scan", BASE_URL))


def test_digest_tells_changes_of_the_metadata() -> None:
    changed = replace(METADATA, device=replace(METADATA.device, firmware_version="1.0.1"))
    assert digest(METADATA) == digest(replace(METADATA)) != digest(changed)


def test_eventing_is_handed_on() -> None:
    told = send(request("", f"{WSE}/Subscribe")).decode()
    assert told == f"{WSE}/Subscribe scan {BASE_URL} 192.0.2.9"
    with pytest.raises(RequestFault) as caught:
        send(replace(request("", f"{WSE}/Renew"), identifier="wrong"))
    assert (caught.value.fault.subcode, caught.value.message_id) == ((WSE, "InvalidMessage"), "urn:uuid:1")
