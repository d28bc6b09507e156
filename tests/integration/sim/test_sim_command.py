"""``dsm-device sim server`` as a process: what it says, what it leaves behind, how much memory it takes."""

from __future__ import annotations

import datetime
import json
import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from dsm_sim.scan_process import ScanProcess

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from dsm_sim.cli import main; sys.exit(main(sys.argv[1:]))",
    "server",
]
LIMIT_S = 20


class Process:
    """The command while it runs."""

    def __init__(self, *arguments, cwd):
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)

    def line(self):
        return self._lines.get(timeout=LIMIT_S)

    def lines_until(self, text):
        lines = [self.line()]
        while text not in lines[-1]:
            lines.append(self.line())
        return lines

    def event(self):
        """The next one that is no more than a request's timing."""
        while (event := json.loads(self.line()))["event"] == "request":
            pass
        return event

    def end(self, number=signal.SIGTERM):
        """Signals, unless ``number`` is 0; returns exit code, the output not yet asked for, and the errors."""
        if number:
            self.process.send_signal(number)
        errors = self.process.stderr.read()
        code = self.process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return code, "".join(self._lines.queue), errors


@pytest.fixture
def run(tmp_path):
    started = []

    def start(*arguments):
        started.append(Process(*arguments, cwd=tmp_path))
        return started[-1]

    yield start
    for each in started:
        if not each.process.stdout.closed:
            each.process.kill()
            each.end(0)


def as_server(ready):
    """What the tests' client needs to know of a server."""
    return SimpleNamespace(
        port=ready["port"], fqdn=ready["name"], address=ready["address"], ca_file=ready["ca_file"]
    )


def test_json_lines_tell_ready_then_everything_and_the_report_at_the_end(run, connect, tmp_path):
    command = run(
        "--port", "0", "--json", "--report", "report.json", "--user", "S-1-5-21-1-2-3-4=eva@corp.example"
    )
    ready = command.event()
    assert (ready["event"], ready["name"]) == ("ready", "localhost")
    assert ready["address"] == f"https://localhost:{ready['port']}/ScanServer"
    device = connect(as_server(ready))
    token = device.create(user="S-1-5-21-1-2-3-4").text("JobToken")
    assert command.event()["state"] == "Creating"
    device.send(token)
    page = command.event()
    assert (page["event"], page["job"], page["page"], page["octets"]) == ("page", token, 1, 67)
    device.send(token)
    violation = command.event()
    assert (violation["event"], violation["rule"]) == ("violation", "document-once")
    device.end(token)
    states = [command.event()["state"]]
    while states[-1] != "Completed":
        states.append(command.event()["state"])
    assert states[0] == "Pending"
    code, output, errors = command.end()
    assert (code, errors) == (0, "")
    report = json.loads(output.splitlines()[-1])
    assert report.pop("event") == "report"
    assert json.loads((tmp_path / "report.json").read_text()) == report
    (job,) = report["jobs"]
    assert (job["user"], job["state"]) == ("eva@corp.example", "Completed")
    stored = Path(job["filters"][0]["files"][0])
    assert stored.is_relative_to(tmp_path / "sim-scan-server" / "shares")
    assert stored.stat().st_size == 67


def test_plain_lines_tell_a_person_what_to_do(run, connect, tmp_path):
    folder = tmp_path / "processes"
    ScanProcess().write(folder, "Demo", "localhost:5362")
    (folder / "broken.xml").write_text("<a>")
    command = run("--port", "0", "--processes", "processes")
    text = "".join(command.lines_until("not usable: broken.xml"))
    settings = tomllib.loads("\n".join(re.findall(r"^    (.*)$", text, re.MULTILINE)))
    server = settings["scan_server"]
    assert Path(server["ca_file"]).is_file()
    assert settings["directory"] == {"source": "files", "path": str(folder)}
    assert f"https://localhost:{server['port']}/ScanServer" in text
    assert "1 scan process(es)" in text
    device = connect(SimpleNamespace(port=server["port"], ca_file=server["ca_file"]))
    assert device.create().subcode == "InvalidArgs"
    assert "violation in CreatePostScanJob" in command.line()
    command.process.send_signal(signal.SIGUSR1)
    assert "received 0 job(s)" in command.line()
    code, output, _ = command.end(signal.SIGINT)
    assert code == 0
    assert "received 0 job(s), 0 image(s)" in output
    assert "source: WS-DSP CreatePostScanJob" in output


def test_authority_is_used_again_at_the_next_start(run):
    first = run("--port", "0", "--json")
    ca_file = Path(first.event()["ca_file"])
    before = ca_file.read_bytes()
    first.end()
    second = run("--port", "0", "--json")
    assert Path(second.event()["ca_file"]) == ca_file
    assert ca_file.read_bytes() == before


def test_required_client_certificate_is_provided(run, connect):
    command = run("--port", "0", "--require-client-cert")
    text = "".join(command.lines_until("ScanRepository"))
    server = tomllib.loads("\n".join(re.findall(r"^    (.*)$", text, re.MULTILINE)))["scan_server"]
    certificate = SimpleNamespace(certificate=server["client_cert"], key=server["client_key"])
    device = connect(SimpleNamespace(port=server["port"], ca_file=server["ca_file"]), certificate)
    assert device.get().status == 200


def test_port_in_use_is_one_line_and_exit_2(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = run("--port", port)
        code, output, errors = command.end(0)
    assert (code, output) == (2, "")
    assert re.fullmatch(rf"dsm-device sim: cannot listen on port {port} on 127\.0\.0\.1: .*--port\n", errors)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--port", "70000"], "--port"),
        (["--read-rate", "0"], "--read-rate"),
        (["--user", "eva"], "--user"),
        (["--processes", "no-such-folder"], "no-such-folder"),
        (["--unknown"], "--unknown"),
    ],
)
def test_wrong_usage_is_exit_2_with_the_option(run, arguments, word):
    command = run(*arguments)
    code, output, errors = command.end(0)
    assert (code, output) == (2, "")
    assert word in errors
    assert "Traceback" not in errors


def test_output_folder_that_cannot_be_made_is_exit_2(run, tmp_path):
    (tmp_path / "file").write_text("")
    command = run("--port", "0", "--out", "file/out")
    code, _, errors = command.end(0)
    assert code == 2
    assert "file/out" in errors
    assert errors.count("\n") == 1


def peak_kib(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_does_not_grow_with_the_image_or_its_mail(run, connect, instructions, tmp_path):
    command = run("--port", "0", "--json")
    device = connect(as_server(command.event()))
    email = "http://schemas.microsoft.com/windows/2007/10/imaging/postscan/filter/email"
    mail = (
        f"<psp:Filter><psp:Dialect>{email}</psp:Dialect><psp:Instructions>"
        f'<e:EmailConfig xmlns:e="{email}"><e:SendToScanUser>true</e:SendToScanUser></e:EmailConfig>'
        "</psp:Instructions></psp:Filter>"
    )
    token = device.new_job(instructions(more=mail))
    device.send(token)
    before = peak_kib(command.process)
    block, blocks = os.urandom(1_000_000), 100
    request = device.package(token, 2, b"@", "acme:any")
    head, _, body = request.partition(b"\r\n\r\n")
    start, end = body.split(b"@\r\n--b-1--")
    length = len(body) - 1 + len(block) * blocks
    head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % length, head)
    device.current.send(head + b"\r\n\r\n" + start)
    for _ in range(blocks):
        device.current.send(block)
    device.current.send(b"\r\n--b-1--" + end)
    assert device.current.answer().status == 200
    device.end(token)
    while command.event().get("state") != "Completed":
        pass
    assert peak_kib(command.process) - before < 12 * 1024
    (message,) = (tmp_path / "sim-scan-server" / "mail").iterdir()
    assert message.stat().st_size > 130_000_000


def test_scan_process_is_what_the_server_compares_with(run, connect, tmp_path):
    path = ScanProcess().write(tmp_path / "processes", "Demo", "localhost:5362")
    command = run("--port", "0", "--json", "--processes", "processes")
    device = connect(as_server(command.event()))
    stored = path.read_text()
    content = stored.partition("<psp:PostScanInstructions>")[2].partition("</psp:PostScanInstructions>")[0]
    psp = 'xmlns:psp="http://schemas.microsoft.com/windows/2008/02/imaging/postscan/psp"'
    content = re.sub(r"<(psp:(?:ContinueOnError|DocumentRootName|FiltersToProcess))>", rf"<\1 {psp}>", content)
    assert device.create(content, psp=ScanProcess().identifier).status == 200
    event = command.event()
    assert event["process"] == path.stem


def test_help_names_every_option():
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=LIMIT_S, check=True)
    for option in ("--host", "--port", "--name", "--out", "--processes", "--tls", "--report", "--json"):
        assert option in done.stdout
    assert done.stdout.startswith("usage: dsm-device sim server")


def test_certificate_is_good_for_every_name_and_for_loopback(run):
    command = run("--port", "0", "--json", "--name", "scan01.corp.example.com", "--name", "localhost")
    ready = command.event()
    assert ready["address"].startswith("https://scan01.corp.example.com:")
    context = ssl.create_default_context(cafile=ready["ca_file"])
    for name in ("scan01.corp.example.com", "localhost", "127.0.0.1"):
        with socket.create_connection(("127.0.0.1", ready["port"])) as plain:
            context.wrap_socket(plain, server_hostname=name).close()
    with (
        socket.create_connection(("127.0.0.1", ready["port"])) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname="other.example.com")


def test_server_in_character_with_faults_and_a_wrong_clock_is_set_up_by_options(run, connect):
    command = run(
        *(
            "--port",
            "0",
            "--json",
            "--personality",
            "ws2008r2",
            "--announce-port",
            "5362",
            "--clock-offset",
            "-864000",
        ),
        *("--fault", "CreatePostScanJob:1:answer-fault:subcode=dsp:OperationFailed", "--no-events"),
        *("--fault", "CancelPostScanJob:*:answer-status:status=503"),
    )
    ready = command.event()
    assert ready["address"] == "https://localhost:5362/ScanServer"
    device = connect(as_server(ready))
    assert device.create().subcode == "OperationFailed"
    token = device.new_job()
    created = datetime.datetime.fromisoformat(device.query(token).text("JobCreatedTime"))
    age = datetime.datetime.now() - created  # noqa: DTZ005 - the server's local time has no zone
    assert round(age.total_seconds() / 86_400) == 10
    assert device.query("no-guid").subcode == "EndpointUnavailable"
    assert [device.cancel(token).status for _ in range(2)] == [503, 503]


def test_requests_are_told_with_their_moments(run, connect):
    command = run("--port", "0", "--json")
    connect(as_server(command.event())).get()
    told = json.loads(command.line())
    assert (told["event"], told["operation"], told["status"]) == ("request", "Get", 200)
    assert told["head_s"] <= told["body_s"] <= told["answered_s"]


def test_plain_lines_tell_of_subscriptions_and_lost_events(run, connect, subscribe):
    command = run("--port", "0", "--certificate", "intermediate")
    text = "".join(command.lines_until("ScanRepository"))
    server = tomllib.loads("\n".join(re.findall(r"^    (.*)$", text, re.MULTILINE)))["scan_server"]
    device = connect(SimpleNamespace(port=server["port"], ca_file=server["ca_file"]))
    sink = SimpleNamespace(url="http://localhost:1/nobody")
    assert subscribe(device, sink, end_to="").status == 200
    assert "subscription of http://localhost:1/nobody for 3600 s" in "".join(command.lines_until("subscription"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "SendImage:2"], ["--fault", "SendImage:2"]),
        (["--fault", "SendImage:2:loose-answer"], ["--fault", "lose-answer"]),
        (["--fault", "Get:1:answer-fault:subcode=dsp:Foo"], ["--fault", "dsp:Foo"]),
        (["--personality", "ws2003"], ["--personality", "ws2008r2"]),
        (["--certificate", "bad"], ["--certificate", "expired"]),
        (["--clock-offset", "soon"], ["--clock-offset"]),
        (["--clock-offset", "nan"], ["--clock-offset"]),
        (["--announce-port", "0"], ["--announce-port"]),
        (["--event-ca", "no-such-file"], ["--event-ca", "no-such-file"]),
    ],
)
def test_wrong_character_is_exit_2_with_what_there_is(run, arguments, words):
    code, output, errors = run("--port", "0", *arguments).end(0)
    assert (code, output) == (2, "")
    assert "Traceback" not in errors
    for word in words:
        assert word in errors
