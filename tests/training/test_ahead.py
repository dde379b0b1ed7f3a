from __future__ import annotations

import threading
import time

import pytest

from mimica.training.ahead import prepared


def threads() -> int:
    return sum(thread.name.startswith("ahead") for thread in threading.enumerate())


@pytest.mark.parametrize("ahead", [0, 1, 2, 5, 40])
def test_what_is_made_comes_in_order_whoever_is_quicker(ahead: int) -> None:
    def make(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number**2

    assert list(prepared(make, range(20), ahead=ahead)) == [number**2 for number in range(20)]
    assert threads() == 0


@pytest.mark.parametrize("ahead", [1, 3])
def test_so_many_are_made_before_they_are_asked_for_and_no_more(ahead: int) -> None:
    begun: list[int] = []
    enough = threading.Semaphore(0)

    def make(number: int) -> int:
        begun.append(number)
        enough.release()
        return number

    made = prepared(make, range(100), ahead=ahead)
    for asked in range(1, 4):
        next(made)
        while len(begun) < asked + ahead:  # all of them come to be made without being asked for
            assert enough.acquire(timeout=10)
        assert sorted(begun) == list(range(asked + ahead))
    made.close()  # type: ignore[attr-defined]


def test_nothing_is_made_before_the_first_is_asked_for() -> None:
    begun: list[int] = []
    made = prepared(begun.append, range(3), ahead=2)
    assert begun == []
    next(made)


def test_the_consumer_need_not_wait_for_what_was_made_while_it_was_busy() -> None:
    done = [threading.Event() for _ in range(3)]

    def make(number: int) -> str:
        done[number].set()
        return threading.current_thread().name

    made = prepared(make, range(3), ahead=2)
    assert next(made).startswith("ahead")
    assert all(event.wait(10) for event in done)
    assert len(list(made)) == 2


@pytest.mark.parametrize("how", ["closed", "forgotten", "exhausted"])
def test_threads_end_with_the_iteration_however_it_ends(how: str) -> None:
    begun: list[int] = []

    def make(number: int) -> int:
        begun.append(number)
        time.sleep(0.01)
        return number

    made = prepared(make, range(50), ahead=4)
    assert next(made) == 0
    assert threads() > 0
    if how == "closed":
        made.close()  # type: ignore[attr-defined]
    elif how == "forgotten":
        del made
    else:
        assert sum(made) == sum(range(50))
    assert threads() == 0
    assert (len(begun) < 10) == (how != "exhausted")


@pytest.mark.parametrize("ahead", [0, 2])
def test_what_goes_wrong_is_raised_in_its_turn_and_nothing_after_it(ahead: int) -> None:
    def make(number: int) -> int:
        if number == 3:
            raise ValueError("the third")
        return number

    made = prepared(make, range(10), ahead=ahead)
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(made)
    assert list(made) == []
    assert threads() == 0


def test_as_many_threads_work_as_are_said() -> None:
    names = {*prepared(lambda number: threading.current_thread().name, range(30), ahead=8, threads=1)}
    assert len(names) == 1


def test_what_waits_for_a_thread_when_the_consumer_stops_is_not_made() -> None:
    begun: list[int] = []

    def make(number: int) -> int:
        begun.append(number)
        time.sleep(0.02)
        return number

    made = prepared(make, range(100), ahead=20, threads=1)
    assert next(made) == 0
    made.close()  # type: ignore[attr-defined]
    assert len(begun) < 10
