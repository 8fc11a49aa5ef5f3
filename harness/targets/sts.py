"""A token service (STS) as a target file describes it under ``sts``.  Connects to nothing, opens no secret."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from harness.errors import UsageError
from harness.probes.token_endpoint import Authentication
from harness.targets.places import PrivateKey, Secret, place_of, private_key_of, secret_of, url_of

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
LIFETIME = 600
SECTION = "sts.subject_token"


@dataclass(frozen=True)
class TokenService:
    """Where tokens are exchanged, as which client, and what must come of it.

    ``audiences`` maps each audience that the client may have a token for to the server in the file that takes it;
    ``refused`` are audiences that the policy of the token service refuses it.  ``subject`` is whom the exchanged token
    names ('' = as it says itself), ``actor`` whom a new token must name in ``act`` ('' = not compared), ``lifetime``
    the longest that one may live.  ``subject_token`` is kept as written: who opens the source reads it.
    """

    host: str
    port: int
    connect: tuple[str, int]
    path: str
    ca: FilePath
    client: str
    authentication: Authentication
    secret: Secret | None
    certificate: Secret | None
    key: PrivateKey | None
    subject_token: Mapping[str, Any]
    subject_token_type: str
    expired: Secret | None
    parameter: str
    besides: Mapping[str, str]
    audiences: Mapping[str, str]
    refused: tuple[str, ...] = ()
    subject: str = ""
    actor: str = ""
    lifetime: int = LIFETIME
    servers: frozenset[str] = field(default_factory=frozenset)


def token_service(file: FilePath, row: Mapping[str, Any], servers: Collection[str]) -> TokenService:
    """What *row* of *file* says, whose servers are *servers*; raises :class:`UsageError` for a URL that is none."""
    spot = "sts.token_endpoint"
    host, port, path = url_of(file, spot, row["token_endpoint"])
    client = row["client"]
    return TokenService(
        host=host,
        port=port,
        connect=place_of(file, "sts.connect", row["connect"]) if "connect" in row else (host, port),
        path=path,
        ca=(file.parent / row["ca"]).resolve(),
        client=client["id"],
        authentication=Authentication(client.get("authentication", Authentication.BASIC)),
        secret=secret_of(file, client["secret"]) if "secret" in client else None,
        certificate=secret_of(file, client["certificate"]) if "certificate" in client else None,
        key=private_key_of(file, client, "key") if "key" in client else None,
        subject_token=row["subject_token"],
        subject_token_type=row.get("subject_token_type", ACCESS_TOKEN),
        expired=secret_of(file, row["expired_subject_token"]) if "expired_subject_token" in row else None,
        parameter=row.get("parameter", "audience"),
        besides={name: row[name] for name in ("scope", "requested_token_type") if name in row},
        audiences=row["audiences"],
        refused=tuple(row.get("refused_audiences", ())),
        subject=row.get("subject", ""),
        actor=row.get("actor", ""),
        lifetime=row.get("lifetime", LIFETIME),
        servers=frozenset(servers),
    )


def contradictions(service: TokenService) -> Iterator[str]:
    """What of *service* contradicts itself or the rest of the file, in words."""
    for audience, server in service.audiences.items():
        if server not in service.servers:
            known = ", ".join(sorted(service.servers))
            yield f"sts.audiences.{audience}: servers.{server} does not exist; one of: {known}"
        if audience in service.refused:
            yield f"sts.refused_audiences: {audience} is one of sts.audiences, too"
    named = list(service.audiences.values())
    for server in sorted({name for name in named if named.count(name) > 1}):
        yield f"sts.audiences: two audiences for servers.{server}; a service has one"
    tls = service.authentication is Authentication.TLS
    if tls and (service.certificate is None or service.key is None):
        yield "sts.client: tls_client_auth needs certificate and key"
    if not tls and service.secret is None:
        yield f"sts.client: {service.authentication} needs secret"


def unreadable(service: TokenService) -> Iterator[UsageError]:
    """The secrets of *service* that cannot be read."""
    named: dict[str, Secret | None] = {
        "sts.client.secret": service.secret,
        "sts.client.certificate": service.certificate,
        "sts.client.key": service.key.secret if service.key else None,
        "sts.expired_subject_token": service.expired,
    }
    for what, secret in named.items():
        try:
            if secret is not None:
                secret.read(what)
        except UsageError as error:
            yield error
