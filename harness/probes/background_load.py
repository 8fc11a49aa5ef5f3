"""Sends good requests while something happens, and reports what was served, what was lost, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from harness.errors import LabError
from harness.model.exchange import ClientView
from harness.model.script_facts import LoadResult

RECOVERY_SECONDS = 15.0
"""How long after the event a request must be served again."""


class Load:
    """One request after the other, each on a new connection, from entering to the first success after leaving.

    *request* sends number n; a request is served if it is answered with *success*, and lost otherwise.
    """

    def __init__(self, request: Callable[[int], ClientView], success: int) -> None:
        self._request, self._success = request, success
        self._served: list[float] = []
        self._lost = 0
        self._changed = threading.Condition()
        self._over_at = float("inf")
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="hopproof-load", daemon=True)

    def __enter__(self) -> Self:
        """Start, and wait until a first request was served: an outage is measured against what worked before it."""
        self._thread.start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._served or self._error, RECOVERY_SECONDS):
                self._over_at = 0.0
                raise LabError("no request was served before the event")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The event is over: end with the next request served, or after RECOVERY_SECONDS."""
        self._over_at = time.monotonic() if error is None else 0.0
        self._thread.join(2 * RECOVERY_SECONDS)
        if self._error is not None and error is None:
            raise LabError(f"the load failed: {self._error}") from self._error

    @property
    def result(self) -> LoadResult:
        """What was served and lost, and the longest time between two requests served."""
        recovered = bool(self._served) and self._served[-1] >= self._over_at
        gaps = [after - before for before, after in zip(self._served, self._served[1:], strict=False)]
        outage = round(max(gaps, default=0.0), 3) if recovered else None
        return LoadResult(len(self._served), self._lost, outage)

    def _run(self) -> None:
        number = 0
        try:
            while not self._finished():
                number += 1
                self._count(self._request(number))
        except Exception as error:  # raised again where the result is awaited
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _count(self, client: ClientView) -> None:
        with self._changed:
            if client.response is not None and client.response.status == self._success:
                self._served.append(time.monotonic())
                self._changed.notify_all()
            else:
                self._lost += 1

    def _finished(self) -> bool:
        now = time.monotonic()
        if now < self._over_at:
            return False
        return bool(self._served and self._served[-1] >= self._over_at) or now > self._over_at + RECOVERY_SECONDS
