"""What a job goes by when its scan process has changed since it was scanned."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dsm_device.directory.files import FilesDirectory
from dsm_device.directory.port import User
from dsm_device.errors import ProcessNotFound, ProcessUnusable, UsageError
from dsm_device.job.habits import Habits
from dsm_device.job.model import Job
from dsm_device.runner.order import ScanOrder
from dsm_device.runner.scan_order import fresh_instructions, prepare

OPEN_LIST = Path(__file__).parents[1] / "data" / "samples" / "psp-pdfa-email-open-list.xml"
RECORDS, ARCHIVE, MINE = "records@corp.example.com", "archive@corp.example.com", "me@corp.example.com"


class Published:
    """A folder with one scan process, and a job by the first version of it with an address of the user's own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "Mail.xml"
        self.change("", "")
        self._directory = FilesDirectory(folder, User("eva", "S-1-5-21-1", ""))
        prepared = prepare(ScanOrder("Mail", addresses=(MINE,)), self._directory, Habits())
        self.job = Job(
            id="j",
            process_id=prepared.process.identifier,
            process_name="Mail",
            repository=str(prepared.process.repository),
            user="eva",
            user_sid="S-1-5-21-1",
            instructions=prepared.instructions,
            format="png",
            created=datetime(2026, 11, 20, tzinfo=UTC),
            addresses=prepared.addresses,
        )

    def change(self, old: str, new: str) -> None:
        text = OPEN_LIST.read_text("utf-8")
        assert old in text
        self._file.write_text(text.replace(old, new), "utf-8")

    def withdraw(self) -> None:
        self._file.unlink()

    def fresh(self) -> str:
        return fresh_instructions(self.job, self._directory)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


def test_the_same_process_gives_the_same_instructions(published: Published) -> None:
    assert MINE in published.job.instructions
    assert published.fresh() == published.job.instructions


def test_the_users_addresses_stay_and_the_administrators_are_the_new_ones(published: Published) -> None:
    published.change(RECORDS, ARCHIVE)
    fresh = published.fresh()
    assert fresh == published.job.instructions.replace(RECORDS, ARCHIVE)


def test_a_process_that_takes_no_addresses_any_more_is_not_gone_by_without_them(published: Published) -> None:
    published.change('CanAddAddresses="true"', 'CanAddAddresses="false"')
    with pytest.raises(UsageError, match="does not let you add e-mail addresses"):
        published.fresh()


def test_a_process_of_another_server_is_not_gone_by(published: Published) -> None:
    published.change(published.job.repository, "scan02.corp.example.com")
    with pytest.raises(ProcessUnusable, match="goes to another scan server now, scan02"):
        published.fresh()


def test_a_process_that_is_gone(published: Published) -> None:
    published.withdraw()
    with pytest.raises(ProcessNotFound):
        published.fresh()
