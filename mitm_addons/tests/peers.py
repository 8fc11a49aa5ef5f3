"""The three parties of a test: an upstream server in a thread, a balancer process, a client on a raw socket."""

from __future__ import annotations

import json
import queue
import socket
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.model.exchange import BalancerView

ROOT = Path(__file__).parents[2]
PATIENCE = 5.0
"""Seconds after which a test that waits has failed; well under the balancer's own deadline of 10."""

ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-From: upstream\r\n\r\nok"


@dataclass
class Heard:
    """What the upstream saw of one connection."""

    peer_port: int
    sni: str | None = None
    request: bytes = b""
    client_certificate: bytes | None = None
    error: str = ""

    def header(self, name: str) -> str | None:
        head = self.request.partition(b"\r\n\r\n")[0].decode("latin-1")
        lines = [line.partition(":") for line in head.split("\r\n")[1:]]
        return next((value.strip() for key, _, value in lines if key.lower() == name.lower()), None)

    @property
    def body(self) -> bytes:
        return self.request.partition(b"\r\n\r\n")[2]


class Upstream:
    """A TLS server with one thread a connection; *silent* = reads and never answers, *answer* = what it sends."""

    def __init__(self, context: ssl.SSLContext, answer: bytes = ANSWER, *, silent: bool = False) -> None:
        self.heard: queue.Queue[Heard] = queue.Queue()
        self.answer = answer
        self._context, self._silent = context, silent
        self._open = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._open.set()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                raw, (_, port) = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw, Heard(port)), daemon=True).start()

    def _serve(self, raw: socket.socket, heard: Heard) -> None:
        names: list[str | None] = []
        context = self._context
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        raw.settimeout(PATIENCE * 3)
        try:
            with context.wrap_socket(raw, server_side=True) as connection:
                heard.sni = names[-1] if names else None
                heard.client_certificate = connection.getpeercert(binary_form=True)
                heard.request = read_message(connection)
                self.heard.put(heard)
                if self._silent:
                    self._open.wait(PATIENCE * 3)
                    return
                connection.sendall(self.answer)
        except OSError as error:
            heard.error = str(error)
            self.heard.put(heard)


def read_message(connection: socket.socket) -> bytes:
    """One HTTP message with its body, or what came before the end of stream."""
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-l")]
            if len(body) >= (int(lengths[0]) if lengths else 0):
                return data
        chunk = connection.recv(65536)
        if not chunk:
            return data
        data += chunk


@dataclass
class Process:
    """A balancer process, and what it has said."""

    module: list[str] = field(default_factory=lambda: ["mitm_addons.balancer"])

    def __post_init__(self) -> None:
        self.records: queue.Queue[BalancerView] = queue.Queue()
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self._number = 0
        self.child = subprocess.Popen(
            [sys.executable, "-m", *self.module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        self.log = b""
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._read_log)]
        for thread in self._threads:
            thread.start()
        assert self._replies.get(timeout=PATIENCE * 4) == {"kind": "ready"}

    def _read(self) -> None:
        assert self.child.stdout
        for line in self.child.stdout:
            message = json.loads(line)
            if message["kind"] == "connection":
                self.records.put(BalancerView.from_json(message))
            else:
                self._replies.put(message)

    def _read_log(self) -> None:
        assert self.child.stderr
        for line in self.child.stderr:
            self.log += line

    def raw(self, line: bytes) -> dict[str, Any]:
        assert self.child.stdin
        self.child.stdin.write(line + b"\n")
        self.child.stdin.flush()
        return self._replies.get(timeout=PATIENCE)

    def ask(self, op: str, listeners: list[Any]) -> dict[str, Any]:
        self._number += 1
        reply = self.raw(json.dumps({"id": self._number, "op": op, "listeners": listeners}).encode())
        assert reply["id"] == self._number
        return reply

    def listen(self, **listener: Any) -> int:
        reply = self.ask("listen", [listener])
        assert reply["ok"], reply
        port: int = reply["result"][listener["id"]]["port"]
        return port

    def record(self) -> BalancerView:
        return self.records.get(timeout=PATIENCE)

    def end(self) -> int:
        assert self.child.stdin
        self.child.stdin.close()
        status = self.child.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        for pipe in (self.child.stdout, self.child.stderr):
            assert pipe
            pipe.close()
        return status


def client(port: int, trusted: Path, name: str, *, version: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    """A TLS connection to *port* that trusts *trusted* and expects *name*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(trusted)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if version:
        context.minimum_version = context.maximum_version = version
    raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    return context.wrap_socket(raw, server_hostname=name)


def request(body: bytes = b"", *headers: str, path: str = "/", host: str = "portal.test") -> bytes:
    lines = [f"PUT {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def certificate(connection: ssl.SSLSocket) -> str:
    """The PEM of what *connection*'s peer presented."""
    return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")


def status(message: bytes) -> int:
    return int(message.split(b" ", 2)[1])
