"""The inspector's processes: several that share a port, without an interface, or one with mitmproxy's own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from harness.commands.inspect.options import InspectOptions
from harness.decode.shape import misfit
from harness.errors import HopproofError, LabError
from harness.model.inspection import Ended, Line, Ready, Violation

Tell = Callable[[str], None]
Exercise = Callable[[int, Tell], None]
RENEWAL_SECONDS = 300.0
"""Tokens to send again with are renewed long before they expire, for another reason than the one under test."""

_END_SECONDS = 30.0
_MOST = 4


def headless(
    wanted: InspectOptions, session: Path, about: Callable[[int], list[str]], exercise: Exercise | None, tell: Tell
) -> int:
    """Runs until stdin ends: prints each violation, and finally the counts.

    As many processes as there are cores take connections from one port.  A recording is one file of one process.
    """
    with _shared_port(wanted) as (port, number):
        workers = _Workers(_command(wanted, session, port), number, tell)
        try:
            port = workers.ready()
            with suppress(KeyboardInterrupt):
                for line in about(port):
                    tell(line)
                if exercise is not None:
                    exercise(port, tell)
                workers.wait()
            return workers.end()
        finally:
            workers.kill()


@contextmanager
def _shared_port(wanted: InspectOptions) -> Iterator[tuple[int, int]]:
    """A port that several processes may listen on (0: theirs to choose), and how many shall."""
    if wanted.record is not None or sys.platform != "linux":  # elsewhere the kernel shares nothing out
        yield 0, 1
        return
    number = min(len(os.sched_getaffinity(0)), _MOST)
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1], number


def _command(wanted: InspectOptions, session: Path, port: int) -> list[str]:
    # Unbuffered: into a pipe, mitmproxy's own lines would come when it ends.
    command = [
        sys.executable,
        "-u",
        "-m",
        "mitm_addons.inspection",
        str(session),
        "--ui",
        wanted.ui,
        "--port",
        str(port),
    ]
    command += ["--rules", str(wanted.rules)] if wanted.rules else []
    return command + (["--record", str(wanted.record)] if wanted.record else [])


class _Workers:
    """Processes that end with their stdin; each prints JSON lines."""

    def __init__(self, command: list[str], number: int, tell: Tell) -> None:
        self._tell = tell
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
            for _ in range(number)
        ]
        self._readers: list[threading.Thread] = []

    def ready(self) -> int:
        """The port, once every process listens."""
        ports = {_ready(_pipe(process.stdout)) for process in self._processes}
        for process in self._processes:
            reader = threading.Thread(target=self._follow, args=(_pipe(process.stdout),), daemon=True)
            reader.start()
            self._readers.append(reader)
        return ports.pop()

    def wait(self) -> None:
        """Until our own stdin ends, or a process is gone."""
        threading.Thread(target=self._until_stdin_ends, daemon=True).start()
        self._over.wait()

    def end(self) -> int:
        """Let them finish, and print their counts; 3 if one failed."""
        for process in self._processes:
            _pipe(process.stdin).close()
        try:
            statuses = [process.wait(_END_SECONDS) for process in self._processes]
        except subprocess.TimeoutExpired as error:
            raise LabError("the inspector does not terminate") from error
        for reader in self._readers:
            reader.join(_END_SECONDS)
        counts = ", ".join(f"{number} {name}" for name, number in sorted(self._counts.items()))
        self._tell(f"inspected: {counts or 'nothing'}")
        return 3 if any(statuses) else 0

    def kill(self) -> None:
        """Whatever is left."""
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                _pipe(pipe).close()

    def _follow(self, lines: IO[str]) -> None:
        for line in lines:
            message = _message(line)
            with self._lock:
                if message is None:
                    continue
                if message["kind"] == "violation":
                    self._tell(f"  violates {message['requirement']}: {message['request']}: {message['reason']}")
                elif message["kind"] == "ended":
                    self._counts.update(message["counts"])
        self._over.set()

    def _until_stdin_ends(self) -> None:
        # Past Python's buffer: its lock, held by a thread that waits, would be a fatal error when the process ends.
        while os.read(0, 65536):
            continue
        self._over.set()


def interface(
    wanted: InspectOptions, session: Path, exercise: Exercise | None, renew: Callable[[], None], tell: Tell
) -> int:
    """mitmproxy's own interface in the foreground, until it is left."""
    (reading, writing), (lifeline, held) = os.pipe(), os.pipe()
    more = ["--web-port", str(wanted.web_port), "--ready", str(writing), "--lifeline", str(lifeline)]
    with os.fdopen(reading, "rb") as ready, os.fdopen(held, "wb"):  # a killed harness holds it no longer
        process = subprocess.Popen(  # noqa: S603 - our own module
            [*_command(wanted, session, wanted.port), *more], pass_fds=(writing, lifeline)
        )
        os.close(writing)
        os.close(lifeline)
        over = threading.Event()
        renewal = threading.Thread(target=_renew, args=(over, renew), daemon=True)
        renewal.start()
        try:
            if not ready.read():  # the end of the pipe without a word: the process is gone
                process.wait()
                raise LabError("the inspector's user interface did not start", hint="another --port and --web-port")
            if exercise is not None:
                # A console owns the terminal: a message would stand in it.
                exercise(wanted.port, tell if wanted.ui == "web" else lambda _line: None)
            return process.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            over.set()
            process.terminate()
            process.wait()
            renewal.join()


def _renew(over: threading.Event, renew: Callable[[], None]) -> None:
    while not over.wait(RENEWAL_SECONDS):
        with suppress(HopproofError):  # the token issuer is away: the old ones stay
            renew()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _ready(lines: IO[str]) -> int:
    for line in lines:
        message = _message(line)
        if message is not None and message["kind"] == "ready":
            return message["port"]
    raise HopproofError("the inspector did not start", hint="see its output above")


def _message(line: str) -> Line | None:
    """What a line of the inspector says; None for one that is not of its protocol."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    known = any(not misfit(found, form) for form in (Ready, Violation, Ended))
    return cast("Line", found) if known else None
