"""The simulated scanner's SANE backend, ``libsane-dsmsim.so.1``, compiled from the C sources beside this file.

``python -m dsm_sim.sane_backend`` builds it beforehand; whoever needs it first does so otherwise.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

#: The file's name, by which libsane's ``dll`` backend looks for ``dsmsim`` (sane-dll(5)).
LIBRARY_NAME: Final = "libsane-dsmsim.so.1"

_SOURCES: Final = Path(__file__).parent
_COMPILER: Final = "cc"
_FLAGS: Final = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-fPIC", "-fvisibility=hidden", "-shared")
_OPTIMISED: Final = ("-O3",)
_DIGEST_LENGTH: Final = 12
_KEPT_UNUSED_S: Final = 7 * 86_400


class BackendError(Exception):
    """The backend cannot be built; one line that says what is missing."""


def library() -> Path:
    """The backend, built if there is none of these sources yet. Raises ``BackendError``.

    Each state of the sources has a folder of its own: another checkout in the same environment never gets its
    library exchanged under running scanners.
    """
    all_builds = Path(sys.prefix) / "lib" / "dsm-sim"
    folder = all_builds / _digest(_OPTIMISED)[:_DIGEST_LENGTH]
    _note_use(folder)
    made = build(folder / LIBRARY_NAME)
    _remove_unused(all_builds)
    return made


def _note_use(folder: Path) -> None:
    with suppress(OSError):  # not built yet, or in somebody else's environment
        os.utime(folder)


def _remove_unused(all_builds: Path) -> None:
    """Those that were not asked for in a week."""
    for folder in all_builds.iterdir():
        with suppress(OSError):  # others may be at it too
            if folder.is_dir() and time.time() - folder.stat().st_mtime > _KEPT_UNUSED_S:
                shutil.rmtree(folder)


def build(target: Path, flags: Sequence[str] = _OPTIMISED) -> Path:
    """``target`` compiled with ``flags``, unless it is already. Others may do the same at the same time.

    Raises ``BackendError``.
    """
    digest = _digest(flags)
    if not _is_made_of(target, digest):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _compile(target, flags, digest)
        except OSError as error:
            raise BackendError(f"cannot write {target} ({error.strerror}): build it as a user who can") from error
    return target


def _digest(flags: Sequence[str]) -> str:
    found = hashlib.sha256(repr((_FLAGS, tuple(flags))).encode())
    for path in sorted([*_SOURCES.glob("*.c"), *_SOURCES.glob("*.h")]):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def _is_made_of(target: Path, digest: str) -> bool:
    """The library carries the digest of its sources in itself: two files could disagree."""
    return target.exists() and digest.encode() in target.read_bytes()


def _compile(target: Path, flags: Sequence[str], digest: str) -> None:
    if shutil.which(_COMPILER) is None:
        raise BackendError(f"there is no C compiler ({_COMPILER}): install gcc and libc6-dev")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as folder:
        made = Path(folder) / LIBRARY_NAME
        define = f'-DSOURCES_DIGEST="{digest}"'
        sources = sorted(str(path) for path in _SOURCES.glob("*.c"))
        name = f"-Wl,-soname,{LIBRARY_NAME}"
        command = [_COMPILER, *_FLAGS, *flags, define, name, "-o", str(made), *sources, "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BackendError(_reason(done.stderr))
        made.replace(target)


def _reason(messages: str) -> str:
    if "sane/sane.h" in messages:
        return "the header sane/sane.h is missing: install libsane-dev"
    first = next((line for line in messages.splitlines() if "error" in line), messages.strip())
    return f"{_COMPILER} could not compile the simulated scanner: {first}"
