"""Who the device is, over restarts, wrong clocks and damaged files."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsm_device.errors import SpoolError
from dsm_device.server.identity import Identity

RECORD, COPY = "identity.json", "identity.backup.json"
MAX = 2**32 - 1


def start(folder: Path, now_s: float = 1_800_000_000) -> Identity:
    return Identity.open(folder, lambda: now_s)


def test_it_stays_the_same_over_restarts(tmp_path: Path) -> None:
    first = start(tmp_path / "state")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first.uuid)
    assert first.endpoint == f"urn:uuid:{first.uuid}"
    assert (first.instance_id, first.metadata_version, first.notice) == (1_800_000_000, 1, "")
    again = start(tmp_path / "state", 1_800_000_100.9)
    assert (again.uuid, again.instance_id, again.metadata_version) == (first.uuid, 1_800_000_100, 1)
    assert start(tmp_path / "other").uuid != first.uuid


@settings(deadline=None, max_examples=25)
@given(clocks=st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=8))
def test_instance_id_only_rises_whatever_the_clock_says(
    clocks: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("state")
    ids = [start(folder, now_s).instance_id for now_s in clocks]
    assert all(0 < each <= MAX for each in ids)
    assert all(later > earlier or later == MAX for earlier, later in pairwise(ids))


def test_message_numbers_count_from_one_in_each_run(tmp_path: Path) -> None:
    for _ in range(2):
        identity = start(tmp_path)
        numbers = [identity.next_sequence() for _ in range(3)]
        assert [each.message_number for each in numbers] == [1, 2, 3]
        assert {each.instance_id for each in numbers} == {identity.instance_id}


def test_metadata_version_rises_with_what_the_device_is(tmp_path: Path) -> None:
    identity = start(tmp_path)
    assert identity.describe("one") is False
    assert identity.metadata_version == 1
    assert identity.describe("one") is False
    assert identity.describe("two") is True
    assert identity.metadata_version == 2
    again = start(tmp_path)
    assert again.describe("two") is False
    assert again.describe("one") is True
    assert again.metadata_version == 3


def test_metadata_version_rises_with_a_new_address_but_not_with_every_start(tmp_path: Path) -> None:
    identity = start(tmp_path)
    assert identity.locate(set()) is False
    assert identity.locate({"192.0.2.1", "2001:db8::1"}) is False
    assert identity.metadata_version == 1
    again = start(tmp_path)
    # As they come up, one by one; and as one goes away and comes back.
    for addresses in (set(), {"2001:db8::1"}, {"192.0.2.1", "2001:db8::1"}, {"192.0.2.1"}, {"2001:db8::1"}):
        assert again.locate(addresses) is False
    assert again.locate({"192.0.2.2"}) is True
    assert again.locate({"192.0.2.1"}) is True
    assert again.metadata_version == 3
    assert start(tmp_path).metadata_version == 3


def damage(folder: Path, *names: str, content: bytes | None) -> None:
    for name in names:
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\0" * 4096, b'{"uuid": 5}', b"\xff\xfe{}", b"[]"])
@pytest.mark.parametrize("name", [RECORD, COPY])
def test_one_damaged_copy_costs_nothing_but_a_word(tmp_path: Path, name: str, content: bytes | None) -> None:
    first = start(tmp_path)
    first.describe("one")
    first.describe("two")
    damage(tmp_path, name, content=content)
    again = start(tmp_path, 5)
    assert (again.uuid, again.metadata_version) == (first.uuid, 2)
    assert again.instance_id == first.instance_id + 1
    assert name in again.notice
    assert start(tmp_path).notice == ""  # it has been mended


def test_the_newest_of_two_copies_counts(tmp_path: Path) -> None:
    """A power cut between the two leaves the second one behind."""
    first = start(tmp_path, 1_000)
    old = (tmp_path / COPY).read_bytes()
    start(tmp_path, 2_000).describe("x")
    (tmp_path / COPY).write_bytes(old)
    again = start(tmp_path, 1)
    assert (again.uuid, again.instance_id, again.notice) == (first.uuid, 2_001, "")


def test_a_uuid_in_two_damaged_files_is_saved_and_counters_go_beyond_what_they_were(tmp_path: Path) -> None:
    first = start(tmp_path)
    for _ in range(5):
        first.describe(str(_))
    data = (tmp_path / RECORD).read_bytes()
    damage(tmp_path, RECORD, COPY, content=data[: data.index(b"instance_id")])
    again = start(tmp_path, 1_800_000_500)
    assert again.uuid == first.uuid
    assert again.instance_id > first.instance_id
    assert again.metadata_version > first.metadata_version
    assert "only the device's UUID could be saved" in again.notice


@pytest.mark.parametrize("content", [b"", b"\0" * 512])
def test_a_new_identity_for_a_device_that_had_one_is_never_silent(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    first = start(tmp_path)
    damage(tmp_path, RECORD, COPY, content=content)
    again = start(tmp_path)
    assert again.uuid != first.uuid
    assert "NEW device" in again.notice
    assert again.notice in caplog.text


@settings(deadline=None, max_examples=40)
@given(content=st.binary(max_size=300))
def test_no_content_of_the_files_stops_the_device(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("state")
    (folder / RECORD).write_bytes(content)
    identity = start(folder)
    assert identity.notice
    assert start(folder).uuid == identity.uuid


@pytest.mark.parametrize("field", ["instance_id", "metadata_version"])
@pytest.mark.parametrize("value", [-1, 2**32, 1.5, "1", None])
def test_counters_out_of_range_count_as_damage(tmp_path: Path, field: str, value: object) -> None:
    first = start(tmp_path)
    record = {**json.loads((tmp_path / RECORD).read_text()), field: value}
    damage(tmp_path, RECORD, COPY, content=json.dumps(record).encode())
    again = start(tmp_path)
    assert again.uuid == first.uuid
    assert again.notice


def test_what_a_later_version_adds_does_no_harm(tmp_path: Path) -> None:
    first = start(tmp_path)
    record = {**json.loads((tmp_path / RECORD).read_text()), "new": 1}
    damage(tmp_path, RECORD, COPY, content=json.dumps(record).encode())
    assert (start(tmp_path).uuid, start(tmp_path).notice) == (first.uuid, "")


def test_counters_stop_at_their_end(tmp_path: Path) -> None:
    start(tmp_path)
    record = json.loads((tmp_path / RECORD).read_text())
    record |= {"instance_id": MAX, "metadata_version": MAX, "digest": "x"}
    damage(tmp_path, RECORD, COPY, content=json.dumps(record).encode())
    identity = start(tmp_path)
    identity.describe("y")
    assert (identity.instance_id, identity.metadata_version) == (MAX, MAX)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="identity cannot be kept"):
        start(tmp_path / "file" / "state")
    (tmp_path / RECORD).mkdir()
    with pytest.raises(SpoolError, match="identity"):
        start(tmp_path)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    start(tmp_path / "state")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    assert modes == {RECORD: 0o600, COPY: 0o600}
