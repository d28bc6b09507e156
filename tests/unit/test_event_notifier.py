"""One subscriber's queue: order, tries, what a full one loses, and its end; by a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.server.notifier import DeliveryOptions, Notice, Notifier
from dsm_device.server.sink_address import SinkAddress
from dsm_device.server.sink_line import SinkFailed
from tests.virtual_time import in_virtual_time

ADDRESS = SinkAddress("http", "192.0.2.9", 80, "/", "192.0.2.9")
STATUS, END, CONDITION = "JobStatusEvent", "JobEndStateEvent", "ScannerStatusConditionEvent"


class FakeLine:
    """The network's part: each message takes what ``answers`` has next, an exception or seconds; then none."""

    def __init__(self, answers: Iterable[float | Exception] = ()) -> None:
        self.answers = list(answers)
        self.taken: list[str] = []
        self.tries: list[tuple[float, str]] = []
        self.is_open = False
        self.released_at: list[float] = []

    async def post(self, address: SinkAddress, message: bytes, timeout_s: float) -> None:
        self.is_open = True
        self.tries.append((asyncio.get_running_loop().time(), message.decode()))
        answer = self.answers.pop(0) if self.answers else 0.0
        if isinstance(answer, Exception):
            raise answer
        await asyncio.sleep(answer)
        self.taken.append(message.decode())

    async def release(self) -> None:
        self.is_open = False
        self.released_at.append(asyncio.get_running_loop().time())


class Desk:
    def __init__(self, *answers: float | Exception, options: DeliveryOptions | None = None) -> None:
        self.line = FakeLine(answers)
        self.deaths: list[str] = []
        self.notifier = Notifier(ADDRESS, self.line, options or DeliveryOptions(), self.deaths.append)

    def put(self, *texts: str, name: str = STATUS) -> None:
        for text in texts:
            self.notifier.put(Notice(name, lambda text=text: text.encode()))  # type: ignore[misc]

    async def idle(self) -> None:
        """Until nothing happens any more but that an idle connection is closed."""
        await asyncio.sleep(100_000)


def failed() -> SinkFailed:
    return SinkFailed("no")


def test_messages_go_out_in_order_one_at_a_time() -> None:
    async def main() -> Desk:
        desk = Desk(5.0, 5.0, 5.0)
        desk.put("a", "b", "c")
        await desk.idle()
        return desk

    desk = in_virtual_time(main())
    assert desk.line.taken == ["a", "b", "c"]
    assert [at for at, _ in desk.line.tries] == [0, 5, 10]


def test_a_failure_is_tried_again_after_1_5_and_15_seconds() -> None:
    async def main() -> Desk:
        desk = Desk(failed(), failed(), failed())
        desk.put("a", "b")
        await desk.idle()
        return desk

    desk = in_virtual_time(main())
    assert [(at, text) for at, text in desk.line.tries] == [(0, "a"), (1, "a"), (6, "a"), (21, "a"), (21, "b")]
    assert desk.line.taken == ["a", "b"]
    assert desk.deaths == []


def test_after_the_last_try_the_subscription_is_dead_once() -> None:
    async def main() -> Desk:
        desk = Desk(*[failed()] * 4)
        desk.put("a", "b")
        await desk.idle()
        desk.put("c")
        await desk.idle()
        return desk

    desk = in_virtual_time(main())
    assert desk.deaths == ["no"]
    assert desk.line.taken == []
    assert len(desk.line.tries) == 4
    assert len(desk.notifier) == 0


def test_a_sink_that_is_gone_is_not_tried_again() -> None:
    async def main() -> Desk:
        desk = Desk(SinkFailed("HTTP 410", is_final=True))
        desk.put("a")
        await desk.idle()
        return desk

    desk = in_virtual_time(main())
    assert desk.deaths == ["HTTP 410"]
    assert len(desk.line.tries) == 1


def test_a_try_again_is_the_same_message() -> None:
    """Its MessageID tells a sink that has had it."""

    async def main() -> Desk:
        desk = Desk(failed(), failed())
        numbers = iter("123")
        desk.notifier.put(Notice(STATUS, lambda: next(numbers).encode()))
        await desk.idle()
        return desk

    assert [text for _, text in in_virtual_time(main()).line.tries] == ["1", "1", "1"]


def test_a_message_that_cannot_be_made_stops_nothing() -> None:
    async def main() -> Desk:
        desk = Desk()
        desk.notifier.put(Notice(STATUS, lambda: None))
        desk.put("b")
        await desk.idle()
        return desk

    assert in_virtual_time(main()).line.taken == ["b"]


def test_an_error_of_ours_ends_the_subscription_in_order() -> None:
    def broken() -> bytes:
        raise KeyError("x")

    async def main() -> Desk:
        desk = Desk()
        desk.notifier.put(Notice(STATUS, broken))
        await desk.idle()
        return desk

    assert in_virtual_time(main()).deaths == ["an internal error"]


def test_an_idle_connection_is_closed_and_made_again() -> None:
    async def main() -> Desk:
        desk = Desk()
        desk.put("a")
        await asyncio.sleep(14)
        assert desk.line.released_at == []
        await asyncio.sleep(1_000)
        assert desk.line.released_at == [15]
        desk.put("b")
        await asyncio.sleep(1)
        return desk

    assert in_virtual_time(main()).line.taken == ["a", "b"]


# ----------------------------------------------------------------------------------------- a full queue


def lost(queue: int, names: list[str]) -> tuple[list[str], list[str]]:
    """What of ``names`` comes through a queue that short, and how the subscription ends."""

    async def main() -> Desk:
        desk = Desk(1_000.0, options=DeliveryOptions(queue=queue))
        desk.put("first")
        await asyncio.sleep(1)
        for number, name in enumerate(names):
            desk.put(f"{name} {number}", name=name)
            assert len(desk.notifier) <= queue
        await desk.idle()
        return desk

    desk = in_virtual_time(main())
    return desk.line.taken[1:], desk.deaths


def test_a_full_queue_loses_its_oldest_status() -> None:
    taken, deaths = lost(4, [END, STATUS, CONDITION, STATUS, STATUS, END])
    assert taken == [f"{END} 0", f"{CONDITION} 2", f"{STATUS} 4", f"{END} 5"]
    assert deaths == []


def test_a_queue_without_a_status_loses_what_is_no_end() -> None:
    taken, _ = lost(3, [CONDITION, CONDITION, END, END])
    assert taken == [f"{CONDITION} 1", f"{END} 2", f"{END} 3"]


def test_no_end_is_lost_unseen() -> None:
    taken, deaths = lost(3, [END, END, END, END])
    assert deaths == ["its queue is full of ends of jobs"]
    assert taken == []


@given(st.lists(st.sampled_from([STATUS, END, CONDITION]), max_size=30), st.integers(1, 8))
def test_what_comes_through_is_in_order_with_every_end(names: list[str], queue: int) -> None:
    taken, deaths = lost(queue, names)
    put = [f"{name} {number}" for number, name in enumerate(names)]
    assert [each for each in put if each in taken] == taken
    if not deaths:
        assert [each for each in put if each.startswith(END)] == [each for each in taken if each.startswith(END)]
        assert len(taken) == min(len(put), queue)
        assert put[-1:] == taken[-1:] or all(each.startswith(END) for each in taken)
    else:
        assert names.count(END) > queue


# --------------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize(
    ("answers", "taken"),
    [((), ["a", "b"]), ((0.9,), ["a", "b"]), ((5.0,), []), ((failed(),), ["b"]), ((failed(), failed()), [])],
)
def test_what_waits_is_sent_at_the_end_in_a_second_with_one_try_each(
    answers: tuple[float | Exception, ...], taken: list[str]
) -> None:
    async def main() -> tuple[Desk, float]:
        desk = Desk(*answers)
        desk.put("a", "b")
        await desk.notifier.close(1.0)
        desk.put("c")
        return desk, asyncio.get_running_loop().time()

    desk, at = in_virtual_time(main())
    assert desk.line.taken == taken
    assert at <= 1.0
    assert desk.deaths == []


@pytest.mark.parametrize("at", [0.0, 0.5, 3.0, 15.0])
def test_the_end_comes_whatever_it_is_waiting_for(at: float) -> None:
    async def main(close: Callable[[Desk], object]) -> float:
        desk = Desk(*[failed()] * 10)
        desk.put("a")
        await asyncio.sleep(at)
        await close(desk)  # type: ignore[misc]
        assert desk.deaths == []
        return asyncio.get_running_loop().time()

    for close in (lambda desk: desk.notifier.close(1.0), lambda desk: desk.notifier.drop()):
        assert in_virtual_time(main(close)) <= at + 1.0
