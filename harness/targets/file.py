"""Reads and checks a target file: what to judge and with which credentials.  Connects to nothing, opens no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from harness.decode import strictyaml
from harness.errors import UsageError, refuse
from harness.lab.protocol import host_header
from harness.model.vocabulary import CertificateEncoding, Path, Posture
from harness.targets.places import PrivateKey, Secret, place_of, private_key_of, secret_of, url_of
from harness.targets.schema import sound
from harness.targets.sts import TokenService, token_service

_PER_SECOND = {"lab": 20.0, "test": 20.0, "production": 5.0}


@dataclass(frozen=True)
class Client:
    """The client's files.  ``other_ca`` is another CA of the deployment, which the endpoint must not trust; ``revoked``
    is a certificate of the right CA that was revoked, ``second`` another one that the gateway is configured with."""

    certificate: Secret
    key: PrivateKey
    ca: Secret | None = None
    ca_key: PrivateKey | None = None
    other_ca: Secret | None = None
    other_ca_key: PrivateKey | None = None
    revoked: Secret | None = None
    revoked_key: PrivateKey | None = None
    second: Secret | None = None
    second_key: PrivateKey | None = None


@dataclass(frozen=True)
class Request:
    """How a request is made; None = as the flow's documented one.  ``effect_path`` shows whether it was acted upon."""

    method: str | None = None
    path: str | None = None
    body: str | None = None
    success: int | None = None
    effect_path: str = ""
    effect_success: int = 200


@dataclass(frozen=True)
class Endpoint:
    """One server endpoint: it has one posture, which the flows that end there inherit.

    ``also_names`` are names of other sites at the same address; ``origin`` is where the server itself listens, past the
    balancer that ``connect`` leads to, and ``certificate_sha256`` the digest of its certificate: either lets a
    passthrough be looked at.  ``modes`` are those of a product's gateway, by way of authentication, and none for any
    other endpoint; the posture is then the catalogue's for all of them.  ``certificate_header`` is where the client
    sets the certificate itself, '' where it shows it in the handshake; ``certificate_encoding`` is how it stands there.
    """

    name: str
    host: str
    port: int
    connect: tuple[str, int]
    url_path: str
    ca: FilePath
    posture: Posture
    path: Path
    flows: tuple[str, ...]
    subject: str
    client: Client | None
    request: Request
    also_names: tuple[str, ...] = ()
    origin: tuple[str, int] | None = None
    certificate_sha256: str = ""
    modes: Mapping[str, str] = field(default_factory=dict)
    certificate_header: str = ""
    certificate_encoding: CertificateEncoding = CertificateEncoding.PEM

    @property
    def generic(self) -> bool:
        """Whether it is simply a service, not an endpoint of the documented product."""
        return not self.flows


@dataclass(frozen=True)
class TargetFile:
    """A whole target file.  ``tokens`` is kept as written: who opens the sources reads it; ``tokens_at`` is where it
    stands."""

    file: FilePath
    product: str
    kind: str
    version: str
    profile: str
    environment: str
    read_only: bool
    rate: float
    endpoints: Mapping[str, Endpoint]
    tokens: Mapping[str, Any]
    tokens_at: str = "tokens"
    sts: TokenService | None = None
    token_statuses: frozenset[int] = frozenset()
    certificate_statuses: frozenset[int] = frozenset()
    refusal: Mapping[str, Any] | None = None
    claimed: tuple[str, ...] = ()
    not_claimed: Mapping[str, str] = field(default_factory=dict)

    def place(self, text: str) -> FilePath:
        """A path written in the file, relative to it."""
        return (self.file.parent / text).resolve()

    def secret(self, value: Any) -> Secret:
        """A secret as the file writes it."""
        return secret_of(self.file, value)

    def private_key(self, row: Mapping[str, Any], name: str) -> PrivateKey:
        """The private key that *row* has under *name*, with its password."""
        return private_key_of(self.file, row, name)

    @property
    def authorities(self) -> dict[str, str]:
        """What each server is called in a URL."""
        return {name: host_header(endpoint.host, endpoint.port) for name, endpoint in self.endpoints.items()}


def read(file: FilePath) -> TargetFile:
    """Read *file*; raises :class:`UsageError` for what cannot be read or breaks the schema."""
    return parse(load(file), file)


def load(file: FilePath) -> Any:
    """What *file* says, whatever it means; raises :class:`UsageError` where that is not YAML."""
    return strictyaml.read(file, "the target file", hint="hopproof target init writes one")


def parse(data: Any, file: FilePath) -> TargetFile:
    """The target that *data* describes; *file* is where it was read, which relative paths start from.

    Raises :class:`UsageError` with everything that is wrong with it.
    """
    target, mistakes = examine(data, file)
    refuse(mistakes, str(file))
    if target is None:
        raise LookupError("a target file without mistakes describes a target")
    return target


def examine(data: Any, file: FilePath) -> tuple[TargetFile | None, list[UsageError]]:
    """What *data* describes without the parts that are wrong, None where too little is left; and the mistakes."""
    mistakes, data = sound(data, file)
    if data is None:
        return None, mistakes
    endpoints = {}
    for name, row in data["servers"].items():
        try:
            endpoints[name] = _endpoint(file, name, row, data.get("client"))
        except UsageError as error:
            mistakes.append(error)
    sts = None
    try:
        sts = token_service(file, data["sts"], endpoints) if "sts" in data else None
    except UsageError as error:
        mistakes.append(error)
    return (replace(_target(data, file, endpoints), sts=sts) if endpoints else None), mistakes


def _target(data: Mapping[str, Any], file: FilePath, endpoints: Mapping[str, Endpoint]) -> TargetFile:
    environment = data["environment"]
    dialect = data.get("dialect", {})
    features = data.get("features", {})
    return TargetFile(
        file=file,
        product=data["product"]["name"],
        kind=data["product"].get("kind", ""),
        version=data["product"].get("version", ""),
        profile=data["product"].get("profile", ""),
        environment=environment,
        read_only=data.get("read_only", environment == "production"),
        rate=float(data.get("rate", _PER_SECOND[environment])),
        endpoints=endpoints,
        tokens=data.get("tokens", {"none": True}),
        token_statuses=frozenset(dialect.get("token_statuses", ())),
        certificate_statuses=frozenset(dialect.get("certificate_statuses", ())),
        refusal=_refusal(dialect),
        claimed=tuple(features.get("claimed", ())),
        not_claimed=features.get("not_claimed", {}),
    )


def _refusal(dialect: Mapping[str, Any]) -> dict[str, Any] | None:
    if "refusal" not in dialect:
        return None
    row = dict(dialect["refusal"])
    header = row.pop("header", None)
    return {**row, "header": header["name"], "value": header["value"]} if header else row


def _client(file: FilePath, row: Mapping[str, Any] | None) -> Client | None:
    if row is None:
        return None
    certificates = {key: secret_of(file, row[key]) for key in ("certificate", "ca", "other_ca") if key in row}
    keys = {key: private_key_of(file, row, key) for key in ("key", "ca_key", "other_ca_key") if key in row}
    for name in ("revoked", "second"):
        if name in row:
            certificates[name] = secret_of(file, row[name]["certificate"])
            keys[f"{name}_key"] = private_key_of(file, row[name], "key")
    return Client(**certificates, **keys)  # type: ignore[arg-type]  # the schema says which belong together


def _endpoint(file: FilePath, name: str, row: Mapping[str, Any], common: Mapping[str, Any] | None) -> Endpoint:
    spot = f"servers.{name}"
    for other in ("posture", "flows"):
        if "modes" in row and other in row:
            text = f"{spot}: modes and {other} exclude each other: modes already say how clients are authenticated"
            raise UsageError(text, where=str(file), hint=f"leave {other} out")
    host, port, path = url_of(file, f"{spot}.url", row["url"])
    connect = (host, port) if "connect" not in row else place_of(file, f"{spot}.connect", row["connect"])
    request = _request(row.get("request", {}))
    for text in (path, request.path or "/", request.effect_path):
        if not all("!" <= letter <= "~" for letter in text):
            raise UsageError(
                f"{spot}: {text!r} is not a valid path: percent-encode non-ASCII characters", where=str(file)
            )
    return Endpoint(
        name=name,
        host=host,
        port=port,
        connect=connect,
        url_path=path,
        ca=(file.parent / row["ca"]).resolve(),
        posture=Posture(row.get("posture", Posture.JWT)),
        path=Path(row.get("path", "direct")),
        flows=tuple(row.get("flows", ())),
        subject=row.get("subject", ""),
        client=_client(file, row.get("client", common)),
        request=request,
        also_names=tuple(row.get("also_names", ())),
        origin=place_of(file, f"{spot}.origin", row["origin"]) if "origin" in row else None,
        certificate_sha256=row.get("certificate_sha256", "").replace(":", "").lower(),
        modes=row.get("modes", {}),
        certificate_header=row.get("certificate_header", ""),
        certificate_encoding=CertificateEncoding(row.get("certificate_encoding", CertificateEncoding.PEM)),
    )


def _request(row: Mapping[str, Any]) -> Request:
    effect = row.get("effect", {})
    named = {key: row.get(key) for key in ("method", "path", "body", "success")}
    return Request(**named, effect_path=effect.get("path", ""), effect_success=effect.get("success", 200))
