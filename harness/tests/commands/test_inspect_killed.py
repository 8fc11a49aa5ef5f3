"""A harness that is killed leaves no interface of mitmproxy behind, nor its lab."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.tests.command import PATIENCE, Running


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.fixture
def inspection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("HOME", str(tmp_path))
    running = Running(["inspect", "--ui", "web", "--port", _free_port(), "--web-port", _free_port()], tmp_path)
    try:
        yield running
    finally:
        running.give_up()


def test_what_it_started_ends_with_it(inspection: Running) -> None:
    inspection.until_told("http://127.0.0.1:")
    assert any("mitm_addons.inspection" in command for command in inspection.marked().values())
    inspection.process.kill()
    # The end of its output: the interface, which writes there, has ended.
    inspection.process.communicate(timeout=PATIENCE)
    end, pause = time.monotonic() + PATIENCE, threading.Event()
    while inspection.marked():  # the lab's processes write elsewhere
        assert time.monotonic() < end, inspection.marked()
        pause.wait(0.02)
