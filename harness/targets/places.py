"""What a target file names: secrets and keys by where they are, URLs and addresses.  Opens a secret only when asked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import urlsplit

from harness.errors import UsageError

# A PEM header, or a JWT's first two segments.
_IS_SECRET = re.compile(r"-----BEGIN|\beyJ[\w-]+\.[\w-]+\.")


@dataclass(frozen=True)
class Secret:
    """Where a secret is: a file, or an environment variable that holds the text itself."""

    file: FilePath | None = None
    env: str = ""

    def read(self, what: str) -> bytes:
        """Its content; raises :class:`UsageError`, which names the place and never the content."""
        if self.file is None:
            if not os.environ.get(self.env):
                raise UsageError(f"the environment variable {self.env} ({what}) is not set")
            return os.environ[self.env].encode()
        try:
            return self.file.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {what}: {error.strerror}", where=str(self.file)) from error


@dataclass(frozen=True)
class PrivateKey:
    """Where a private key is, and the password of one that is encrypted."""

    secret: Secret
    password: Secret | None = None


def secret_of(file: FilePath, value: Any) -> Secret:
    """A secret as *file* writes it; raises :class:`UsageError` where it stands there itself."""
    if isinstance(value, dict) and "env" in value:
        return Secret(env=value["env"])
    name = value["file"] if isinstance(value, dict) else value
    if _IS_SECRET.search(name):
        # Not said which: whatever is printed of it would be a secret printed.
        text = "a key or token is in the file itself, where a file name is expected"
        raise UsageError(text, where=str(file), hint="put it into a separate file, or use {env: NAME}")
    return Secret(file=(file.parent / name).resolve())


def private_key_of(file: FilePath, row: Mapping[str, Any], name: str) -> PrivateKey:
    """The private key that *row* of *file* has under *name*, with its password."""
    password = row.get(f"{name}_password")
    return PrivateKey(secret_of(file, row[name]), None if password is None else secret_of(file, password))


def url_of(file: FilePath, spot: str, text: str) -> tuple[str, int, str]:
    """Host, port and path of the URL at *spot*; raises :class:`UsageError` for none."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", 443 if url.port is None else url.port
    except ValueError as error:
        raise UsageError(f"{spot}: {error}", where=str(file)) from error
    _reachable(file, spot, host, port)
    return host, port, url.path or "/"


def place_of(file: FilePath, spot: str, text: str) -> tuple[str, int]:
    """HOST:PORT at *spot*; raises :class:`UsageError` for none."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    _reachable(file, spot, host, int(port))
    return host, int(port)


def _reachable(file: FilePath, spot: str, host: str, port: int) -> None:
    """Raises :class:`UsageError` for what no name or port can be."""
    if not 0 < port < 65536:
        raise UsageError(f"{spot}: {port} is not a valid port", where=str(file))
    try:
        encoded = host.encode("idna").decode()
    except UnicodeError:
        encoded = ""
    if not host or not encoded or any(letter.isspace() for letter in host):
        raise UsageError(f"{spot}: {host!r} is not a valid host name", where=str(file))
    if not host.isascii():
        hint = f"write it in its DNS (punycode) form, {encoded}"
        raise UsageError(f"{spot}: {host!r} is not ASCII", where=str(file), hint=hint)
