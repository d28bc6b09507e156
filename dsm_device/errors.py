"""Every error of this project, ordered by what the operator can do about it.

    DsmError                         exit  who can help
    ├── UsageError                     2   whoever typed the command
    ├── ConfigurationError             2   the administrator, in config.toml
    ├── ScannerError                   3   whoever stands at the scanner (one class a SANE_Status, and ours)
    │   ├── ScannerUnsupported  ScannerInvalid  ScannerBusy  ScannerNoDocuments
    │   ├── ScannerJammed ── MultipleFeed
    │   ├── ScannerCoverOpen  ScannerIoError  ScannerNoMemory  ScannerAccessDenied
    │   ├── ScannerWarmingUp  ScannerLocked
    │   ├── ScannerNotFound  ScannerHung  ScannerCrashed  ScannerMismatch  DriverError
    │   └── TicketRefused                  the scan process asks what this scanner cannot do
    │       └── TicketConflict             settings that must be honoured exclude each other
    ├── SpoolError                     3   the administrator: disk full, read-only, damaged
    ├── DirectoryError                 4   the administrator of the scan processes
    │   ├── ProcessNotFound
    │   └── ProcessUnusable
    ├── ServerError                    5   the scan server's administrator; the job stays in the spool
    │   ├── ServerUnreachable              not reached, or gone before a byte was sent: try again later
    │   ├── AnswerLost                     sent, but no answer: the operation may have happened
    │   ├── ServerNotTrusted               TLS: nothing was sent
    │   │   └── ClockNotSet                for want of a clock that says what day it is: try again later
    │   ├── ServerProtocolError            an answer that no WS-DSP server gives
    │   ├── OutcomeUnknown                 nobody knows whether the job has arrived: ask before it is repeated
    │   ├── ServerRefused                  an HTTP status without a SOAP answer
    │   └── ServerFault                    a SOAP fault, with its subcode
    └── Cancelled                      6   nobody needs to

A message names what failed and at what; ``remedy`` says what to do. Foreign exceptions (SANE, TLS, XML,
the file system) become one of these at the edge where they arise.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class DsmError(Exception):
    """Base of all. ``str()`` is one line: what failed, at what, and what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = " ".join(message.split())
        self.remedy = " ".join(remedy.split())

    def __str__(self) -> str:
        return f"{self.message}: {self.remedy}" if self.remedy else self.message


class UsageError(DsmError):
    """A command line that cannot be carried out."""

    exit_code = 2


class ConfigurationError(DsmError):
    """A configuration file that cannot be used; the message names file, line and key."""

    exit_code = 2


# ------------------------------------------------------------------------------------------ scanner


class ScannerError(DsmError):
    """Something at the scanner. Subclasses carry their usual text and remedy."""

    exit_code = 3
    text: ClassVar[str] = "the scanner failed"
    advice: ClassVar[str] = "switch the scanner off and on and try again"
    #: True where the same page may be tried again after a person has done what ``advice`` says.
    clears_by_hand: ClassVar[bool] = False

    def __init__(self, message: str = "", remedy: str = "") -> None:
        super().__init__(message or self.text, remedy or self.advice)


class ScannerUnsupported(ScannerError):
    """SANE_STATUS_UNSUPPORTED (1)."""

    text = "the scanner does not support this operation"
    advice = "choose other settings, or another scanner"


class ScannerBusy(ScannerError):
    """SANE_STATUS_DEVICE_BUSY (3)."""

    text = "the scanner is busy"
    advice = "wait until the other program has finished with it, or stop that program"
    clears_by_hand = True


class ScannerInvalid(ScannerError):
    """SANE_STATUS_INVAL (4). At opening it means that the device is gone."""

    text = "the scanner refused a setting as invalid"
    advice = "check [scanner.options] and the scan process's settings against `dsm-device scanners`"


class ScannerJammed(ScannerError):
    """SANE_STATUS_JAMMED (6)."""

    text = "paper jam in the document feeder"
    advice = "remove the jammed sheet, put it and the rest back into the feeder and scan on"
    clears_by_hand = True


class MultipleFeed(ScannerJammed):
    """SANE_STATUS_JAMMED (6) where the scanner has seen two sheets at once; the message names the sheet."""

    text = "two sheets were fed at once"
    advice = "take out what was fed, fan the sheets and scan the stack again"


class ScannerNoDocuments(ScannerError):
    """SANE_STATUS_NO_DOCS (7) before the first page."""

    text = "no paper in the document feeder"
    advice = "load paper and scan again"
    clears_by_hand = True


class ScannerCoverOpen(ScannerError):
    """SANE_STATUS_COVER_OPEN (8)."""

    text = "the scanner's cover is open"
    advice = "close the cover and scan again"
    clears_by_hand = True


class ScannerIoError(ScannerError):
    """SANE_STATUS_IO_ERROR (9)."""

    text = "communication with the scanner failed"
    advice = "check its cable and power, then scan again"


class ScannerNoMemory(ScannerError):
    """SANE_STATUS_NO_MEM (10)."""

    text = "the scanner or its driver ran out of memory"
    advice = "choose a smaller area or a lower resolution"


class ScannerAccessDenied(ScannerError):
    """SANE_STATUS_ACCESS_DENIED (11)."""

    text = "access to the scanner was denied"
    advice = "let this user open the device: install the udev rule and join the group `scanner`"


class ScannerWarmingUp(ScannerError):
    """SANE_STATUS_WARMING_UP (12, extension)."""

    text = "the scanner's lamp is still warming up"
    advice = "wait a minute and scan again"
    clears_by_hand = True


class ScannerLocked(ScannerError):
    """SANE_STATUS_HW_LOCKED (13, extension)."""

    text = "the scanner's transport lock is closed"
    advice = "open the transport lock and scan again"
    clears_by_hand = True


class ScannerNotFound(ScannerError):
    """No scanner, or not the one that the configuration names."""

    text = "no scanner was found"
    advice = "connect it and switch it on, then see `dsm-device scanners`"


class ScannerHung(ScannerError):
    """The driver did not answer within its limit and was ended."""

    text = "the scanner's driver stopped answering and was ended"


class ScannerCrashed(ScannerError):
    """The acquisition process died."""

    text = "the scanner's driver crashed"
    advice = "scan again; if it happens again, report it to the makers of the SANE backend"


class ScannerMismatch(ScannerError):
    """The scanner delivers something else than what it was set to."""

    text = "the scanner does not deliver what it was asked for"
    advice = "choose settings that `dsm-device scanners` lists"


class DriverError(ScannerError):
    """The driver itself cannot be loaded or does not keep to the port."""

    text = "the scanner driver cannot be used"
    advice = "reinstall dsm-device and its system packages (`make setup`)"


class TicketRefused(ScannerError):
    """The scan ticket demands (MustHonor) what cannot be done; nothing was scanned."""

    text = "the scan process demands what this scanner cannot do"
    advice = "choose another scan process, or ask its administrator to change it"


class TicketConflict(TicketRefused):
    """Settings that must be honoured and that each could be, but not together.

    The fault ClientErrorConflictingRequiredParameters of ValidateScanTicket (WS-Scan).
    """


class SpoolError(DsmError):
    """The spool cannot be written or read."""

    exit_code = 3


# ---------------------------------------------------------------------------------------- directory


class DirectoryError(DsmError):
    """The scan processes or the user cannot be read."""

    exit_code = 4


class ProcessNotFound(DirectoryError):
    """No scan process of that name or identifier."""


class ProcessUnusable(DirectoryError):
    """A scan process that does not follow its schema; the message gives the reason."""


# ------------------------------------------------------------------------------------------- server


class Recovery(enum.Enum):
    """What the client does after a failed operation (WS-DSP, faults and repeating safely).

    The value says it to people. The retries of all but the last four are bounded, with back-off.
    """

    RETRY_LATER = "send the same again later"
    RETRY_TWICE = "send the same again twice, then hold the job"
    ASK_FIRST = "ask the server for the job before anything is repeated"
    RELOCATE = "find the service's address anew, once, and send the same again"
    NEW_JOB = "send all images again in a new post-scan job"
    RELOAD_PROCESS = "read the scan process anew; if it has changed, begin a new job by it, else hold the job"
    SUCCESS = "go on: what was asked for is already so"
    STOP_ASKING = "ask no more: the server does not know or does not tell"
    MARK_CANCELLED = "send no more: the job was cancelled at the server"
    GIVE_UP = "hold the job until a person has done something"


_AUTOMATIC = frozenset(
    {Recovery.RETRY_LATER, Recovery.RETRY_TWICE, Recovery.ASK_FIRST, Recovery.RELOCATE, Recovery.NEW_JOB}
)


class ServerError(DsmError):
    """The scan server cannot be used now. The pages stay in the spool.

    ``recovery`` is what to do about it; where the operation makes a difference, it is given with the error.
    """

    exit_code = 5
    recovery: Recovery = Recovery.GIVE_UP
    #: True where the server may have carried the operation out although it failed for us.
    may_have_happened: bool = False

    @property
    def temporary(self) -> bool:
        """True where the same thing may work later without anybody's help."""
        return self.recovery in _AUTOMATIC


class ServerUnreachable(ServerError):
    """No connection, or it broke before the request was complete; the operation has not happened."""

    recovery = Recovery.RETRY_LATER


class AnswerLost(ServerError):
    """The request went out and no complete answer came back: the operation may have happened."""

    may_have_happened = True

    def __init__(self, message: str, remedy: str = "", *, recovery: Recovery = Recovery.ASK_FIRST) -> None:
        super().__init__(message, remedy)
        self.recovery = recovery


class ServerNotTrusted(ServerError):
    """One side's certificate did not pass at the other; no message was processed."""


class ClockNotSet(ServerNotTrusted):
    """Our own clock is wrong by years, so nothing is valid yet; a time server may still put it right."""

    recovery = Recovery.RETRY_LATER


class ServerProtocolError(ServerError):
    """The answer is not what a WS-DSP server gives (garbage, too large, wrong RelatesTo, a redirect …)."""

    may_have_happened = True

    def __init__(self, message: str, remedy: str = "", *, recovery: Recovery = Recovery.GIVE_UP) -> None:
        super().__init__(message, remedy)
        self.recovery = recovery


class OutcomeUnknown(ServerError):
    """Nobody knows whether EndPostScanJob has arrived, so nothing may be repeated without a person."""


class ServerRefused(ServerError):
    """An HTTP ``status`` without a SOAP message: 401, 403, 404, 413, 503 and the like."""

    def __init__(self, message: str, remedy: str = "", *, status: int, recovery: Recovery) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.recovery = recovery
        # 503 comes before anything is done; behind the others a gateway or a half-done service may stand.
        self.may_have_happened = status >= 500 and status != 503


class ServerFault(ServerError):
    """A SOAP fault; the operation has not happened.

    ``code`` is ``Sender``, ``Receiver`` or another code of SOAP 1.2, ``subcode`` a local name, "" for none.
    """

    def __init__(self, message: str, remedy: str = "", *, code: str, subcode: str, recovery: Recovery) -> None:
        super().__init__(message, remedy)
        self.code = code
        self.subcode = subcode
        self.recovery = recovery


class Cancelled(DsmError):
    """The user cancelled."""

    exit_code = 6


# ------------------------------------------------------------------------------ from process to process


def name_of(error: DsmError) -> str:
    """The class of ``error`` here; of somebody else's class, that from which it is derived."""
    return next(str(kind.__name__) for kind in type(error).__mro__ if globals().get(kind.__name__) is kind)


def rebuilt(
    name: str, message: str, remedy: str, otherwise: type[DsmError], among: tuple[type[DsmError], ...]
) -> DsmError:
    """An error that another process told: of the class ``name`` if that is one of ``among``, else ``otherwise``.

    What only its maker knows (a fault's subcode, an HTTP status) stays behind: who shows an error needs its words.
    """
    kind = globals().get(name)
    if not (isinstance(kind, type) and issubclass(kind, among)):
        kind = otherwise
    error = kind.__new__(kind)
    DsmError.__init__(error, message, remedy)
    return error
