"""What a power cut leaves of a folder: the journal of ``forget.c`` played again, without what was not synced.

The worst case that POSIX allows, and no file system is better to be relied on:

- a file holds what it held at its last fsync or fdatasync;
- a name is there, gone or moved only once a folder that it concerns was synced after it. A rename between two
  folders is one step and becomes lasting with either (every journaling file system keeps a rename whole);
- a folder is itself a name in the one above.

With a random source, each of the unsynced operations is kept or lost by chance instead: of a file's writes any
first part, the last of them torn; of the names any, but none without the earlier ones about the same name.
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

_HEADER: Final = struct.Struct("=8sIIQQQQ")
_MAGIC: Final = b"\x89FORGET\0"
_CREATE, _WRITE, _TRUNCATE, _SYNC, _RENAME, _UNLINK, _MKDIR, _RMDIR, _LINK = range(1, 10)


class JournalError(Exception):
    """The layer has missed a change, or the journal is of another folder."""


def build_layer(folder: Path, compiler: str = "cc") -> Path:
    """The layer, compiled into ``folder``. Raises OSError without a compiler, CalledProcessError."""
    library = folder / "forget.so"
    source = Path(__file__).with_name("forget.c")
    flags = ("-O2", "-Wall", "-Wno-nonnull-compare", "-shared", "-fPIC")
    subprocess.run((compiler, *flags, "-o", library, source, "-ldl"), check=True, capture_output=True)
    return library


def layer_environment(library: Path, root: Path, journal: Path) -> dict[str, str]:
    """What a program needs in its environment to have its changes below ``root`` noted."""
    return {"LD_PRELOAD": str(library), "FORGET_ROOT": str(root.resolve()), "FORGET_JOURNAL": str(journal)}


@dataclass(frozen=True)
class Record:
    """One noted call; see ``struct record`` in ``forget.c``. Offsets and sizes in bytes."""

    operation: int
    inode: int
    folder: int
    number: int
    name: bytes
    data: bytes


def read_journal(data: bytes) -> Iterator[Record]:
    """The records. One that a killed process has not finished is left out: its call had not returned."""
    at = 0
    while (at := data.find(_MAGIC, at)) >= 0 and at + _HEADER.size <= len(data):
        _, operation, name_bytes, data_bytes, inode, folder, number = _HEADER.unpack_from(data, at)
        begin = at + _HEADER.size
        end = begin + name_bytes + data_bytes
        if end > len(data) or data[end : end + len(_MAGIC)] != _MAGIC[: len(data) - end]:
            at += 1
            continue
        middle = begin + name_bytes
        yield Record(operation, inode, folder, number, data[begin:middle], data[middle:end])
        at = end


@dataclass(eq=False)
class _File:
    """``pending``: (offset, bytes) of a write or (size, None) of a truncation, since the last sync."""

    lasting: bytearray
    now_bytes: int = 0
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def add(self, number: int, data: bytes | None) -> None:
        self.pending.append((number, data))
        self.now_bytes = number if data is None else max(self.now_bytes, number + len(data))

    def keep(self, count: int, torn_bytes: int | None = None) -> None:
        """The first ``count`` changes last, of the last of them only ``torn_bytes``."""
        for index, (number, data) in enumerate(self.pending[:count]):
            part = data[:torn_bytes] if data and index == count - 1 else data
            _apply(self.lasting, number, part)
        del self.pending[:count]


def _apply(content: bytearray, number: int, data: bytes | None) -> None:
    end = number if data is None else number + len(data)
    content.extend(bytes(max(0, (number if data is None else end) - len(content))))
    if data is None:
        del content[number:]
    else:
        content[number:end] = data


@dataclass(eq=False)
class _Folder:
    lasting: dict[bytes, _Node] = field(default_factory=dict)
    now: dict[bytes, _Node] = field(default_factory=dict)


_Node: TypeAlias = _File | _Folder


@dataclass(eq=False)
class _Naming:
    """One step on names: what stands there after it, None for nothing."""

    changes: tuple[tuple[_Folder, bytes, _Node | None], ...]

    def shares_a_name(self, other: _Naming) -> bool:
        mine = {(id(folder), name) for folder, name, _ in self.changes}
        return any((id(folder), name) in mine for folder, name, _ in other.changes)


class Disk:
    """The folder as it is, and as it would be found after a power cut."""

    def __init__(self, root: Path) -> None:
        """Whatever is below ``root`` now is taken as synced. Sockets and the like are not looked at."""
        self._nodes: dict[int, _Node] = {}
        self._pending: list[_Naming] = []
        self._root = self._taken(root)

    def _taken(self, path: Path) -> _Folder:
        folder = _Folder()
        self._nodes[path.stat().st_ino] = folder
        for entry in path.iterdir():
            name = entry.name.encode()
            if entry.is_dir():
                folder.lasting[name] = self._taken(entry)
            elif entry.is_file():
                content = bytearray(entry.read_bytes())
                folder.lasting[name] = self._nodes[entry.stat().st_ino] = _File(content, len(content))
        folder.now = dict(folder.lasting)
        return folder

    def play(self, journal: Path) -> None:
        """All that was noted since. Raises :class:`JournalError`."""
        for record in read_journal(journal.read_bytes() if journal.exists() else b""):
            self._play(record)

    def _play(self, record: Record) -> None:
        match record.operation:
            case 1:  # CREATE
                self._nodes[record.inode] = file = _File(bytearray())
                self._name((self._folder(record.folder), record.name, file))
            case 7:  # MKDIR
                self._nodes[record.inode] = folder = _Folder()
                self._name((self._folder(record.folder), record.name, folder))
            case 2:
                self._file(record.inode).add(record.number, record.data)
            case 3:
                self._file(record.inode).add(record.number, None)
            case 4:
                self._sync(record)
            case 5:
                self._rename(record)
            case 6 | 8:
                folder = self._folder(record.folder)
                if record.name in folder.now:  # sockets have never been there
                    self._name((folder, record.name, None))
            case 9:
                self._name((self._folder(record.folder), record.name, self._node(record.inode)))
            case _:
                raise JournalError(f"unknown operation {record.operation}")

    def _sync(self, record: Record) -> None:
        match self._node(record.inode):
            case _File() as file:
                if file.now_bytes != record.number:
                    raise JournalError(f"a synced file has {record.number} bytes, noted were {file.now_bytes}")
                file.keep(len(file.pending))
            case folder:
                for naming in [each for each in self._pending if any(c[0] is folder for c in each.changes)]:
                    self._keep(naming)

    def _rename(self, record: Record) -> None:
        old, _, new = record.name.partition(b"\0")
        source = self._folder(record.folder)
        if old in source.now:
            self._name((source, old, None), (self._folder(record.number), new, source.now[old]))

    def _name(self, *changes: tuple[_Folder, bytes, _Node | None]) -> None:
        self._pending.append(_Naming(changes))
        for folder, name, node in changes:
            _put(folder.now, name, node)

    def _keep(self, naming: _Naming) -> None:
        """It lasts, and before it whatever was done earlier to one of its names."""
        if naming not in self._pending:
            return
        earlier = self._pending[: self._pending.index(naming)]
        for each in earlier:
            if each.shares_a_name(naming):
                self._keep(each)
        self._pending.remove(naming)
        for folder, name, node in naming.changes:
            _put(folder.lasting, name, node)

    def cut(self, into: Path, chance: random.Random | None = None) -> None:
        """Writes to the new folder ``into`` what the power cut leaves; the disk has forgotten the rest."""
        if chance:
            self._keep_some(chance)
        shutil.rmtree(into, ignore_errors=True)
        _write(self._root, into)

    def _keep_some(self, chance: random.Random) -> None:
        for naming in [each for each in self._pending if chance.random() < 0.5]:
            self._keep(naming)
        for node in self._nodes.values():
            if isinstance(node, _File) and node.pending:
                count = chance.randint(0, len(node.pending))
                last = node.pending[count - 1][1] if count else None
                node.keep(count, chance.randint(0, len(last)) if last else None)

    def _node(self, inode: int) -> _Node:
        try:
            return self._nodes[inode]
        except KeyError:
            raise JournalError(f"inode {inode} was never seen to be created") from None

    def _file(self, inode: int) -> _File:
        node = self._node(inode)
        if not isinstance(node, _File):
            raise JournalError(f"inode {inode} is a folder")
        return node

    def _folder(self, inode: int) -> _Folder:
        node = self._node(inode)
        if not isinstance(node, _Folder):
            raise JournalError(f"inode {inode} is no folder")
        return node


def _put(names: dict[bytes, _Node], name: bytes, node: _Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _write(folder: _Folder, path: Path) -> None:
    path.mkdir(mode=0o700)
    for name, node in folder.lasting.items():
        target = path / name.decode()
        if isinstance(node, _Folder):
            _write(node, target)
        else:
            target.write_bytes(node.lasting)
            target.chmod(0o600)
