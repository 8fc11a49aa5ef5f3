"""Drives one worker process over JSON lines on its stdin and stdout.  Knows the protocol, not what the worker does,
and not where it runs: a :class:`Link` is a child process here, or a container's streams elsewhere.

:mod:`harness.model.protocol` declares what is said.  End of its stdin ends the worker, so that it cannot outlive the
harness, however that died.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import IO, Any, Protocol, cast

from harness.decode.shape import misfit
from harness.errors import LabError
from harness.model.exchange import BalancerView, ServerView
from harness.model.protocol import (
    Command,
    Connection,
    Ended,
    Event,
    Noise,
    Ready,
    Reply,
    Result,
    line_of,
    message_of,
)

READY_SECONDS = 30.0
REPLY_SECONDS = 30.0
STOP_SECONDS = 5.0


class Link(Protocol):
    """The streams and the life of a process; ``patience`` is how many seconds it may take to end when asked to."""

    patience: float

    def write(self, line: bytes) -> None:
        """Put *line* on its stdin.  Raises OSError or ValueError when that is closed."""

    def lines(self) -> Iterator[bytes]:
        """What it writes on stdout, until it ends."""

    def hang_up(self) -> None:
        """Close its stdin.  Raises OSError when it is dead or about to be."""

    def status(self) -> int | None:
        """Its exit status, None while it runs."""

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, after at most *seconds*."""

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""


class Child:
    """A :class:`Link` to a child process that runs *module* with *arguments*; its stderr goes to *log*."""

    patience = STOP_SECONDS

    def __init__(self, module: str, log: FilePath, *arguments: str) -> None:
        command: Sequence[str] = (sys.executable, "-P", "-m", module, *arguments)
        with log.open("ab") as stderr:
            # Its own session: a Ctrl-C at the terminal reaches the harness alone, which ends its children in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )

    def write(self, line: bytes) -> None:
        """See :class:`Link`."""
        self._stdin.write(line)
        self._stdin.flush()

    def lines(self) -> Iterator[bytes]:
        """See :class:`Link`."""
        assert self._process.stdout is not None
        yield from self._process.stdout

    def hang_up(self) -> None:
        """See :class:`Link`."""
        self._stdin.close()

    def status(self) -> int | None:
        """See :class:`Link`."""
        return self._process.poll()

    def wait(self, seconds: float) -> bool:
        """See :class:`Link`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """See :class:`Link`."""
        self._process.kill()
        self._process.wait()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin


class Worker:
    """A process at the end of *link* that obeys commands; *name* is for messages.  Safe for several threads."""

    def __init__(self, name: str, link: Link, on_event: Callable[[Event], None], log: FilePath) -> None:
        self._name, self._link, self._on_event, self._log = name, link, on_event, log
        self._changed = threading.Condition()
        self._replies: dict[object, Reply] = {}
        self._next_id = 0
        self._ready = self._ended = self._closing = False
        self._reader = threading.Thread(target=self._read, name=f"{name}-reader", daemon=True)
        self._reader.start()

    @property
    def alive(self) -> bool:
        """Whether the child still answers."""
        return not self._ended and self._link.status() is None

    def check_alive(self) -> None:
        """Raise :class:`LabError`, with what the child said last, unless it still answers."""
        if not self.alive:
            raise self._failure("ended unexpectedly")

    def call(self, command: Command[Result]) -> Result:
        """Send *command* and wait for its result; raises :class:`LabError` if it fails, dies or takes too long."""
        with self._changed:
            self._wait_for(lambda: self._ready, READY_SECONDS, "did not become ready")
            self._next_id += 1
            number = self._next_id
            op, line = command.op, json.dumps(line_of(command, number)).encode() + b"\n"
            try:
                self._link.write(line)
            except (OSError, ValueError) as error:
                raise self._failure(f"does not support {op}: {error}") from error
            self._wait_for(lambda: number in self._replies, REPLY_SECONDS, f"did not answer {op}")
            reply = self._replies.pop(number)
        if not reply.ok:
            raise self._failure(f"{op} failed: {reply.error}")
        if wrong := misfit(reply.result, command.form):
            raise self._failure(f"answered {op} with an unexpected result: {wrong}")
        result: Any = reply.result
        return cast("Result", result)

    def await_ready(self) -> None:
        """Wait until it takes commands; raises :class:`LabError` if it never does."""
        with self._changed:
            self._wait_for(lambda: self._ready, READY_SECONDS, "did not become ready")

    def expect_end(self) -> None:
        """Expect its end from now on."""
        self._closing = True

    def close(self) -> None:
        """End it and wait until it is gone; killed if it does not go by itself."""
        self.expect_end()
        try:
            self._link.hang_up()
        except OSError:
            self._link.kill()  # its pipe is broken, so it is dead or about to be
        if not self._link.wait(self._link.patience):
            self._link.kill()
        self._reader.join(STOP_SECONDS)

    def _wait_for(self, done: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Called with the lock held."""
        self._changed.wait_for(lambda: done() or self._ended, seconds)
        if not done():
            raise self._failure(otherwise if not self._ended else f"ended unexpectedly ({otherwise})")

    def _failure(self, what: str) -> LabError:
        status = self._link.status()
        ended = "" if status is None else f", exit status {status}"
        return LabError(f"the process {self._name} {what}{ended}", where=str(self._log), hint=self._tail())

    def _tail(self) -> str:
        try:
            lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            return "see its log"
        return "see its log" + (f", which ends: {lines[-1][:300]}" if lines else ", which is empty")

    def _read(self) -> None:
        for line in self._link.lines():
            message = _message(line)
            if isinstance(message, Ready | Reply):
                with self._changed:
                    if isinstance(message, Reply):
                        self._replies[message.id] = message
                    else:
                        self._ready = True
                    self._changed.notify_all()
            else:
                self._on_event(message)
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._on_event(Ended(expected=self._closing))


def _message(line: bytes) -> Ready | Reply | Connection | Noise:
    """A line of the child's; a line that is not the protocol's is reported as noise."""
    try:
        message = message_of(json.loads(line))
    except ValueError:
        message = None
    return message or Noise(line.decode("utf-8", "replace")[:200])


@dataclass(frozen=True)
class _Letter:
    """A connection record, and the time.monotonic() at which it arrived."""

    arrived: float
    view: ServerView | BalancerView


class Mailbox:
    """Keeps connection records until they are asked for, by (listener, local port, peer port).

    Ports come back, and many records are never asked for: only what arrives after a connection began can be of it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._letters: dict[tuple[str, int, int], list[_Letter]] = {}
        self._broken = False

    def put(self, event: Event) -> None:
        """Take an event; an unexpected end of the process wakes everyone who waits."""
        with self._changed:
            if isinstance(event, Connection):
                view = event.view
                key = (view.listener, view.local_port, view.peer_port)
                self._letters.setdefault(key, []).append(_Letter(time.monotonic(), view))
            elif isinstance(event, Ended) and not event.expected:
                self._broken = True
            self._changed.notify_all()

    def take(
        self, listener: str, local_port: int, peer_port: int, seconds: float, nonce: str, since: float
    ) -> ServerView | BalancerView | None:
        """The record of the connection that carried *nonce*, waited for at most *seconds*; None if none comes.

        A connection that came to no request is identified by its ports alone, and by *since*, the time.monotonic()
        at which it began: of several that arrived later, the oldest.
        """
        key = (listener, local_port, peer_port)
        with self._changed:
            self._changed.wait_for(lambda: self._broken or _fitting(self._letters.get(key, ()), nonce, since), seconds)
            letter = _fitting(self._letters.get(key, ()), nonce, since)
            if letter is None:
                return None
            self._letters[key].remove(letter)
            if not self._letters[key]:
                del self._letters[key]
            return letter.view

    def find(self, listener: str, nonce: str, seconds: float, since: float) -> ServerView | BalancerView | None:
        """The record of a connection to *listener* that carried *nonce*, whoever made it; waited for as in take."""

        def found() -> list[_Letter]:
            here = (letters for (name, _, _), letters in self._letters.items() if name == listener)
            fitting = (letter for letters in here for letter in letters if letter.arrived >= since)
            return [letter for letter in fitting if nonce in {request.nonce for request in letter.view.requests}]

        with self._changed:
            self._changed.wait_for(lambda: self._broken or found(), seconds)
            return next((letter.view for letter in found()), None)


def _fitting(letters: Sequence[_Letter], nonce: str, since: float) -> _Letter | None:
    """The one with *nonce*, else the first that names none; none that arrived before *since*."""
    nameless = None
    for letter in letters:
        if letter.arrived < since:
            continue
        named = {request.nonce for request in letter.view.requests} - {""}
        if nonce in named:
            return letter
        nameless = nameless or (None if named else letter)
    return nameless
