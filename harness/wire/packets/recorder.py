"""Captures this machine's packets while something happens, with tcpdump or dumpcap.  Needs the right to capture.

The packets come through a pipe, so that the end is known: :meth:`Recorder.stop` opens a connection of its own, and the
capture ends once that has come through.  Whatever went before it is then in the file.

Where both ends of every connection take their port from the system (the embedded lab), only TCP between two such ports
is captured, so that what other programs say to services on fixed ports stays out of the file.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from harness.errors import LabError, UsageError

TOOLS = ("tcpdump", "dumpcap")
STOP_SECONDS = 10.0
"""How long what was captured may take through the pipe."""
_CHUNK = 1 << 16
_PIPE = 1 << 20
"""What waits for us in the pipe; the tool's own buffer is behind it, and the kernel's behind that."""
_BUFFER_MIB = 64
_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
# tcpdump's words, and dumpcap's.
_DROPPED = re.compile(rb"(\d+) packets? dropped by (?:kernel|interface)|received/dropped on interface .*: \d+/(\d+)")
_HINT = "run as root, or let tcpdump capture: setcap cap_net_raw,cap_net_admin=eip $(command -v tcpdump)"


class Recorder:
    """One capture of *interface* into *file*.  Raises :class:`UsageError` where capturing is not possible here."""

    def __init__(self, file: Path, interface: str, wanted: str = "tcp") -> None:
        self.file = file
        self._mark = secrets.token_bytes(32)
        self.dropped = 0
        """Packets that the kernel could not hand over; known once the capture has ended."""
        self._marked, self._full = threading.Event(), ""
        # A group of its own: Ctrl-C is for us, who end it once all packets are in.
        self._process = subprocess.Popen(  # noqa: S603 - a tool found on PATH, with arguments of ours alone
            command(interface, wanted),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self._wait_until_listening(self._process.stderr)
        with suppress(OSError):  # an unprivileged user's pipes may have to stay small
            fcntl.fcntl(self._process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        self._copying = threading.Thread(target=self._copy, args=(self._process.stdout,), daemon=True)
        self._draining = threading.Thread(target=self._drain, args=(self._process.stderr,), daemon=True)
        self._copying.start()
        self._draining.start()

    def _wait_until_listening(self, messages: IO[bytes]) -> None:
        said: list[str] = []
        for line in messages:
            text = line.decode("utf-8", "replace").strip()
            if "listening on" in text or text.startswith("File:"):
                return
            said.append(text)
        self._process.wait()
        why = next((line for line in reversed(said) if line), "it ended without a message")
        raise UsageError(f"packets cannot be captured here: {why}", hint=_HINT)

    def _drain(self, messages: IO[bytes]) -> None:
        """The tool says at its end how many packets were lost before it could take them."""
        self.dropped = sum(int(one or other) for one, other in _DROPPED.findall(messages.read()))

    def _copy(self, packets: IO[bytes]) -> None:
        tail = b""
        try:
            with os.fdopen(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                while chunk := os.read(packets.fileno(), _CHUNK):
                    out.write(chunk)
                    if self._mark in tail + chunk:
                        out.flush()
                        self._marked.set()
                    tail = chunk[-len(self._mark) :]
        except OSError as error:
            self._full = str(error)
            self._marked.set()

    def stop(self) -> None:
        """End the capture once all that was sent until now is in the file; raises :class:`LabError` if it is not."""
        try:
            if self._process.poll() is not None:
                raise LabError(f"the capture ended early, with status {self._process.returncode}")
            with suppress(OSError):
                self._send_mark()
            if not self._marked.wait(STOP_SECONDS):
                raise LabError(f"the captured packets were not read within {STOP_SECONDS:.0f} s")
        finally:
            self.end()
        if self._full:
            raise LabError(f"the captured packets could not be written: {self._full}")

    def _send_mark(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()) as out,
        ):
            end, _ = listener.accept()
            with end:
                out.sendall(self._mark)

    def end(self) -> None:
        """End the capture at once; may be called twice."""
        self._process.terminate()
        self._process.wait()
        self._copying.join()
        self._draining.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def between_ephemeral_ports() -> str:
    """A filter for TCP between two ports that the system assigns; for all TCP where that range cannot be read."""
    try:
        first, last = (int(number) for number in _PORT_RANGE.read_text("ascii").split())
    except (OSError, ValueError):
        return "tcp"
    return f"tcp and src portrange {first}-{last} and dst portrange {first}-{last}"


def command(interface: str, wanted: str = "tcp") -> list[str]:
    """The command that writes the packets *wanted* to its standard output; :class:`UsageError` if there is no tool."""
    tool = next((found for name in TOOLS if (found := shutil.which(name))), None)
    if tool is None:
        raise UsageError("packets are captured with tcpdump or dumpcap; neither is on PATH", hint="install tcpdump")
    if Path(tool).name == "dumpcap":
        return [tool, "-q", "-i", interface, "-f", wanted, "-s", "0", "-B", str(_BUFFER_MIB), "-w", "-"]
    return [tool, "-n", "-i", interface, "-s", "0", "-B", str(_BUFFER_MIB * 1024), "-U", "-w", "-", wanted]
