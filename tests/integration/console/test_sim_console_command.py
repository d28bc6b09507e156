"""``dsm-device sim console`` as a person calls it: exit codes, lines, JSON."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dsm_sim.cli import main
from dsm_sim.peers.scan_server import ScanServerOptions, running_scan_server
from tests.integration.console.raw_device import ENDPOINT, EVENTS, SAMPLES, Answer, RawDevice, at

CLASH = """\
<w:ScanTicket xmlns:w="http://schemas.microsoft.com/windows/2006/08/wdp/scan">
  <w:JobDescription><w:JobName>Clash</w:JobName><w:JobOriginatingUserName/></w:JobDescription>
  <w:DocumentParameters>
    <w:Format w:MustHonor="true">tiff-single-g4</w:Format>
    <w:MediaSides><w:MediaFront>
      <w:ColorProcessing w:MustHonor="true">RGB24</w:ColorProcessing>
    </w:MediaFront></w:MediaSides>
  </w:DocumentParameters>
</w:ScanTicket>
"""


def console(*words: str) -> int:
    return main(["console", *words])


def address(device: RawDevice) -> str:
    return f"127.0.0.1:{device.port}"


def test_show_is_what_an_address_alone_does(capsys: pytest.CaptureFixture[str]) -> None:
    with RawDevice() as device:
        assert console(address(device)) == 0
        alone = capsys.readouterr().out
        assert console("show", device.url) == 0
        assert capsys.readouterr().out == alone
    for fact in (
        "Front desk scanner",
        "Example DSM Scanner",
        "Stopped (MediaJam)",
        "ADFBack   600 x 600    6 x 6 to 216 x 356",
        "MediaFront/Resolution/Width",
        "12  Processing (JobScanning)",
    ):
        assert fact in alone


def test_json_is_one_object_a_line_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with RawDevice() as device:
        assert console("show", address(device), "--json") == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["event"] for each in objects] == ["device", *["element"] * 4, *["job"] * 4]
    assert objects[0]["endpoint"] == ENDPOINT


def test_discover_is_what_no_word_at_all_does(capsys: pytest.CaptureFixture[str]) -> None:
    with RawDevice() as device:
        assert console("--discovery-port", str(device.udp_port)) == 0
        assert capsys.readouterr().out.split()[:2] == ["ProbeMatch", ENDPOINT]


def test_nobody_there_is_one_line_and_1(capsys: pytest.CaptureFixture[str]) -> None:
    with RawDevice() as device:
        place = address(device)
    assert console("show", f"http://{place}/x") == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "cannot be reached" in error


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_there_is_told_of_the_usual_port(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with RawDevice() as device:
        usual = device.port
    monkeypatch.setattr("dsm_sim.peers.console.console.HTTP_PORT", usual)
    assert console("show", host, "--discovery-port", str(usual)) == 1
    assert f":{usual}/" in capsys.readouterr().err


def test_a_device_at_the_usual_port_that_answers_no_probe_is_asked_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse_probes(answer: Answer) -> None:
        if answer.operation == "Probe":
            answer.status, answer.body = 404, b""

    with RawDevice(refuse_probes) as device:
        monkeypatch.setattr("dsm_sim.peers.console.console.HTTP_PORT", device.port)
        assert console("show", "127.0.0.1") == 0, capsys.readouterr().err
    assert f"http://127.0.0.1:{device.port}/" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["", "/x"])
def test_plain_http_at_a_tls_port_is_told_with_what_to_try(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_scan_server(ScanServerOptions(out=tmp_path)) as server:
        assert console("show", f"http://127.0.0.1:{server.port}{path}") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "without" in error
    assert error.endswith("; try https://\n")


def test_a_reset_is_told_as_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        reset = threading.Thread(target=_reset_one, args=(listening,))
        reset.start()
        port = listening.getsockname()[1]
        assert console("show", f"http://127.0.0.1:{port}", "--discovery-port", str(port)) == 1
        reset.join()
    assert "closed the connection without an answer" in capsys.readouterr().err


def _reset_one(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["show"], "name a device"),
        (["show", "http://["], "is no address"),
        (["show", "127.0.0.1:99999"], "is no address"),
        (["show", "127.0.0.1", "more"], "is too much"),
        (["discover", "127.0.0.1"], "takes no address"),
        (["discover", "--interface", "nope0"], "no interface 'nope0'"),
        (["show", "127.0.0.1", "--set", "Format=png"], "belong to validate"),
        (["validate", "127.0.0.1", "--set", "Colour=red"], "no ticket has an element Colour"),
        (["validate", "127.0.0.1", "--set", "Format"], "write ELEMENT=VALUE"),
        (["validate", "127.0.0.1", "--set", "MediaFront=red"], "set those"),
        (["validate", "127.0.0.1", "--ticket", "/nowhere.xml"], "cannot read /nowhere.xml"),
        (["check", "127.0.0.1", "--ca", "/nowhere.pem"], "is no file"),
    ],
)
def test_wrong_usage_is_one_line_and_2(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert console(*words) == 2
    error = capsys.readouterr().err
    assert text in error
    assert len(error.splitlines()) == 1


def test_tickets_are_validated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RawDevice() as device:
        assert console("validate", address(device)) == 0
        assert capsys.readouterr().out.splitlines() == ["valid", "  front          2,550 x 3,300 px, compressed"]
        assert console("validate", address(device), "--set", "Resolution=350x300", "--json") == 1
        verdict = json.loads(capsys.readouterr().out)
        assert (
            verdict["corrected"]["DocumentParameters"]["MediaSides"]["MediaFront"]["Resolution"]["Width"] == "300"
        )
        process = SAMPLES / "psp-flatbed-colour-jfif.xml"
        assert console("validate", address(device), "--ticket", str(process), "--set", "Rotation=45") == 1
        assert "Rotation                                             0" in capsys.readouterr().out
        clash = tmp_path / "clash.xml"
        clash.write_text(CLASH)
        assert console("validate", address(device), "--ticket", str(clash)) == 1
        output = capsys.readouterr()
        assert output.out.startswith("ValidateScanTicket is refused: ClientErrorConflictingRequiredParameters")
        assert output.err == ""


@pytest.mark.parametrize("content", ["<a/>", "no XML", "<!DOCTYPE a><a/>"])
def test_a_file_that_is_no_ticket_is_2(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ticket.xml"
    file.write_text(content)
    assert console("validate", "127.0.0.1", "--ticket", str(file)) == 2
    assert str(file) in capsys.readouterr().err


def test_check_is_0_for_a_right_device_and_1_for_a_wrong_one(capsys: pytest.CaptureFixture[str]) -> None:
    def spoil(answer: Answer) -> None:
        if answer.operation == "GetActiveJobs":
            at(answer.root, "//w:JobId").text = "0"

    with RawDevice() as device:
        assert console("check", address(device), "--no-discovery", "--only", "jobs") == 0
        assert "nothing is wrong" in capsys.readouterr().out
        assert console("check", address(device), "--no-discovery", "--only", "nothing of the kind") == 2
    with RawDevice(spoil) as device:
        assert console("check", address(device), "--no-discovery", "--only", "jobs", "--json") == 1
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["rule"] for each in objects if each["event"] == "finding"} == {"body-schema"}
    assert objects[-1]["event"] == "result"
    assert objects[-1]["findings"] == 4


def test_watch_prints_events_until_it_is_interrupted() -> None:
    with RawDevice() as device:
        command = "import sys; from dsm_sim.cli import main; sys.exit(main(sys.argv[1:]))"
        words = [sys.executable, "-c", command, "console", "watch", address(device), "--json"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None and process.stdout is not None
            assert "/scan" in process.stderr.readline()
            assert "/dsd" in process.stderr.readline()
            for subscriber in (0, 1):
                for name in EVENTS:
                    assert device.post_event(name, to=subscriber) == 202
            events = [json.loads(process.stdout.readline()) for _ in range(12)]
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        assert device.subscriptions == {}
    assert len({event["event"] for event in events}) == 6
    assert {event["service"].rpartition("/")[2] for event in events} == {"scan", "dsd"}


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert console("--help") == 0
    assert "dsm-device sim console check 127.0.0.1" in capsys.readouterr().out
