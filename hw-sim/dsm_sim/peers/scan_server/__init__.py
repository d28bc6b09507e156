"""A simulated DSM scan server: real sockets, strict about what it is sent, and able to misbehave.

``with running_scan_server(ScanServerOptions(out=folder)) as server`` runs one in a thread;
``async with ScanServer(options) as server`` in the running event loop.
"""

from dsm_sim.peers.scan_server.misbehaviour import (
    ANY,
    Action,
    Answer,
    AnswerBody,
    AnswerFault,
    AnswerOversized,
    AnswerSlowly,
    AnswerStatus,
    CloseBefore,
    CutAnswer,
    Fault,
    Hangup,
    LoseAnswer,
    ReadSlowly,
    ResetInBody,
    Stall,
    WrongRelatesTo,
)
from dsm_sim.peers.scan_server.options import Happening, ScanServerOptions
from dsm_sim.peers.scan_server.report import DocumentReport, FilterReport, JobReport, Report
from dsm_sim.peers.scan_server.rules import Violation
from dsm_sim.peers.scan_server.running import RunningScanServer, running_scan_server
from dsm_sim.peers.scan_server.server import ScanServer

__all__ = [
    "ANY",
    "Action",
    "Answer",
    "AnswerBody",
    "AnswerFault",
    "AnswerOversized",
    "AnswerSlowly",
    "AnswerStatus",
    "CloseBefore",
    "CutAnswer",
    "DocumentReport",
    "Fault",
    "FilterReport",
    "Hangup",
    "Happening",
    "JobReport",
    "LoseAnswer",
    "ReadSlowly",
    "Report",
    "ResetInBody",
    "RunningScanServer",
    "ScanServer",
    "ScanServerOptions",
    "Stall",
    "Violation",
    "WrongRelatesTo",
    "running_scan_server",
]
