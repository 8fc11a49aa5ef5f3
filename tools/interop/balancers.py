"""nginx, HAProxy or Envoy in the place of the lab's own balancer process: the same commands, the same records.

    python -m tools.interop.balancers PRODUCT       JSON lines on stdin and stdout, as harness.lab.worker has them

Each command to listen starts one server with the product's committed configuration; it ends with its last listener, or
with stdin.  What it tells in its log becomes the records.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.decode.redaction import redact
from harness.decode.shape import read
from harness.errors import LabError
from harness.model import protocol
from harness.pki.temporary import prefix
from tools.interop.access_logs import AccessLogReader
from tools.interop.servers import SERVERS, fill, free_ports, template

LOAD = "HOPPROOF_INTEROP_LOAD"
"""Set where a load is measured: then the balancer need not tell which connection became which."""
READY_SECONDS = 20.0
STOP_SECONDS = 3.0
_ATTEMPTS = 3
_LOOK_AGAIN = 0.02
_LOG_BYTES = 1 << 20
"""What a log may be ahead of its reader: HAProxy drops the lines for which there is no room."""
_SECTION = re.compile(r"^[ \t]*#\{ ([\w-]+)\n(.*?)^[ \t]*#\}\n", re.MULTILINE | re.DOTALL)
_CONDITION = re.compile(r"\s*#\? ([\w-]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Listener:
    """What the lab orders (:func:`harness.lab.balancers.listener`), on *port*, as a configuration has it."""

    order: protocol.Listener
    port: int

    @property
    def values(self) -> Mapping[str, str]:
        """What stands between at signs in the configuration."""
        order = self.order
        return {
            "PORT": str(self.port),
            "UPSTREAM_PORT": str(order.upstream_port),
            "HOST": order.server_name,
            "CERTIFICATE": order.certificate or "",
            "UPSTREAM_CA": order.upstream_ca or "",
            "CLIENT": order.behaviours.client_certificate or "",
        }

    @property
    def has(self) -> frozenset[str]:
        """The conditions under which a line of the configuration stays.  Raises LabError for what no product does."""
        usual = asdict(protocol.Behaviours())
        behaviours = {name: value for name, value in asdict(self.order.behaviours).items() if value != usual[name]}
        found = {
            "records": LOAD not in os.environ,
            "sni": behaviours.pop("send_sni", True),
            "client-key": behaviours.pop("client_certificate", None) is not None,
            "verify": behaviours.pop("verify_upstream", True),
            "strips-token": behaviours.get("authorization") == "strip",
        }
        if found["strips-token"]:
            del behaviours["authorization"]
        if behaviours:
            raise LabError(f"only the built-in balancer supports {', '.join(behaviours)}", where=self.order.id)
        return frozenset(name if holds else f"no-{name}" for name, holds in found.items())


def configuration(text: str, listeners: Sequence[Listener], values: Mapping[str, str]) -> str:
    """The template *text* with its sections repeated for *listeners*."""

    def repeated(section: re.Match[str]) -> str:
        return "".join(_block(section[2], item) for item in listeners if item.order.mode == section[1])

    return fill(_SECTION.sub(repeated, text), values)


def _block(text: str, listener: Listener) -> str:
    lines = []
    for line in text.splitlines():
        condition = _CONDITION.search(line)
        if condition is None or condition[1] in listener.has:
            lines.append(fill(_CONDITION.sub("", line), listener.values) + "\n")
    return "".join(lines)


class Running:
    """One server with its listeners, from its start until :meth:`stop`."""

    def __init__(self, product: str, folder: Path, listeners: Sequence[Listener], wire: Wire) -> None:
        self.open = {item.order.id for item in listeners}
        self._wire = wire
        self._logs = AccessLogReader(product, {item.port: (item.order.id, item.order.mode) for item in listeners})
        source = template(f"{product}-balancer")
        # Every address of 127.0.0.0/8 is this host's, on Linux.
        address = ".".join(("127", *(str(secrets.randbelow(254) + 1) for _ in range(3))))
        values = {"FOLDER": str(folder), "CONFIG": str(folder / source.name), "SOURCE": address}
        (folder / source.name).write_text(configuration(source.read_text("utf-8"), listeners, values), "utf-8")
        self._process = subprocess.Popen(
            SERVERS[product].command(values),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pipesize=_LOG_BYTES,
        )
        self._last, self._ready, self._stopping = "", False, False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._await({item.port for item in listeners})
            self._ready = True
        except BaseException:
            self.stop()
            raise

    def _await(self, ports: set[int]) -> None:
        """Until it listens on *ports*.  Raises LabError.

        No connection is made to find out: behind a passthrough the server would log that too, under a port that is soon
        reused.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not ports <= _listening():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise LabError("the server did not start", hint=self._last or "see its log")
            time.sleep(_LOOK_AGAIN)

    def _read(self) -> None:
        """Its records go to the lab, its complaints into the log; what it only notes for debugging goes nowhere."""
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            try:
                for view in self._logs.read(line):
                    self._wire.write(protocol.Connection(view))
            except (ValueError, KeyError, TypeError) as error:
                _note(f"not understood ({error!r}): {line}")
            if not line.startswith("{") and "[debug]" not in line:
                self._last = redact(line)
                _note(line)
        if self._ready and not self._stopping:
            _note("the server ended by itself")
            os.kill(os.getpid(), signal.SIGTERM)  # so do we, which the lab takes for what it is

    def stop(self) -> None:
        """End it, and wait until everything it logged is read."""
        self._stopping = True
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_SECONDS)


def _note(line: str) -> None:
    """Write *line* into the log; nginx quotes tokens that it objects to."""
    print(redact(line), file=sys.stderr, flush=True)


def _listening() -> set[int]:
    """The ports that are listened on, as Linux lists them (proc(5): local address second, state fourth, in hex)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A"}


class Wire:
    """The lines to the lab; one writes at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def write(self, message: protocol.Ready | protocol.Reply | protocol.Connection) -> None:
        """Write one line."""
        with self._lock:
            print(json.dumps(message.to_json()), flush=True)


class Process:
    """Obeys the lab's commands."""

    def __init__(self, product: str, folder: Path, wire: Wire) -> None:
        self._product, self._folder, self._wire = product, folder, wire
        self._running: list[Running] = []

    def obey(self, command: Mapping[str, Any]) -> protocol.Reply:
        """Do what *command* says and answer it."""
        number = command.get("id")
        try:
            result: object
            if command["op"] == protocol.Listen.op:
                result = self._listen([read(item, protocol.Listener) for item in command["listeners"]])
            else:
                result = self._close(command["listeners"])
        except Exception as error:  # what cannot be done is reported, and the other listeners go on
            return protocol.Reply(number, ok=False, error=str(error) or repr(error))
        return protocol.Reply(number, result=result)

    def _listen(self, orders: Sequence[protocol.Listener]) -> dict[str, protocol.Opened]:
        for hint in range(1, _ATTEMPTS + 1):
            listeners = [Listener(*pair) for pair in zip(orders, free_ports(len(orders)), strict=True)]
            folder = Path(tempfile.mkdtemp(prefix="balancer-", dir=self._folder))
            try:
                self._running.append(Running(self._product, folder, listeners, self._wire))
            except LabError:
                if hint == _ATTEMPTS:  # before that, one of the ports may have been taken in between
                    raise
            else:
                break
        return {item.order.id: {"port": item.port} for item in listeners}

    def _close(self, ids: Sequence[str]) -> protocol.Nothing:
        for server in self._running:
            server.open -= set(ids)
            if not server.open:
                server.stop()
        self._running = [server for server in self._running if server.open]
        return {}

    def end(self) -> None:
        """Stop everything."""
        for server in self._running:
            server.stop()


def main() -> None:
    """Obey until stdin ends."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    product, wire = sys.argv[1], Wire()
    if SERVERS[product].found() is None:
        sys.exit(f"{product} is not installed")
    with tempfile.TemporaryDirectory(prefix=prefix("realworld")) as folder:
        process = Process(product, Path(folder), wire)
        wire.write(protocol.Ready())
        try:
            for line in sys.stdin:
                wire.write(process.obey(json.loads(line)))
        finally:
            process.end()


if __name__ == "__main__":
    os.umask(0o077)
    main()
