"""The description of a scanner decodes from a scenario's tables and refuses what makes no sense, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from dsm_sim.sane_backend import library
from dsm_sim.scanner import Fault, Quirks, ScannerModel, Sheet, SimulatedScanner, write_sane_config
from dsm_sim.scanner.events import read_events

TABLES = """
model = "Slow One"
images-per-minute = 40
sources = ["ADF", "ADF Duplex"]
resolutions = [75, 600]
resolution-range = true

[quirks]
no-docs-late = true
warming-up-s = 1.5
grey-tail-mm = 12.5

[[quirks.faults]]
what = "jammed"
image = 5
byte = 100_000

[[quirks.faults]]
what = "crash"
at = "start"
times = 0
"""


def test_a_scanner_decodes_from_the_tables_of_a_scenario() -> None:
    model = msgspec.toml.decode(TABLES, type=ScannerModel)
    assert model == ScannerModel(
        model="Slow One",
        images_per_minute=40,
        sources=("ADF", "ADF Duplex"),
        resolutions=(75, 600),
        resolution_range=True,
        quirks=Quirks(
            no_docs_late=True,
            warming_up_s=1.5,
            grey_tail_mm=12.5,
            faults=(Fault(what="jammed", image=5, byte=100_000), Fault(what="crash", at="start", times=0)),
        ),
    )


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ("colour = 1", "Object contains unknown field `colour`"),
        ("images-per-minute = -1", "Expected `int` >= 0 - at `$.images-per-minute`"),
        ('sources = ["Flatbett"]', "Invalid enum value 'Flatbett' - at `$.sources[0]`"),
        ('sources = ["ADF", "ADF"]', "sources names something twice"),
        ("resolutions = [300, 75]", "resolutions are not in ascending order"),
        ("resolution-range = true\nresolutions = [300]", "resolution-range needs two resolutions"),
        ("depths = [1]", "depths has neither 8 nor 16"),
        ('serial = "a\\nb"', "Expected `str` matching regex"),
        ("quirks.three-passes = true", "Object contains unknown field `three-passes` - at `$.quirks`"),
        ('quirks.faults = [{what = "fire"}]', "Invalid enum value 'fire' - at `$.quirks.faults[0].what`"),
        ('quirks.faults = [{what = "jammed", at = "start", byte = 3}]', 'byte = 3 goes with at = "read" only'),
        ('quirks.faults = [{what = "replay"}]', 'what = "replay" goes with at = "start" only'),
        ('quirks.faults = [{what = "hang-until-cancel", at = "cancel"}]', "goes with at ="),
        ('quirks.faults = [{what = "double-feed", at = "open"}]', "goes with at ="),
        ('quirks.faults = [{what = "crash", at = "open", image = 1}]', "load and image do not go with"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tables: str, message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.toml.decode(tables, type=ScannerModel)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "sheet",
    [
        {"width_mm": 0},
        {"height_mm": 1e9},
        {"height_mm": float("nan")},
        {"front": Path("/nowhere.pnm")},
        {"front": Path(__file__)},
        {"is_blank": True, "draws_back": True},
    ],
)
def test_paper_that_there_is_not_is_refused(sheet: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        Sheet(**sheet)


@pytest.mark.parametrize("address", ["", "1:4", "001:004\n", "usb:001", "001:0004"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        SimulatedScanner(tmp_path / "scanner", address=address)


def test_a_folder_that_the_backend_could_not_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line break"):
        SimulatedScanner(tmp_path / "a\nb")


def test_a_button_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no button copy: scan, email, file, function"):
        SimulatedScanner(tmp_path).press("copy")  # type: ignore[arg-type]  # the point of the test


def test_two_scanners_at_one_address_are_refused(tmp_path: Path) -> None:
    scanners = [SimulatedScanner(tmp_path / name) for name in "ab"]
    with pytest.raises(ValueError, match="two scanners at one address"):
        write_sane_config(tmp_path / "sane.d", scanners)


def test_the_environment_replaces_other_configurations_and_keeps_other_libraries(tmp_path: Path) -> None:
    scanner = SimulatedScanner(tmp_path / "scanner")
    found = write_sane_config(
        tmp_path / "sane.d", [scanner], environment={"LD_LIBRARY_PATH": "/opt/lib", "A": "b"}
    )
    assert found["A"] == "b"
    assert found["SANE_CONFIG_DIR"] == str(tmp_path / "sane.d")
    first, _, rest = found["LD_LIBRARY_PATH"].partition(":")
    assert (Path(first) / "libsane-dsmsim.so.1").is_file()
    assert rest == "/opt/lib"


@pytest.mark.parametrize(
    ("before", "after"),
    [("{0}", "{0}"), ("{0}:/opt/lib", "{0}:/opt/lib"), ("/a:{0}:/b", "{0}:/a:/b"), ("", "{0}")],
)
def test_the_folder_of_the_library_is_named_once(tmp_path: Path, before: str, after: str) -> None:
    scanner = SimulatedScanner(tmp_path / "scanner")
    own = str(library().parent)
    found = write_sane_config(tmp_path / "sane.d", [scanner], environment={"LD_LIBRARY_PATH": before.format(own)})
    assert found["LD_LIBRARY_PATH"] == after.format(own)


def test_a_line_of_the_log_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert read_events(log) == []
    whole = b'{"t": 12.000345, "pid": 7, "event": "status", "call": "start", "status": "no-docs"}\n'
    log.write_bytes(whole + b'{"t": 12.1, "pi')
    (event,) = read_events(log)
    assert (event.t, event.pid, event.event, event.call, event.status) == (
        12.000345,
        7,
        "status",
        "start",
        "no-docs",
    )
