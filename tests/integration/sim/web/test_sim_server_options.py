"""``dsm-device sim server``: its page and the targets of its filters, on the command line."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from dsm_sim.cli import main


@contextlib.contextmanager
def serving(tmp_path, *options):
    """The started program and what it said first."""
    command = [sys.executable, "-c", "import sys; from dsm_sim.cli import main; sys.exit(main(sys.argv[1:]))"]
    with subprocess.Popen(
        [*command, "server", "--port", "0", "--out", str(tmp_path / "out"), "--json", *options],
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield json.loads(program.stdout.readline())
        finally:
            program.send_signal(signal.SIGINT)
            assert program.wait(20) == 0


def test_page_is_there_unless_it_is_not_wanted(tmp_path):
    with serving(tmp_path) as ready, urllib.request.urlopen(ready["web"], timeout=20) as answer:
        assert b"Scan server" in answer.read()
    with serving(tmp_path, "--no-web") as ready:
        assert ready["web"] == ""


def test_page_gets_the_port_that_was_asked_for(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(tmp_path, "--web-port", str(port)) as ready:
        assert ready["web"] == f"http://127.0.0.1:{port}/"


def test_port_that_is_taken_is_told_and_nothing_is_left_behind(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["server", "--port", "0", "--out", str(tmp_path / "o"), "--web-port", str(port)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"port {port} on 127.0.0.1 for the page: Address already in use" in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--share", "x"], r"'x' is not \\server\share=DIR"),
        (["--share", r"\\a\b=/no/such/folder"], "/no/such/folder is no folder"),
        (["--smtp", "mail.example"], "'mail.example' is not HOST:PORT"),
        (["--webdav", "ftp://a/b"], "'ftp://a/b' is not http://HOST/PATH"),
        (["--filter-error", "mail=UnknownError"], "'mail' is no filter, take one of fileshare, email, sharepoint"),
        (["--filter-error", "email=Nope"], "'Nope' is no reason"),
        (["--filter-error", "email"], "'' is no reason"),
        (["--filter-delay", "email=-1"], "'-1' is no number of seconds"),
        (["--filter-delay", "email=inf"], "'inf' is no number of seconds"),
    ],
)
def test_wrong_targets_are_refused_in_one_line(tmp_path, capsys, options, said):
    assert main(["server", "--port", "0", "--out", str(tmp_path / "o"), *options]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "o").exists()
