"""A folder of scan processes: what is listed, under which name and identifier, and what can be loaded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from uuid import UUID

import pytest

from dsm_device.directory.files import FilesDirectory
from dsm_device.directory.port import Directory, ProcessEntry, User
from dsm_device.errors import DirectoryError, ProcessNotFound, ProcessUnusable

DATA = Path(__file__).parents[1] / "data"
USER = User("amelie", "S-1-5-21-0-0-0-1000", "amelie@example.com")
GOOD = (DATA / "processes" / "usable" / "Quick scan.xml").read_text()
IDENTIFIER = "6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11"


def identified(identifier: str) -> str:
    return GOOD.replace("<psp:ScanRepository>", f"<?psp-identifier {identifier}?><psp:ScanRepository>")


def folder(tmp_path: Path, **files: str) -> Directory:
    for stem, text in files.items():
        (tmp_path / f"{stem}.xml").write_text(text)
    return FilesDirectory(tmp_path, USER)


def only(directory: Directory) -> ProcessEntry:
    (entry,) = directory.processes()
    return entry


# -------------------------------------------------------------------------------------------- listing


def test_usable_processes_are_listed_by_name_with_their_server() -> None:
    entries = FilesDirectory(DATA / "processes" / "usable", USER).processes()
    assert [entry.name for entry in entries] == sorted((entry.name for entry in entries), key=str.casefold)
    assert all(entry.usable and not entry.reason for entry in entries)
    assert {entry.server for entry in entries} == {"scan01.corp.example.com", "scan02.example:5363"}
    assert len({entry.id for entry in entries}) == len(entries)


def test_every_broken_process_is_listed_with_a_reason_of_one_line() -> None:
    path = DATA / "processes" / "broken"
    entries = FilesDirectory(path, USER).processes()
    assert len(entries) == len(list(path.iterdir()))
    for entry in entries:
        assert not entry.usable
        assert entry.reason
        assert "\n" not in entry.reason


def test_identifier_is_that_of_the_file_in_upper_case(tmp_path: Path) -> None:
    assert only(folder(tmp_path, a=identified(f"{{{IDENTIFIER.lower()}}}"))).id == IDENTIFIER


def test_identifier_of_a_file_without_one_depends_on_its_name_alone(tmp_path: Path) -> None:
    first = only(folder(tmp_path, Archive=GOOD)).id
    changed = only(folder(tmp_path, Archive=GOOD.replace("Quick", "Slow"))).id
    assert first == changed == "B649AE55-8056-533C-98C2-DD182B30EC3F"
    assert UUID(first).version == 5


def test_broken_process_keeps_the_identifier_that_it_states(tmp_path: Path) -> None:
    text = identified(IDENTIFIER).replace(">Quick<", ">../x<")
    entry = only(folder(tmp_path, a=text))
    assert (entry.id, entry.usable) == (IDENTIFIER, False)


def test_same_identifier_twice_makes_the_later_unusable(tmp_path: Path) -> None:
    directory = folder(tmp_path, b=identified(IDENTIFIER), a=identified(IDENTIFIER.lower()))
    first, second = directory.processes()
    assert (first.name, first.usable) == ("a", True)
    assert (second.name, second.reason) == ("b", "has the same identifier as a.xml")
    assert directory.load(IDENTIFIER).name == "a"
    with pytest.raises(ProcessUnusable, match=r"has the same identifier as a\.xml"):
        directory.load("b")


def test_files_that_are_no_processes_are_passed_over(tmp_path: Path) -> None:
    for name in (".hidden.xml", "a.xml~", "a.xml.swp", "#a.xml", "~$a.xml", "notes.txt", "xml"):
        (tmp_path / name).write_text(GOOD)
    assert folder(tmp_path).processes() == []


def test_file_names_that_terminals_dislike_are_escaped(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9 \x1b[31m\n.xml")).write_text(GOOD)
    entry = only(folder(tmp_path))
    assert entry.name == r"caf\xe9 \x1b[31m\x0a"
    assert entry.usable


def test_files_that_cannot_be_read_are_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "folder.xml").mkdir()
    (tmp_path / "loop.xml").symlink_to(tmp_path / "loop.xml")
    (tmp_path / "gone.xml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "device.xml").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "fifo.xml")
    (tmp_path / "large.xml").write_text(GOOD + " " * 2_200_000)
    reasons = {entry.name: entry.reason for entry in folder(tmp_path).processes()}
    assert reasons == {
        "folder": "is not a regular file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "gone": "cannot be read: No such file or directory",
        "device": "is not a regular file",
        "fifo": "is not a regular file",
        "large": "is longer than 524,288 characters",
    }


def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "folder.xml").mkdir()
    directory = folder(tmp_path, a=GOOD, b="")
    directory.processes()
    before = len(list(Path("/proc/self/fd").iterdir()))
    directory.processes()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission_is_listed_with_the_reason(tmp_path: Path) -> None:
    directory = folder(tmp_path, a=GOOD)
    (tmp_path / "a.xml").chmod(0)
    assert only(directory).reason == "cannot be read: Permission denied"


def test_linked_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "stored").write_text(GOOD)
    (tmp_path / "linked.xml").symlink_to("stored")
    assert only(folder(tmp_path)).usable


@pytest.mark.parametrize(("name", "said"), [("nowhere", "No such file"), ("file", "Not a directory")])
def test_folder_that_cannot_be_read_is_one_clear_line(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").write_text("")
    directory = FilesDirectory(tmp_path / name, USER)
    for attempt in (directory.processes, lambda: directory.load("x")):
        with pytest.raises(DirectoryError, match=said) as error:
            attempt()
        assert "set directory.path" in str(error.value)


# -------------------------------------------------------------------------------------------- loading


@pytest.mark.parametrize("wanted", [IDENTIFIER, IDENTIFIER.lower(), f"{{{IDENTIFIER}}}", "Case", "CASE", "case"])
def test_process_is_found_by_identifier_and_name(tmp_path: Path, wanted: str) -> None:
    process = folder(tmp_path, Case=identified(IDENTIFIER), Other=GOOD).load(wanted)
    assert (process.identifier, process.name) == (IDENTIFIER, "Case")


def test_exact_name_goes_before_another_spelling(tmp_path: Path) -> None:
    directory = folder(tmp_path, Case=GOOD, case=GOOD.replace("Quick", "Slow"))
    assert directory.load("case").document_root_name == "Slow"
    with pytest.raises(ProcessNotFound, match='several scan processes are called "CASE"') as error:
        directory.load("CASE")
    assert "(Case.xml)" in str(error.value)
    assert "(case.xml)" in str(error.value)


def test_process_is_read_again_at_each_load(tmp_path: Path) -> None:
    directory = folder(tmp_path, a=GOOD)
    assert directory.load("a").document_root_name == "Quick"
    folder(tmp_path, a=GOOD.replace("Quick", "Slow"))
    assert directory.load("a").document_root_name == "Slow"


def test_missing_process_is_refused_with_a_near_name(tmp_path: Path) -> None:
    with pytest.raises(ProcessNotFound, match=r'no scan process "Invoces".*did you mean "Invoices"'):
        folder(tmp_path, Invoices=GOOD).load("Invoces")


def test_unusable_process_is_refused_with_its_reason_and_file(tmp_path: Path) -> None:
    with pytest.raises(ProcessUnusable) as error:
        folder(tmp_path, a="").load("a")
    assert str(error.value) == f'scan process "a" cannot be used: is empty: correct a.xml in {tmp_path}'
    assert error.value.exit_code == 4


def test_folder_of_samples_lists_the_invalid_ones_as_unusable(tmp_path: Path) -> None:
    for file in (DATA / "samples").glob("*psp-*.xml"):
        shutil.copy(file, tmp_path)
    for entry in folder(tmp_path).processes():
        assert entry.usable != entry.name.startswith("invalid-"), entry
