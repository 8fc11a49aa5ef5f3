"""What was served and lost while something happened."""

from __future__ import annotations

import threading

import pytest

from harness.errors import LabError
from harness.model.exchange import ClientView, Response
from harness.probes.background_load import Load

SERVED, LOST = ClientView(response=Response(202)), ClientView(closed=True)


class _Server:
    """Serves, or not, and says how often it was asked since that changed."""

    def __init__(self) -> None:
        self.up = True
        self._asked = threading.Semaphore(0)

    def __call__(self, _number: int) -> ClientView:
        self._asked.release()
        return SERVED if self.up else LOST

    def set(self, up: bool) -> None:
        self.up, self._asked = up, threading.Semaphore(0)
        for _ in range(3):  # whatever was under way is over
            assert self._asked.acquire(timeout=5)


def test_an_outage_is_measured() -> None:
    server = _Server()
    with Load(server, 202) as load:
        server.set(False)
        threading.Event().wait(0.1)  # the outage itself
        server.set(True)
    assert load.result.served >= 2 and load.result.lost >= 1
    assert load.result.outage_s is not None and 0.1 <= load.result.outage_s < 5


def test_no_recovery_is_no_outage_of_some_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.probes.background_load.RECOVERY_SECONDS", 0.2)
    server = _Server()
    with Load(server, 202) as load:
        server.set(False)
    assert load.result.outage_s is None


def test_without_a_before_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.probes.background_load.RECOVERY_SECONDS", 0.2)
    with pytest.raises(LabError, match="before the event"), Load(lambda _: LOST, 202):
        raise AssertionError("must not get here")


def test_a_load_that_breaks_off_is_reported() -> None:
    answers = iter([SERVED])
    with pytest.raises(LabError, match="the load failed"), Load(lambda _: next(answers), 202):
        threading.Event().wait(0.05)
