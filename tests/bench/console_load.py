"""Asks the console's endpoint over a few connections that stay open, and prints how long each answer took.

Usage: console_load.py '{"port": …, "names": ["GetScannerElements"], "count": …, "a_second": …}'

``a_second`` is the pace, 0 for the next as soon as the last is answered. With a pace the time of an answer counts
from the moment at which its question was due, so that none is forgiven for the delay of the one before. Prints
JSON: ``times_ms`` in order, ``took_s``, ``failed``: answers that were none.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

_SAMPLES: Final = Path(__file__).parents[1] / "data" / "samples"
_CONNECTIONS: Final = 4
#: A connection is replaced after so many questions.
_RENEWED_AFTER: Final = 500


def _sample(name: str) -> bytes:
    return (_SAMPLES / name).read_bytes()


#: Path, message, and what its answer has in it.
QUESTIONS: Final[Mapping[str, tuple[str, bytes, bytes]]] = {
    "GetScannerElements": (
        "/dsd",
        _sample("dsd-get-scanner-elements-request.xml").replace(b"<wscn:Name>acme:Toner</wscn:Name>", b""),
        b"DefaultScanTicket>",
    ),
    "GetActiveJobs": ("/dsd", _sample("dsd-get-active-jobs-request.xml"), b"GetActiveJobsResponse"),
    "GetJobHistory": ("/dsd", _sample("dsd-get-job-history-request.xml"), b"GetJobHistoryResponse"),
    "ValidateScanTicket": ("/dsd", _sample("dsd-validate-scan-ticket-request.xml"), b"ValidationInfo"),
    "Get": (
        "/",
        _sample("dsd-dpws-get.xml").replace(b"urn:uuid:6f1e7c1a-5d0f-5b7c-9a51-0b2f4ce1d3a7", b"http://x/"),
        b"GetResponse",
    ),
}


@dataclass
class Load:
    port: int
    names: list[str]
    count: int
    a_second: float
    times_ms: list[float] = field(default_factory=list)
    failed: int = 0

    def run(self) -> float:
        """Seconds that all of it took."""
        self._numbers = count()
        began_s = self._began_s = time.perf_counter()
        threads = [threading.Thread(target=self._ask_again_and_again) for _ in range(_CONNECTIONS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return time.perf_counter() - began_s

    def _ask_again_and_again(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for asked in count(1):
            number = next(self._numbers)
            if number >= self.count:
                connection.close()
                return
            due_s = self._wait(number)
            self._ask(connection, self.names[number % len(self.names)])
            self.times_ms.append((time.perf_counter() - due_s) * 1000)
            if asked % _RENEWED_AFTER == 0:
                connection.close()

    def _wait(self, number: int) -> float:
        """Until the question is due; when that was."""
        now_s = time.perf_counter()
        if not self.a_second:
            return now_s
        due_s = self._began_s + number / self.a_second
        if due_s > now_s:
            time.sleep(due_s - now_s)
        return due_s

    def _ask(self, connection: http.client.HTTPConnection, name: str) -> None:
        path, message, sign = QUESTIONS[name]
        try:
            connection.request("POST", path, message, {"Content-Type": "application/soap+xml"})
            answer = connection.getresponse()
            if sign not in answer.read() or answer.status != 200:
                self.failed += 1
        except (OSError, http.client.HTTPException):
            self.failed += 1
            connection.close()


def main() -> None:
    load = Load(**json.loads(sys.argv[1]))
    took_s = load.run()
    result: dict[str, Any] = {"times_ms": load.times_ms, "took_s": took_s, "failed": load.failed}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
