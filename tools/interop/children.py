"""The processes that a runner starts, each the leader of a session: what ends the runner ends them too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

_END_SECONDS = 10.0


class Children:
    """Every process that was started here and has not ended; any thread may start one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start *command*.  Raises SystemExit once :meth:`end_all` was called."""
        with self._lock:
            if self._closed:
                raise SystemExit("the runner is ending")
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=environment,
            )
            self._running.add(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End *process* with its whole session: PyPI's node is a script that does not hand a signal on to Node."""
        _signal(process, signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            process.wait()
        with self._lock:
            self._running.discard(process)

    def end_all(self) -> None:
        """End every process, and start no more."""
        with self._lock:
            self._closed = True
            running = set(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)
        for process in running:
            self.end(process)


CHILDREN = Children()


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the main thread as an interrupt from the keyboard does."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself
        os.killpg(process.pid, number)
