"""The worker: a child that obeys, children that die, hang, fail or talk nonsense."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import pytest

from harness.errors import LabError
from harness.lab import worker as module
from harness.lab.worker import Child, Worker
from harness.model.exchange import ServerView
from harness.model.protocol import Command, Connection, Ended, Event, Noise, Nothing

Start = Callable[..., Worker]
CHILD = "harness.tests.lab.children"


class Echo(TypedDict):
    """The command, as the child read it."""

    id: int
    op: str
    text: str
    number: float


@dataclass(frozen=True)
class Do(Command[Echo]):
    op: ClassVar[str] = "do"
    form: ClassVar[Any] = Echo
    text: str = ""
    number: float = 0


@dataclass(frozen=True)
class Fail(Command[Nothing]):
    op: ClassVar[str] = "fail"
    form: ClassVar[Any] = Nothing


@dataclass(frozen=True)
class FailBecause(Fail):
    error: str


@dataclass(frozen=True)
class Die(Command[Nothing]):
    op: ClassVar[str] = "die"
    form: ClassVar[Any] = Nothing


@dataclass(frozen=True)
class BeSilent(Command[Nothing]):
    op: ClassVar[str] = "be silent"
    form: ClassVar[Any] = Nothing


@dataclass(frozen=True)
class Say(Command[Nothing]):
    op: ClassVar[str] = "say"
    form: ClassVar[Any] = Nothing
    line: object


@dataclass(frozen=True)
class CountDown(Do):
    """Of which the child's answer is not the form that it should have."""

    form: ClassVar[Any] = dict[str, int]


LETTER = Connection(ServerView("a", 1, 2))


class Events:
    """What a child told, waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._told: list[Event] = []

    def put(self, event: Event) -> None:
        with self._changed:
            self._told.append(event)
            self._changed.notify_all()

    def first(self, count: int) -> list[Event]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._told) >= count, 10), self._told
            return list(self._told)


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: Events) -> Iterator[Start]:
    started: list[Worker] = []

    def begin(how: str = "obedient", module: str = CHILD) -> Worker:
        monkeypatch.setenv("HOPPROOF_TEST_CHILD", how)
        log = tmp_path / "child.log"
        started.append(Worker(module, Child(module, log), events.put, log))
        return started[-1]

    yield begin
    for one in started:
        one.close()
        assert not one.alive
        with pytest.raises(ProcessLookupError):
            os.kill(pid(one), 0)


def pid(worker: Worker) -> int:
    """The process id of its child."""
    link = worker._link
    assert isinstance(link, Child)
    return link._process.pid


def test_it_obeys(start: Start) -> None:
    child = start()
    assert child.call(Do("\u2028 \U0001f512", 1.5)) == {
        "id": 1,
        "op": "do",
        "text": "\u2028 \U0001f512",
        "number": 1.5,
    }
    assert child.call(Do())["id"] == 2
    assert child.alive


def test_several_threads_get_their_own_answers(start: Start) -> None:
    child = start()
    found: dict[int, int] = {}

    def ask(number: int) -> None:
        for _ in range(20):
            assert child.call(Do(number=number))["number"] == number
        found[number] = 20

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == dict.fromkeys(range(4), 20)


def test_it_answers_with_an_error(start: Start) -> None:
    child = start()
    with pytest.raises(LabError, match="fail failed: no such thing") as caught:
        child.call(FailBecause("no such thing"))
    assert "child.log" in caught.value.where
    with pytest.raises(LabError, match="no reason given"):
        child.call(Fail())
    assert child.call(Do())["op"] == "do"


def test_it_dies_at_once(start: Start) -> None:
    child = start("stillborn")
    with pytest.raises(LabError, match="ended unexpectedly") as caught:
        child.call(Do())
    assert "no luck at all" in caught.value.hint


def test_there_is_no_such_module(start: Start) -> None:
    with pytest.raises(LabError, match="No module named"):
        start(module="harness.no_such_module").call(Do())


def test_it_dies_under_way(start: Start, events: Events) -> None:
    child = start()
    with pytest.raises(LabError, match="did not answer die") as caught:
        child.call(Die())
    assert "cannot go on" in caught.value.hint
    assert events.first(1) == [Ended(expected=False)]
    assert not child.alive
    with pytest.raises(LabError, match="ended unexpectedly|does not support do"):
        child.call(Do())


def test_it_never_gets_ready(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_SECONDS", 0.05)
    with pytest.raises(LabError, match="did not become ready"):
        start("mute").call(Do())


def test_it_never_answers(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start()
    child.call(Do())
    monkeypatch.setattr(module, "REPLY_SECONDS", 0.05)
    with pytest.raises(LabError, match="did not answer be silent"):
        child.call(BeSilent())
    monkeypatch.undo()
    assert child.call(Do())["op"] == "do"


def test_it_does_not_end_with_its_input(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Child, "patience", 0.1)
    child = start("deaf")
    child.call(Do())
    child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid(child), 0)


def test_closing_twice_and_calling_afterwards(start: Start, events: Events) -> None:
    child = start()
    child.call(Do())
    child.close()
    child.close()
    assert events.first(1) == [Ended(expected=True)]
    with pytest.raises(LabError, match="exit status 0") as caught:
        child.call(Do())
    assert "which is empty" in caught.value.hint


def test_what_it_tells_unasked(start: Start, events: Events) -> None:
    child = start()
    for line in (LETTER.to_json(), "Traceback (most recent call last):", {"kind": "connection", "listener": "a"}):
        child.call(Say(line))
    assert events.first(3) == [
        LETTER,
        Noise("Traceback (most recent call last):\n"),
        Noise('{"kind": "connection", "listener": "a"}\n'),
    ]


def test_a_result_of_another_form(start: Start) -> None:
    with pytest.raises(LabError, match="answered do with an unexpected result: op is text, not an integer"):
        start().call(CountDown())


def test_whether_it_lives(start: Start) -> None:
    child = start()
    child.call(Do())
    child.check_alive()
    child.close()
    with pytest.raises(LabError, match="ended unexpectedly, exit status 0"):
        child.check_alive()


@pytest.mark.parametrize("line", ["[]", "3", '{"kind": "reply"}'])
def test_nonsense_that_is_json(start: Start, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)
    monkeypatch.setattr(module, "REPLY_SECONDS", 0.3)
    child = start()
    child.call(Say(line))
    assert child.alive
