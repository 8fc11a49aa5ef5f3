"""The process keeps the worker protocol whatever it is told, and ends when its stdin does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import LabError
from harness.model.protocol import Opened
from mitm_addons import server
from mitm_addons.listeners import parse
from mitm_addons.tests.conftest import passthrough_listener, terminating_listener
from mitm_addons.tests.peers import PATIENCE, Process, Upstream, client, read_message, request, status


def test_end_of_stdin_ends_it_with_open_connections(pki: SimpleNamespace, serve: Callable[..., Upstream]) -> None:
    process = Process()
    port = process.listen(**passthrough_listener("a", serve().port))
    with client(port, pki.ca, "portal.test"):
        assert process.end() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'"x"', b'{"op":"dance","listeners":[]}', b'{"op":"listen"}', b"\xff"]
)
def test_a_bad_command_is_an_error_reply(process: Process, line: bytes) -> None:
    reply = process.raw(line)
    assert (reply["kind"], reply["ok"], bool(reply["error"])) == ("reply", False, True)


BAD = {
    "mode": "sideways",
    "upstream_port": 0,
    "certificate": None,
    "upstream_ca": "/nowhere.pem",
    "server_name": "",
    "upstream_timeout": -1,
    "color": "red",
    "behaviours": {"authorization": "guess"},
}


@pytest.mark.parametrize(("setting", "value"), BAD.items(), ids=list(BAD))
def test_a_listener_that_makes_no_sense_is_an_error_reply(
    process: Process, pki: SimpleNamespace, setting: str, value: Any
) -> None:
    reply = process.ask("listen", [terminating_listener(pki, "bad", 1) | {setting: value}])
    assert not reply["ok"]
    assert "'bad'" in reply["error"]


def test_a_certificate_without_its_key_is_an_error_reply(process: Process, pki: SimpleNamespace) -> None:
    reply = process.ask("listen", [terminating_listener(pki, "bad", 1) | {"certificate": str(pki.ca)}])
    assert "certificate files cannot be used" in reply["error"]


def test_one_bad_listener_opens_none_of_its_command(process: Process, pki: SimpleNamespace) -> None:
    good = passthrough_listener("good", 1)
    assert not process.ask("listen", [good, passthrough_listener("good", 2)])["ok"]
    assert not process.ask("listen", [good, terminating_listener(pki, "bad", 1) | {"mode": "x"}])["ok"]
    assert not process.ask("listen", [good, passthrough_listener("bad", 1) | {"upstream_host": "no host"}])["ok"]
    assert process.ask("listen", [good])["ok"]
    assert "in use" in process.ask("listen", [good])["error"]
    assert process.ask("close", ["good"])["ok"]
    assert "no such listener" in process.ask("close", ["good"])["error"]


def test_listeners_with_one_upstream_are_distinguished(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream]
) -> None:
    upstream = serve()
    listeners = [passthrough_listener(name, upstream.port) for name in ("one", "two")]
    listeners.append(terminating_listener(pki, "three", upstream.port))
    ports = {name: data["port"] for name, data in process.ask("listen", listeners)["result"].items()}
    assert len(set(ports.values())) == 3
    for name, port in ports.items():
        with client(port, pki.ca, "portal.test") as connection:
            connection.sendall(request())
            assert status(read_message(connection)) == 201
        record = process.record()
        assert (record.listener, record.local_port) == (name, port)
    assert process.ask("close", list(ports))["ok"]


def test_closing_cuts_connections_reports_them_and_leaves_the_others(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream]
) -> None:
    upstream = serve()
    leaving = process.listen(**passthrough_listener("leaving", upstream.port))
    staying = process.listen(**passthrough_listener("staying", upstream.port))
    with client(leaving, pki.ca, "portal.test") as gone, client(staying, pki.ca, "portal.test") as kept:
        assert process.ask("close", ["leaving"])["ok"]
        assert process.records.get_nowait().listener == "leaving"  # told before the reply
        assert _ended(gone)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", leaving), timeout=PATIENCE)
        kept.sendall(request())
        assert status(read_message(kept)) == 201
    assert process.record().listener == "staying"
    assert process.ask("close", ["staying"])["ok"]


@pytest.mark.parametrize("taken", [1, 100])
def test_a_port_taken_in_between_is_tried_again_then_reported(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """Between choosing a port and listening on it, another process may take it."""
    choose, attempts = server._free_port, list[int]()
    with socket.create_server(("127.0.0.1", 0)) as rival:

        def unlucky(host: str) -> int:
            attempts.append(1)
            port: int = rival.getsockname()[1]
            return port if len(attempts) <= taken else choose(host)

        monkeypatch.setattr(server, "_free_port", unlucky)
        ports = asyncio.run(_open_and_close())
    assert (ports is not None, len(attempts)) == ((True, 2) if taken == 1 else (False, 5))


async def _open_and_close() -> dict[str, Opened] | None:
    balancer = server.Balancer(lambda _view: None)
    ports: dict[str, Opened] | None
    try:
        ports = await balancer.listen([parse(passthrough_listener("a", 1))])
    except LabError:
        ports = None
    await balancer.close(["a"] if ports else [])
    assert not list(balancer._server.servers)
    return ports


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except OSError:
        return True
