"""The subsystem process: commands as JSON lines on stdin, replies and events on stdout, the log on stderr.

Its arguments are the modules with the kinds of subsystem that it can run.

Ends, with nothing left behind, when stdin does.  Knows nothing of what the commands mean.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from harness.model.protocol import Connection, Ready, Reply
from harness.subsystems.registry import Registry
from harness.subsystems.server._twisted import PythonLoggingObserver, StandardIO
from harness.subsystems.worker import Worker

MAX_COMMAND = 16 * 1024 * 1024

reactor: Any = _reactor  # a module that stands for the installed reactor; its type is not declared


class Pipes(LineOnlyReceiver):
    """stdin and stdout."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    delimiter = b"\n"
    MAX_LENGTH = MAX_COMMAND

    def connectionMade(self) -> None:
        """Both pipes are open."""
        self._worker = Worker(self._registry, reactor, self.say)
        self.say(Ready())

    def lineReceived(self, line: bytes) -> None:
        """A command."""
        if line.strip():
            Deferred.fromCoroutine(self._worker.obey(_parsed(line))).addCallback(self.say)

    def lineLengthExceeded(self, line: bytes) -> None:
        """The parent is out of its mind; end."""
        logging.getLogger(__name__).error("a command of more than %d bytes", MAX_COMMAND)
        base: Any = super()
        base.lineLengthExceeded(line)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """stdin or stdout is closed: the parent is gone."""
        if reactor.running:
            reactor.stop()

    def say(self, message: Ready | Reply | Connection) -> None:
        """Write one message."""
        base: Any = super()
        base.sendLine(json.dumps(message.to_json()).encode())


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"


def main() -> int:
    """Run until stdin ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("twisted").setLevel(logging.WARNING)
    PythonLoggingObserver(loggerName="twisted").start()
    StandardIO(Pipes(Registry.of(sys.argv[1:])))
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
