"""A limit is waited out, not for ever, and by one for all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from harness.model.exchange import ClientView, Response
from harness.targets.patience import Patience
from harness.wire.send import Address, Prepared

PLACE, REQUEST = Address("127.0.0.1", 1, "a.test"), Prepared("GET", b"", b"")


def limited(status: int = 429, after: str = "") -> ClientView:
    return ClientView(response=Response(status, (("retry-after", after),) if after else ()))


SERVED = ClientView(response=Response(200))


class World:
    """A server that answers so, one after the other, and a clock that only waiting moves."""

    def __init__(self, *answers: ClientView, most: float = 300.0) -> None:
        self._answers: Iterator[ClientView] = iter(answers)
        self.waited: list[float] = []
        self.patience = Patience(lambda *_: next(self._answers), self.waited.append, most, lambda: sum(self.waited))

    def ask(self) -> int:
        observed = self.patience(PLACE, REQUEST, None)
        return observed.response.status if observed.response else 0


@pytest.mark.parametrize(
    ("answers", "status", "waited"),
    [
        ([SERVED], 200, []),
        ([limited(after="7"), SERVED], 200, [7.0]),
        ([limited(), limited(), SERVED], 200, [1.0, 2.0]),
        ([limited(503, "3"), SERVED], 200, [3.0]),
        ([limited(503)], 503, []),
        ([limited(after="soon"), SERVED], 200, [1.0]),
        ([limited(after="121")], 429, []),
        ([limited(after="9" * 400)], 429, []),
        ([limited(after="1")] * 6, 429, [1.0] * 5),
        ([ClientView(fault="gone")], 0, []),
    ],
)
def test_what_is_waited_for(answers: list[ClientView], status: int, waited: list[float]) -> None:
    world = World(*answers)
    assert (world.ask(), world.waited) == (status, waited)


def test_a_date_is_a_time_too() -> None:
    world = World(limited(after=formatdate(time.time() + 30, usegmt=True)), SERVED)
    assert world.ask() == 200
    assert 25.0 < world.waited[0] <= 30.0


def test_all_waits_together_have_an_end() -> None:
    world = World(limited(after="6"), SERVED, limited(after="6"), SERVED, most=10.0)
    assert (world.ask(), world.ask(), world.waited) == (200, 429, [6.0])
