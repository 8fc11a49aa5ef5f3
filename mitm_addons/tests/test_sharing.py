"""A port that several processes take connections from."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import LabError
from mitm_addons.server import Balancer


def _balancer(handle: Any) -> Balancer:
    """A balancer with one listener, which gets its connections from elsewhere."""
    found = Balancer.__new__(Balancer)
    found._modes, found._shared = {"x": "mode"}, {}  # type: ignore[dict-item]
    found._server = SimpleNamespace(servers={"mode": SimpleNamespace(handle_stream=handle)})  # type: ignore[assignment]
    return found


def test_two_listen_on_one_port_and_no_answer_waits_for_an_acknowledgement() -> None:
    async def run() -> int:
        accepted: asyncio.Queue[Any] = asyncio.Queue()

        async def handle(_reader: Any, writer: asyncio.StreamWriter) -> None:
            await accepted.put(writer)

        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
            both = [_balancer(handle) for _ in range(2)]
            for one in both:
                await one.share("x", port)
            _, client = await asyncio.open_connection("127.0.0.1", port)
            writer = await asyncio.wait_for(accepted.get(), 10)
            delay: int = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for end in (client, writer):
                end.close()
                await end.wait_closed()
            for one in both:
                one._shared["x"].close()
            return delay

    assert asyncio.run(run()) != 0


def test_a_port_of_another_process_is_not_shared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(LabError, match="cannot be shared"):
        asyncio.run(_balancer(None).share("x", taken.getsockname()[1]))
