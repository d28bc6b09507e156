"""The simulated scan server compares a request with the stored scan process; jobs go through their states."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from lxml import etree

from dsm_sim.peers.scan_server.jobs import TRANSITIONS, FilterRun, FilterState, JobBook, JobState, SystemClock
from dsm_sim.peers.scan_server.processes import Instructions, load_processes, matching_process, read_instructions

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
PSP = "{http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp}"
DSP = "{http://schemas.microsoft.com/windows/2008/12/wdp/distributedscan/processing}"
EMLF = "{http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/email}"
FSF = "{http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/fileshare}"
SPX = "{http://schemas.microsoft.com/windows/2010/09/imaging/postscan/scanprocess/extensions}"
VALID = sorted(path.name for path in SAMPLES.glob("psp-*.xml"))


def requested(name):
    """The instructions of a sample as a device sends them: the wrapper renamed."""
    element = etree.parse(SAMPLES / name).getroot().find(f"{PSP}PostScanInstructions")
    element.tag = f"{DSP}PostScanInstructions"
    return etree.fromstring(etree.tostring(element))


@pytest.fixture
def folder(tmp_path):
    """Puts samples into a folder of scan processes; ``change`` edits their text."""

    def fill(*names, change=lambda text: text):
        for name in names:
            (tmp_path / name).write_text(change((SAMPLES / name).read_text()))
        return tmp_path

    return fill


@pytest.mark.parametrize("name", VALID)
def test_unchanged_instructions_match_their_process(folder, name):
    process, problem = matching_process(folder(name), "ANY", requested(name))
    assert (process.name, problem) == (name.removesuffix(".xml"), "")


@pytest.mark.parametrize("name", VALID)
def test_instructions_of_another_process_do_not_match(folder, name):
    others = [other for other in VALID if other != name]
    same = {"psp-minimal-overrides.xml", "psp-ticket-without-parameters.xml"}
    process, _ = matching_process(folder(*others), "ANY", requested(name))
    assert process is None or {f"{process.name}.xml", name} <= same


def test_prefixes_comments_and_white_space_between_elements_do_not_matter(folder):
    element = requested("psp-three-filters.xml")
    text = etree.tostring(element).decode().replace("psp:", "p:").replace("xmlns:psp", "xmlns:p")
    text = text.replace("><p:Filter>", ">\n\n\t<!-- changed --><p:Filter>")
    process, problem = matching_process(folder("psp-three-filters.xml"), "X", etree.fromstring(text))
    assert process, problem


def edit_text(path, text):
    def edit(root):
        root.find(path).text = text

    return edit


def remove(path):
    def edit(root):
        found = root.find(path)
        found.getparent().remove(found)

    return edit


def swap_filters(root):
    filters = root.find(f"{PSP}FiltersToProcess")
    filters.append(filters[0])


def add_share(root):
    etree.SubElement(root.find(f".//{FSF}FileShares"), f"{FSF}ShareUNC").text = r"\\more\x"


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (edit_text(f"{PSP}ContinueOnError", "false"), "ContinueOnError"),
        (edit_text(f"{PSP}DocumentRootName", "Other"), "DocumentRootName"),
        (edit_text(f"{PSP}DocumentRootName", "Invoice "), "DocumentRootName"),
        (edit_text(f".//{FSF}ShareUNC", r"\\evil\x"), "ShareUNC"),
        (edit_text(f".//{EMLF}EmailAddress", "evil@x"), "EmailAddress"),
        (edit_text(f".//{PSP}Dialect", "urn:x"), "Dialect"),
        (remove(f".//{PSP}Filter"), "FiltersToProcess"),
        (remove(f"{PSP}ContinueOnError"), "PostScanInstructions"),
        (swap_filters, "Dialect"),
        (add_share, "FileShares"),
        (
            lambda root: root.find(f".//{EMLF}SendToAddresses").set(f"{EMLF}CanAddAddresses", "true"),
            "SendToAddresses",
        ),
        (lambda root: root.set("{urn:x}y", "z"), "PostScanInstructions"),
    ],
)
def test_every_change_is_found_and_named(folder, edit, where):
    element = requested("psp-three-filters.xml")
    edit(element)
    process, problem = matching_process(folder("psp-three-filters.xml"), "X", element)
    assert process is None
    assert where in problem


def test_name_and_shares_may_change_where_the_process_permits_it(folder):
    element = requested("psp-extensions.xml")
    edit_text(f"{PSP}DocumentRootName", "Mine")(element)
    edit_text(f".//{FSF}ShareUNC", r"\\mine\x")(element)
    assert matching_process(folder("psp-extensions.xml"), "X", element)[0]
    add_share(element)
    assert matching_process(folder("psp-extensions.xml"), "X", element)[0] is None, (
        "another share is not a changed one"
    )


@pytest.mark.parametrize(
    ("permission", "path"),
    [("AllowDeviceFileNameChange", f"{PSP}DocumentRootName"), ("AllowDeviceFilePathChange", f".//{FSF}ShareUNC")],
)
def test_each_permission_holds_for_its_own_element_only(folder, permission, path):
    stored = folder(
        "psp-extensions.xml", change=lambda text: text.replace(f"{permission}>true<", f"{permission}>false<")
    )
    element = etree.parse(stored / "psp-extensions.xml").getroot().find(f"{PSP}PostScanInstructions")
    assert matching_process(stored, "X", element)[0]
    edit_text(path, "changed")(element)
    assert matching_process(stored, "X", element)[0] is None


def test_addresses_may_be_added_behind_an_open_list_only(folder):
    name = "psp-pdfa-email-open-list.xml"
    element = requested(name)
    addresses = element.find(f".//{EMLF}SendToAddresses")
    etree.SubElement(addresses, f"{EMLF}EmailAddress").text = "added@corp.example.com"
    assert matching_process(folder(name), "X", element)[0]
    addresses.insert(0, addresses[-1])
    assert matching_process(folder(name), "X", element)[0] is None, "added before the given ones"
    element = requested(name)
    addresses = element.find(f".//{EMLF}SendToAddresses")
    addresses.remove(addresses[0])
    assert matching_process(folder(name), "X", element)[0] is None, "one taken away"


def with_identifier(identifier):
    return lambda text: text.replace(
        "<psp:PostScanProcess", f"<?psp-identifier {identifier}?><psp:PostScanProcess", 1
    )


@pytest.mark.parametrize(
    ("stored", "asked", "matches"),
    [
        ("6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11", "6e0e1a3d-6f2b-4c57-9c1f-0c6c5b5b2f11", True),
        ("{6e0e1a3d-6f2b-4c57-9c1f-0c6c5b5b2f11} ", "6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11", True),
        ("6E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11", "7E0E1A3D-6F2B-4C57-9C1F-0C6C5B5B2F11", False),
    ],
)
def test_identifier_in_the_file_must_be_the_requested_one(folder, stored, asked, matches):
    name = "psp-three-filters.xml"
    process, _ = matching_process(folder(name, change=with_identifier(stored)), asked, requested(name))
    assert bool(process) == matches


def test_unusable_files_are_named_with_their_reason(folder, tmp_path):
    folder(*VALID, *(path.name for path in SAMPLES.glob("invalid-psp-*.xml")))
    (tmp_path / "dtd.xml").write_text('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>')
    (tmp_path / "root.xml").write_text("<a/>")
    (tmp_path / "empty.xml").write_text("")
    usable, problems = load_processes(tmp_path)
    assert [f"{process.name}.xml" for process in usable] == VALID
    assert {problem.partition(":")[0] for problem in problems} == {
        "dtd.xml",
        "root.xml",
        "empty.xml",
        *(path.name for path in SAMPLES.glob("invalid-psp-*.xml")),
    }


def test_instructions_are_read_in_order():
    read = read_instructions(requested("psp-three-filters.xml"))
    assert (read.root_name, read.continue_on_error) == ("Invoice", True)
    assert [dialect.rpartition("/")[2] for dialect, _ in read.filters] == ["fileshare", "sharepoint", "email"]
    assert [etree.QName(config).localname for _, config in read.filters] == [
        "FileShareConfig",
        "SharePointConfig",
        "EmailConfig",
    ]


# ------------------------------------------------------------------------------------------- job states


def a_job(state=JobState.CREATING):
    book = JobBook(SystemClock(), 600)
    job = book.open(user_sid="S", user="u", psp=("P", ""), instructions=Instructions("x", False, ()), identity="")
    job.filters = [FilterRun("urn:x", None)]
    job.state = state
    return job


@pytest.mark.parametrize("before", JobState)
@pytest.mark.parametrize("after", JobState)
def test_every_step_is_in_the_table_or_refused(before, after):
    job, now = a_job(before), datetime.datetime(2026, 3, 2)  # noqa: DTZ001 - the server's local time has no zone
    if after in TRANSITIONS[before]:
        job.become(after, now, "why")
        assert (job.state, job.reason) == (after, "why")
        assert job.completed == (now if job.is_final else None)
        assert (job.filters[0].state is FilterState.CANCELED) == job.is_final
    else:
        with pytest.raises(ValueError, match=f"{before.value} cannot become {after.value}"):
            job.become(after, now)
        assert job.state is before


def test_final_states_are_those_of_the_protocol():
    final = {state.value for state in JobState if not TRANSITIONS[state]}
    assert final == {"Aborted", "Canceled", "Completed"}
