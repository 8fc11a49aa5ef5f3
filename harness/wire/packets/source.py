"""Where the bytes of a capture come from: a file, a pipe, gzip; a chunk at a time."""

from __future__ import annotations

import gzip
import sys
import zlib
from pathlib import Path
from typing import IO

from harness.errors import UsageError

CHUNK = 1 << 23
"""Bytes that are read at once: enough packets for what is done to many at a time to pay."""
_PART = 1 << 16


class Window:
    """A stream's bytes, a chunk at a time."""

    def __init__(self, stream: IO[bytes], first: bytes) -> None:
        self._stream = stream
        self.buffer, self.position, self.before = first, 0, 0

    def has(self, count: int) -> bool:
        """Make *count* bytes from ``position`` on available; False where the stream ends before."""
        if len(self.buffer) - self.position >= count:
            return True
        parts, held = [self.buffer[self.position :]], len(self.buffer) - self.position
        while held < count:
            more = self._stream.read(max(CHUNK, count - held))
            if not more:
                break
            parts.append(more)
            held += len(more)
        self.before += self.position
        self.buffer, self.position = b"".join(parts), 0
        return held >= count

    @property
    def left(self) -> int:
        """How many bytes are there from ``position`` on."""
        return len(self.buffer) - self.position

    @property
    def offset(self) -> int:
        """Where ``position`` is in the whole stream."""
        return self.before + self.position


class Joined:
    """A pipe cannot seek: the bytes that were already read, then the rest."""

    def __init__(self, first: bytes, stream: IO[bytes]) -> None:
        self._first, self._stream = first, stream

    def read(self, size: int = -1) -> bytes:
        """At most *size* bytes."""
        if not self._first:
            return self._stream.read(size)
        size = len(self._first) if size < 0 else size
        taken, self._first = self._first[:size], self._first[size:]
        return taken


class Unzipped:
    """A gzip stream that gives all it can before it tells that the file is damaged."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = gzip.GzipFile(fileobj=stream, mode="rb")
        self._error: OSError | EOFError | zlib.error | None = None

    def read(self, size: int) -> bytes:
        """At most *size* bytes, fewer only at the end; raises what is wrong once nothing is left to give."""
        parts: list[bytes] = []
        while size > 0 and self._error is None:
            try:
                part = self._stream.read1(min(size, _PART))
            except (OSError, EOFError, zlib.error) as error:
                self._error = error
                break
            if not part:
                break
            parts.append(part)
            size -= len(part)
        if not parts and self._error is not None:
            raise self._error
        return b"".join(parts)

    def close(self) -> None:
        """Nothing more is read."""
        self._stream.close()


def opened(name: str) -> IO[bytes]:
    """The file *name*, or standard input for ``-``; raises :class:`UsageError` where it cannot be opened."""
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the capture: {reason}", where=name) from error
