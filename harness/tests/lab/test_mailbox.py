"""The mailbox: which record belongs to which connection, and how long it is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.lab.worker import Mailbox
from harness.model.exchange import RequestView, ServerView
from harness.model.protocol import Connection, Ended, Noise


def letter(**changes: Any) -> Connection:
    return Connection(replace(ServerView("a", 1, 2), **changes))


LETTER = letter()
LONG_AGO = 0.0


def test_a_letter_is_taken_once_and_the_oldest_first() -> None:
    mailbox = Mailbox()
    for number in (1, 2):
        mailbox.put(letter(sni=str(number)))
    assert [mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) for _ in range(3)] == [
        letter(sni="1").view,
        letter(sni="2").view,
        None,
    ]


@pytest.mark.parametrize("address", [("b", 1, 2), ("a", 2, 1), ("a", 1, 3)])
def test_a_record_of_another_connection(address: tuple[str, int, int]) -> None:
    mailbox = Mailbox()
    mailbox.put(LETTER)
    assert mailbox.take(*address, 0.01, "fp-1", LONG_AGO) is None
    assert mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) == LETTER.view


def asked(*nonces: str) -> Connection:
    return letter(requests=tuple(RequestView("GET", "/", nonce) for nonce in nonces))


def test_a_reused_port_delivers_no_older_record() -> None:
    mailbox = Mailbox()
    for one in (asked("fp-2"), LETTER, asked("fp-0", "fp-1"), asked("")):
        mailbox.put(one)
    found = [mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) for _ in range(4)]
    assert found == [asked("fp-0", "fp-1").view, LETTER.view, asked("").view, None]
    assert mailbox.take("a", 1, 2, 0, "fp-2", LONG_AGO) == asked("fp-2").view


def test_what_arrived_before_a_connection_began_is_not_its_record() -> None:
    mailbox = Mailbox()
    stale, own = letter(rejected="certificate-missing"), letter(rejected="certificate-untrusted")
    mailbox.put(stale)
    began = time.monotonic()
    assert mailbox.take("a", 1, 2, 0.01, "fp-2", began) is None
    mailbox.put(own)
    assert mailbox.take("a", 1, 2, 0, "fp-2", began) == own.view
    assert mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) == stale.view  # whoever began before it still gets it


def test_the_right_letter_is_waited_for_beside_a_wrong_one() -> None:
    mailbox = Mailbox()
    mailbox.put(asked("fp-2"))
    assert taken(mailbox, 10, lambda: mailbox.put(asked("fp-1"))) == asked("fp-1").view


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
    assert taken(mailbox, 10, lambda: mailbox.put(LETTER)) == LETTER.view


def test_a_dead_process_is_not_waited_for() -> None:
    mailbox = Mailbox()
    assert taken(mailbox, 3600, lambda: mailbox.put(Ended(expected=False))) is None
    mailbox.put(LETTER)
    assert mailbox.take("a", 1, 2, 3600, "fp-1", LONG_AGO) == LETTER.view
    assert mailbox.take("a", 1, 2, 3600, "fp-1", LONG_AGO) is None


def test_an_expected_end_covers_no_other_process() -> None:
    mailbox = Mailbox()
    mailbox.put(Ended(expected=True))
    assert taken(mailbox, 10, lambda: mailbox.put(LETTER)) == LETTER.view


def test_noise_is_no_letter() -> None:
    mailbox = Mailbox()
    mailbox.put(Noise("x"))
    assert mailbox.take("a", 1, 2, 0, "fp-1", LONG_AGO) is None
