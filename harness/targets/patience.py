"""Waits out a limit on how often a server may be asked.  Judges nothing; what waiting does not help is handed back."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from harness.model.exchange import ClientView
from harness.wire.send import Address, Prepared

Send = Callable[[Address, Prepared, ssl.SSLContext | None], ClientView]
MOST_SECONDS = 300.0
"""How long a run waits in all."""
_MOST_AT_ONCE = 120.0
_TRIES = 6


class Patience:
    """Sends a request again that was answered 429, or 503 with a Retry-After, once the time that it names is over.

    While one waits no other asks, and all waits together take at most *most* seconds.
    """

    def __init__(
        self,
        send: Send,
        pause: Callable[[float], object] | None = None,
        most: float = MOST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._left, self._clock = send, most, clock
        self._pause = pause or threading.Event().wait
        self._lock, self._ended = threading.Lock(), float("-inf")

    def __call__(self, address: Address, request: Prepared, context: ssl.SSLContext | None) -> ClientView:
        """The first answer that is about the request, or the last there was patience for."""
        for number in range(_TRIES):
            with self._lock:
                started = self._clock()
            observed = self._send(address, request, context)
            seconds = _asked(observed, number)
            if seconds is None or number == _TRIES - 1 or not self._wait(seconds, started):
                break
        return observed

    def _wait(self, seconds: float, started: float) -> bool:
        with self._lock:
            if self._ended > started:
                return True  # another caller has waited since
            if seconds > min(self._left, _MOST_AT_ONCE):
                return False
            self._left -= seconds
            self._pause(seconds)
            self._ended = self._clock()
        return True


def _asked(seen: ClientView, number: int) -> float | None:
    """For how long the server wants to be left alone, None where it does not say so."""
    if seen.response is None or seen.response.status not in (429, 503):
        return None
    text = dict(seen.response.headers).get("retry-after", "").strip()
    if not text:
        return 2.0**number if seen.response.status == 429 else None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 2.0**number
