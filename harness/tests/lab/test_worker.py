"""The worker: a child that obeys, children that die, hang, fail or talk nonsense; and the mailbox of what they saw."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import LabError
from harness.lab import worker as module
from harness.lab.worker import Child, Mailbox, Worker

Start = Callable[..., Worker]
CHILD = "harness.tests.lab.children"


class Events:
    """What a child told, waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._told: list[Mapping[str, Any]] = []

    def put(self, message: Mapping[str, Any]) -> None:
        with self._changed:
            self._told.append(message)
            self._changed.notify_all()

    def kinds(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._told) >= count, 10), self._told
            return [str(item["kind"]) for item in self._told]


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
    return worker._link._process.pid


def test_it_obeys(start: Start) -> None:
    child = start()
    assert child.call("do", text="\u2028 \U0001f512", number=1.5) == {
        "id": 1,
        "op": "do",
        "text": "\u2028 \U0001f512",
        "number": 1.5,
    }
    assert child.call("do")["id"] == 2
    assert child.alive


def test_several_threads_get_their_own_answers(start: Start) -> None:
    child = start()
    found: dict[int, int] = {}

    def ask(number: int) -> None:
        for _ in range(20):
            assert child.call("do", number=number)["number"] == number
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
        child.call("fail", error="no such thing")
    assert "child.log" in caught.value.where
    with pytest.raises(LabError, match="no reason given"):
        child.call("fail")
    assert child.call("do")["op"] == "do"


def test_it_dies_at_once(start: Start) -> None:
    child = start("stillborn")
    with pytest.raises(LabError, match="ended unexpectedly") as caught:
        child.call("do")
    assert "no luck at all" in caught.value.hint


def test_there_is_no_such_module(start: Start) -> None:
    with pytest.raises(LabError, match="No module named"):
        start(module="harness.no_such_module").call("do")


def test_it_dies_under_way(start: Start, events: Events) -> None:
    child = start()
    with pytest.raises(LabError, match="did not answer die") as caught:
        child.call("die")
    assert "cannot go on" in caught.value.hint
    assert events.kinds(1) == ["ended"]
    assert not child.alive
    with pytest.raises(LabError, match="ended unexpectedly|does not support do"):
        child.call("do")


def test_it_never_gets_ready(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_SECONDS", 0.05)
    with pytest.raises(LabError, match="did not get ready"):
        start("mute").call("do")


def test_it_never_answers(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start()
    child.call("do")
    monkeypatch.setattr(module, "REPLY_SECONDS", 0.05)
    with pytest.raises(LabError, match="did not answer be silent"):
        child.call("be silent")
    monkeypatch.undo()
    assert child.call("do")["op"] == "do"


def test_it_does_not_end_with_its_input(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Child, "patience", 0.1)
    child = start("deaf")
    child.call("do")
    child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid(child), 0)


def test_closing_twice_and_calling_afterwards(start: Start, events: Events) -> None:
    child = start()
    child.call("do")
    child.close()
    child.close()
    assert events.kinds(1) == ["ended"]
    with pytest.raises(LabError, match="exit status 0") as caught:
        child.call("do")
    assert "which is empty" in caught.value.hint


def test_what_it_tells_unasked(start: Start, events: Events) -> None:
    child = start()
    child.call("say", line={"kind": "connection", "listener": "a"})
    child.call("say", line="Traceback (most recent call last):")
    assert events.kinds(2) == ["connection", "noise"]


@pytest.mark.parametrize("line", ["[]", "3", '{"kind": "reply"}'])
def test_nonsense_that_is_json(start: Start, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)
    monkeypatch.setattr(module, "REPLY_SECONDS", 0.3)
    child = start()
    assert child.call("say", line=line)["op"] == "say"


# Mailbox

LETTER = {"kind": "connection", "listener": "a", "local_port": 1, "peer_port": 2}
LONG_AGO = 0.0


def test_a_letter_is_taken_once_and_the_oldest_first() -> None:
    mailbox = Mailbox()
    for number in (1, 2):
        mailbox.put({**LETTER, "number": number})
    assert [mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) for _ in range(3)] == [
        {**LETTER, "number": 1},
        {**LETTER, "number": 2},
        None,
    ]


@pytest.mark.parametrize("address", [("b", 1, 2), ("a", 2, 1), ("a", 1, 3)])
def test_a_record_of_another_connection(address: tuple[str, int, int]) -> None:
    mailbox = Mailbox()
    mailbox.put(LETTER)
    assert mailbox.take(*address, 0.01, "fp-1", LONG_AGO) is None
    assert mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) == LETTER


def asked(*nonces: str) -> dict[str, Any]:
    return {**LETTER, "requests": [{"nonce": nonce} for nonce in nonces]}


def test_a_reused_port_delivers_no_older_record() -> None:
    mailbox = Mailbox()
    for letter in (asked("fp-2"), LETTER, asked("fp-0", "fp-1"), asked("")):
        mailbox.put(letter)
    found = [mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) for _ in range(4)]
    assert found == [asked("fp-0", "fp-1"), LETTER, asked(""), None]
    assert mailbox.take("a", 1, 2, 0, "fp-2", LONG_AGO) == asked("fp-2")


def test_what_arrived_before_a_connection_began_is_not_its_record() -> None:
    mailbox = Mailbox()
    stale, own = {**LETTER, "rejected": "certificate-missing"}, {**LETTER, "rejected": "certificate-untrusted"}
    mailbox.put(stale)
    began = time.monotonic()
    assert mailbox.take("a", 1, 2, 0.01, "fp-2", began) is None
    mailbox.put(own)
    assert mailbox.take("a", 1, 2, 0, "fp-2", began) == own
    assert mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) == stale  # whoever began before it still gets it


def test_the_right_letter_is_waited_for_beside_a_wrong_one() -> None:
    mailbox = Mailbox()
    mailbox.put(asked("fp-2"))
    assert taken(mailbox, 10, lambda: mailbox.put(asked("fp-1"))) == asked("fp-1")


def taken(mailbox: Mailbox, seconds: float, then: Callable[[], None]) -> Any:
    """What a waiting thread takes when *then* is done meanwhile."""
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(mailbox.take("a", 1, 2, seconds, "fp-1", LONG_AGO)))
    waiting.start()
    then()
    waiting.join(10)
    assert found, "still waiting"
    return found[0]


def test_a_letter_that_comes_later() -> None:
    mailbox = Mailbox()
    assert taken(mailbox, 10, lambda: mailbox.put(LETTER)) == LETTER


def test_a_dead_process_is_not_waited_for() -> None:
    mailbox = Mailbox()
    assert taken(mailbox, 3600, lambda: mailbox.put({"kind": "ended", "expected": False})) is None
    mailbox.put(LETTER)
    assert mailbox.take("a", 1, 2, 3600, "fp-1", LONG_AGO) == LETTER
    assert mailbox.take("a", 1, 2, 3600, "fp-1", LONG_AGO) is None


def test_an_expected_end_covers_no_other_process() -> None:
    mailbox = Mailbox()
    mailbox.put({"kind": "ended", "expected": True})
    assert taken(mailbox, 10, lambda: mailbox.put(LETTER)) == LETTER


def test_noise_is_no_letter() -> None:
    mailbox = Mailbox()
    mailbox.put({"kind": "noise", "line": "x"})
    assert mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) is None
