"""Decrypts captured TLS with a key log, by running tshark; nothing is decrypted in this process.

Of each request only method, host, path, the kind of authorization and the status are read.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.decode.redaction import redact
from harness.errors import UsageError
from harness.model.connection import Opened

_SECONDS = 300
_FIELDS = (
    "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "http.request.method", "http.host",
    "http.request.uri", "http.authorization", "http.response.code", "http2.headers.method", "http2.headers.authority",
    "http2.headers.path", "http2.headers.authorization", "http2.headers.status",
)  # fmt: skip
_MARKS = ("CLIENT_RANDOM ", "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "CLIENT_TRAFFIC_SECRET_0 ", "RSA ")


def opened(files: Sequence[str], keys: str) -> list[Opened]:
    """The requests and answers inside the connections of *files* that the key log *keys* opens.

    Raises :class:`UsageError` where there is no tshark, or no key log.
    """
    tshark = shutil.which("tshark")
    if tshark is None:
        raise UsageError(
            "decrypting with a key log needs tshark, which is not on PATH", hint="install tshark, or leave --keys out"
        )
    _check(keys)
    if "-" in files:
        raise UsageError("--keys needs a file: standard input can be read only once", hint="save the capture")
    return [item for file in files for item in _of(tshark, file, keys)]


def _check(keys: str) -> None:
    try:
        text = Path(keys).read_text("ascii", "replace")
    except OSError as error:
        raise UsageError(f"cannot read the key log: {error.strerror}", where=keys) from error
    if not any(line.startswith(_MARKS) for line in text.splitlines()):
        raise UsageError("no TLS secrets in it", where=keys, hint="give the file that SSLKEYLOGFILE named")


def _of(tshark: str, file: str, keys: str) -> Iterator[Opened]:
    fields = [part for name in _FIELDS for part in ("-e", name)]
    command = [
        tshark, "-n", "-r", file, "-o", f"tls.keylog_file:{keys}", "-Y", "tls && (http || http2.headers)",
        "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f", *fields,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"tshark took longer than {_SECONDS} s", where=file, hint="give a smaller capture") from error
    if done.returncode:
        why = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"status {done.returncode}")
        raise UsageError(f"tshark cannot read it: {why.strip()}", where=file)
    return (_line(line.split("\t")) for line in done.stdout.splitlines() if line.count("\t") == len(_FIELDS) - 1)


def _line(cells: list[str]) -> Opened:
    source, target = cells[0] or cells[1], cells[3] or cells[4]
    ends = f"{source}:{cells[2]} -> {target}:{cells[5]}"
    method, host, path, authorization, status = (one or two for one, two in zip(cells[6:11], cells[11:16], strict=True))
    if status:
        return Opened(ends, f"answered {status}")
    scheme = authorization.partition(" ")[0]
    token = f", {scheme} authorization" if scheme else ", without Authorization"
    return Opened(ends, redact(f"{method} {path.partition('?')[0]} of {host or 'no host'}{token}"))
