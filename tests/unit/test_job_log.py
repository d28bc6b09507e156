"""The job's log: whatever a power cut, a full disk or a bad sector makes of it costs no more than it must."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.errors import SpoolError
from dsm_device.job.model import Job, SpooledPage, encode
from dsm_device.job.states import JobEvent, JobState
from dsm_device.spool import JobFolder, Spool, job_log
from dsm_device.spool.job_log import JobLog, replay

from .test_spool import a_job, acquired


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "state", 1_000_000)
    spool.open()
    return spool


def three_pages(folder: JobFolder) -> Job:
    for n in (1, 2, 3):
        folder.commit_page(n, acquired(folder, n, b"x" * n), ".png")
    folder.set_token("urn:uuid:1")
    folder.mark_sent([folder.job.pages[0]])
    folder.apply(JobEvent.ALL_PAGES_IN)
    return folder.job


def log_of(folder: JobFolder) -> bytes:
    return (folder.path / job_log.LOG).read_bytes()


@pytest.fixture
def folder(spool: Spool) -> JobFolder:
    return spool.create(a_job("20261120-100000-0a1b2c"))


def test_what_is_read_is_what_was_written(folder: JobFolder):
    job = three_pages(folder)
    assert job_log.read(folder.path).job == job


def test_a_page_costs_the_same_however_many_there_are(folder: JobFolder):
    sizes = [len(log_of(folder))]
    for n in range(1, 200):
        folder.commit_page(n, acquired(folder, n, b"x"), ".png")
        sizes.append(len(log_of(folder)))
    steps = [later - earlier for earlier, later in pairwise(sizes)]
    assert max(steps[5:]) <= steps[5] + 4  # a digit more here and there


def test_a_log_cut_anywhere_gives_the_job_as_it_was_at_some_time(folder: JobFolder):
    three_pages(folder)
    data = log_of(folder)
    first = data.index(b"\n") + 1
    states = {replay(data[: end + 1]).job for end, octet in enumerate(data) if octet == 10}
    for cut in range(first, len(data)):
        replayed = replay(data[:cut])
        assert replayed.job in states
        assert replayed.damaged == ()
        assert replayed.octets <= cut


def test_a_log_without_its_first_line_is_damaged(folder: JobFolder):
    three_pages(folder)
    data = log_of(folder)
    for cut in range(data.index(b"\n")):
        with pytest.raises(ValueError):
            replay(data[:cut])


def test_a_damaged_line_takes_away_what_it_said_and_no_more(
    spool: Spool, folder: JobFolder, caplog: pytest.LogCaptureFixture
):
    job = three_pages(folder)
    lines = log_of(folder).splitlines(keepends=True)
    lines[2] = b"?" * (len(lines[2]) - 1) + b"\n"  # the second page's
    (folder.path / job_log.LOG).write_bytes(b"".join(lines))
    folder.release()
    found = spool.find(job.id)
    assert [page.n for page in found.job.pages] == [1, 3]
    with caplog.at_level(logging.WARNING):
        found.claim()
    assert "line 3" in caplog.text
    assert found.job == job  # the page's file was still there
    assert job_log.read(folder.path).damaged == ()


def test_what_a_cut_left_of_the_last_line_is_written_over(spool: Spool, folder: JobFolder):
    job = three_pages(folder)
    with (folder.path / job_log.LOG).open("ab") as log:
        log.write(b'1234abcd {"change": {"state": "do' + b"n" * 5000)
    folder.release()
    found = spool.find(job.id)
    found.claim()
    found.apply(JobEvent.POSTPONED, "the server is down")
    assert found.job.error == "the server is down"
    assert job_log.read(folder.path) == replace(job_log.read(folder.path), job=found.job, damaged=())


def test_a_disk_that_is_full_changes_nothing(folder: JobFolder):
    job, data = three_pages(folder), log_of(folder)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(data) + 7, before[1]))
    try:
        with pytest.raises(SpoolError, match=r"job\.log cannot be written"):
            folder.apply(JobEvent.POSTPONED, "the server is down")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (folder.job, log_of(folder)) == (job, data)
    folder.apply(JobEvent.POSTPONED, "the server is down")
    assert job_log.read(folder.path).job == folder.job


def test_the_first_version_is_read_and_written_anew(spool: Spool, folder: JobFolder):
    """Its record was one JSON object in job.json, without a number."""
    job = three_pages(folder)
    (folder.path / job_log.LOG).unlink()
    old = msgspec.to_builtins(msgspec.structs.replace(job, version=1))
    del old["number"]
    (folder.path / "job.json").write_text(json.dumps(old))
    folder.release()
    (found,) = spool.jobs()
    assert found.job.pages == job.pages
    found = spool.find(job.id)
    found.claim()
    assert found.job == msgspec.structs.replace(job, number=job.number + 1)
    assert not (folder.path / "job.json").exists()
    assert job_log.read(folder.path).job == found.job


def test_an_upgrade_that_was_cut_off_goes_on(spool: Spool, folder: JobFolder):
    job = three_pages(folder)
    (folder.path / "job.json").write_text("{}")  # the new record stands already
    folder.release()
    assert spool.find(job.id).job == job


def test_history_of_the_first_version_is_shown_and_the_oldest_to_go(tmp_path: Path):
    spool = Spool(tmp_path / "state", 1_000_000, keep_history=2)
    spool.open()
    root = tmp_path / "state" / "history"
    root.mkdir()
    old = msgspec.structs.replace(a_job("20251120-100000-0a1b2c"), version=1, state=JobState.DONE)
    (root / f"{old.id}.json").write_bytes(encode(old))
    for name in ("19700101-000000-a", "19700101-000000-b"):
        spool.create(a_job(name)).remove(JobEvent.CANCELED)
        assert len(list(spool.history())) == 2
    assert [job.id for job in spool.history()] == ["19700101-000000-a", "19700101-000000-b"]


def test_jobs_are_numbered_whatever_becomes_of_the_counter(spool: Spool, tmp_path: Path):
    def number(name: str) -> int:
        return spool.create(a_job(name)).job.number

    counter = tmp_path / "state" / "last-job-number"
    assert [number("a"), number("b")] == [1, 2]
    counter.write_bytes(b"\x00\xff")
    assert number("c") == 3
    counter.unlink()
    spool.find("b")  # the highest is in the spool or in the history
    assert number("d") == 4
    counter.write_text("2147483647\n")
    assert number("e") == 1


def test_a_job_whose_creation_was_cut_off_never_was(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_rename(self: JobFolder, path: Path) -> None:
        raise SpoolError("cut off")

    monkeypatch.setattr(JobFolder, "move_to", no_rename)
    with pytest.raises(SpoolError, match="cut off"):
        spool.create(a_job("a"))
    assert list(spool.jobs()) == []
    assert [path.name for path in (tmp_path / "state" / "spool").iterdir()] == []


@given(st.binary(max_size=2000))
def test_nothing_that_a_disk_holds_is_more_than_a_value_error(data: bytes):
    with pytest.raises(ValueError):
        replay(data)


@given(
    st.lists(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["n", "pages"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["job", "change", "pages", "n", "id"]), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_nor_is_a_line_of_another_form(entries: list[object]):
    lines = [json.dumps(entry).encode() for entry in entries]
    with pytest.raises(ValueError):
        replay(b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines))


def test_an_append_is_on_the_disk_when_it_returns(folder: JobFolder, monkeypatch: pytest.MonkeyPatch):
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    log = JobLog(folder.path, len(log_of(folder)))
    log.append(folder.job, folder.job.with_page(SpooledPage(1, "page-00001.png", 1)))
    assert synced == [len(log_of(folder))]
