"""Tells what one side of a connection speaks from its first bytes, and hands them to the reader for that."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.model.connection import Content
from harness.wire.packets.cleartext import HTTP2_PREFACE, AnswerSide, RequestSide, is_request
from harness.wire.packets.tls import Skimmed, TlsSide, starts_hello, starts_record

_PROXY1, _PROXY2 = b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"
_PROXY1_LINE = re.compile(rb"PROXY (?:TCP4|TCP6|UNKNOWN)[ -~]{0,96}\r\n")
_MAX_PROXY = 4096
_UNDECIDED = 108
_TRIES = 64


def _nothing() -> None:
    """There is nothing to count."""


class Side:
    """One direction's content.  ``tls`` or ``requests`` / ``answers`` is set once the content is known."""

    __slots__ = (
        "_start", "_tries", "aligned", "answers", "content", "first", "proxy_header", "requests", "tls",
    )  # fmt: skip

    def __init__(self) -> None:
        self.content = Content.EMPTY
        self.tls: TlsSide | None = None
        self.requests: RequestSide | None = None
        self.answers: AnswerSide | None = None
        self.proxy_header = False
        self.first: float | None = None
        self.aligned = True
        self._start = b""
        self._tries = 0

    def feed(self, data: bytes, time: float) -> None:
        """The next bytes."""
        if self.tls is not None:
            self.tls.feed(data, time)
        elif self.requests is not None:
            self.requests.feed(data, time)
        elif self.answers is not None:
            self.answers.feed(data, time)
        elif self.content in (Content.EMPTY, Content.UNKNOWN):
            self._begin(data, time)

    def begin(self, data: bytes, ends: Sequence[int], times: Sequence[float]) -> None:
        """The first bytes, all that are there: pieces that end at *ends* and came at *times*."""
        if ends[0] >= 5 and starts_record(data):
            self.first, self.content = times[0], Content.TLS
            self.tls = TlsSide()
            self.tls.begin(data, ends, times)
            return
        at = 0
        for end, time in zip(ends, times, strict=True):
            self.feed(data[at:end], time)
            at = end

    def skim(self, pieces: Skimmed) -> Callable[[], None] | None:
        """What counts *pieces*, the next bytes, where nothing of them needs to be read; None where something does."""
        if not pieces.size:
            return _nothing
        if self.tls is not None:
            return self.tls.skim(pieces)
        ignored = self.content in (Content.OTHER, Content.HTTP2) and self.requests is None and self.answers is None
        return _nothing if ignored else None

    def skip(self, size: int, time: float) -> None:
        """The next *size* bytes are not known."""
        reader = self.tls or self.requests or self.answers
        if reader is not None:
            reader.skip(size, time)
        elif self.content in (Content.EMPTY, Content.UNKNOWN):
            # Whatever was captured of the first bytes is all there will be.
            if self._start:
                self._decide(self._start, time, last=True)
            reader = self.tls or self.requests or self.answers
            if reader is not None:
                reader.skip(size, time)
            else:
                self.content, self.aligned, self._start = Content.UNKNOWN, False, b""

    def finish(self) -> None:
        """Nothing more comes."""
        if self._start:
            self._decide(self._start, self.first or 0.0, last=True)
        if self.requests is not None:
            self.requests.finish()

    def _begin(self, data: bytes, time: float) -> None:
        if self.first is None:
            self.first = time
        if not self.aligned:
            self._tries += 1
            self._start = b""
            if self._tries > _TRIES:
                return
            if self._tries == 1 and self.content is Content.EMPTY:
                data = self._after_proxy(data)
                if not data:
                    self._tries = 0
                    return
                # A capture of handshakes alone has no SYN: what it begins with is a hello.
                self.aligned = starts_hello(data)
        start = self._without_proxy(self._start + data)
        if start is None:
            self._start += data
            return
        self._start = start
        if start:
            self._decide(start, time, last=len(start) >= _UNDECIDED)

    def _after_proxy(self, data: bytes) -> bytes:
        """The first *data* of a capture that has no SYN, without the PROXY protocol header that it begins with."""
        if self.proxy_header or not (data.startswith(_PROXY2) or _PROXY1_LINE.match(data)):
            return data
        end = _proxy_end(data) or 0
        self.proxy_header = end > 0
        return data[end:]

    def _without_proxy(self, start: bytes) -> bytes | None:
        """*start* without a PROXY protocol header; None while it is not whole."""
        if not self.aligned or self.proxy_header:
            return start
        if not start.startswith((_PROXY1, _PROXY2)):
            return None if _PROXY1.startswith(start) or _PROXY2.startswith(start) else start
        end = _proxy_end(start)
        if end is None:
            return None if len(start) < _MAX_PROXY else start
        self.proxy_header = True
        return start[end:]

    def _decide(self, start: bytes, time: float, last: bool) -> None:
        found = self._recognise(start, last)
        if found is None:
            return
        self.content, self._start = found, b""
        if found is Content.TLS:
            self.tls = TlsSide(self.aligned)
            # Without a SYN there is no telling what else the capture leaves out.
            self.tls.holes = self._tries > 0
            self.tls.feed(start, time)
        elif found is Content.HTTP and not start.startswith(b"HTTP/"):
            self.requests = RequestSide()
            self.requests.feed(start, time)
        elif found is Content.HTTP:
            self.answers = AnswerSide()
            self.answers.feed(start, time)

    def _recognise(self, start: bytes, last: bool) -> Content | None:
        """What *start* is, None while more is needed."""
        if len(start) < 5 and not last:
            return None
        if starts_record(start, sealed_only=not self.aligned):
            return Content.TLS
        if HTTP2_PREFACE.startswith(start[: len(HTTP2_PREFACE)]):
            return Content.HTTP2 if len(start) >= len(HTTP2_PREFACE) else Content.OTHER if last else None
        if start.startswith(b"HTTP/1."):
            return Content.HTTP
        request = None if b"HTTP/1.".startswith(start) else is_request(start)
        if request is None and not last:
            return None
        return Content.HTTP if request else Content.OTHER if self.aligned else Content.UNKNOWN


def _proxy_end(start: bytes) -> int | None:
    """Where the PROXY protocol header that *start* begins with ends; None if it is not whole."""
    if start.startswith(_PROXY1):
        end = start.find(b"\r\n") + 2
        return end if end >= 2 else None
    end = 16 + int.from_bytes(start[14:16], "big")
    return end if end <= len(start) else None
