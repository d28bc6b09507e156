"""Sending images: straight from the disk, with memory and patience that do not depend on their size."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from dsm_device.client import ScanServer, ServerOptions, TimeLimits
from dsm_sim.certificates import Authority
from dsm_sim.peers import scan_server as sim
from tests.integration.client.raw_server import (
    Connection,
    Conversation,
    http,
    instructions,
    sample_answer,
    well_behaved,
)
from tests.integration.client.sent_file import SentFile

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


async def test_memory_does_not_depend_on_the_file(conversation: Conversation, tmp_path: Path) -> None:
    octets = 200 * MIB
    sparse = tmp_path / "1.png"
    with sparse.open("wb") as file:
        file.truncate(octets)
    received = 0

    async def script(connection: Connection) -> None:
        nonlocal received
        while b"multipart" not in (head := await connection.head()):
            await connection.send(well_behaved(await connection.rest(head)))
        length = connection.length_of(head)
        envelope = b""
        while received < length:
            chunk = await connection.reader.read(65_536)
            received += len(chunk)
            envelope = envelope or chunk
        request = connection.as_request(head, envelope)
        await connection.send(http(sample_answer("dsp-send-image-response.xml", request, 0)))

    async with conversation(script) as (_, client):
        await client.locate()
        tracemalloc.start()
        try:
            await client.send_image("token", 1, "png", SentFile(sparse))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert received > octets
    assert peak < 4 * MIB


async def test_progress_is_told_in_steps_up_to_the_files_size(conversation: Conversation, page: Path) -> None:
    steps: list[int] = []

    async def script(connection: Connection) -> None:
        while True:
            await connection.send(well_behaved(await connection.request()))

    async with conversation(script) as (_, client):
        await client.send_image("token", 1, "png", SentFile(page), steps.append)
    assert steps == sorted(steps)
    assert steps[-1] == 512_000
    assert 1 < len(steps) <= 1 + 512_000 // 65_536


async def test_an_empty_file_is_sent_as_it_is(conversation: Conversation, tmp_path: Path) -> None:
    empty = tmp_path / "1.png"
    empty.touch()

    async def script(connection: Connection) -> None:
        while True:
            await connection.send(well_behaved(await connection.request()))

    async with conversation(script) as (server, client):
        await client.send_image("token", 1, "png", SentFile(empty))
    assert b"\r\n\r\n\r\n--" in server.requests[-1].body


async def test_a_server_that_takes_100_kb_a_second_is_borne_and_holds_nothing_else_up(
    tmp_path: Path, trusting: ssl.SSLContext, authority: Authority
) -> None:
    page = tmp_path / "1.png"
    Image.effect_noise((700, 600), 50).save(page)
    digest = hashlib.sha256(page.read_bytes()).hexdigest()
    longest_stall_s = 0.0

    async def watch() -> None:
        nonlocal longest_stall_s
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            longest_stall_s = max(longest_stall_s, loop.time() - before)

    options = sim.ScanServerOptions(out=tmp_path / "out", tls=authority.folder, read_rate=100_000)
    # Less than the whole image takes, more than one chunk of it does.
    limits = ServerOptions(limits=TimeLimits(write_s=2.5))
    with sim.running_scan_server(options) as server:
        async with ScanServer(f"localhost:{server.port}", limits, trusting) as client:
            token = await client.create_job("S-1-5", "6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11", instructions())
            watcher = asyncio.create_task(watch())
            began = asyncio.get_running_loop().time()
            await client.send_image(token, 1, "png", SentFile(page))
            took_s = asyncio.get_running_loop().time() - began
            watcher.cancel()
            await client.cancel_job(token)
        [document] = server.jobs[0].documents
    assert document.sha256 == digest
    assert took_s > 2.5
    assert longest_stall_s < 0.5


async def test_a_cancelled_send_leaves_no_connection_behind(conversation: Conversation, page: Path) -> None:
    started = asyncio.Event()
    ended = asyncio.Event()

    async def script(connection: Connection) -> None:
        while b"multipart" not in (head := await connection.head()):
            await connection.send(well_behaved(await connection.rest(head)))
        started.set()
        try:
            while await connection.reader.read(65_536):
                pass
        finally:
            ended.set()

    async with conversation(script) as (_, client):
        sending = asyncio.create_task(client.send_image("token", 1, "png", SentFile(page)))
        await started.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(ended.wait(), 5)
