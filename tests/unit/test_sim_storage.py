"""Names and places of what the simulated scan server stores: safe, whole, never in the place of another."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dsm_sim.peers.scan_server.file_names import safe_component, share_components
from dsm_sim.peers.scan_server.storage import place, place_copy

NASTY = st.sampled_from(
    ["..", ".", "", "/", "\\", "\0", "con", "NUL.txt", "COM1", " ", "a.", "%2E%2E", "é", "\ud800"]
)
NAMES = st.text(max_size=300) | st.lists(NASTY | st.text(max_size=3), max_size=80).map("".join)


@given(NAMES)
@example("..")
@example("." * 300)
@example("x" * 10_000)
@example("\U0001f5a8" * 200)
def test_component_stays_in_its_folder_on_every_system(name):
    made = safe_component(name)
    assert 0 < len(made.encode()) <= 120
    assert made not in {".", ".."}
    assert not set(made) & set('/\\:*?"<>|\0\n\r\t')
    assert not made.endswith((".", " "))
    assert not made.startswith((".", " "))
    assert made.partition(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
    assert os.path.normpath(f"/folder/{made}") == f"/folder/{made}"


@given(NAMES, NAMES)
def test_different_names_stay_different(first, second):
    assert (safe_component(first) == safe_component(second)) == (first == second)


@given(st.text(alphabet="abcXYZ09 -_äß.", min_size=1, max_size=20).filter(lambda name: name.strip(" .") == name))
def test_harmless_names_stay_as_they_are(name):
    assert safe_component(name) == name


@pytest.mark.parametrize(
    ("unc", "parts"),
    [
        (r"\\files01.corp.example.com\archive\photos", ["files01.corp.example.com", "archive", "photos"]),
        (r"\\a\..\..\b", ["a", "%2E%2E", "%2E%2E", "b"]),
        ("/etc/passwd", ["etc", "passwd"]),
        (r"C:\x", ["C%3A", "x"]),
        ("", ["%"]),
        ("\\\\", ["%"]),
    ],
)
def test_share_becomes_components(unc, parts):
    assert share_components(unc) == parts


def test_existing_file_is_never_replaced(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    source = tmp_path / "source"
    source.write_text("new")
    assert place_copy(source, tmp_path, "a", "txt").name == "a-2.txt"
    assert place_copy(source, tmp_path, "a", "txt").name == "a-3.txt"
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_many_at_once_get_places_of_their_own(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x" * 1000)
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda _: place_copy(source, tmp_path / "to", "a", "bin"), range(40)))
    assert len(set(placed)) == 40
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == sorted(path.name for path in placed)
    assert all(path.read_bytes() == b"x" * 1000 for path in placed)


def test_failure_leaves_nothing_behind(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        place(tmp_path, "a", "txt", fail)
    assert not list(tmp_path.iterdir())


def test_source_may_be_removed_afterwards(tmp_path):
    source = tmp_path / "source"
    source.write_text("kept")
    placed = place_copy(source, tmp_path / "to", "a", "txt")
    source.unlink()
    assert placed.read_text() == "kept"
