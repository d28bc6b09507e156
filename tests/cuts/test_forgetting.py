"""The layer notes what programs do, and forgets what they did not sync."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cuts.forgetting import Disk, JournalError, build_layer, layer_environment

_HELPERS = """
import os, sys, threading
def create(path, data, sync=True):
    with open(path, "wb") as file:
        file.write(data); file.flush()
        if sync: os.fsync(file.fileno())
def sync_folder(path="."):
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor); os.close(descriptor)
"""


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        pytest.skip("there is no C compiler to build the forgetting layer with")
    return build_layer(tmp_path_factory.mktemp("layer"), compiler)


@pytest.fixture
def after_cut(layer: Path, tmp_path: Path) -> Callable[..., dict[str, bytes]]:
    """Runs a program in a folder and cuts it off: the files that are left, by their paths."""

    def run(program: str, before: dict[str, bytes] | None = None, seed: int = 0) -> dict[str, bytes]:
        root, journal, remains = (tmp_path / f"{name}-{seed}" for name in ("root", "journal", "left"))
        root.mkdir()
        for name, content in (before or {}).items():
            (root / name).write_bytes(content)
        disk = Disk(root)
        program += "\nos.kill(os.getpid(), 9)"
        done = subprocess.run(
            (sys.executable, "-c", _HELPERS + program),
            cwd=root,
            env={**os.environ, **layer_environment(layer, root, journal)},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        disk.play(journal)
        disk.cut(remains, random.Random(seed) if seed else None)
        return {str(path.relative_to(remains)): path.read_bytes() for path in remains.rglob("*") if path.is_file()}

    return run


After = Callable[..., dict[str, bytes]]


def test_what_was_synced_stays(after_cut: After) -> None:
    assert after_cut("create('a', b'synced'); sync_folder()") == {"a": b"synced"}


def test_an_unsynced_write_is_lost(after_cut: After) -> None:
    assert after_cut("create('a', b'lost', sync=False); sync_folder()") == {"a": b""}


def test_a_name_in_an_unsynced_folder_is_lost(after_cut: After) -> None:
    assert after_cut("create('a', b'synced')") == {}


def test_a_rename_without_sync_of_the_folder_is_lost(after_cut: After) -> None:
    program = "create('a.part', b'new'); sync_folder(); os.rename('a.part', 'a')"
    assert after_cut(program, {"a": b"old"}) == {"a": b"old", "a.part": b"new"}


def test_a_rename_with_sync_of_the_folder_stays(after_cut: After) -> None:
    program = "create('a.part', b'new'); os.rename('a.part', 'a'); sync_folder()"
    assert after_cut(program, {"a": b"old"}) == {"a": b"new"}


def test_a_rename_between_folders_lasts_whole_with_either(after_cut: After) -> None:
    program = """
os.mkdir("from"); os.mkdir("to"); create("from/a", b"page"); sync_folder()
os.rename("from/a", "to/a"); sync_folder("to"); os.rename("to/a", "from/b")
"""
    assert after_cut(program) == {"to/a": b"page"}


def test_a_rename_before_the_sync_of_the_file_may_leave_it_empty(after_cut: After) -> None:
    program = "create('a.part', b'new', sync=False); os.rename('a.part', 'a'); sync_folder()"
    assert after_cut(program, {"a": b"old"}) == {"a": b""}


def test_an_unsynced_deletion_comes_back(after_cut: After) -> None:
    assert after_cut("os.unlink('a')", {"a": b"old"}) == {"a": b"old"}


def test_a_synced_deletion_stays(after_cut: After) -> None:
    assert after_cut("os.unlink('a'); sync_folder()", {"a": b"old"}) == {}


def test_a_folder_is_a_name_in_the_one_above(after_cut: After) -> None:
    inside = "os.mkdir('job'); create('job/page', b'x'); sync_folder('job')"
    assert after_cut(inside) == {}


def test_a_folder_with_its_name_synced_stays(after_cut: After) -> None:
    assert after_cut("os.mkdir('job'); sync_folder(); create('job/page', b'x'); sync_folder('job')") == {
        "job/page": b"x"
    }


def test_a_truncation_without_sync_is_lost(after_cut: After) -> None:
    program = "f = open('a', 'wb', buffering=0); f.write(b'n'); g = open('b', 'r+b'); g.truncate(1)"
    assert after_cut(program, {"a": b"old", "b": b"old"}) == {"a": b"old", "b": b"old"}


def test_appending_positioned_and_gathered_writes(after_cut: After) -> None:
    program = """
fd = os.open("a", os.O_WRONLY | os.O_APPEND); os.write(fd, b"def"); os.fdatasync(fd); os.write(fd, b"lost")
fd = os.open("b", os.O_RDWR); os.pwrite(fd, b"XY", 1); os.writev(fd, [b"0", b"1"]); os.ftruncate(fd, 5)
os.fsync(fd)
"""
    assert after_cut(program, {"a": b"abc", "b": b"....."}) == {"a": b"abcdef", "b": b"01Y.."}


def test_inodes_that_are_used_again(after_cut: After) -> None:
    program = "\n".join(f"create('t', b'{n}'); os.unlink('t')" for n in range(20))
    assert after_cut(program + "\ncreate('last', b'last'); sync_folder()") == {"last": b"last"}


def test_threads_and_processes_share_the_journal(after_cut: After) -> None:
    program = """
def work(who):
    for n in range(20): create(f"{who}-{n}", f"{who} {n}".encode() * 500)
children = []
for p in range(3):
    pid = os.fork()
    if not pid:
        threads = [threading.Thread(target=work, args=(f"{p}-{t}",)) for t in range(3)]
        [t.start() for t in threads]; [t.join() for t in threads]; os._exit(0)
    children.append(pid)
[os.waitpid(pid, 0) for pid in children]
import subprocess
subprocess.run([sys.executable, "-c", "import os; f = open('exec', 'w'); f.write('e'); f.flush(); os.fsync(f)"])
sync_folder()
"""
    left = after_cut(program)
    expected = {
        f"{p}-{t}-{n}": f"{p}-{t} {n}".encode() * 500 for p in range(3) for t in range(3) for n in range(20)
    }
    assert left == {**expected, "exec": b"e"}


def test_copies_by_the_kernel_are_seen_as_writes(after_cut: After) -> None:
    program = """
import shutil
shutil.copyfile("a", "b")
with open("b", "r+b") as file: os.fsync(file.fileno())
sync_folder()
"""
    assert after_cut(program, {"a": b"copied" * 1000})["b"] == b"copied" * 1000


def test_by_chance_an_append_is_torn_and_what_was_synced_is_not(after_cut: After) -> None:
    program = """
fd = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND); os.write(fd, b"synced;"); os.fsync(fd); sync_folder()
os.write(fd, b"0123456789" * 10)
"""
    whole = b"synced;" + b"0123456789" * 10
    logs = [after_cut(program, seed=seed)["log"] for seed in range(1, 13)]
    assert all(whole.startswith(log) and len(log) >= 7 for log in logs)
    assert any(7 < len(log) < len(whole) for log in logs)


def test_by_chance_names_keep_their_order(after_cut: After) -> None:
    program = "create('a.part', b'1'); os.rename('a.part', 'a'); os.rename('a', 'b')"
    found = {tuple(after_cut(program, seed=seed)) for seed in range(1, 17)}
    assert found <= {(), ("a.part",), ("a",), ("b",)}
    assert len(found) > 1


def test_a_record_that_was_cut_off_is_left_out(after_cut: After, tmp_path: Path) -> None:
    assert after_cut("create('a', b'synced'); sync_folder()") == {"a": b"synced"}
    with (tmp_path / "journal-0").open("ab") as journal:
        journal.write(b"\x89FORGET\0" + bytes(20))
    (tmp_path / "again").mkdir()
    with pytest.raises(JournalError, match="never seen"):
        Disk(tmp_path / "again").play(tmp_path / "journal-0")  # read to its end, but of another folder


def test_a_change_that_was_missed_is_noticed(after_cut: After) -> None:
    program = """
import mmap
create("a", b"1")
environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
import subprocess
subprocess.run([sys.executable, "-c", "open('a', 'ab').write(b'unseen')"], env=environment)
with open("a", "r+b") as file: os.fsync(file.fileno())
"""
    with pytest.raises(JournalError, match="a synced file has 7 bytes, noted were 1"):
        after_cut(program)
