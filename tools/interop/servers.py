"""Third-party servers: where each program is, how it is started, how its configuration is filled in.

Knows programs and files, not what they are judged by.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures" / "realworld"


def server_environment() -> dict[str, str]:
    """What servers run in; tox names a folder of packages that are theirs alone in SERVER_PYTHONPATH."""
    packages = os.environ.get("SERVER_PYTHONPATH")
    return {**os.environ, "PYTHONPATH": packages} if packages else dict(os.environ)


@dataclass(frozen=True)
class Server:
    """How a server is started, and how it tells its version."""

    program: str
    arguments: tuple[str, ...]
    version: tuple[str, ...]

    def found(self) -> str | None:
        """Where its program is: on the PATH, or beside this Python; None if it is not installed."""
        beside = str(Path(sys.executable).parent)
        return shutil.which(self.program, path=os.environ.get("PATH", "") + os.pathsep + beside)

    def installed_version(self) -> str | None:
        """The version it tells; None where it, or what it runs, is not installed."""
        if (program := self.found()) is None:
            return None
        message = subprocess.run(
            [program, *self.version], env=server_environment(), capture_output=True, text=True, check=False
        )
        if message.returncode:
            return None
        found = re.search(r"\d+\.\d+\.\d+", message.stdout + message.stderr)
        return found[0] if found else "unknown"

    def command(self, values: Mapping[str, str]) -> list[str]:
        """The command line that starts it; *values* has CONFIG and FOLDER."""
        return [str(self.found()), *(fill(item, values) for item in self.arguments)]


_PORTS = range(20000, 32768)
# Envoy: a second one on this machine would be taken for its successor (hot restart); logs are flushed at once.
_ENVOY = ("--concurrency", "1", "-l", "warn", "--disable-hot-restart", "--file-flush-interval-msec", "10")
SERVERS: Mapping[str, Server] = {
    "nginx": Server("nginx", ("-p", "@FOLDER@", "-c", "@CONFIG@"), ("-v",)),
    "haproxy": Server("haproxy", ("-db", "-f", "@CONFIG@"), ("-v",)),
    "envoy": Server("envoy", ("-c", "@CONFIG@", *_ENVOY), ("--version",)),
}


def python(package: str) -> Server:
    """A server on a Python package; what templates name, it reads from its environment."""
    return Server(
        sys.executable, ("@CONFIG@",), ("-c", f"from importlib.metadata import version as v; print(v('{package}'))")
    )


def node(package: str) -> Server:
    """The same on a Node package."""
    return Server("node", ("@CONFIG@",), ("-p", f"require('{package}/package.json').version"))


LIBRARIES: Mapping[str, Server] = {
    **{name: python(name) for name in ("aiohttp", "authlib", "hypercorn", "joserfc", "pyjwt", "uvicorn")},
    **{name: node(name) for name in ("jose", "jsonwebtoken")},
    "python": Server(sys.executable, ("@CONFIG@",), ("--version",)),
    "node": Server("node", ("@CONFIG@",), ("--version",)),
}


def template(role: str) -> Path:
    """The committed configuration of *role*."""
    return next((FIXTURES / role).glob("server.*"))


def free_ports(count: int) -> list[int]:
    """Ports of loopback that are free right now and outside the kernel's ephemeral range."""
    sockets: list[socket.socket] = []
    for port in secrets.SystemRandom().sample(_PORTS, len(_PORTS)):
        if len(sockets) == count:
            break
        with contextlib.suppress(OSError):  # taken
            sockets.append(socket.create_server(("127.0.0.1", port)))
    ports = [int(item.getsockname()[1]) for item in sockets]
    for item in sockets:
        item.close()
    return ports


def fill(text: str, values: Mapping[str, str]) -> str:
    """*text* with every ``@NAME@`` replaced; an unknown name is a mistake of the template's."""
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)
