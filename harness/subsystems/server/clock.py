"""The lab's clock: real time plus an offset that the lab moves.  Whatever judges a time asks it, nothing else."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class LabClock:
    """Seconds since the epoch as this lab sees them; each instance has its own, as each machine has."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.offset

    def moved(self) -> datetime | None:
        """The moment in whole seconds; None while it is the real one, which OpenSSL knows by itself."""
        return self.moment().replace(microsecond=0) if self.offset else None

    def moment(self) -> datetime:
        """The same as an aware datetime."""
        return datetime.fromtimestamp(self.now(), UTC)
