"""Recordings without secrets: every flow is copied, redacted by name and by every value seen, then written.

What is observed once as a secret (a cookie, a token, a password in a body) is taken out wherever it turns up later:
in a path, another header, an echo in a body.  Memory is bounded: flows go to the file at once, the HAR keeps the last.
"""

from __future__ import annotations

import json
import os
import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

from mitmproxy import io
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.http import Headers, HTTPFlow, Message

from harness.decode.redaction import redact
from harness.errors import ReportError
from mitm_addons.inspection.marking import KEY

SECRET_HEADERS = frozenset({
    "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token", "x-amz-security-token",
    "x-csrf-token", "x-forwarded-access-token", "x-ibm-client-secret",
})  # fmt: skip
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|api[-_]?key|authorization|credential|session[-_]?id|^sid$|^assertion$",
    re.IGNORECASE,
)
_SHORTEST = 4  # shorter values would take every "no" and "1" out of a text
_DOTS = 2
_REMEMBERED = 4096
_IN_HAR = 1000
_HIDDEN = "<redacted>"


class Recorder:
    """Writes ``inspection.mitm`` as it goes and ``inspection.har`` at the end.  Raises :class:`ReportError`."""

    def __init__(self, folder: Path) -> None:
        self._secrets: OrderedDict[str, None] = OrderedDict()
        self._last: deque[HTTPFlow] = deque(maxlen=_IN_HAR)
        self._har = folder / "inspection.har"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _private(folder / "inspection.mitm")
        except OSError as error:
            raise ReportError(f"the recording cannot be written: {error.strerror}", where=str(folder)) from error
        self._writer = io.FlowWriter(self._file)

    def add(self, flow: HTTPFlow) -> None:
        """Record a finished exchange."""
        kept = self.redacted(flow)
        self._writer.add(kept)
        self._file.flush()
        self._last.append(kept)

    def redacted(self, flow: HTTPFlow) -> HTTPFlow:
        """A copy of *flow* without secrets; what is secret in it is remembered."""
        for value in _observed(flow):
            self._secrets[value] = None
            self._secrets.move_to_end(value)
            if len(self._secrets) > _REMEMBERED:
                self._secrets.popitem(last=False)
        secrets = [form for value in self._secrets for form in {value, quote(value, safe=""), quote_plus(value)}]
        copy: HTTPFlow = flow.copy()
        copy.id = flow.id
        request, response = copy.request, copy.response
        request.path = _query(_clean(request.path, secrets))
        for message in (request, response):
            if message is not None:
                _redact_message(message, secrets)
        if copy.error is not None:
            copy.error.msg = _clean(copy.error.msg, secrets)
        copy.comment = _clean(copy.comment, secrets)
        if KEY in copy.metadata:
            copy.metadata[KEY] = _clean_all(copy.metadata[KEY], secrets)
        return copy

    def close(self) -> None:
        """Complete the files."""
        self._file.close()
        with _private(self._har) as file:
            file.write(json.dumps(SaveHar().make_har(list(self._last)), indent=1).encode())


def _private(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _clean(text: str, secrets: Iterable[str]) -> str:
    return redact(text, secrets)


def _clean_all(value: Any, secrets: list[str]) -> Any:
    """*value* of a mark, which holds claims as the client sent them."""
    if isinstance(value, dict):
        return {name: _clean_all(item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_all(item, secrets) for item in value]
    return _clean(value, secrets) if isinstance(value, str) else value


def _query(path: str) -> str:
    """*path* with the values of query parameters hidden whose names say that they are secret."""
    before, mark, query = path.partition("?")
    parts = [part.partition("=") for part in query.split("&")]
    shown = [name + equal + (_HIDDEN if equal and _SECRET_NAME.search(name) else value) for name, equal, value in parts]
    return before + mark + "&".join(shown)


def _redact_message(message: Message, secrets: list[str]) -> None:
    fields = [(name, _field(name, value, secrets)) for name, value in message.headers.fields]
    body = message.get_content(strict=False) if message.raw_content is not None else None
    message.headers = Headers(fields)
    if body is not None:
        message.headers.pop("content-encoding", None)
        message.raw_content = _body(body, secrets)
    if message.trailers:
        message.trailers = Headers([(name, _field(name, value, secrets)) for name, value in message.trailers.fields])


def _field(name: bytes, value: bytes, secrets: list[str]) -> bytes:
    key, text = name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape")
    if key in ("cookie", "set-cookie"):
        text = re.sub(r"=[^;]*", f"={_HIDDEN}", text, count=0 if key == "cookie" else 1)
    elif key in SECRET_HEADERS or _SECRET_NAME.search(key):
        scheme, _, rest = text.partition(" ")
        shown = redact(rest or scheme)
        text = (f"{scheme} " if rest else "") + (shown if shown.startswith("<jwt") else _HIDDEN)
    return _clean(text, secrets).encode("utf-8", "surrogateescape")


def _body(body: bytes, secrets: list[str]) -> bytes:
    return _clean(body.decode("utf-8", "surrogateescape"), secrets).encode("utf-8", "surrogateescape")


def _observed(flow: HTTPFlow) -> Iterator[str]:
    """Every secret value in *flow*, long enough to be one."""
    for value in _values(flow):
        # A token may be echoed in parts; the signature is the part that is secret.
        parts = [value, value.rpartition(".")[2]] if value.count(".") >= _DOTS else [value]
        yield from (part for part in parts if len(part) >= _SHORTEST)


def _values(flow: HTTPFlow) -> Iterator[str]:
    for name, value in parse_qsl(flow.request.path.partition("?")[2]):
        if _SECRET_NAME.search(name):
            yield value
    for message in (flow.request, flow.response):
        if message is not None:
            yield from _in_headers(message)
            yield from _in_body(message.get_content(strict=False) or b"")


def _in_headers(message: Message) -> Iterator[str]:
    trailers = message.trailers.fields if message.trailers else ()
    for raw_name, raw in (*message.headers.fields, *trailers):
        name, value = raw_name.decode("latin-1").lower(), raw.decode("utf-8", "surrogateescape")
        if name == "set-cookie":
            yield value.partition(";")[0].partition("=")[2].strip()
        elif name == "cookie":
            yield from (part.partition("=")[2].strip() for part in value.split(";"))
        elif name in SECRET_HEADERS or _SECRET_NAME.search(name):
            yield value.partition(" ")[2].strip() or value


def _in_body(body: bytes) -> Iterator[str]:
    try:
        waiting: list[Any] = [json.loads(body)]
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
        yield from (value for name, value in parse_qsl(text) if _SECRET_NAME.search(name))
        return
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from (str(value) for name, value in item.items()
                        if _SECRET_NAME.search(name) and isinstance(value, str | int))  # fmt: skip
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
