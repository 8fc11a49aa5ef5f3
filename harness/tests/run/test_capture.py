"""A run's own capture.  Where the tests may not capture, that must be a usage error; elsewhere it must work."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config import Options
from harness.errors import LabError, UsageError
from harness.model.case import CAPTURE, Case
from harness.model.exchange import ClientView, Exchange
from harness.model.verdict import Verdict
from harness.model.vocabulary import Grade, Outcome
from harness.model.vocabulary import Path as FlowPath
from harness.run import capture as run_capture
from harness.run.capture import RunCapture, started
from harness.run.engine import Result
from harness.tests import builders
from harness.wire.packets import pcapng, recorder
from harness.wire.packets.capture import Capture
from harness.wire.packets.packet import Packet
from harness.wire.packets.reader import read
from harness.wire.packets.recorder import Recorder

Tool = Callable[[str], None]
GRADE = Grade.BOTH_SIDES
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
    with pytest.raises(LabError, match=r"were not read within|ended early"):
        found.stop()


@pytest.mark.parametrize(
    "said",
    [
        "12 packets captured\n12 packets received by filter\n7 packets dropped by kernel",
        "1 packet dropped by kernel\n6 packets dropped by interface",
        "Packets received/dropped on interface 'Loopback: lo': 12/7 (pcap:7/dumpcap:0/flushed:0/ps_ifdrop:0) (63.2%)",
    ],
)
def test_what_was_lost(tool: Tool, tmp_path: Path, said: str) -> None:
    # In one write, so that the tool is not ended between its two lines.
    tool(f"printf '%b' \"listening on lo\\n{said}\\n\" >&2\nexec cat > /dev/null\n")
    found = Recorder(tmp_path / "x.pcap", "lo")
    found.end()
    assert found.dropped == 7


def test_what_was_lost_is_captured_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first capture lost all; the second is made of the unseen cases alone, and its verdict is the one."""
    made = list[FakeRecorder]()

    def record(file: Path, _interface: str, _wanted: str) -> FakeRecorder:
        made.append(FakeRecorder(file))
        return made[-1]

    monkeypatch.setattr(run_capture, "Recorder", record)
    capture = RunCapture(tmp_path, "lo", keys=False)
    asked = builders.case("token-encrypted", row=builders.requirement(needs=(CAPTURE,)), path=FlowPath.DIRECT)
    held = Result(asked, Exchange("fp-1", ClientView(40000, 443)), None, Verdict(Outcome.PASS, "", "", GRADE), 1.0)
    assert capture.holds(held)
    capture.stop()
    sent, done = list[Case](), list[Result]()

    def send(cases: Iterable[Case], take: Callable[[Result], None]) -> None:
        sent.extend(cases)
        take(held)

    capture.judge({}, send, done.append)
    assert sent == [asked]
    assert [item.verdict.outcome for item in done] == [Outcome.UNOBSERVED]
    assert [item.file.name for item in made] == ["run.pcap", "again.pcap"]
    note, _ = capture.finish([])
    assert "the capture lost 6 packets" in note


class FakeRecorder:
    """A capture of nothing that lost three packets."""

    def __init__(self, file: Path) -> None:
        self.file, self.dropped = file, 3
        file.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1))

    def stop(self) -> None:
        """Nothing is under way."""

    def end(self) -> None:
        """Nothing is under way."""


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


@pytest.mark.parametrize(
    ("target", "interface", "wanted"),
    [("embedded", "lo", "src portrange 20000-20009 and dst portrange 20000-20009"), ("target.yaml", "any", "tcp")],
)
def test_what_is_captured(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, interface: str, wanted: str
) -> None:
    tool(f'echo "$@" > {tmp_path}/arguments\n{LISTENING}exec cat > /dev/null\n')
    (tmp_path / "range").write_text("20000\t20009\n")
    monkeypatch.setattr(recorder, "_PORT_RANGE", tmp_path / "range")
    capture = started(Options(report=tmp_path, capture=True, target=target), own_lab=True)
    assert capture is not None
    capture._recorder.end()
    text = (tmp_path / "arguments").read_text()
    assert f"-i {interface} " in text and text.rstrip().endswith(wanted)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("32768\t60999\n", "tcp and src portrange 32768-60999 and dst portrange 32768-60999"),
        ("", "tcp"),
        ("many", "tcp"),
        (None, "tcp"),
    ],
)
def test_ports_that_the_system_assigns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, wanted: str
) -> None:
    file = tmp_path / "range"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(recorder, "_PORT_RANGE", file)
    assert recorder.between_ephemeral_ports() == wanted


def test_pcapng_reads_back(tmp_path: Path) -> None:
    packets = [Packet(1700000000.123456, 1, b"abc", 60), Packet(1700000001.5, 101, b"defgh", 5)]
    pcapng.write(tmp_path / "x", packets, "a/b: PASS: é", ["CLIENT_RANDOM aa bb"])
    capture = Capture(str(tmp_path / "x"))
    found = list(capture)
    assert [(item.link, item.data, item.length) for item in found] == [(1, b"abc", 60), (101, b"defgh", 5)]
    assert [item.time for item in found] == pytest.approx([item.time for item in packets], abs=1e-6)
    assert any("TLS secrets" in note for note in capture.notes)
