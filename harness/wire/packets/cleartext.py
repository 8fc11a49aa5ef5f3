"""HTTP/1.1 in clear text as one side sent it: request heads with their Authorization, status lines.  Never raises."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from harness.decode.redaction import redact
from harness.decode.tokens import bearer, describe
from harness.model.connection import HttpRequest

MAX_HEAD = 1 << 16
KEPT_REQUESTS = 50
"""Requests that are listed of one connection; a bearer token is listed beyond it."""
MAX_TOKENS = 200

METHODS = ("GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT")
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n"
_METHODS = "|".join(METHODS)
_REQUEST = re.compile(rf"(?:{_METHODS}) [^ \r\n]{{1,16000}} HTTP/1\.[01]\r\n".encode())
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_QUERY_TOKEN = re.compile(r"[?&]access_token=([^&#]*)")
_HOST = re.compile(r"[A-Za-z0-9._:\[\]%-]{0,255}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,19}")
_KEEP = 1 << 14


class RequestSide:
    """What a client sent in clear text.  ``heads`` are the requests, in order, as far as they are kept."""

    def __init__(self) -> None:
        self.heads: list[HttpRequest] = []
        self.left_out = self.tokens = 0
        self.count = 0
        self._buffer = bytearray()
        self._body = 0

    def feed(self, data: bytes, time: float) -> None:
        """The next bytes."""
        if self._body >= len(data):
            self._body -= len(data)
            return
        self._buffer += data[self._body :]
        self._body = 0
        self._requests()

    def skip(self, size: int, time: float) -> None:
        """The next *size* bytes are not known."""
        if not self._body:
            # The head is cut, by a snaplen most often: what was captured of it is read all the same.
            self._requests(cut=True)
        self._body = max(self._body - size, 0)
        self._buffer.clear()

    def finish(self) -> None:
        """Nothing more comes."""
        self._requests(cut=True)

    def _requests(self, cut: bool = False) -> None:
        buffer = self._buffer
        while buffer:
            found = _REQUEST.search(buffer)
            if found is None:
                # A body of unknown length, or not a request: keep what may be the beginning of one.
                del buffer[: max(len(buffer) - _KEEP, 0)]
                return
            end = buffer.find(b"\r\n\r\n", found.start())
            if end < 0 and not cut and len(buffer) - found.start() <= MAX_HEAD:
                del buffer[: found.start()]
                return
            end = len(buffer) if end < 0 else end
            length = self._head(bytes(buffer[found.start() : end]))
            del buffer[: end + 4]
            self._body = max(length - len(buffer), 0)
            del buffer[:length]

    def _head(self, head: bytes) -> int:
        """Keep a request; returns the length of its body."""
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = dict[str, str]()
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers.setdefault(name.strip().lower(), value.strip(" \t"))
        self._keep(_request(method, target, headers))
        length = headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else 0

    def _keep(self, request: HttpRequest) -> None:
        self.count += 1
        self.tokens += request.token is not None
        if len(self.heads) < KEPT_REQUESTS or (request.token is not None and self.tokens <= MAX_TOKENS):
            self.heads.append(request)
        else:
            self.left_out += 1


class AnswerSide:
    """What a server answered in clear text: ``statuses``, the first ones."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self._tail = b""

    def feed(self, data: bytes, time: float) -> None:
        """The next bytes.  Only a status line at the start of a segment counts: a body may hold one as text."""
        if len(self.statuses) >= KEPT_REQUESTS:
            return
        if self._tail:
            data, self._tail = self._tail + data, b""
        match = _STATUS.match(data)
        if match and match[1] not in (b"100", b"103"):
            self.statuses.append(int(match[1]))
        elif not match and len(data) < 13 and data.startswith(b"HTTP/"[: len(data)]):
            self._tail = data

    def skip(self, size: int, time: float) -> None:
        """The next *size* bytes are not known."""
        self._tail = b""


def is_request(data: bytes) -> bool | None:
    """Whether *data* starts like a request, None while that is unknown."""
    method, space, _ = data[:9].partition(b" ")
    if space:
        return method in {name.encode() for name in METHODS}
    return None if any(name.encode().startswith(method) for name in METHODS) else False


def _request(method: str, target: str, headers: dict[str, str]) -> HttpRequest:
    authorization = headers.get("authorization")
    scheme = _scheme(authorization)
    token = bearer(authorization)
    query = _QUERY_TOKEN.search(target)
    if not token and query:
        token, scheme = unquote_plus(query[1]), scheme or "access_token in the query"
    path, mark, _ = target.partition("?")
    return HttpRequest(
        method,
        # A query may hold secrets of any kind.
        _safe(redact(path[:500]) + ("?..." if mark else "")),
        _host(headers.get("host", "")),
        scheme=scheme,
        token=describe(token) if token else None,
    )


def _host(value: str) -> str:
    """A Host value; what is not a host name may be anything, a secret too."""
    return value if _HOST.fullmatch(value) else "not a host"


def _scheme(authorization: str | None) -> str:
    """The scheme of an Authorization value; what stands there without one may be a secret."""
    if authorization is None:
        return ""
    scheme, space, _ = authorization.partition(" ")
    return scheme.lower() if _SCHEME.fullmatch(scheme) and (space or scheme.lower() == "bearer") else "not a scheme"


def _safe(text: str) -> str:
    """*text* without bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
