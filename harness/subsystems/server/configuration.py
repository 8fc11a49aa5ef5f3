"""Reads the custom resource an operator wrote.  What is invalid is refused with the field, the rule and what to set.

Looks at the deployment folder's files only to see that they are there and readable; listens to and connects to nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509

from harness.errors import UsageError
from harness.subsystems.server.certificates import Secret, certificates, material, read_file, read_secret
from harness.subsystems.server.distinguished_name import rdn_sequence
from harness.subsystems.server.kind import SERVICE_DOMAINS, Kind, PlatformCas
from harness.subsystems.server.policy import Protection, ServerPolicy

MTLS = "mtlsValidateClient"

_loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_log = logging.getLogger(__name__)


class Refused(UsageError):
    """The configuration is invalid: the server does not start."""


@dataclass(frozen=True)
class Configuration:
    """What a custom resource says.  ``jwks_authorities`` verify the key server, ``jwks_address`` is where it is;
    ``platform_authorities`` verify the platform API in other calls."""

    kind: Kind
    name: str
    host: str
    secret: Secret
    protection: Protection
    subject: x509.Name | None = None
    jwks_authorities: tuple[x509.Certificate, ...] = ()
    jwks_address: str = ""
    platform_authorities: PlatformCas = field(default_factory=PlatformCas)
    clients: dict[str, str] = field(default_factory=dict)


class Resource:
    """A custom resource, with errors that tell where in it something is wrong."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path = path
        document = self._document()
        found = document.get("kind")
        if found != kind.resource:
            raise self.refused(
                "kind", f"is {found!r}, but a {kind.name} is configured by a {kind.resource}", f"kind: {kind.resource}"
            )
        self.name = str(self._mapping(document.get("metadata", {}), "metadata").get("name", kind.name))
        self._spec = self._mapping(document.get("spec"), "spec")

    def get(self, place: str) -> Any:
        """What stands at the dotted *place* under spec; None if nothing does."""
        value: Any = self._spec
        for step in place.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        return value

    def secret_name(self, place: str) -> str | None:
        """The ``secretName`` in the block at *place*; None if there is no such block."""
        name = self.get(f"{place}.secretName")
        if name is not None and not (isinstance(name, str) and name and "/" not in name and not name.startswith(".")):
            raise self.refused(
                f"spec.{place}.secretName", f"is {name!r}, not the name of a secret", "the name of a TLS secret"
            )
        return name

    def refused(self, place: str, problem: str, hint: str) -> Refused:
        """The error for *place*."""
        return Refused(f"{place} {problem}", where=str(self.path), hint=f"set {hint}")

    def _document(self) -> Mapping[str, Any]:
        try:
            documents = yaml.load_all(self.path.read_text("utf-8"), Loader=_loader)
            document = next(iter(documents), None)
        except OSError as error:
            raise Refused(f"the custom resource cannot be read ({error.strerror})", where=str(self.path)) from error
        except (yaml.YAMLError, ValueError) as error:
            raise Refused(f"the custom resource is not YAML: {error}", where=str(self.path)) from error
        return self._mapping(document, "the custom resource")

    def _mapping(self, value: Any, place: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.refused(place, "is missing or not a mapping", "it as in the product's template")
        return value


def configure(kind: Kind, path: Path, folder: Path, hosts: Mapping[str, str], rules: ServerPolicy) -> Configuration:
    """The configuration in the custom resource at *path*; raises Refused, with a message for the operator.

    *folder* is the deployment folder, *hosts* where host names are to be found.
    """
    resource = Resource(path, kind)
    host, secret_name = _endpoint(resource, kind)
    secret = _secret(resource, folder, secret_name, f"spec.{kind.endpoint}.hosts[0].secretName")
    if kind.client_secrets:
        clients = {
            location: name for location in kind.client_secrets if (name := resource.secret_name(location)) is not None
        }
        return Configuration(kind, resource.name, host, secret, Protection(False, ""), clients=clients)
    jwks_url = _jwks_url(resource, kind, hosts) if kind.can_jwt else ""
    validate = _validate(resource, kind, rules, jwks_url)
    return Configuration(
        kind,
        resource.name,
        host,
        secret,
        Protection(
            validate, jwks_url, kind.ignores_token_under_mtls, _name(resource, "issuer"), _name(resource, "audience")
        ),
        _subject(resource, kind, validate),
        _jwks_authorities(resource, kind, folder, jwks_url) if jwks_url else (),
        hosts[str(urlsplit(jwks_url).hostname)] if jwks_url else "",
        PlatformCas(*(_named_authorities(resource, folder, place) for place in kind.key_cas)),
    )


def _endpoint(resource: Resource, kind: Kind) -> tuple[str, str]:
    location, entries = f"{kind.endpoint}.hosts", resource.get(f"{kind.endpoint}.hosts")
    first = entries[0] if isinstance(entries, list) and entries else None
    values = (first.get("name"), first.get("secretName")) if isinstance(first, Mapping) else (None, None)
    if not all(isinstance(value, str) and value for value in values):
        raise resource.refused(
            f"spec.{location}", "names no host with a secret", f"spec.{location}: [{{name: HOST, secretName: SECRET}}]"
        )
    return str(values[0]), str(values[1])


def _secret(resource: Resource, folder: Path, name: str, place: str) -> Secret:
    try:
        secret = read_secret(folder, name)
        material(secret)
    except UsageError as error:
        raise resource.refused(place, f"is {name}, but {error.what}", "the name of a complete TLS secret") from error
    return secret


def _validate(resource: Resource, kind: Kind, rules: ServerPolicy, jwks_url: str) -> bool:
    """mtlsValidateClient, with its default; refuses what would leave a server open that must not be."""
    location = _switch(resource, kind, rules)
    value = resource.get(location)
    if value is None:
        return rules.default_validate(bool(kind.validates))
    if not isinstance(value, bool):
        raise resource.refused(
            f"spec.{location}", f"is {value!r}, not a boolean", f"spec.{location}: true or false, without quotes"
        )
    if not value and kind.needs_one and not jwks_url and not rules.may_be_unprotected:
        raise _both_off(resource, kind, location)
    return value


def _both_off(resource: Resource, kind: Kind, place: str) -> Refused:
    if not kind.can_jwt:
        return resource.refused(
            f"spec.{place}", f"is false, but mTLS cannot be turned off on a {kind.name}", f"spec.{place}: true"
        )
    return resource.refused(
        f"spec.{place}",
        "is false and spec.jwksUrl is not set: mTLS and JWT cannot both be disabled",
        f"spec.jwksUrl to the JWKS URL of the management CR's status.endpoints, or spec.{place}: true",
    )


def _switch(resource: Resource, kind: Kind, rules: ServerPolicy) -> str:
    if rules.reads_old_switch and kind.old_switch and resource.get(kind.old_switch) is not None:
        _log.warning("%s: spec.%s is the old name of spec.%s", resource.path, kind.old_switch, MTLS)
        return MTLS if resource.get(MTLS) is not None else kind.old_switch
    return MTLS


def _jwks_url(resource: Resource, kind: Kind, hosts: Mapping[str, str]) -> str:
    value = resource.get("jwksUrl")
    if value is None or value == "":
        return ""
    problem = _problem_with_url(value, kind.keys_path, hosts)
    if problem:
        raise resource.refused(
            "spec.jwksUrl", f"is {value!r}: {problem}", f"spec.jwksUrl: https://KEY-SERVER{kind.keys_path}"
        )
    return str(value)


def _name(resource: Resource, place: str) -> str:
    """What tokens must name; '' where nothing is set."""
    value = resource.get(place)
    if value is not None and not (isinstance(value, str) and value):
        raise resource.refused(f"spec.{place}", f"is {value!r}, not a string with content", f"spec.{place}: a name")
    return value or ""


def _problem_with_url(value: Any, keys_path: str, hosts: Mapping[str, str]) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        port = parts.port if parts else None
    except ValueError:
        return "it is not a URL"
    if parts is None:
        return "it is not a URL"
    checks = {
        "its scheme must be https": parts.scheme == "https",
        f"its path must be {keys_path}": parts.path == keys_path,
        "it must have neither a query nor a fragment nor credentials": not (
            parts.query or parts.fragment or parts.username
        ),
        "it names no host": bool(parts.hostname) and port != 0,
        f"the host {parts.hostname} is not known here": parts.hostname in hosts,
    }
    return next((problem for problem, fine in checks.items() if not fine), "")


def _jwks_authorities(resource: Resource, kind: Kind, folder: Path, jwks_url: str) -> tuple[x509.Certificate, ...]:
    """The CA that verifies the platform API: in-cluster addresses have another one than external ones."""
    location = kind.key_cas[str(urlsplit(jwks_url).hostname).endswith(SERVICE_DOMAINS)]
    name = resource.secret_name(location)
    if name is None:
        raise resource.refused(
            f"spec.{location}",
            "is not set, so the keys at spec.jwksUrl would come from an unverified server",
            f"spec.{location}.secretName: the CA's secret",
        )
    return _authorities(resource, folder, location)


def _named_authorities(resource: Resource, folder: Path, place: str) -> tuple[x509.Certificate, ...] | None:
    return _authorities(resource, folder, place) if place and resource.get(place) is not None else None


def _authorities(resource: Resource, folder: Path, place: str) -> tuple[x509.Certificate, ...]:
    name = resource.secret_name(place) or ""
    try:
        return certificates(read_file(folder / "secrets" / name / "ca.crt"), "its ca.crt")
    except UsageError as error:
        raise resource.refused(
            f"spec.{place}.secretName", f"is {name}, but {error.what}", "the name of the CA's secret"
        ) from error


def _subject(resource: Resource, kind: Kind, validate: bool) -> x509.Name | None:
    """The configured client subject DN; compared, and needed, where client certificates are verified."""
    if not kind.subjects:
        return None
    location = next((location for location in kind.subjects if resource.get(location) is not None), None)
    if location is None:
        if not validate:
            return None
        raise resource.refused(
            f"spec.{kind.subjects[0]}",
            "is missing: with mTLS on, any client of the CA would be let in",
            f"spec.{kind.subjects[0]}: CN=...,O=cert-manager",
        )
    value = resource.get(location)
    try:
        name = x509.Name.from_rfc4514_string(value)
        if not rdn_sequence(name):
            raise ValueError("it is empty")
    except (ValueError, TypeError, AttributeError) as error:
        raise resource.refused(
            f"spec.{location}",
            f"is {value!r}, not an RFC 4514 name ({error})",
            f"spec.{location}: CN=...,O=cert-manager",
        ) from error
    return name if validate else None
