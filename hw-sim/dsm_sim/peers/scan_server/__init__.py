"""A simulated DSM scan server: real sockets, strict about what it is sent, and able to misbehave.

``with running_scan_server(ScanServerOptions(out=folder)) as server`` runs one in a thread;
``async with ScanServer(options) as server`` in the running event loop.
"""

from dsm_sim.certificate_kinds import CERTIFICATE_KINDS, CertificateKind
from dsm_sim.peers.rule import Rule
from dsm_sim.peers.scan_server.answers import Answer, Hangup
from dsm_sim.peers.scan_server.happenings import Happening
from dsm_sim.peers.scan_server.misbehaviour import (
    Action,
    AnswerBody,
    AnswerFault,
    AnswerOversized,
    AnswerSlowly,
    AnswerStatus,
    CloseBefore,
    CutAnswer,
    DelayEvent,
    DropEvent,
    DuplicateEvent,
    EndSubscription,
    EventAction,
    FollowAnswer,
    LoseAnswer,
    MalformEvent,
    OvertakeAnswer,
    ReadSlowly,
    ResetInBody,
    Stall,
    SwapEvent,
    UnknownJob,
    WrongNamespace,
    WrongRelatesTo,
)
from dsm_sim.peers.scan_server.notifier import SinkOptions
from dsm_sim.peers.scan_server.options import ScanServerOptions
from dsm_sim.peers.scan_server.personalities import PERSONALITIES, Personality, personality
from dsm_sim.peers.scan_server.plan import ANY, Fault, PlannedFault, read_fault
from dsm_sim.peers.scan_server.report import (
    DocumentReport,
    FilterReport,
    JobReport,
    Report,
    SubscriptionReport,
)
from dsm_sim.peers.scan_server.rules import RULES, Violation
from dsm_sim.peers.scan_server.running import RunningScanServer, running_scan_server
from dsm_sim.peers.scan_server.server import ScanServer

__all__ = [
    "ANY",
    "CERTIFICATE_KINDS",
    "PERSONALITIES",
    "RULES",
    "Action",
    "Answer",
    "AnswerBody",
    "AnswerFault",
    "AnswerOversized",
    "AnswerSlowly",
    "AnswerStatus",
    "CertificateKind",
    "CloseBefore",
    "CutAnswer",
    "DelayEvent",
    "DocumentReport",
    "DropEvent",
    "DuplicateEvent",
    "EndSubscription",
    "EventAction",
    "Fault",
    "FilterReport",
    "FollowAnswer",
    "Hangup",
    "Happening",
    "JobReport",
    "LoseAnswer",
    "MalformEvent",
    "OvertakeAnswer",
    "Personality",
    "PlannedFault",
    "ReadSlowly",
    "Report",
    "ResetInBody",
    "Rule",
    "RunningScanServer",
    "ScanServer",
    "ScanServerOptions",
    "SinkOptions",
    "Stall",
    "SubscriptionReport",
    "SwapEvent",
    "UnknownJob",
    "Violation",
    "WrongNamespace",
    "WrongRelatesTo",
    "personality",
    "read_fault",
    "running_scan_server",
]
