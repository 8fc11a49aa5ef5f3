"""The balancer process: JSON lines on stdin and stdout, logs on stderr.  Knows the worker protocol, nothing of TLS."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import IO

from harness.errors import LabError
from harness.model.exchange import BalancerView
from harness.model.protocol import CloseListeners, Connection, Listen, Ready, Reply
from mitm_addons.listeners import parse
from mitm_addons.server import Balancer


class Wire:
    """The protocol's lines.  Takes stdout for itself, so that a stray print ends up on stderr."""

    def __init__(self) -> None:
        self._out: IO[str] = os.fdopen(os.dup(1), "w", encoding="ascii")
        os.dup2(2, 1)

    def write(self, message: Ready | Reply | Connection) -> None:
        """Writes one line.  A parent that is gone ends the process."""
        try:
            self._out.write(json.dumps(message.to_json(), separators=(",", ":")) + "\n")
            self._out.flush()
        except BrokenPipeError:
            os._exit(0)

    def report(self, view: BalancerView) -> None:
        """Reports one ended connection."""
        self.write(Connection(view))


async def serve(wire: Wire) -> None:
    """Runs until stdin ends."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    balancer = Balancer(wire.report)
    started = asyncio.Event()
    balancer.add(_Started(started))
    running = asyncio.create_task(balancer.master.run())
    await asyncio.wait({running, asyncio.create_task(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running  # raises what kept the proxy from starting
    wire.write(Ready())
    # A thread, because asyncio can wait for pipes only and stdin may be a file or a terminal.
    threading.Thread(target=_read, args=(loop, lines), daemon=True).start()
    while True:
        wire.write(await _reply(balancer, await lines.get()))


class _Started:
    """Addon that says when the master runs."""

    def __init__(self, started: asyncio.Event) -> None:
        self._started = started

    def running(self) -> None:
        self._started.set()


def _read(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes]) -> None:
    for line in sys.stdin.buffer:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    # At once, and not through the event loop: it may be busy, and the kernel closes everything we hold.
    os._exit(0)


async def _reply(balancer: Balancer, line: bytes) -> Reply:
    number: object = None
    try:
        command = json.loads(line)
        if not isinstance(command, dict):
            raise LabError("a command must be a JSON object")
        number = command.get("id")
        return Reply(number, result=await _obey(balancer, _command(command)))
    except Exception as error:  # whatever a command does, the listeners of the others go on
        logging.getLogger(__name__).warning("command failed", exc_info=not isinstance(error, LabError))
        text = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        return Reply(number, ok=False, error=text)


def _command(command: Mapping[str, object]) -> Listen | CloseListeners:
    """The command that a line of JSON is; raises LabError for one that is none."""
    listeners = command.get("listeners")
    if not isinstance(listeners, list):
        raise LabError("listeners must be an array")
    match command.get("op"):
        case Listen.op if all(isinstance(item, dict) for item in listeners):
            return Listen(tuple(parse(item) for item in listeners))
        case CloseListeners.op if all(isinstance(item, str) for item in listeners):
            return CloseListeners(tuple(listeners))
        case Listen.op | CloseListeners.op:
            raise LabError("op listen needs objects, op close needs ids")
        case op:
            raise LabError(f"unknown op {op!r}")


async def _obey(balancer: Balancer, command: Listen | CloseListeners) -> object:
    if isinstance(command, Listen):
        return await balancer.listen(command.listeners)
    await balancer.close(command.listeners)
    return {}


def main() -> None:
    """Runs the process; returns never: the end of stdin ends it."""
    # Ctrl-C goes to the whole process group; when to end is the parent's to say, by closing stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    # Its warnings are refused handshakes: the daily bread here, and in the records.
    logging.getLogger("mitmproxy.proxy.server").setLevel(logging.ERROR)
    asyncio.run(serve(Wire()))


if __name__ == "__main__":
    main()
