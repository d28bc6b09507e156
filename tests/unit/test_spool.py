"""The spool: what a record names is complete on disk, and bad disks are told in one line."""

from __future__ import annotations

import os
import stat
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dsm_device.errors import SpoolError
from dsm_device.job.model import Job
from dsm_device.job.states import JobEvent, JobState
from dsm_device.spool import JobFolder, Spool

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def a_job(job_id: str) -> Job:
    return Job(
        id=job_id,
        process_id="6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11",
        process_name="Invoices",
        repository="scan01.corp.example.com",
        user="amelie",
        user_sid="S-1-5-21-1-2-3-1107",
        instructions="<i/>",
        format="jfif",
        created=NOW,
    )


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "state", 1_000_000)
    spool.open()
    return spool


@pytest.fixture
def folder(spool: Spool) -> JobFolder:
    return spool.create(a_job("20261120-100000-0a1b2c"))


def acquired(folder: JobFolder, n: int, data: bytes) -> Path:
    path = folder.path / f"page-{n:05d}.part"
    path.write_bytes(data)
    return path


def rewrite(folder: JobFolder, old: bytes, new: bytes) -> None:
    """Change a record as somebody would who knows its form."""
    record = folder.path / "job.log"
    lines = [line[9:].replace(old, new) for line in record.read_bytes().splitlines()]
    record.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines))


def test_a_committed_page_survives_a_restart(spool: Spool, folder: JobFolder):
    page = folder.commit_page(1, acquired(folder, 1, b"abc"), ".jpg")
    found = spool.find(folder.job.id)
    assert found.job.pages == (page,)
    assert found.file(page).read_bytes() == b"abc"
    assert page.bytes == 3
    assert not list(folder.path.glob("*.part"))


def test_a_page_that_was_not_committed_is_not_counted(spool: Spool, folder: JobFolder):
    acquired(folder, 1, b"half a page")
    assert spool.find(folder.job.id).job.pages == ()


def test_pages_keep_their_order_and_their_confirmation(spool: Spool, folder: JobFolder):
    second = folder.commit_page(2, acquired(folder, 2, b"2"), ".png")
    folder.commit_page(1, acquired(folder, 1, b"1"), ".png")
    folder.set_token("first")
    folder.mark_sent([second])
    assert folder.job.sent == 1
    folder.apply(JobEvent.ALL_PAGES_IN)  # what was confirmed is written with the next change
    pages = spool.find(folder.job.id).job.pages
    assert [(page.n, page.sent) for page in pages] == [(1, False), (2, True)]


def test_a_confirmation_is_written_by_itself_when_nothing_else_was_for_a_second(
    spool: Spool, folder: JobFolder, monkeypatch: pytest.MonkeyPatch
):
    page = folder.commit_page(1, acquired(folder, 1, b"1"), ".png")
    folder.set_token("first")
    monkeypatch.setattr("dsm_device.spool.spool.SENT_WRITTEN_EVERY_S", 0)
    folder.mark_sent([page])
    assert spool.find(folder.job.id).job.sent == 1


def test_a_blank_page_of_a_delivered_job_cannot_be_put_back(folder: JobFolder):
    folder.commit_page(1, acquired(folder, 1, b"1"), ".png", left_out=True)
    folder.set_token("first")
    for event in (JobEvent.ACCEPTED, JobEvent.END_BEGUN, JobEvent.ENDED):
        folder.apply(event)
    with pytest.raises(SpoolError, match="has been delivered"):
        folder.restore_pages([1])


def test_a_new_token_forgets_what_the_old_post_scan_job_had(folder: JobFolder):
    page = folder.commit_page(1, acquired(folder, 1, b"1"), ".png")
    folder.set_token("first")
    folder.mark_sent([page])
    folder.set_token("second")
    assert folder.job.sent == 0
    assert folder.job.state is JobState.CREATED


def test_pages_are_committed_and_confirmed_side_by_side(spool: Spool, folder: JobFolder):
    first = folder.commit_page(1, acquired(folder, 1, b"1"), ".png")
    folder.set_token("first")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: folder.commit_page(n, acquired(folder, n, b"x"), ".png"), range(2, 30)))
        threads.submit(folder.mark_sent, [first]).result()
    folder.apply(JobEvent.ALL_PAGES_IN)
    pages = spool.find(folder.job.id).job.pages
    assert [page.n for page in pages] == list(range(1, 30))
    assert pages[0].sent


def test_only_the_owner_can_read_it(spool: Spool, folder: JobFolder, tmp_path: Path):
    assert stat.S_IMODE((tmp_path / "state" / "spool").stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.path / "job.log").stat().st_mode) == 0o600


def test_a_removed_job_is_gone(spool: Spool, folder: JobFolder):
    folder.commit_page(1, acquired(folder, 1, b"1"), ".png")
    folder.remove(JobEvent.CANCELED)
    assert list(spool.jobs()) == []
    assert not folder.path.exists()


def test_what_is_done_is_history(spool: Spool, folder: JobFolder):
    folder.commit_page(1, acquired(folder, 1, b"12345"), ".png")
    folder.remove(JobEvent.CANCELED)
    (past,) = spool.history()
    assert (past.id, past.state, past.bytes) == (folder.job.id, JobState.CANCELED, 5)
    assert past.finished is not None


def test_only_the_newest_history_is_kept(tmp_path: Path):
    spool = Spool(tmp_path / "state", 1_000_000, keep_history=2)
    spool.open()
    for number in range(4):
        spool.create(a_job(f"job-{number}")).remove(JobEvent.CANCELED)
    assert [job.id for job in spool.history()] == ["job-2", "job-3"]


def test_a_deletion_that_was_cut_off_is_finished(spool: Spool, folder: JobFolder):
    folder.commit_page(1, acquired(folder, 1, b"1"), ".png")
    discarded = folder.path.rename(folder.path.with_name(".discarded-" + folder.path.name))
    assert list(spool.jobs()) == []
    spool.open()
    assert not discarded.exists()


def test_a_damaged_record_is_reported_and_its_pages_are_left_alone(spool: Spool, folder: JobFolder):
    page = folder.commit_page(1, acquired(folder, 1, b"1"), ".png")
    (folder.path / "job.log").write_bytes(b"{")
    ((name, error),) = spool.damaged()
    assert name == folder.job.id and "saved by hand" in str(error)
    spool.open()
    assert folder.file(page).exists()


def test_jobs_are_listed_oldest_first_and_a_damaged_one_hides_no_other(spool: Spool):
    # By the clock of the machine the last came first: boards without a battery start in 1970.
    names = ["20260101-000000-aaaaaa", "20260102-000000-aaaaaa", "19700101-000000-aaaaaa"]
    for name in names:
        spool.create(a_job(name))
    (spool.find(names[1]).path / "job.log").write_bytes(b'00000000 {"job": {"id": "2026')
    assert [folder.job.id for folder in spool.jobs()] == [names[0], names[2]]
    with pytest.raises(SpoolError, match="cannot be used"):
        spool.find(names[1])


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "no-such-job", "a/b"])
def test_a_job_that_is_not_there(spool: Spool, name: str):
    with pytest.raises(SpoolError, match="no job"):
        spool.find(name)


def test_a_record_of_a_later_version_is_not_guessed_at(spool: Spool, folder: JobFolder):
    rewrite(folder, b'"version":2', b'"version":3')
    with pytest.raises(SpoolError, match="version 3"):
        spool.find(folder.job.id)


def test_a_record_that_names_files_elsewhere_is_not_followed(spool: Spool, folder: JobFolder):
    folder.commit_page(1, acquired(folder, 1, b"1"), ".png")
    rewrite(folder, b"page-00001.png", b"../../../secret")
    with pytest.raises(SpoolError, match="outside its folder"):
        spool.find(folder.job.id)


def test_a_job_has_one_process_at_a_time(spool: Spool, folder: JobFolder):
    with pytest.raises(SpoolError, match="right now"):
        spool.find(folder.job.id).claim()


def test_the_limit_counts_what_lies_in_the_spool(spool: Spool, folder: JobFolder):
    before = spool.free_bytes()
    folder.commit_page(1, acquired(folder, 1, b"x" * 400_000), ".png")
    assert before - spool.free_bytes() >= 400_000
    folder.commit_page(2, acquired(folder, 2, b"x" * 700_000), ".png")
    with pytest.raises(SpoolError, match="full"):
        spool.check_room()


def test_room_is_looked_at_while_records_are_replaced(spool: Spool, folder: JobFolder):
    done = threading.Event()

    def replace_records() -> None:
        while not done.is_set():
            folder.apply(JobEvent.ALL_PAGES_IN)

    with ThreadPoolExecutor(1) as thread:
        writer = thread.submit(replace_records)
        try:
            for _ in range(2000):
                spool.check_room()
        finally:
            done.set()
        writer.result()


def test_what_a_killed_process_left_is_cleared_away_and_nothing_else(spool: Spool, tmp_path: Path):
    root = tmp_path / "state" / "spool"
    left = root / ".scratch-4194305-x"  # above the largest process number that Linux gives
    left.mkdir()
    (left / "plane").write_bytes(b"x")
    with spool.scratch() as in_use:
        spool.open()
        assert Path(in_use).is_dir()
    assert list(root.iterdir()) == []


def test_a_page_whose_record_a_power_cut_took_is_taken_up(spool: Spool):
    folder = spool.create(a_job("20261120-100000-ffffff"))
    folder.commit_page(1, acquired(folder, 1, b"1"), ".jpg")
    acquired(folder, 2, b"22").rename(folder.path / "page-00002.jpg")  # and no further
    acquired(folder, 3, b"half")
    os.close(folder._claim)  # as the end of the process does
    found = spool.find(folder.job.id)
    found.claim()
    assert [(page.n, page.file, page.bytes) for page in found.job.pages] == [
        (1, "page-00001.jpg", 1),
        (2, "page-00002.jpg", 2),
    ]
    assert spool.find(folder.job.id).job.pages == found.job.pages


def test_a_state_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="state_dir"):
        Spool(tmp_path / "file" / "state", 1).open()
