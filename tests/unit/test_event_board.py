"""The board of events: kept for those who ask, dropped when it is old, repeated or a step back."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsm_device.runner.event_board import EventBoard
from dsm_device.wire.processing import JobStatus

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def status(state: str, token: str = "a", images: int = 0, *, is_end: bool = False) -> JobStatus:
    return JobStatus(token, state, (), (), images, "", "", is_end)


async def told(board: EventBoard, token: str = "a") -> list[str]:
    """All that has been put up."""
    states = []
    while (found := await board.next_status(token, 0)) is not None:
        states.append(found.state)
    return states


async def test_what_came_early_is_kept_in_order_without_repetitions() -> None:
    board = EventBoard()
    for each in (status("Creating"), status("Creating"), status("Creating", images=1), status("Pending")):
        board.post(each)
    assert await told(board) == ["Creating", "Creating", "Pending"]
    assert await told(board) == []


async def test_nothing_follows_a_final_state() -> None:
    board = EventBoard()
    board.post(status("Processing"))
    board.post(status("Completed"))
    board.post(status("Processing"))
    board.post(status("Completed", is_end=True))
    assert await told(board) == ["Completed"]
    board.post(status("Completed", is_end=True))
    assert await told(board) == []


async def test_any_state_is_final_that_comes_with_the_end() -> None:
    board = EventBoard()
    board.post(status("acme:Done", is_end=True))
    board.post(status("Processing"))
    assert await told(board) == ["acme:Done"]


async def test_somebody_who_waits_is_woken_and_gives_up_without_harm() -> None:
    board = EventBoard()
    waiting = asyncio.create_task(board.next_status("a", 10))
    given_up = asyncio.create_task(board.next_status("b", 10))
    await asyncio.sleep(0)
    given_up.cancel()
    board.post(status("Creating"))
    board.post(status("Creating", "b"))
    found = await waiting
    assert found is not None
    assert found.job_token == "a"
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await told(board, "b") == ["Creating"]


async def test_what_nobody_asks_for_is_forgotten() -> None:
    clock = Clock()
    board = EventBoard(unknown_s=30, asked_s=3600, clock=clock)
    await board.next_status("asked", 0)
    board.post(status("Creating"))
    clock.now = 29
    board.post(status("Creating", "b"))
    clock.now = 40
    assert await told(board) == []
    assert await told(board, "b") == ["Creating"]
    board.post(status("Creating", "asked"))
    assert await told(board, "asked") == ["Creating"]
    clock.now = 4000
    board.post(status("Creating", "z"))
    assert len(board) == 1


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["Creating", "Processing", "Completed"]))))
def test_its_memory_is_bounded_and_those_who_ask_come_first(posts: list[tuple[int, str]]) -> None:
    async def play() -> None:
        board = EventBoard(jobs=8)
        await board.next_status("asked", 0)
        for number, (token, state) in enumerate(posts):
            board.post(status(state, str(token), number))
            assert len(board) <= 9
        board.post(status("Creating", "asked"))
        assert await told(board, "asked") == ["Creating"]

    asyncio.run(play())


async def test_of_many_statuses_of_one_job_the_last_ones_stay() -> None:
    board = EventBoard()
    for number in range(1000):
        board.post(status("Creating", images=number))
    board.post(status("Pending"))
    states = await told(board)
    assert len(states) <= 64
    assert states[-1] == "Pending"


async def test_a_monstrous_token_is_not_kept() -> None:
    board = EventBoard()
    board.post(status("Creating", "x" * 5000))
    assert len(board) == 0


async def test_little_is_left_of_jobs_that_are_over() -> None:
    board = EventBoard()
    tokens = [f"urn:uuid:{number:032x}" for number in range(500)]
    tracemalloc.start()
    try:
        for token in tokens:
            board.post(status("Processing", token))
            board.post(status("Completed", token, is_end=True))
            assert await told(board, token) == ["Completed"]
        used_octets, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(board) == 500
    assert used_octets / 500 < 512
