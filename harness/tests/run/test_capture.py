"""A run's own capture.  Where the tests may not capture, that must be a usage error; elsewhere it must work."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config import Options
from harness.errors import LabError, UsageError
from harness.run.capture import RunCapture, started
from harness.tests import builders
from harness.wire.packets import pcapng, recorder
from harness.wire.packets.capture import Capture
from harness.wire.packets.packet import Packet
from harness.wire.packets.reader import read
from harness.wire.packets.recorder import Recorder

Tool = Callable[[str], None]
LISTENING = "echo 'listening on lo' >&2\n"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Puts a script in the place of tcpdump."""

    def placed(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "tcpdump").write_text(f"#!/bin/sh\n{script}")
        (folder / "tcpdump").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return placed


def test_capturing_is_not_allowed(tool: Tool, tmp_path: Path) -> None:
    tool("echo 'tcpdump: lo: You have no permission to capture on that device' >&2; exit 1\n")
    with pytest.raises(UsageError, match=r"cannot be captured here: tcpdump: lo: You have no permission"):
        RunCapture(tmp_path / "report", "lo", keys=False)


def test_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match="neither is on PATH"):
        recorder.command("lo")


def test_the_tool_dies(tool: Tool, tmp_path: Path) -> None:
    tool(LISTENING)
    found = Recorder(tmp_path / "x.pcap", "lo")
    found._process.wait()
    with pytest.raises(LabError, match="ended early"):
        found.stop()


def test_ctrl_c_is_not_for_the_tool(tool: Tool, tmp_path: Path) -> None:
    """A terminal sends it to our whole group; the tool must last until all packets are in."""
    tool(f"{LISTENING}exec cat > /dev/null\n")
    found = Recorder(tmp_path / "x.pcap", "lo")
    pid = found._process.pid
    try:
        assert os.getpgid(pid) == pid != os.getpgrp()
    finally:
        found.end()


def test_packets_that_never_come(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(f"{LISTENING}exec cat /dev/zero > /dev/null\n")
    monkeypatch.setattr(recorder, "STOP_SECONDS", 0.01)
    found = Recorder(tmp_path / "x.pcap", "lo")
    with pytest.raises(LabError, match=r"did not come through|ended early"):
        found.stop()


def test_options_that_contradict(tmp_path: Path) -> None:
    options = Options(report=tmp_path)
    assert started(options, own_lab=True) is None
    with pytest.raises(UsageError, match="belongs to --capture"):
        started(replace(options, keylog=True), own_lab=True)
    with pytest.raises(UsageError, match="for the labs alone"):
        started(replace(options, keylog=True, capture=True), own_lab=False)


def test_a_real_capture(tmp_path: Path) -> None:
    try:
        capture = RunCapture(tmp_path, "lo", keys=True)
    except UsageError as error:
        assert "captured" in str(error)  # no tool or no right: said so, and nothing was started
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            end, _ = listener.accept()
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert end.recv(100).startswith(b"GET")
            end.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP")
            view = {"local_port": client.getsockname()[1], "peer_port": port, "response": {"status": 204}}
            end.close()
    capture.stop()
    row = builders.row(case="a/b", path="direct", evidence={"client": view})
    note, contradictions = capture.finish([row])
    assert not contradictions and "1 of 1 cases" in note
    (line,) = (tmp_path / "capture" / "packets.jsonl").read_text().splitlines()
    assert json.loads(line)["compared"] == ["encrypted"]
    file = tmp_path / "capture" / "a__b.pcapng"
    (connection,) = read([str(file)]).connections
    assert (connection.server.port, connection.statuses) == (port, (204,))
    assert {path.stat().st_mode & 0o777 for path in (file, file.with_name("run.pcap"), file.with_name("keys.log"))} == {
        0o600
    }


def test_pcapng_reads_back(tmp_path: Path) -> None:
    packets = [Packet(1700000000.123456, 1, b"abc", 60), Packet(1700000001.5, 101, b"defgh", 5)]
    pcapng.write(tmp_path / "x", packets, "a/b: PASS: é", ["CLIENT_RANDOM aa bb"])
    capture = Capture(str(tmp_path / "x"))
    found = list(capture)
    assert [(item.link, item.data, item.length) for item in found] == [(1, b"abc", 60), (101, b"defgh", 5)]
    assert [item.time for item in found] == pytest.approx([item.time for item in packets], abs=1e-6)
    assert any("TLS secrets" in note for note in capture.notes)
