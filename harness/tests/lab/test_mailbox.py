"""Who waits for a record, and what ends the wait."""

from __future__ import annotations

import time

from harness.lab.worker import Mailbox

RECORD = {"kind": "connection", "listener": "portal", "local_port": 1, "peer_port": 2}


def test_the_oldest_record_of_a_connection_comes_first() -> None:
    box = Mailbox()
    for number in (1, 2):
        box.put({**RECORD, "number": number})
    assert [(box.take("portal", 1, 2, 0.0) or {}).get("number") for _ in range(3)] == [1, 2, None]


def test_a_process_that_died_keeps_nobody_waiting() -> None:
    box = Mailbox()
    box.put({"kind": "ended", "expected": False})
    begun = time.monotonic()
    assert box.take("portal", 1, 2, 5.0) is None
    assert time.monotonic() - begun < 1


def test_a_process_that_was_told_to_end_does_not_speak_for_the_others() -> None:
    box = Mailbox()
    box.put({"kind": "ended", "expected": True})
    begun = time.monotonic()
    assert box.take("portal", 1, 2, 0.2) is None
    assert time.monotonic() - begun >= 0.2
