"""processes, scanners, doctor, sim and the options that all commands share."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dsm_sim.certificates import create_authority
from dsm_sim.demo import run_demo

DEVICE = str(Path(sys.executable).parent / "dsm-device")
COMMANDS = ["scan", "jobs", "processes", "scanners", "doctor", "sim", "sim server", "sim demo"]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(command: str):
    answer = _run(*command.split(), "--help")
    assert answer.returncode == 0
    assert f"usage: dsm-device {command}".rstrip() in answer.stdout


def _run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [DEVICE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


# ------------------------------------------------------------------------------------ configuration


def test_a_mistake_in_the_configuration_is_exit_2_with_key_and_line(desk):
    desk.configuration.write_text('[device]\nname = "x"\nnmae = "y"\n')
    outcome = desk.run("processes")
    assert outcome.code == 2
    assert "line 3" in outcome.last_words
    assert "nmae" in outcome.last_words
    assert len(outcome.err.splitlines()) == 1


def test_a_configuration_that_is_not_there_is_exit_2(desk):
    desk.configuration.unlink()
    outcome = desk.run("scan", "--process", "x", "--json")
    assert outcome.code == 2
    assert str(desk.configuration) in outcome.last_words
    assert outcome.events("failed")[0]["code"] == 2


def test_the_configuration_may_be_named_by_the_environment_or_after_the_command(desk):
    environment = {**desk.environment, "DSM_DEVICE_CONFIG": str(desk.configuration)}
    for arguments in (["processes", "--json"], ["processes", "--json", "--config", str(desk.configuration)]):
        answer = _run(*arguments, env=environment)
        assert json.loads(answer.stdout)["name"] == "Demo"
        environment = dict(desk.environment)


def test_ldap_is_refused_as_long_as_it_is_not_there(desk):
    desk.configure(directory={"source": "ldap"})
    outcome = desk.run("processes")
    assert outcome.code == 2
    assert "directory.source" in outcome.last_words


# ---------------------------------------------------------------------------------------- processes


def test_processes_are_listed_with_broken_ones_and_why(desk):
    (desk.processes / "A broken one.xml").write_text("<x>")
    (desk.processes / "notes.txt").write_text("no process")
    broken, good = desk.run("processes", "--json").lines
    assert {"id", "name", "server", "usable", "reason"} <= set(good)
    assert (good["name"], good["usable"], good["reason"]) == ("Demo", True, "")
    assert good["id"] == "D3A0B1C2-5E4F-4A6B-8C7D-9E0F1A2B3C4D"
    assert good["server"] == f"localhost:{desk.server.port}"
    assert (broken["name"], broken["usable"]) == ("A broken one", False)
    assert "XML" in broken["reason"]
    people = desk.run("processes")
    assert "unusable: " in people.out
    assert "Demo" in people.out


def test_a_folder_of_processes_that_is_not_there_is_exit_4(desk):
    desk.configure(directory={"path": str(desk.folder / "nowhere")})
    outcome = desk.run("processes")
    assert outcome.code == 4
    assert "nowhere" in outcome.last_words


# ----------------------------------------------------------------------------------------- scanners


def test_scanners_tell_what_they_can_do(desk):
    (scanner,) = desk.run("scanners", "--json").lines
    assert scanner["device"] == "test:0"
    assert scanner["vendor"] == "Noname"
    assert scanner["model"] == "frontend-tester"
    assert scanner["sources"] == ["Platen", "ADF"]
    sources = {source["source"]: source for source in scanner["capabilities"]}
    assert {"BlackAndWhite1", "Grayscale8", "RGB24"} <= set(sources["ADF"]["colors"])
    assert 300 in sources["ADF"]["resolutions"]
    assert sources["Platen"]["width_mm"] == pytest.approx(420, abs=0.1)
    assert "ADF" in desk.run("scanners").out


def test_no_scanner_is_an_empty_list(desk):
    (desk.folder / "sane" / "dll.conf").write_text("")
    outcome = desk.run("scanners", "--json")
    assert (outcome.code, outcome.lines) == (0, [])


# ------------------------------------------------------------------------------------------- doctor


def test_the_doctor_finds_a_good_desk_well(desk):
    outcome = desk.run("doctor", "--json")
    assert outcome.code == 0, outcome.out
    assert all(set(line) == {"check", "ok", "message", "remedy"} for line in outcome.lines)
    assert {"configuration", "clock", "disk", "scanner", "directory", "scan server"} <= {
        line["check"] for line in outcome.lines
    }
    assert all(line["ok"] for line in outcome.lines)


def test_the_doctor_names_each_trouble_and_its_remedy(desk, tmp_path: Path):
    (desk.processes / "Broken.xml").write_text("<x>")
    desk.configure(
        scanner={"device": "test:9"}, scan_server={"ca_file": str(create_authority(tmp_path / "other").ca_file)}
    )
    outcome = desk.run("doctor", "--json")
    assert outcome.code == 1
    failing = {line["check"]: line for line in outcome.lines if not line["ok"]}
    assert set(failing) == {"scanner", "scan process", "scan server"}
    assert all(line["message"] and line["remedy"] for line in failing.values())
    people = desk.run("doctor")
    assert people.code == 1
    assert people.out.count("FAIL") == 3


def test_the_doctor_looks_at_the_configuration_too(desk):
    desk.configuration.write_text("[device]\nnmae = 1\n")
    outcome = desk.run("doctor", "--json")
    assert outcome.code == 1
    (line,) = outcome.lines
    assert (line["check"], line["ok"]) == ("configuration", False)
    assert "line 2" in line["message"]


def test_the_doctor_goes_on_where_a_part_cannot_even_be_made(desk):
    desk.configure(scan_server={"ca_file": "/nowhere/ca.pem"}, directory={"path": "/nowhere"})
    outcome = desk.run("doctor", "--json")
    assert outcome.code == 1
    assert [line["check"] for line in outcome.lines if not line["ok"]] == ["directory", "certificates"]


# ---------------------------------------------------------------------------------------- simulator


def test_a_scan_server_to_leave_running(desk, tmp_path: Path):
    report = tmp_path / "report.json"
    command = [
        DEVICE,
        "sim",
        "server",
        "--port",
        "0",
        "--json",
        "--out",
        str(tmp_path / "sim"),
        "--report",
        report,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            ready = json.loads(server.stdout.readline())
            desk.add_process("Demo", lambda text: text.replace(f":{desk.server.port}<", f":{ready['port']}<"))
            desk.configure(scan_server={"ca_file": ready["ca_file"]})
            outcome = desk.scan("--set", "MediaFront/Resolution=75", "--set", "ImagesToTransfer=2")
            assert outcome.code == 0, outcome.err
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=20)
    assert server.returncode == 0
    written = json.loads(report.read_text())
    assert [len(job["documents"]) for job in written["jobs"]] == [2]
    assert written["violations"] == []


@pytest.mark.parametrize("arguments", ["--json sim list", "sim list --json"])
def test_json_may_be_asked_for_before_the_simulator(arguments: str):
    answer = _run(*arguments.split())
    assert answer.returncode == 0, answer.stderr
    assert "twenty-pages" in {json.loads(line)["name"] for line in answer.stdout.splitlines()}


@pytest.mark.parametrize("option", ["--config=x.toml", "--config sim", "--json --config x.toml"])
def test_the_simulator_has_no_configuration(option: str):
    answer = _run(*option.split(), "sim", "list")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "dsm-device: `sim` has no configuration: leave out --config\n"


def test_a_configuration_may_be_called_sim(desk):
    desk.configuration.rename(desk.folder / "sim")
    answer = _run("--config", "sim", "processes", "--json", env=desk.environment, cwd=desk.folder)
    assert json.loads(answer.stdout)["name"] == "Demo"


def test_the_demonstration_keeps_what_is_not_its_own(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="another --out"):
        run_demo(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_the_demonstration_delivers_ten_pages_and_shows_them(tmp_path: Path):
    for _ in range(2):
        answer = _run("sim", "demo", "--out", tmp_path / "out")
        assert answer.returncode == 0, answer.stderr
        assert "The server stored 10 pages" in answer.stdout
        assert (tmp_path / "out" / "contact-sheet.png").stat().st_size > 10_000
