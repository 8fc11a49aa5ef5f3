"""Keeps the keys of a JWKS URL: how long, when they are fetched again, what happens while they cannot be.

Knows neither HTTP nor TLS: fetching is a function that is handed in.  Ages are by the lab's clock.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred

from harness.model.vocabulary import Reason
from harness.subsystems.server.jwks import Keys, UnusableKeySet
from harness.subsystems.server.policy import ServerPolicy
from harness.subsystems.server.rejection import Rejected

UNKNOWN_KEY_COOLDOWN = 30.0
"""Seconds between two fetches caused by tokens with unknown key ids."""

_log = logging.getLogger(__name__)


class FetchFailed(Exception):
    """The key set could not be had; the text says why."""


class KeyCache:
    """The keys of one instance.

    *fetch* gives the body of the JWKS response or raises FetchFailed; *now* is the time in seconds; keys are used for
    *lifetime* seconds.  *counters* gets ``jwks_fetches`` (attempts), ``jwks_failures`` and ``jwks_cache_hits``
    (verifications that needed no fetch).
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        now: Callable[[], float],
        lifetime: float,
        counters: Counter[str],
        rules: ServerPolicy,
    ) -> None:
        self._fetch, self._now, self._lifetime, self._counters = fetch, now, lifetime, counters
        self._rules = rules
        counters.update(jwks_fetches=0, jwks_failures=0, jwks_cache_hits=0)
        self._keys: Keys = {}
        self._fetched_at: float | None = None
        self._asked_for_unknown_at: float | None = None
        self._waiting: list[Deferred[bool]] | None = None

    async def keys_for(self, kid: str | None) -> Keys:
        """Fresh keys, fetched if need be; raises Rejected (keys-unavailable) if there are none.

        A key id that is not among them causes one more fetch per cooldown.  A failed fetch leaves the cached keys as
        they are, and they serve until their time is over.
        """
        if not self._fresh():
            if not await self._refresh():
                raise Rejected(Reason.KEYS_UNAVAILABLE, "no fresh keys from the JWKS URL")
        elif kid is not None and kid not in self._keys and self._rules.refetches(self._may_ask_again()):
            self._asked_for_unknown_at = self._now()
            await self._refresh()
        else:
            self._counters["jwks_cache_hits"] += 1
        return self._keys

    def _fresh(self) -> bool:
        return self._fetched_at is not None and 0 <= self._now() - self._fetched_at < self._lifetime

    def _may_ask_again(self) -> bool:
        last = self._asked_for_unknown_at
        return last is None or not 0 <= self._now() - last < UNKNOWN_KEY_COOLDOWN

    async def _refresh(self) -> bool:
        """One fetch at a time; calls that come while it is under way wait for its result."""
        if self._waiting is not None:
            waiter: Deferred[bool] = Deferred()
            self._waiting.append(waiter)
            return await waiter
        self._waiting, renewed = [], False
        try:
            renewed = await self._fetch_once()
        finally:
            waiters, self._waiting = self._waiting, None
            for waiter in waiters:
                waiter.callback(renewed)
        return renewed

    async def _fetch_once(self) -> bool:
        self._counters["jwks_fetches"] += 1
        try:
            keys = self._rules.reads_keys(await self._fetch())
        except (FetchFailed, UnusableKeySet) as error:
            self._counters["jwks_failures"] += 1
            _log.warning("keys not refreshed: %s", error)
            if not self._rules.keeps_keys_on_failure:
                self._keys, self._fetched_at = {}, None
            return False
        self._keys, self._fetched_at = keys, self._now()
        return True
