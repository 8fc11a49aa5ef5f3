"""A client of the token service that a target file names, with its credentials open, ready to exchange tokens."""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath

from harness.checks.dialect import Dialect
from harness.errors import UsageError
from harness.lab import Entrypoint
from harness.lab.protocol import host_header
from harness.model.case import Setup
from harness.model.exchange import ClientView, Response
from harness.pki.private_files import private_file
from harness.pki.temporary import prefix
from harness.probes.token_endpoint import (
    KEPT_CHARACTERS,
    KEPT_HEADERS,
    Authentication,
    TokenClient,
    TokenEndpoint,
)
from harness.stimuli.contexts import trusting
from harness.stimuli.partial.tokens import GoodToken
from harness.targets.credentials import private_key_password
from harness.targets.external import ExternalLab, Pace
from harness.targets.file import TargetFile
from harness.targets.patience import Patience
from harness.targets.sts import SECTION, TokenService
from harness.targets.token_sources import token_source
from harness.wire.send import Address, Prepared, send

Send = Callable[[Address, Prepared, ssl.SSLContext | None], ClientView]


def own_token_of(file: TargetFile, sts: TokenService) -> TargetFile:
    """*file*, whose tokens are those that the client of *sts* exchanges."""
    return replace(file, tokens=sts.subject_token, tokens_at=SECTION)


def token_client_of(file: TargetFile, lab: ExternalLab, dialect: Dialect, patient: bool) -> TokenClient | None:
    """Who exchanges tokens at the token service that *file* names, None where it names none; *patient* waits where it
    is asked to.  Raises :class:`UsageError` for credentials that cannot be used."""
    if file.sts is None:
        return None
    wait = Pace(file.rate).wait

    def whole(address: Address, request: Prepared, context: ssl.SSLContext | None) -> ClientView:
        wait()
        return send(address, request, context, KEPT_HEADERS, KEPT_CHARACTERS)

    setups = {name: Setup(name, item.posture, item.path) for name, item in file.endpoints.items()}
    servers = {name: lab.entrypoint(setup) for name, setup in setups.items()}
    return open_token_client(file, file.sts, servers, Patience(whole) if patient else whole, dialect.refuses)


def open_token_client(
    file: TargetFile,
    sts: TokenService,
    servers: Mapping[str, Entrypoint],
    sender: Send,
    refuses: Callable[[Response | None], bool],
) -> TokenClient:
    """The client of *sts*; raises :class:`UsageError` for credentials that cannot be used."""
    source = token_source(own_token_of(file, sts))
    if source is None:
        raise UsageError(f"{SECTION} names no source of a token", where=str(file.file))
    proven, plain = _context(sts, proven=True), _context(sts, proven=False)
    secret = "" if sts.secret is None else sts.secret.read("sts.client.secret").decode("utf-8", "replace").strip()
    expired = "" if sts.expired is None else sts.expired.read("sts.expired_subject_token").decode("utf-8", "replace")
    actor = "" if sts.actor_token is None else sts.actor_token.read("sts.actor_token").decode("utf-8", "replace")
    own = GoodToken(source)
    audiences = {server: audience for audience, server in sts.audiences.items()}
    endpoint = TokenEndpoint(
        address=Address(*sts.connect, sts.host),
        host=host_header(sts.host, sts.port),
        path=sts.path,
        client=sts.client,
        secret=secret,
        context=lambda good: proven if good else plain,
        authentication=sts.authentication,
        subject_token_type=sts.subject_token_type,
        actor_token_type=sts.actor_token_type,
        parameter=sts.parameter,
        besides=sts.besides,
    )
    return TokenClient(
        endpoint,
        lambda: own.current(time.time),
        expired.strip(),
        servers,
        sender,
        refuses,
        audiences,
        actor.strip(),
    )


def _context(sts: TokenService, *, proven: bool) -> ssl.SSLContext:
    context = trusting(sts.ca)
    if not proven or sts.authentication is not Authentication.TLS or sts.certificate is None or sts.key is None:
        return context
    password = private_key_password(sts.key, "sts.client.key") or b""
    with tempfile.TemporaryDirectory(prefix=prefix("sts")) as folder:
        # ssl reads files alone; a private one of our own serves a certificate that an environment variable holds, too.
        certificate, key = FilePath(folder) / "client.crt", FilePath(folder) / "client.key"
        private_file(certificate, sts.certificate.read("sts.client.certificate"))
        private_file(key, sts.key.secret.read("sts.client.key"))
        try:
            context.load_cert_chain(certificate, key, password)
        except (OSError, ValueError) as error:
            message = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise UsageError(f"sts.client: certificate and key cannot be used: {message}") from error
    return context
