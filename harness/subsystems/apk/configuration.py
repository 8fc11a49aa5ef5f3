"""Reads what an operator applies: apk-conf files, Authentication resources, the ConfigMaps and Secrets they name.

The first document of the file is the lab's own: where the gateway listens, and its ``mutualSSL`` settings.  Every other
one is as APK documents it.  What APK would refuse to deploy is refused here, with the object and the field.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509

from harness.errors import UsageError

HEADER = "X-WSO2-CLIENT-CERTIFICATE"
MTLS, OAUTH2 = "mTLS", "OAuth2"
_END = b"-----END CERTIFICATE-----"


class Mode(StrEnum):
    """How one way of authentication is configured."""

    MANDATORY = "mandatory"
    OPTIONAL = "optional"
    DISABLED = "disabled"


class Profile(StrEnum):
    """Whose reading counts where document and public code disagree."""

    DOCUMENT = "document"
    CODE = "apk-1.2"


@dataclass(frozen=True)
class Written:
    """The mTLS part of an API as it is written: '' where ``required`` is not set."""

    required: str = ""
    disabled: bool = False
    inline: tuple[str, ...] = ()
    config_maps: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Api:
    """An API that is deployed.  ``written`` is its mTLS configuration (None for none); ``documented`` is that under
    ``spec.default.mtls``, where the document puts it; ``unsecured`` are operations with ``secured: false``."""

    id: str
    base: str
    oauth2: Mode = Mode.MANDATORY
    written: Written | None = None
    documented: Written | None = None
    unsecured: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Settings:
    """The gateway's settings and everything that is deployed on it."""

    profile: Profile
    header: str
    encoded: bool
    outbound: bool
    full_path: bool
    apis: tuple[Api, ...]
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def api(self, path: str) -> Api | None:
        """The API whose base path *path* is under."""
        return next((api for api in self.apis if path == api.base or path.startswith(f"{api.base}/")), None)


def read(path: Path) -> Settings:
    """What the file at *path* deploys; raises UsageError."""
    try:
        documents = [item for item in yaml.safe_load_all(path.read_text("utf-8")) if isinstance(item, dict)]
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise UsageError(f"the configuration cannot be read: {error}", where=str(path)) from error
    gateway, objects = documents[0].get("spec", {}), documents[1:]
    mutual = gateway.get("mutualSSL", {})
    profile: Profile = _choice(Profile, gateway.get("profile", Profile.CODE), "spec.profile")
    return Settings(
        profile=profile,
        header=str(mutual.get("CertificateHeader", HEADER)),
        encoded=mutual.get("ClientCertificateEncode", False) is True,
        outbound=mutual.get("EnableOutboundCertificateHeader", False) is True,
        full_path=gateway.get("fullPathValidation", False) is True,
        apis=tuple(_apis(objects)),
        config_maps={name: data.get("data", {}) for name, data in _of(objects, "ConfigMap")},
        secrets={name: _decoded(name, data.get("data", {})) for name, data in _of(objects, "Secret")},
    )


def _of(objects: Sequence[Mapping[str, Any]], kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((str(item["metadata"]["name"]), item) for item in objects if item.get("kind") == kind)


def _decoded(name: str, data: Mapping[str, str]) -> dict[str, str]:
    try:
        return {key: base64.b64decode(value, validate=True).decode("utf-8") for key, value in data.items()}
    except (ValueError, binascii.Error) as error:
        raise UsageError(f"Secret {name}: data is not Base64 of text", hint="encode each value of data") from error


def _choice(kind: type[Mode | Profile], value: object, where: str) -> Any:
    try:
        return kind(str(value))
    except ValueError:
        raise UsageError(f"{where} is {value!r}", hint=f"one of {', '.join(kind)}") from None


def _apis(objects: Sequence[Mapping[str, Any]]) -> Iterator[Api]:
    resources = {item["spec"]["targetRef"]["name"]: item for _, item in _of(objects, "Authentication")}
    for item in objects:
        if "basePath" in item:
            yield _api(item, resources.get(str(item.get("id"))))


def _api(conf: Mapping[str, Any], resource: Mapping[str, Any] | None) -> Api:
    api_id = str(conf.get("id", conf.get("name", "")))
    listed = {str(item["authType"]): item for item in conf.get("authentication", ())}
    oauth2 = listed.get(OAUTH2, {})
    return Api(
        id=api_id,
        base=f"{conf['basePath']}/{conf['version']}",
        oauth2=_mode(oauth2, f"{api_id}: OAuth2"),
        written=_resource(resource, "authTypes") if resource else _listed(listed.get(MTLS), api_id),
        documented=_resource(resource) if resource else None,
        unsecured=frozenset(
            str(operation["target"]) for operation in conf.get("operations", ()) if operation.get("secured") is False
        ),
    )


def _mode(item: Mapping[str, Any], where: str) -> Mode:
    if item.get("enabled", True) is False:
        return Mode.DISABLED
    mode: Mode = _choice(Mode, item.get("required", Mode.MANDATORY), f"{where}.required")
    return mode


def _listed(item: Mapping[str, Any] | None, api_id: str) -> Written | None:
    if item is None:
        return None
    if not item.get("certificates"):
        raise UsageError(f"{api_id}: mTLS without certificates (909029)", hint="certificates: [{name: ..., key: ...}]")
    required = str(item.get("required", ""))
    return Written(required, item.get("enabled", True) is False, config_maps=_references(item["certificates"]))


def _resource(resource: Mapping[str, Any], *inside: str) -> Written | None:
    """The mTLS part of an Authentication resource: under ``authTypes`` (public code), or *inside* of nothing, where the
    document has it and the schema of the public code does not know it."""
    spec = resource["spec"]
    block = {**spec.get("default", {}), **spec.get("override", {})}
    mtls = reduce(lambda found, name: found.get(name, {}), inside, block).get("mtls")
    if mtls is None:
        return None
    if not any(mtls.get(key) for key in ("certificatesInline", "configMapRefs", "secretRefs")):
        raise UsageError("invalid mTLS configuration - certificates not provided", where=resource["metadata"]["name"])
    return Written(
        str(mtls.get("required", "")),
        mtls.get("disabled", False) is True or block.get("disabled", False) is True,
        tuple(mtls.get("certificatesInline") or ()),
        _references(mtls.get("configMapRefs") or ()),
        _references(mtls.get("secretRefs") or ()),
    )


def _references(items: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(item["name"]), str(item["key"])) for item in items)


def sources(written: Written, settings: Settings) -> tuple[tuple[str, ...], ...]:
    """The certificates of each source that *written* names (PEM), in the order in which the public code asks them.

    Raises UsageError for a reference that leads nowhere.
    """
    lists = (
        written.inline,
        tuple(_value(settings.config_maps, *at, "ConfigMap") for at in written.config_maps),
        tuple(_value(settings.secrets, *at, "Secret") for at in written.secrets),
    )
    return tuple(found for found in lists if found)


def _value(objects: Mapping[str, Mapping[str, str]], name: str, key: str, kind: str) -> str:
    if key not in objects.get(name, {}):
        raise UsageError(f"there is no {kind} {name!r} with the key {key!r}", hint=f"apply the {kind} first")
    return objects[name][key]


def certificate(pem: str) -> x509.Certificate:
    """The first certificate in *pem*, as the adapter reads it; raises UsageError."""
    try:
        return x509.load_pem_x509_certificate(pem.encode().partition(_END)[0] + _END + b"\n")
    except ValueError as error:
        raise UsageError(f"a configured certificate cannot be read: {error}", hint="the whole PEM block") from error
