"""Programs that people use find the simulated scanner and take exact pixels from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dsm_sim import sane_backend
from dsm_sim.sane_backend import BackendError, build
from dsm_sim.scanner import Fault, Sheet, SimulatedScanner, read_mark, write_sane_config

#: A4 at 75 dpi.
A4_PX = (620, 877)


def scanimage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["scanimage", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_scanimage_lists_every_scanner_of_the_configuration_and_no_other(
    make_scanner: Any, environment_of: Any
) -> None:
    one = make_scanner(model={"vendor": "Maker", "model": "One"})
    other = make_scanner(address="002:009", model={"model": "Other", "kind": "flatbed scanner"})
    listed = scanimage(environment_of(one, other), "-L").stdout.splitlines()
    assert listed == [
        "device `dsmsim:001:004' is a Maker One scanner",
        "device `dsmsim:002:009' is a DSM Other flatbed scanner",
    ]


def test_scanimage_shows_the_options_in_groups_with_ranges_units_and_defaults(
    make_scanner: Any, environment_of: Any
) -> None:
    shown = scanimage(environment_of(make_scanner()), "-A").stdout
    for group in ("Standard:", "Geometry:", "Enhancement:", "Advanced:", "Sensors:"):
        assert f"\n  {group}\n" in shown
    for option in (
        "--source Flatbed|ADF|ADF Duplex|Transparency Unit [Flatbed]",
        "--mode Lineart|Halftone|Gray|Color [Color]",
        "--depth 8|16bit [8]",
        "--resolution 75|100|150|200|240|300|400|600|1200dpi [300]",
        "-x 0..304.8mm [210]",
        "--brightness -100..100% (in steps of 1) [0]",
        "--threshold 0..100% (in steps of 1) [inactive]",
        "--serial-number <string> [SIM-000001] [read-only]",
        "--page-loaded[=(yes|no)] [no] [hardware]",
        "--function[=(yes|no)] [no] [hardware]",
    ):
        assert f"    {option}\n" in shown, shown
    assert "Selects the scan source" in shown


@pytest.mark.parametrize("ends", [{"resolutions": (75, 1200)}, {}], ids=["two", "first and last of the list"])
def test_resolutions_can_be_a_range_and_one_an_axis(
    make_scanner: Any, environment_of: Any, ends: dict[str, Any]
) -> None:
    model = {**ends, "resolution_range": True, "separate_resolutions": True}
    shown = scanimage(environment_of(make_scanner(model=model)), "-A").stdout
    for name in ("resolution", "x-resolution", "y-resolution"):
        assert f"    --{name} 75..1200dpi (in steps of 1) [300]\n" in shown


@pytest.mark.parametrize("form", ["pnm", "png"])
def test_a_duplex_batch_is_the_very_pixels_of_the_pictures(
    make_scanner: Any, environment_of: Any, photo: Any, tmp_path: Path, form: str
) -> None:
    scanner = make_scanner()
    pictures = [photo(*A4_PX, name=f"page{number}") for number in range(6)]
    scanner.load(
        Sheet(front=f, back=b, is_marked=False) for f, b in zip(pictures[::2], pictures[1::2], strict=True)
    )
    scans = tmp_path / "scans"
    scans.mkdir()
    options = ["--source", "ADF Duplex", "--mode", "Color", "--resolution", "75", "--format", form]
    done = scanimage(environment_of(scanner), *options, f"--batch={scans}/%02d.{form}")
    assert "Batch terminated, 6 pages scanned" in done.stderr, done.stderr
    for picture, scan in zip(pictures, sorted(scans.iterdir()), strict=True):
        assert Image.open(scan).tobytes() == Image.open(picture).tobytes()
    assert scanner.sheets_left == 0


def test_each_side_of_a_batch_carries_its_mark(make_scanner: Any, environment_of: Any, tmp_path: Path) -> None:
    scanner = make_scanner()
    scanner.load([Sheet()])
    scanner.load([Sheet(draws_back=True)] * 2)
    scanimage(
        environment_of(scanner),
        "--source=ADF Duplex",
        "--resolution=75",
        "--format=pnm",
        f"--batch={tmp_path}/%02d.pnm",
    )
    marks = [read_mark(Image.open(path)) for path in sorted(tmp_path.glob("*.pnm"))]
    assert [(mark.load, mark.sheet, mark.side, mark.rotation) if mark else None for mark in marks] == [
        (1, 1, "front", 0),
        (1, 1, "back", 0),
        (2, 1, "front", 0),
        (2, 1, "back", 0),
        (2, 2, "front", 0),
        (2, 2, "back", 0),
    ]


_DRIVER = """
import json, sys
from pathlib import Path
from dsm_device.hardware import Area, ColorProcessing, InputSource, ScanSettings
from dsm_drivers.sane import SaneDriver
driver = SaneDriver()
scanner = driver.open("", {}, Path(sys.argv[1]))
sources = [str(each.source) for each in scanner.capabilities().sources]
settings = ScanSettings(InputSource.ADF_DUPLEX, ColorProcessing.RGB_24, 75, 75, Area(0, 0, 8268, 11693))
pages = []
for page in scanner.pages(settings):
    data = bytearray()
    buffer = bytearray(16 * page.frame.bytes_per_line)
    while got := page.read_into(memoryview(buffer)):
        data += buffer[:got]
    pages.append((page.frame.width_px, page.frame.height_px))
    Path(sys.argv[1], f"{len(pages)}.rgb").write_bytes(data)
scanner.close()
print(json.dumps([sources, pages]))
"""


def test_the_devices_own_driver_takes_the_very_pixels_too(
    make_scanner: Any, environment_of: Any, photo: Any, tmp_path: Path
) -> None:
    scanner, pictures = make_scanner(), [photo(*A4_PX, name="front"), photo(*A4_PX, name="back")]
    scanner.load([Sheet(front=pictures[0], back=pictures[1], is_marked=False)])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, str(scratch)],
        env=environment_of(scanner),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sources, pages = json.loads(done.stdout)
    assert sorted(sources) == ["ADF", "ADFDuplex", "Film", "Platen"]
    assert pages == [list(A4_PX)] * 2
    for number, picture in enumerate(pictures, 1):
        assert (scratch / f"{number}.rgb").read_bytes() == Image.open(picture).tobytes()


def test_the_command_line_makes_a_scanner_for_a_shell(tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("dsm-device")),
        "sim",
        "scanner",
        "--out",
        str(tmp_path / "my desk"),
    ]
    script = (
        'eval "$("$@" --sheets 2)" && scanimage -L && scanimage --source=ADF --resolution=75 --format=pnm >"$0"'
    )
    done = subprocess.run(
        ["sh", "-c", script, str(tmp_path / "page.pnm"), *command], capture_output=True, text=True, check=False
    )
    assert "dsmsim:001:004" in done.stdout, done.stderr
    mark = read_mark(Image.open(tmp_path / "page.pnm"))
    assert mark
    assert (mark.sheet, mark.side) == (1, "front")
    assert SimulatedScanner(tmp_path / "my desk" / "hardware").sheets_left == 1
    wrong = subprocess.run([*command, "--page", "/nowhere.pnm"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr) == (2, "dsm-device sim: /nowhere.pnm: No such file or directory\n")


def sim_scanner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("dsm-device")), "sim", "scanner", "--out", str(folder)]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def test_the_hint_fits_what_was_done(tmp_path: Path) -> None:
    def hints(*arguments: str) -> list[str]:
        lines = sim_scanner(tmp_path, *arguments).stdout.splitlines()
        return [line for line in lines if line.startswith("#")]

    pressed = "# the email button is pressed until a program reads the option 'email'"
    assert hints("--press", "email") == [pressed]
    (empty,) = hints()
    assert empty.startswith("# no sheets in the feeder, --sheets N puts some in; the glass: scanimage -d dsmsim:")
    (one,) = hints("--sheets", "1")
    assert one.startswith("# 1 sheet in the feeder: scanimage -d dsmsim:001:004 --source 'ADF Duplex'")
    first, second = hints("--sheets", "1", "--press", "email")
    assert (first, second[:25]) == (pressed, "# 2 sheets in the feeder:")


def test_hands_on_a_scanner_leave_its_configuration_alone(tmp_path: Path) -> None:
    made = sim_scanner(tmp_path, "--images-per-minute", "140")
    configuration = tmp_path / "sane.d" / "dsmsim.conf"
    changed_by_hand = configuration.read_text().replace("Sim Feeder 140", "Mine") + "\n# kept\n"
    configuration.write_text(changed_by_hand)
    for hands in (["--press", "scan"], ["--sheets", "2"], []):
        done = sim_scanner(tmp_path, *hands)
        assert done.stdout.splitlines()[:2] == made.stdout.splitlines()[:2], done.stderr
        assert configuration.read_text() == changed_by_hand
    assert SimulatedScanner(tmp_path / "hardware").sheets_left == 2


def test_another_speed_of_a_scanner_changes_its_speed_alone(tmp_path: Path) -> None:
    sim_scanner(tmp_path, "--images-per-minute", "140")
    configuration = tmp_path / "sane.d" / "dsmsim.conf"
    before = configuration.read_text().replace("Sim Feeder 140", "Mine")
    configuration.write_text(before)
    assert sim_scanner(tmp_path, "--images-per-minute", "30").returncode == 0
    assert configuration.read_text() == before.replace("images-per-minute 140", "images-per-minute 30")
    refused = sim_scanner(tmp_path, "--images-per-minute", "-1")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "images-per-minute 30" in configuration.read_text()


def test_a_scanner_whose_folder_was_moved_is_found_there(tmp_path: Path) -> None:
    sim_scanner(tmp_path / "old", "--images-per-minute", "140")
    (tmp_path / "old").rename(tmp_path / "new")
    script = 'eval "$("$0" sim scanner --out "$1")" && scanimage -L'
    program = str(Path(sys.executable).with_name("dsm-device"))
    done = subprocess.run(
        ["sh", "-c", script, program, str(tmp_path / "new")], capture_output=True, text=True, check=False
    )
    assert "dsmsim:001:004" in done.stdout, done.stderr


# ------------------------------------------------------------------------------------------------- the build


def test_the_library_exports_the_calls_of_sane_and_nothing_else(backend: Path) -> None:
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", str(backend)], capture_output=True, text=True, check=True
    )
    names = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert len(names) == 13
    assert all(name.startswith("sane_dsmsim_") for name in names)


def test_two_builds_at_once_both_get_a_whole_library(tmp_path: Path) -> None:
    target = tmp_path / "lib" / "libsane-dsmsim.so.1"
    code = f"from pathlib import Path; from dsm_sim.sane_backend import build; build(Path({str(target)!r}), [])"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    made = target.stat().st_ino
    build(target, [])
    assert target.stat().st_ino == made, "built again though nothing had changed"
    build(target, ["-DOTHER"])
    assert target.stat().st_ino != made, "not built again though the flags had changed"


def test_other_sources_get_a_library_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another checkout in the same environment: the one that is in use stays as it is."""
    environment = tmp_path / "environment"
    checkout = tmp_path / "other"
    shutil.copytree(Path(sane_backend.__file__).parent, checkout / "sane_backend")
    (checkout / "sane_backend" / "mark.h").open("a").write("/* changed */\n")
    monkeypatch.setattr(sys, "prefix", str(environment))
    mine = sane_backend.library()
    before = (mine.stat().st_ino, mine.read_bytes())
    code = "import sys; sys.prefix = sys.argv[1]; from sane_backend import library; print(library())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(environment)], cwd=checkout, capture_output=True, text=True, check=True
    )
    other = Path(done.stdout.strip())
    assert other.is_file()
    assert other != mine
    assert sane_backend.library() == mine
    assert (mine.stat().st_ino, mine.read_bytes()) == before


def test_libraries_that_nobody_asked_for_in_a_week_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    mine = sane_backend.library().parent
    ages_days = {mine: 30, mine.with_name("0123456789ab"): 8, mine.with_name("ba9876543210"): 6}
    for folder, days in ages_days.items():
        folder.mkdir(exist_ok=True)
        (folder / "library").write_text("")
        os.utime(folder, (time.time() - days * 86_400,) * 2)
    assert sane_backend.library().parent == mine
    assert {path.name for path in mine.parent.iterdir()} == {mine.name, "ba9876543210"}
    assert time.time() - mine.stat().st_mtime < 86_400, "it is in use"


def test_without_a_compiler_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError, match=r"^there is no C compiler \(cc\): install gcc and libc6-dev$"):
        build(tmp_path / "x.so")


def test_without_the_header_one_line_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"^the header sane/sane\.h is missing: install libsane-dev$"):
        build(tmp_path / "x.so", ["-nostdinc", *_system_headers_without_sane(tmp_path)])


def _system_headers_without_sane(folder: Path) -> list[str]:
    """The compiler's own folders, with /usr/include seen through links that leave out sane."""
    asked = subprocess.run(
        ["cc", "-E", "-v", "-xc", "/dev/null"], capture_output=True, text=True, check=True
    ).stderr
    searched = asked.partition("> search starts here:\n")[2].partition("End of search")[0].split()
    seen = folder / "include"
    seen.mkdir()
    for path in Path("/usr/include").iterdir():
        if path.name != "sane":
            (seen / path.name).symlink_to(path)
    return [f"-isystem{seen if each == '/usr/include' else each}" for each in searched]


def test_the_sanitizers_find_nothing(
    make_scanner: Callable[..., SimulatedScanner], photo: Any, tmp_path: Path
) -> None:
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    backend = build(tmp_path / "asan" / "libsane-dsmsim.so.1", [*flags, "-Werror"])
    runtime = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    fault = Fault(what="jammed", image=5, byte=70_001)
    scanner = make_scanner(
        faults=(fault,), backs_upside_down=True, line_padding=3, three_pass=True, keeps_options=True
    )
    environment = write_sane_config(tmp_path / "sane.d", [scanner], backend=backend)
    # scanimage and libsane leave memory behind; the backend's own is looked at by the test of leaks
    environment |= {"LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    shapes = [(301, 517), *[A4_PX] * 2]
    for mode in ("RGB", "L", "1"):
        scanner.load(Sheet(front=photo(*shape, mode), draws_back=True) for shape in shapes)
    for mode, dpi, more in (
        ("Color", 75, ["--sharpness=50"]),
        ("Gray", 100, ["--depth=16", "--brightness=20", "--contrast=-30"]),
        ("Lineart", 150, ["-l", "13", "-t", "7", "-x", "291", "-y", "420"]),
        ("Halftone", 75, []),
    ):
        options = [f"--mode={mode}", "--source=ADF Duplex", f"--resolution={dpi}", *more]
        done = scanimage(environment, *options, f"--batch={os.fspath(tmp_path)}/{mode}%d.pnm", "--batch-count=6")
        assert "Sanitizer" not in done.stderr, done.stderr
        assert "runtime error" not in done.stderr, done.stderr
        scanner.clear_jam()
        scanner.load([Sheet()] * 2)
    assert any(event.status == "jammed" for event in scanner.log())
    assert sum(event.event == "image-end" for event in scanner.log()) > 12
