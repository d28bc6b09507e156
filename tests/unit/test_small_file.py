"""What is remembered over restarts: whatever the disk holds, the device starts."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.hardware import ScannerInfo
from dsm_device.runner.scanner_memory import Remembered, ScannerMemory
from dsm_device.runner.server_memory import FILE, ServerMemory
from dsm_device.runner.small_file import MAX_OCTETS, SmallFile

SCANNER = ScannerInfo("sim:001", "Maker", "Model", "feeder", "S1")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
CONTENTS = (
    st.binary()
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.text(), st.text()).map(lambda value: json.dumps(value).encode())
)
DEEP = [b'{"a":' * 200_000, b"[" * 200_000, b'{"a": {"x": ' + b"[" * 200_000]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


def check(folder: Path, content: bytes) -> None:
    """The file is read or ignored, and holds after the next thing that is remembered what it held, and that."""
    path = folder / "file.json"
    for kind in (str, Remembered):
        path.write_bytes(content)
        file = SmallFile(path, kind)
        before = file.read()
        assert all(isinstance(name, str) and isinstance(value, kind) for name, value in before.items())
        file.write(before)
        assert file.read() == before


@given(CONTENTS)
def test_whatever_is_there_is_read_or_ignored(folder: Path, content: bytes) -> None:
    check(folder, content)


@pytest.mark.parametrize("content", DEEP, ids=["objects", "lists", "unknown field"])
def test_what_is_nested_deeply_is_ignored(folder: Path, content: bytes) -> None:
    check(folder, content)


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_what_is_remembered_is_there_after_a_restart(folder: Path, forms: dict[str, str]) -> None:
    (folder / FILE).unlink(missing_ok=True)
    for server, form in forms.items():
        ServerMemory(folder).remember(server, form)
    assert {server: ServerMemory(folder).recall(server) for server in forms} == forms
    assert ServerMemory(folder).recall("\0 nobody") == ""


def test_two_processes_forget_nothing_of_each_other(tmp_path: Path) -> None:
    one, other = ServerMemory(tmp_path), ServerMemory(tmp_path)
    one.remember("a:1", "BY_DATAGRAM")
    other.remember("b:1", "NOT_AT_ALL")
    one.remember("a:1", "AT_SERVER_PATH")
    assert (other.recall("a:1"), one.recall("b:1")) == ("AT_SERVER_PATH", "NOT_AT_ALL")


def test_it_is_for_this_user_alone_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    ServerMemory(tmp_path).remember("a:1", "NOT_AT_ALL")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["folder", "fifo", "huge"])
def test_what_is_no_such_file_is_ignored(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / FILE
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "huge":
            path.write_bytes(b'{"a": "' + b"x" * MAX_OCTETS + b'"}')
    memory = ServerMemory(tmp_path)
    assert memory.recall("a") == ""
    assert len(caplog.messages) == 1
    memory.remember("b", "NOT_AT_ALL")
    assert memory.recall("b") == ("" if kind == "folder" else "NOT_AT_ALL")
    assert "cannot be written" in caplog.text if kind == "folder" else True


def test_a_folder_that_is_not_there_costs_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ServerMemory(tmp_path / "missing").remember("a", "NOT_AT_ALL")
    assert len(caplog.messages) == 1
    assert "cannot be written" in caplog.text


def test_a_scanner_that_is_remembered_is_known_again(tmp_path: Path) -> None:
    ScannerMemory(tmp_path).remember(["", SCANNER.device], SCANNER)
    assert ScannerMemory(tmp_path).recall(SCANNER.device) == Remembered.of(SCANNER)
    assert ScannerMemory(tmp_path).recall("") is None


def test_nothing_is_kept_without_a_folder() -> None:
    memory = ScannerMemory(None)
    memory.remember([SCANNER.device], SCANNER)
    assert memory.recall(SCANNER.device) == Remembered.of(SCANNER)
