"""What a process and all its descendants hold, as Linux counts it: memory, handles, threads (proc(5))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Octets. ``rss`` counts shared pages in each process that has them, ``pss`` shares them out among all of the
    machine; ``anonymous`` is what belongs to no file: heaps and stacks."""

    rss: int = 0
    pss: int = 0
    anonymous: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss + other.rss, self.pss + other.pss, self.anonymous + other.anonymous)


def family(root: int) -> list[int]:
    """``root`` and its descendants; what ends meanwhile may be in it or not."""
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                queue += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def memory_of(pid: int) -> Memory | None:
    """None where the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    values = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines[1:]}
    return Memory(values["Rss:"], values["Pss:"], values["Anonymous:"])


def handles_of(pid: int) -> list[str]:
    """What each open file descriptor leads to; none of a process that has ended."""
    folder = Path(f"/proc/{pid}/fd")
    try:
        return [target for name in folder.iterdir() if (target := _target(name))]
    except OSError:
        return []


def threads_of(pid: int) -> int:
    """0 for a process that has ended."""
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return 0


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # closed meanwhile
