"""The simulator's commands where something is in the way: values, folders, readers that leave, other servers."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dsm_sim.cli import main
from dsm_sim.cli.values import dns_name

COMMAND = [sys.executable, "-c", "import sys; from dsm_sim.cli import main; sys.exit(main(sys.argv[1:]))"]
LIMIT_S = 20


# -------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("command", "option", "value", "allowed"),
    [
        ("server", "--port", "70000", "from 0 to 65535"),
        ("server", "--web-port", "x", "from 0 to 65535"),
        ("server", "--announce-port", "0", "from 1 to 65535"),
        ("server", "--read-rate", "0", "from 1 to"),
        ("server", "--clock-offset", "nan", "from -1576800000 to 1576800000"),
        ("server", "--user", "eva", "S-1-…=USER@DOMAIN"),
        ("server", "--name", "", "is no DNS name"),
        ("server", "--name", "a b", "is no DNS name"),
        ("scanner", "--sheets", "-1", "from 0 to 10000"),
        ("scanner", "--images-per-minute", "-1", "from 0 to 10000"),
        ("console", "--discovery-port", "0", "from 1 to 65535"),
        ("console", "--timeout", "soon", "from 0.001 to 3600"),
    ],
)
def test_a_value_that_is_not_allowed_is_one_line_with_what_is(
    command: str, option: str, value: str, allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, f"{option}={value}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"dsm-device sim {command}: argument {option}: {value!r}")
    assert allowed in error


@pytest.mark.parametrize("name", ["localhost", "a", "scan01.corp.example.com", "xn--bcher-kva.example", "my_host"])
def test_names_of_hosts_are_taken(name: str) -> None:
    assert dns_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "a..b", "-a", "a-", "a b", "a\n", "büro", "x" * 64, "a." * 127 + "ab"])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no DNS name"):
        dns_name(name)


# ------------------------------------------------------------------------------------------------- folders


@pytest.mark.parametrize("report", ["nowhere/report.json", "file/report.json", "folder", "/proc/report.json"])
def test_a_report_that_could_not_be_written_is_refused_at_the_start(
    report: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    assert main(["server", "--port", "0", "--report", report]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"--report {report}" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"], "nothing was begun"


def test_a_report_in_the_output_folder_may_be_written_before_there_is_one(tmp_path: Path) -> None:
    report = tmp_path / "out" / "report.json"
    with _server("--out", tmp_path / "out", "--report", report) as server:
        assert server.stdout is not None
        server.stdout.readline()
        server.terminate()
        server.communicate(timeout=LIMIT_S)
    assert server.returncode == 0
    assert json.loads(report.read_text())["jobs"] == []


@pytest.mark.parametrize("command", ["scanner", "demo"])
def test_trouble_with_a_folder_is_told_without_numbers(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--out", "/proc/nowhere"]) == 2
    error = capsys.readouterr().err
    assert error == "dsm-device sim: /proc/nowhere: No such file or directory\n"


# -------------------------------------------------------------------------------------- two servers, one folder


def test_a_folder_that_another_server_uses_is_refused(start_server: Callable[..., Any], tmp_path: Path) -> None:
    with _server("--out", tmp_path / "out") as first:
        assert first.stdout is not None
        first.stdout.readline()
        with _server("--out", tmp_path / "out") as second:
            output, errors = second.communicate(timeout=LIMIT_S)
        assert (second.returncode, output, errors.count("\n")) == (2, "", 1)
        assert f"cannot use {tmp_path / 'out'}: another scan server uses it: choose another --out" in errors
        assert (tmp_path / "out" / "incoming").is_dir(), "the first one's work is left alone"
    start_server(out=tmp_path / "out")  # one that was killed holds nothing


def test_a_folder_is_free_again_after_a_start_that_failed(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        start_server(out=tmp_path / "out", port=taken.getsockname()[1])
    start_server(out=tmp_path / "out")
    with pytest.raises(BlockingIOError, match="another scan server uses it"):
        start_server(out=tmp_path / "out")


# ------------------------------------------------------------------------------------------- internal errors


def test_an_error_of_the_server_itself_is_answered_and_told(
    start_server: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    told: list[dict[str, Any]] = []
    server = start_server(tell=lambda happening: told.append(dict(happening)))
    device = connect(server)
    token = device.new_job()
    shutil.rmtree(server.output / "incoming")
    answer = device.send(token)
    assert (answer.status, answer.subcode) == (500, "ServerErrorInternalError")
    (failure,) = [each for each in told if each["event"] == "internal-error"]
    assert failure["operation"] == "SendImage"
    assert failure["detail"].startswith("FileNotFoundError: ")
    report = server.report()
    assert len(report.internal_errors) == 1
    assert report.internal_errors[0] in report.as_text()
    (server.output / "incoming").mkdir()
    assert device.send(token).status == 200, "the connection and the job go on"


def test_an_error_while_an_operation_is_carried_out_answers_its_message(
    start_server: Callable[..., Any], connect: Callable[..., Any], tmp_path: Path
) -> None:
    """A folder stands where the image is to be put: found out after the whole message was read."""
    server = start_server()
    device = connect(server)
    token = device.new_job()
    (server.output / "incoming" / token).write_text("in the way")
    answer = device.send(token)
    assert answer.subcode == "ServerErrorInternalError"
    assert answer.text("RelatesTo").startswith("urn:uuid:")
    assert server.report().internal_errors


def test_a_client_that_leaves_is_no_error_of_the_server(
    start_server: Callable[..., Any], connect: Callable[..., Any], until: Callable[..., None]
) -> None:
    over: list[object] = []
    server = start_server(tell=lambda happening: over.append(happening.get("operation")))
    device = connect(server)
    request = device.package(device.new_job())
    device.current.send(request[: len(request) - 40])
    device.current.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    device.current.close()
    until(lambda: "SendImage" in over)
    assert server.report().internal_errors == ()


# ------------------------------------------------------------------------------------------ readers that leave


@pytest.mark.parametrize("arguments", [["list", "--json"], ["list"], ["scanner"]])
def test_a_reader_that_has_left_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, *arguments]
    try:
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=LIMIT_S, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_server_goes_on_without_a_reader_and_writes_its_report(tmp_path: Path, connect: Any) -> None:
    report = tmp_path / "report.json"
    with _server("--out", tmp_path / "out", "--report", report) as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        server.stdout.close()
        place = argparse.Namespace(port=ready["port"], ca_file=ready["ca_file"])
        assert connect(place).get().status == 200
        server.terminate()
        assert server.wait(LIMIT_S) == 0
        assert server.stderr is not None
        assert server.stderr.read() == ""
    assert json.loads(report.read_text())["requests"] == {"Get": 1}


def test_other_trouble_with_the_output_is_told(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr


@contextmanager
def _server(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Killed at the end, where it is still there."""
    command = [*COMMAND, "server", "--port", "0", "--json", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
