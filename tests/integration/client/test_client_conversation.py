"""A whole job against a strict server, and what exactly goes over the connection."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import ssl
from pathlib import Path

import pytest
from lxml import etree
from PIL import Image

from dsm_device.client import ScanServer, ServerOptions, TimeLimits
from dsm_device.errors import Recovery, ServerError, ServerFault, ServerRefused, SpoolError
from dsm_sim.certificates import Authority
from dsm_sim.peers import scan_server as sim
from tests.integration.client.raw_server import (
    SAMPLES,
    Connection,
    Conversation,
    Request,
    answer_all,
    envelope,
    fault,
    good_until,
    http,
    instructions,
    operation,
)
from tests.integration.client.sent_file import SentFile

pytestmark = pytest.mark.anyio

PSP = "6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11"
SID = "S-1-5-21-1085031214-1563985344-725345543-1107"


def client_of(port: int, context: ssl.SSLContext, options: ServerOptions | None = None) -> ScanServer:
    return ScanServer(f"localhost:{port}", options or ServerOptions(), context)


async def test_a_job_that_a_strict_server_has_nothing_against(
    tmp_path: Path, trusting: ssl.SSLContext, authority: Authority
) -> None:
    pages = []
    for number in (1, 2, 3):
        pages.append(tmp_path / f"{number}.png")
        Image.new("L", (600, 800), number * 60).save(pages[-1])
    options = sim.ScanServerOptions(out=tmp_path / "out", tls=authority.folder)
    async with sim.ScanServer(options) as server, client_of(server.port, trusting) as client:
        token = await client.create_job(SID, PSP, instructions())
        for number, page in enumerate(pages, 1):
            await client.send_image(token, number, "png", SentFile(page))
            elements = await client.job_elements(token, "JobStatus", "JobDescription", "Documents")
            assert elements.status is not None
            assert (elements.status.state, elements.status.images_received) == ("Creating", number)
            assert elements.documents is not None
            assert [each.document_id for each in elements.documents] == list(range(1, number + 1))
        await client.end_job(token)
        await server.settle()
        report = server.report()
    assert report.violations == ()
    assert report.connections == 1
    [job] = report.jobs
    assert (job.token, job.user_sid, job.psp_identifier) == (token, SID, PSP)
    assert [each.sha256 for each in job.documents] == [
        hashlib.sha256(page.read_bytes()).hexdigest() for page in pages
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("psp-*.xml")))
async def test_instructions_of_every_sample_pass_a_server_that_compares_them(
    name: str, tmp_path: Path, trusting: ssl.SSLContext, authority: Authority
) -> None:
    processes = tmp_path / "processes"
    processes.mkdir()
    text = (SAMPLES / name).read_text()
    end_of_declaration = text.index("?>") + 2
    (processes / "process.xml").write_text(
        f"{text[:end_of_declaration]}<?psp-identifier {PSP}?>{text[end_of_declaration:]}"
    )
    options = sim.ScanServerOptions(out=tmp_path / "out", tls=authority.folder, processes=processes)
    async with sim.ScanServer(options) as server, client_of(server.port, trusting) as client:
        await client.cancel_job(await client.create_job(SID, PSP, instructions(name)))
        assert server.report().violations == ()


async def test_a_job_that_is_gone_counts_as_cancelled(conversation: Conversation) -> None:
    async def gone(connection: Connection, request: Request) -> None:
        await connection.send(
            http(fault("ClientErrorJobTokenNotFound", relates_to=request.message_id), status=400)
        )

    async with conversation(good_until("CancelPostScanJob", gone)) as (server, client):
        await client.cancel_job("gone")
    assert operation(server.requests[-1]) == "CancelPostScanJob"


async def test_the_head_of_send_image_is_as_published(conversation: Conversation, page: Path) -> None:
    image = await asyncio.to_thread(page.read_bytes)
    async with conversation(answer_all) as (server, client):
        await client.send_image("token", 1, "png", SentFile(page))
    sent = server.requests[-1]
    assert sent.head.startswith(b"POST /ScanServer/5f0a2f4e-6d0b-4b0e-9c55-0a4c9d1f7e21 HTTP/1.1\r\n")
    assert sent.header("host") == f"localhost:{server.port}"
    assert sent.header("mime-version") == "1.0"
    assert sent.header("cache-control") == "no-cache"
    boundary = re.search(r'boundary="([0-9a-f]{32})"', sent.header("content-type"))
    assert boundary is not None
    assert sent.header("transfer-encoding") == sent.header("expect") == sent.header("soapaction") == ""
    head, content = sent.body.split(b"\r\n\r\n", 2)[1:]
    assert b"xop:Include" in head
    assert content == image + f"\r\n--{boundary[1]}--\r\n".encode()
    assert int(sent.header("content-length")) == len(sent.body)


async def test_other_messages_are_plain_soap_with_ids_of_their_own(conversation: Conversation) -> None:
    async with conversation(answer_all) as (server, client):
        token = await client.create_job(SID, PSP, instructions())
        await client.end_job(token)
        await client.end_job(token)
    for request in server.requests:
        assert request.header("content-type") == "application/soap+xml; charset=utf-8"
        assert request.header("accept-encoding") == "identity"
        url = f"https://localhost:{server.port}{request.path}"
        to = etree.fromstring(request.body).findtext(".//{*}To")
        assert to == ("urn:schemas-xmlsoap-org:ws:2005:04:discovery" if operation(request) == "Probe" else url)
    ids = [request.message_id for request in server.requests]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", each) for each in ids)


async def test_jobs_side_by_side_share_address_and_connections(
    tmp_path: Path, trusting: ssl.SSLContext, authority: Authority
) -> None:
    page = tmp_path / "1.png"
    Image.new("L", (60, 80)).save(page)

    async def job(client: ScanServer) -> None:
        token = await client.create_job(SID, PSP, instructions())
        for number in (1, 2, 3):
            await client.send_image(token, number, "png", SentFile(page))
        await client.end_job(token)

    options = sim.ScanServerOptions(out=tmp_path / "out", tls=authority.folder)
    async with sim.ScanServer(options) as server, client_of(server.port, trusting) as client:
        await asyncio.gather(*(job(client) for _ in range(5)))
        report = server.report()
    assert [len(job.documents) for job in report.jobs] == [3] * 5
    assert (report.requests["Probe"], report.requests["Get"]) == (1, 1)
    assert report.connections <= 5
    assert report.violations == ()


@pytest.mark.parametrize(
    ("subcode", "prefix", "code", "recovery"),
    [
        ("InvalidArgs", "d", "Sender", Recovery.RELOAD_PROCESS),
        ("OperationFailed", "d", "Receiver", Recovery.RETRY_LATER),
        ("ServerErrorInternalError", "d", "Receiver", Recovery.RETRY_TWICE),
        ("DestinationUnreachable", "a", "Sender", Recovery.RELOCATE),
        ("MadeUp", "d", "Sender", Recovery.GIVE_UP),
    ],
)
async def test_a_fault_says_what_to_do(
    subcode: str, prefix: str, code: str, recovery: Recovery, conversation: Conversation
) -> None:
    async def refuse(connection: Connection, request: Request) -> None:
        body = fault(subcode, relates_to=request.message_id, code=code, prefix=prefix)
        await connection.send(http(body, status=400 if code == "Sender" else 500))

    async with conversation(good_until("CreatePostScanJob", refuse)) as (_server, client):
        with pytest.raises(ServerFault, match=f"refused CreatePostScanJob: .*{subcode}: because") as caught:
            await client.create_job(SID, PSP, instructions())
    assert (caught.value.code, caught.value.subcode) == (code, subcode)
    assert caught.value.recovery is recovery
    assert caught.value.remedy
    assert not caught.value.may_have_happened


@pytest.mark.parametrize(
    ("status", "recovery"),
    [
        (401, Recovery.GIVE_UP),
        (403, Recovery.GIVE_UP),
        (404, Recovery.RELOCATE),
        (413, Recovery.GIVE_UP),
        (429, Recovery.RETRY_LATER),
        (500, Recovery.ASK_FIRST),
        (502, Recovery.ASK_FIRST),
        (503, Recovery.RETRY_LATER),
    ],
)
async def test_a_status_without_soap_says_what_to_do(
    status: int, recovery: Recovery, conversation: Conversation, page: Path
) -> None:
    async def refuse(connection: Connection, request: Request) -> None:
        await connection.send(http(b"<html>no</html>", status=status, content_type="text/html"))

    async with conversation(good_until("SendImage", refuse)) as (_server, client):
        with pytest.raises(ServerRefused, match=f"HTTP {status} to SendImage") as caught:
            await client.send_image("token", 1, "png", SentFile(page))
    assert (caught.value.status, caught.value.recovery) == (status, recovery)
    assert caught.value.may_have_happened is (recovery is Recovery.ASK_FIRST)


async def test_a_message_larger_than_a_server_must_take_is_sent_and_blamed(
    conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    large = instructions()
    etree.SubElement(large, "{urn:large}x").text = "x" * 40_000

    async def refuse(connection: Connection, request: Request) -> None:
        await connection.send(http(b"", status=413))

    async with conversation(good_until("CreatePostScanJob", refuse)) as (server, client):
        with caplog.at_level(logging.WARNING), pytest.raises(ServerRefused, match="shorten the scan process"):
            await client.create_job(SID, PSP, large)
    assert len(server.requests[-1].body) > 40_000
    assert f"the message of scan process {PSP} has" in caplog.text


async def test_a_file_that_shrinks_is_not_passed_off_as_whole(conversation: Conversation, page: Path) -> None:
    def shrink(_sent: int) -> None:
        page.write_bytes(b"")

    async with conversation(answer_all) as (server, client):
        with pytest.raises(SpoolError, match="became shorter while it was sent"):
            await client.send_image("token", 1, "png", SentFile(page), shrink)
        await client.end_job("token")
    assert [operation(request) for request in server.requests][2:] == ["EndPostScanJob"]


async def test_answers_without_content_type_are_read(conversation: Conversation) -> None:
    async def bare(connection: Connection, request: Request) -> None:
        body = envelope("<d:EndPostScanJobResponse/>", relates_to=request.message_id)
        await connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    async with conversation(good_until("EndPostScanJob", bare)) as (_server, client):
        await client.end_job("token")


@pytest.mark.parametrize("repository", ["localhost:1", "nowhere.invalid:1"])
async def test_a_server_that_is_not_there_is_tried_again_later(repository: str, trusting: ssl.SSLContext) -> None:
    limits = TimeLimits(connect_s=5)
    async with ScanServer(repository, ServerOptions(limits=limits), trusting) as client:
        with pytest.raises(
            ServerError, match=r"cannot reach the scan server .*: (nothing listens|its name)"
        ) as caught:
            await client.locate()
    assert caught.value.temporary
