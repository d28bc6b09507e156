"""tshark decodes a whole conversation with the agent: discovery, HTTP, events, faults, and its leave."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.foreign.agent import agent_in
from tests.integration.discovery.lab import Lab, lab
from tests.needs import needs_networks, needs_programs, program

V4 = ("10.9.2.1/24", "10.9.2.2/24")
V6 = ("fd09:2::1/64", "fd09:2::2/64")
CONSOLE = (sys.executable, "-m", "dsm_device", "sim", "console")
IN_THE_NETWORK = ("--network", "--interface", "peer0")
#: Besides HTTP, XML by its first characters: WS-Discovery has no dissector.
HEURISTICS = ("--enable-heuristic", "xml_udp", "--enable-heuristic", "xml_http")
ACTIONS = (
    "discovery/Hello",
    "discovery/Probe",
    "discovery/ProbeMatches",
    "discovery/Resolve",
    "discovery/ResolveMatches",
    "discovery/Bye",
    "transfer/Get",
    "transfer/GetResponse",
    "eventing/Subscribe",
    "eventing/SubscribeResponse",
    "eventing/SubscriptionEnd",
    "device/GetScannerElements",
    "device/GetScannerElementsResponse",
    "scan/ScannerStatusConditionEvent",
    "scan/ScannerStatusSummaryEvent",
    "addressing/fault",
)


@needs_networks()
@needs_programs("tshark", "dumpcap")
def test_a_whole_conversation_has_nothing_malformed(tmp_path: Path) -> None:
    capture = tmp_path / "conversation.pcapng"
    with lab() as network:
        network.join(0, V4, V6)
        with captured(network, capture):
            converse(network, tmp_path)
    actions = tshark(capture, "-Y", "xml", "-T", "fields", "-e", "xml.cdata")
    assert [action for action in ACTIONS if not re.search(rf"/{action}\b", actions)] == []
    assert tshark(capture, "-Y", "_ws.malformed || _ws.expert.severity == error") == ""
    assert tshark(capture, "-Y", "(udp.port == 3702 || http.content_length > 0) && !xml") == ""
    asked, answered = (tshark(capture, "-Y", f"http.{kind}").count("\n") for kind in ("request", "response"))
    assert asked == answered > 20


def converse(network: Lab, folder: Path) -> None:
    with (
        agent_in(folder, network.device, listen="::") as agent,
        network.start("peer", *CONSOLE, "watch", "10.9.2.1", *IN_THE_NETWORK) as watching,
    ):
        watching.line("subscribed at http://10.9.2.1:5357/scan")
        watching.line("subscribed at http://10.9.2.1:5357/dsd")
        agent.scanner.open_cover()
        watching.line("CoverOpen")
        checks = [
            network.start("peer", *CONSOLE, "check", "10.9.2.1", *IN_THE_NETWORK, "--only", part)
            for part in ("UDP", "elements", "actions", "events")
        ]
        for check in checks:
            check.line("nothing is wrong", within_s=60)
            check.stop()
        assert agent.stop() == 0
        watching.line("SubscriptionEnd")
        watching.process.terminate()


@contextmanager
def captured(network: Lab, capture: Path) -> Iterator[None]:
    with network.start("device", program("dumpcap"), "-i", "dev0", "-w", str(capture)) as dumpcap:
        dumpcap.line("File:")
        yield
        dumpcap.process.terminate()


def tshark(capture: Path, *arguments: str) -> str:
    command = [program("tshark"), "-r", str(capture), *HEURISTICS, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
