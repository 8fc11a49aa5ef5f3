"""A Docker daemon that can be made to fall silent: a socket that passes everything to the real one until it is told."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path

_REAL = "/var/run/docker.sock"


class Proxied:
    """Listens at *path* (a unix socket); frozen, it takes connections and data and passes nothing on."""

    def __init__(self, path: Path) -> None:
        self._real = os.environ.get("DOCKER_HOST", f"unix://{_REAL}").removeprefix("unix://")
        self._open = threading.Event()
        self._open.set()
        self._over = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self.url = f"unix://{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Pass nothing on from now on."""
        self._open.clear()

    def thaw(self) -> None:
        """Pass on what was held back, and what comes."""
        self._open.set()

    def close(self) -> None:
        """Listen no more; what is connected ends with its ends."""
        self._over = True
        self.thaw()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._real)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                sink.sendall(data)
        self._open.wait()
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
