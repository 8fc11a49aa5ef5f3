"""A request to a third-party server as a curl command line, to be repeated without Hopproof.

What is secret of it - a token, a certificate that was made, with its key - never stands in the line: the line names
files, and :func:`write` makes them, readable by their owner alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.decode.redaction import redact
from harness.errors import ReportError
from harness.model.case import GOOD, Case
from harness.pki.private_files import private_file, private_folder
from harness.targets.file import Client, Endpoint
from harness.wire.send import Prepared

FOLDER = "hopproof-replay"
"""Where the files of a line are, in the working folder: not in the report, which is handed on."""
HEADERS, BODY, URL, CLIENT = "headers", "body", "url", "client.pem"
_FRAMING = frozenset({"host", "content-length", "connection", "user-agent", "x-hopproof-case"})
_SHORT = 200
_REPEATABLE = (
    GOOD,
    "t-plaintext",
    "tls-12",
    "certificate-in-header",
    "identity-headers",
    "source-headers",
    "method-",
    "path-",
)
"""How the names of the transport classes begin that are a request of their own, or none."""
_CLEAR_TEXT = "t-plaintext"
_NO_CERTIFICATE = "tls-no-cert"


@dataclass(frozen=True)
class Recipe:
    """``line`` is the command, ``files`` what it reads from its folder; ``identity`` says that it reads a certificate
    and key there besides."""

    line: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    identity: bool = False


def folder_of(case: Case) -> str:
    """The folder that the line of *case* reads."""
    return f"{FOLDER}/{case.stimulus.id}"


def recipe(case: Case, endpoint: Endpoint, request: Prepared, folder: str) -> Recipe | None:
    """How curl repeats *request*, which *case* sends to *endpoint*; None for what curl cannot do."""
    if not case.stimulus.transport.startswith(_REPEATABLE):
        return None
    target, headers = _read(request)
    files: dict[str, bytes] = {}
    words = ["curl", "-sS", "-i", "--http1.1"]
    words += ["--path-as-is"] if "/." in target else []
    words += ["-g"] if set(target) & set("[]{}") else []
    words += ["--tls-max", "1.2"] if case.stimulus.transport == "tls-12" else []
    words += _method(request.method)
    if not target.startswith("/"):
        words, target = [*words, "--request-target", target], "/"
    if endpoint.connect != (endpoint.host, endpoint.port):
        places = (*(f"{_bracketed(host)}:{port}" for host, port in ((endpoint.host, endpoint.port), endpoint.connect)),)
        words += ["--connect-to", ":".join(places)]
    clear = case.stimulus.transport == _CLEAR_TEXT
    made = not clear and _identity(case, endpoint, folder, words)
    _headers(headers, folder, words, files)
    if request.body and _short(request.body):
        words += ["--data-raw", request.body.decode("ascii")]
    elif request.body:
        files[BODY] = request.body
        words += ["--data-binary", f"@{folder}/{BODY}"]
    url = f"{'http' if clear else 'https'}://{_bracketed(endpoint.host)}:{endpoint.port}{target}"
    if redact(url) == url:
        words.append(url)
    else:
        quoted = url.replace("\\", "\\\\").replace('"', '\\"')
        files[URL] = f'url = "{quoted}"\n'.encode()
        words += ["-K", f"{folder}/{URL}"]
    return Recipe(shlex.join(words), files, made)


def write(recipe: Recipe, folder: Path, identity: bytes | None) -> None:
    """Write what *recipe* reads into *folder*; raises :class:`ReportError`.  *identity* is the certificate and key."""
    content = {**recipe.files, **({CLIENT: identity} if recipe.identity and identity is not None else {})}
    try:
        private_folder(folder)
        for name, text in content.items():
            private_file(folder / name, text)
    except OSError as error:
        raise ReportError(f"cannot write: {error.strerror}", where=str(folder), hint="name another --write") from error


def _method(method: str) -> list[str]:
    if method == "HEAD":
        return ["--head"]  # as -X it would wait for a body
    return [] if method == "GET" else ["-X", method]


def _short(body: bytes) -> bool:
    """Whether *body* can stand in the line: it is short, has no odd character, and nothing of a token."""
    text = body.decode("latin-1")
    return len(text) <= _SHORT and text.isascii() and text.isprintable() and redact(text) == text


def _read(request: Prepared) -> tuple[str, list[tuple[str, bytes]]]:
    """The request's target, and its headers without those that curl makes by itself or that are not needed."""
    first, *lines = request.head.rstrip(b"\r\n").split(b"\r\n")
    pairs = [line.split(b": ", 1) for line in lines]
    headers = [(pair[0].decode("latin-1"), pair[1] if len(pair) > 1 else b"") for pair in pairs]
    return first.decode("latin-1").split(" ")[1], [item for item in headers if item[0].lower() not in _FRAMING]


def _headers(headers: list[tuple[str, bytes]], folder: str, words: list[str], files: dict[str, bytes]) -> None:
    harmless = {"content-type"}
    for name, value in headers:
        if name.lower() in harmless:
            words += ["-H", f"{name}: {value.decode('latin-1')}"]
    # curl takes a name and a semicolon for a header without a value.
    secret = [(name.encode("latin-1"), value) for name, value in headers if name.lower() not in harmless]
    if secret:
        files[HEADERS] = b"".join(name + (b": " + value if value else b";") + b"\n" for name, value in secret)
        words += ["-H", f"@{folder}/{HEADERS}"]


def _identity(case: Case, endpoint: Endpoint, folder: str, words: list[str]) -> bool:
    """Add what is trusted and presented; whether that is a certificate that has to be written first."""
    words += ["--cacert", str(endpoint.ca)]
    certificate, client = case.stimulus.certificate, endpoint.client
    if certificate == _NO_CERTIFICATE or (certificate == GOOD and client is None):
        return False
    if certificate == GOOD and client is not None and (files := _own_files(client)):
        words += ["--cert", files[0], "--key", files[1]]
        return False
    if certificate.startswith("k-"):
        words += ["--ciphers", "DEFAULT:@SECLEVEL=0"]  # a key that OpenSSL would not load otherwise
    words += ["--cert", f"{folder}/{CLIENT}"]
    return True


def _own_files(client: Client) -> tuple[str, str] | None:
    """The user's own certificate and key, where both are files that curl can read by itself."""
    certificate, key = client.certificate.file, client.key.secret.file
    if certificate is None or key is None or client.key.password is not None:
        return None
    return str(certificate), str(key)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
