"""``hopproof run --url ...``: one service on the command line, written down as the target file that it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.errors import UsageError
from harness.pki.keys import key_pem
from harness.pki.private_files import private_file
from harness.targets import file as target_file
from harness.targets.credentials import has_issued
from harness.targets.schema import PLAIN_HTTP
from harness.writers.folder import report_folder

NAME = "target.yaml"
SUBJECT = "hopproof"
KEY = "hopproof-signing.key"
"""Beside the report folder, not in it: reports are handed on."""
_FLAGS = {
    "servers.service.url": "--url",
    "servers.service.ca": "--ca",
    "client.certificate": "--cert",
    "client.key": "--key",
    "client.ca": "--client-ca",
    "client.ca_key": "--client-ca-key",
    "tokens.captured": "--token-env",
    "tokens.keys": "--jwks",
    "servers.service.connect": "--connect",
    "servers.service.subject": "--subject",
    "tokens.keys.url": "--jwks",
    "tokens.captured.env": "--token-env",
}
"""Where a flag's value stands in the target file."""
_URL = re.compile(r"https://[^/?#@]+(/[^?#]*)?", re.IGNORECASE)
LISTEN = "127.0.0.1:9901"


@dataclass(frozen=True)
class Service:
    """What the flags say of one service.  ``jwks`` is ``ours``, or a file or an https URL with the keys it
    verifies with."""

    url: str
    ca: str
    audience: str = ""
    issuer: str = ""
    jwks: str = ""
    cert: str = ""
    key: str = ""
    token_env: str = ""
    connect: str = ""
    client_ca: str = ""
    client_ca_key: str = ""
    subject: str = ""

    def write(self, folder: Path) -> Path:
        """Write the target file into *folder*, return where; raises :class:`UsageError` for flags that do not fit."""
        file = folder / NAME
        document = self._document(folder)
        try:
            target_file.parse(document, file)
        except UsageError as error:
            raise of_flags(error, file) from error
        report_folder(folder)
        try:
            if self.jwks == "ours":
                self._new_key(_key_file(folder))
            file.write_text(
                "# Written by hopproof run --url; edit it and use --target for more.\n" + _yaml(document), "utf-8"
            )
        except OSError as error:
            raise UsageError(
                f"cannot write: {error.strerror}", where=str(file), hint="name another --report"
            ) from error
        return file

    def _document(self, folder: Path) -> dict[str, Any]:
        if self.url.lower().startswith("http://"):
            raise UsageError(f"--url: {PLAIN_HTTP}", hint="give the https URL")
        if not _URL.fullmatch(self.url):
            raise UsageError(f"--url: {self.url!r} is not an https URL", hint="https://HOST:PORT/PATH, without ? and #")
        if not self.ca:
            raise UsageError(
                "--url requires --ca", hint="name the PEM file of the CA that signed the server's certificate"
            )
        if bool(self.cert) is not bool(self.key):
            raise UsageError("--cert and --key must be given together")
        if not self.cert and (self.client_ca or self.client_ca_key or self.subject):
            raise UsageError("--client-ca, --client-ca-key and --subject require --cert and --key")
        wants_token = bool(self.audience or self.jwks or self.token_env)
        posture = {(True, True): "both", (True, False): "mtls"}.get((bool(self.cert), wants_token), "jwt")
        document: dict[str, Any] = {
            "product": {"name": urlsplit(self.url).hostname or self.url},
            "environment": "test",
            "servers": {"service": {"url": self.url, "ca": str(Path(self.ca).resolve()), "posture": posture}},
            "tokens": self._tokens(folder),
        }
        if self.connect:
            document["servers"]["service"]["connect"] = self.connect
        if self.cert:
            document["client"] = self._client()
        if self.subject:
            document["servers"]["service"]["subject"] = self.subject
        return document

    def _client(self) -> dict[str, str]:
        own = self.ca if has_issued(Path(self.ca), Path(self.cert)) else ""
        files = {"certificate": self.cert, "key": self.key, "ca": self.client_ca or own, "ca_key": self.client_ca_key}
        if self.client_ca_key and not files["ca"]:
            raise UsageError("--client-ca-key needs --client-ca: --ca did not sign the client's certificate")
        return {name: str(Path(file).resolve()) for name, file in files.items() if file}

    def _tokens(self, folder: Path) -> dict[str, Any]:
        # Whom a token that was given is about is not for us to say; those that we sign are about us.
        claims = {"iss": self.issuer, "aud": self.audience, "sub": SUBJECT if self.jwks == "ours" else ""}
        common: dict[str, Any] = {"claims": {name: value for name, value in claims.items() if value}}
        if self.jwks == "ours":
            return {**common, "jwks": {"listen": LISTEN, "signing_key": str(_key_file(folder))}}
        if self.jwks:
            common["keys"] = {"url": self.jwks} if "://" in self.jwks else str(Path(self.jwks).resolve())
        return {**common, "captured": {"env": self.token_env}} if self.token_env else {**common, "none": True}

    def _new_key(self, file: Path) -> None:
        # One key for all runs beside this one: the service may keep what it fetched.
        if not file.exists():
            private_file(file, key_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))


def of_flags(error: UsageError, file: Path) -> UsageError:
    """*error*, about the target *file* that the flags stand for, in terms of the flags: nobody has written a file."""
    message = str(error).partition("\n  try: hopproof target init")[0].removeprefix(f"{file}: ")
    for place in sorted(_FLAGS, key=len, reverse=True):
        message = message.replace(place, _FLAGS[place])
    return UsageError(message)


def _key_file(folder: Path) -> Path:
    return folder.resolve().parent / KEY


def _yaml(document: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(dict(document), sort_keys=False)
    return text.replace(
        f"sub: {SUBJECT}\n", f"sub: {SUBJECT}  # Hopproof's default; replace it with a client that your service knows\n"
    )
