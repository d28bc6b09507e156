"""The file share filter with folders of its own: mapped names, shares that refuse, are full, or are missing."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dsm_sim.peers.scan_server.storage import place

NOBODY = 65534
OUT_OF_SPACE = """
import datetime, pathlib, sys
from lxml import etree
from dsm_sim.peers.scan_server.filters import Batch, FilterError, Targets, run_filter
from dsm_sim.image_files import ImageFacts
from dsm_sim.peers.scan_server.jobs import Document
source, share = map(pathlib.Path, sys.argv[1:])
fsf = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/fileshare"
config = etree.fromstring(
    f'<FileShareConfig xmlns="{fsf}"><FileShares><ShareUNC>//a/b</ShareUNC></FileShares></FileShareConfig>'
)
now = datetime.datetime.now()
documents = [Document(n, "jfif", source, 0, "", ImageFacts(), now) for n in (1, 2)]
batch = Batch("u@d", "Scan", tuple(documents), share, now, Targets(shares={r"\\\\a\\b": share}))
try:
    for place in run_filter(fsf, config, batch):
        print("stored", place.name, flush=True)
except FilterError as error:
    print(error)
print(sorted(path.name for path in share.rglob("*") if path.is_file()))
"""


def test_mapped_shares_get_the_documents_and_others_stay_below_the_output(make_batch, outcome, tmp_path):
    for name in ("finance", "archive"):
        (tmp_path / name).mkdir()
    shares = {r"\\files\finance": tmp_path / "finance", r"\\files\finance\old": tmp_path / "archive"}
    batch = make_batch(shares=shares)
    uncs = (r"\\FILES\Finance\2026", r"\\files\finance\OLD", r"\\files\financeX", r"//files/finance")
    places, reason, _ = outcome("fileshare", batch, *uncs)
    assert reason == ""
    user = "amelie@corp.example.com"
    assert [path.parent for path in places[::2]] == [
        tmp_path / "finance/2026" / user,
        tmp_path / "archive" / user,
        batch.out / "shares/files/financeX" / user,
        tmp_path / "finance" / user,
    ]
    assert all(path.is_file() for path in places)


def test_unc_never_leaves_the_mapped_folder(make_batch, outcome, tmp_path):
    (tmp_path / "share").mkdir()
    batch = make_batch("../x", user="../../u", shares={r"\\a\b": tmp_path / "share"})
    places, reason, _ = outcome("fileshare", batch, r"\\a\b\..\..\..\x")
    assert reason == ""
    for path in places:
        assert (tmp_path / "share") in Path(os.path.normpath(path)).parents


def test_missing_share_is_not_made_and_the_others_get_theirs(make_batch, outcome, tmp_path):
    (tmp_path / "there").mkdir()
    batch = make_batch(shares={r"\\a\gone": tmp_path / "gone", r"\\a\there": tmp_path / "there"})
    places, reason, detail = outcome("fileshare", batch, r"\\a\gone", r"\\a\there")
    assert reason == "UnknownError"
    assert str(tmp_path / "gone") in detail
    assert not (tmp_path / "gone").exists()
    assert len(places) == 2


@pytest.fixture
def public_folder():
    """A folder that everybody may enter, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="dsm-share-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def without_rights():
    """Root may write everywhere: give that up for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_share_that_refuses_is_access_denied(make_batch, outcome, public_folder):
    public_folder.chmod(0o555)
    batch = make_batch(shares={r"\\a\b": public_folder})
    with without_rights():
        places, reason, detail = outcome("fileshare", batch, r"\\a\b")
    assert (places, reason) == ([], "FileShareAccessDenied")
    assert str(public_folder) in detail
    assert list(public_folder.iterdir()) == []


def private_mounts() -> list[str]:
    """The command under which a program may mount something that nobody else sees."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *as_root, "--mount"]
    test = [*command, "sh", "-c", "mount -t tmpfs none /mnt"]
    try:
        subprocess.run(test, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs unprivileged user namespaces")
    return command


def test_full_disk_is_out_of_disk_space_and_leaves_no_half_file(tmp_path):
    share, source = tmp_path / "share", tmp_path / "source"
    share.mkdir()
    source.write_bytes(b"x" * 80_000)
    mount = f'mount -t tmpfs -o size=128k none "{share}" && exec "$@"'
    command = [*private_mounts(), "sh", "-c", mount, "sh", sys.executable, "-c", OUT_OF_SPACE, source, share]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, reason, left = done.stdout.splitlines()
    assert first.startswith("stored Scan-")
    assert reason == "FileShareOutOfDiskSpace"
    assert left == f"['{first.removeprefix('stored ')}']"


def test_read_only_disk_is_access_denied(tmp_path):
    share, source = tmp_path / "share", tmp_path / "source"
    share.mkdir()
    source.write_bytes(b"x")
    mount = f'mount -t tmpfs -o ro none "{share}" && exec "$@"'
    command = [*private_mounts(), "sh", "-c", mount, "sh", sys.executable, "-c", OUT_OF_SPACE, source, share]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["FileShareAccessDenied", "[]"]


def test_limit_of_the_file_size_leaves_no_half_file(tmp_path):
    """Works where nothing may be mounted. The limit is the process's own, so that it is a process of its own."""
    share, source = tmp_path / "share", Path("/dev/shm") / f"dsm-{os.getpid()}"
    share.mkdir()
    if share.stat().st_dev == source.parent.stat().st_dev:
        pytest.skip("needs /dev/shm on a file system of its own")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    try:
        source.write_bytes(b"x" * 200_000)
        done = subprocess.run(
            [sys.executable, "-B", "-c", OUT_OF_SPACE, source, share],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=limited,
        )
    finally:
        source.unlink()
    assert done.stdout.splitlines() == ["FileShareOutOfDiskSpace", "[]"]


def test_file_is_whole_from_the_first_moment_that_it_has_its_name(tmp_path):
    """Also where the one who writes it ends on the way: nothing then has the final name."""
    seen = []

    def write(temporary):
        temporary.write_bytes(b"half")
        seen.extend(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(tmp_path, "a", "jpg", write)
    assert seen == []
    assert list(tmp_path.iterdir()) == []
