"""A simulated scan management console: finds DSM devices, asks them everything, and is strict about the answers.

``async with Console(ConsoleOptions()) as console`` opens one; ``await console.find(address)`` gives a
:class:`Device`, whose services are asked with :class:`Service`; ``console.findings.kept`` says what was wrong.
``await check_device(console, address, tell)`` is the whole strict run.
"""

from dsm_sim.peers.console.announcements import Announcement
from dsm_sim.peers.console.check import Step, check_device
from dsm_sim.peers.console.console import Console, Device
from dsm_sim.peers.console.errors import ConsoleError, Fault, NoAnswer, Refused, Unreadable
from dsm_sim.peers.console.eventing import Event, Subscription
from dsm_sim.peers.console.findings import Finding
from dsm_sim.peers.console.metadata import Metadata
from dsm_sim.peers.console.options import ConsoleOptions, DiscoveryOptions
from dsm_sim.peers.console.rules import RULES
from dsm_sim.peers.console.service import Service
from dsm_sim.peers.rule import Rule

__all__ = [
    "RULES",
    "Announcement",
    "Console",
    "ConsoleError",
    "ConsoleOptions",
    "Device",
    "DiscoveryOptions",
    "Event",
    "Fault",
    "Finding",
    "Metadata",
    "NoAnswer",
    "Refused",
    "Rule",
    "Service",
    "Step",
    "Subscription",
    "Unreadable",
    "check_device",
]
