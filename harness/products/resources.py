"""Custom resources as a Kubernetes operator reads them: what the resources of all products have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from harness.model.catalogue import Server
from harness.model.vocabulary import Posture
from harness.products.product import KeyEndpoint, Settings

Spec = dict[str, Any]  # a resource's spec, as YAML has it


def _switches(posture: Posture, url: str) -> Spec:
    """The two settings a posture consists of; ``default`` sets neither."""
    switches: Mapping[Posture, Spec] = {
        Posture.DEFAULT: {},
        Posture.MTLS: {"mtlsValidateClient": True},
        Posture.JWT: {"mtlsValidateClient": False, "jwksUrl": url},
        Posture.BOTH: {"mtlsValidateClient": True, "jwksUrl": url},
        Posture.TLS_ONLY: {"mtlsValidateClient": False},
    }
    return switches[posture]


def endpoint(host: str, secret: str) -> Spec:
    """The block that says under which host and with which certificate a server is reached."""
    annotations = {"cert-manager.io/issuer": "ingress-issuer"}
    return {"annotations": annotations, "hosts": [{"name": host, "secretName": secret}]}


def custom_resource(
    version: str,
    specify: Callable[[Server], Spec],
    server: Server,
    posture: Posture,
    keys: KeyEndpoint,
    port: int,
    changes: Settings,
) -> str:
    """The custom resource of *server* in *posture*, as YAML; *specify* gives what its kind has besides.

    Its keys come from *keys*, which listens on *port*; *changes* are settings that differ, None removes one.
    """
    settings = {
        keys.ca_setting: {"secretName": keys.ca_secret},
        **specify(server),
        **_switches(posture, keys.jwks_url(port)),
        **changes,
    }
    return document(
        version, server.kind, server.name, {key: item for key, item in settings.items() if item is not None}
    )


def document(version: str, kind: str, name: str, spec: Spec) -> str:
    """One resource as YAML."""
    content = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "apic"}, "spec": spec}
    return yaml.safe_dump(content, sort_keys=False)
