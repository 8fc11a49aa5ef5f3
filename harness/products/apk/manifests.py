"""What an operator applies to APK: apk-conf files, Authentication resources, ConfigMaps and Secrets.

Sources: APK documentation "mTLS Authentication"; apk-schema.json and the Authentication CRD of wso2/apk 1.2.0.  The
first document is the lab's own: address, TLS secret and what stands under ``[enforcer.security.mutualSSL]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from harness.model.catalogue import Server
from harness.model.vocabulary import Posture
from harness.products.apk.header import HEADER
from harness.products.product import Configure, KeyEndpoint, Settings
from harness.products.resources import endpoint

CLIENT, SECOND = "apk-employee-client", "apk-employee-client-2"
_MODES = ("mandatory", "optional", "disabled")
Document = dict[str, Any]
_REFERENCES = [{"name": "first-client", "key": "tls.crt"}, {"name": "second-client", "key": "tls.crt"}]


def _pem(secret: str, file: str = "tls.crt", how: str = "") -> str:
    return f"{{{{secrets/{secret}/{file}{how}}}}}"


def conf(api_id: str, authentication: list[Document]) -> Document:
    """The apk-conf of an API."""
    return {
        "id": api_id,
        "name": api_id,
        "basePath": f"/{api_id}",
        "version": "3.14",
        "type": "REST",
        "endpointConfigurations": {"production": {"endpoint": "http://backend:80/anything"}},
        "operations": [
            {"target": "/employee", "verb": "POST", "secured": True, "scopes": []},
            {"target": "/open", "verb": "POST", "secured": False, "scopes": []},
        ],
        "authentication": authentication,
    }


def _item(kind: str, mode: str, **more: object) -> Document:
    if mode == "disabled":
        return {"authType": kind, "enabled": False, **more}
    return {"authType": kind, **({"required": mode} if mode else {}), **more}


def _combined(mtls: str, oauth2: str) -> Document:
    return conf(
        f"mtls-{mtls}-oauth2-{oauth2}", [_item("OAuth2", oauth2), _item("mTLS", mtls, certificates=_REFERENCES)]
    )


def _authentication(api_id: str, spec: Document) -> Document:
    target = {"group": "gateway.networking.k8s.io", "kind": "API", "name": api_id}
    return {
        "apiVersion": "dp.wso2.com/v1alpha2",
        "kind": "Authentication",
        "metadata": {"name": f"{api_id}-authentication"},
        "spec": {**spec, "targetRef": target},
    }


def _by_resource(api_id: str, mtls: Document, oauth2: str = "disabled") -> list[Document]:
    return [
        conf(api_id, [_item("OAuth2", oauth2)]),
        _authentication(api_id, {"default": {"authTypes": {"mtls": mtls}}}),
    ]


def _map(kind: str, name: str, content: str) -> Document:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": {"tls.crt": content}}


_ONE = [{"name": "first-client", "key": "tls.crt"}]
_APIS: tuple[Document, ...] = (
    _map("ConfigMap", "first-client", _pem(CLIENT)),
    _map("ConfigMap", "second-client", _pem(SECOND)),
    _map("ConfigMap", "client-ca", _pem(CLIENT, "ca.crt")),
    _map("Secret", "first-client", _pem(CLIENT, how=" | b64")),
    *(_combined(mtls, oauth2) for mtls in _MODES for oauth2 in _MODES),
    conf("default-required", [_item("OAuth2", "optional"), _item("mTLS", "", certificates=_REFERENCES)]),
    conf("oauth2-left-out", [_item("mTLS", "mandatory", certificates=_REFERENCES)]),
    conf("second-only", [_item("OAuth2", "disabled"), _item("mTLS", "mandatory", certificates=_REFERENCES[1:])]),
    conf(
        "configured-ca",
        [
            _item("OAuth2", "disabled"),
            _item("mTLS", "mandatory", certificates=[{"name": "client-ca", "key": "tls.crt"}, *_REFERENCES[1:]]),
        ],
    ),
    *_by_resource("cr-config-map", {"required": "mandatory", "configMapRefs": _ONE}),
    *_by_resource("cr-secret", {"required": "mandatory", "secretRefs": _ONE}),
    *_by_resource("cr-inline", {"required": "mandatory", "certificatesInline": [_pem(CLIENT)]}),
    *_by_resource(
        "cr-several",
        {"required": "mandatory", "certificatesInline": [_pem(SECOND)], "secretRefs": _ONE, "configMapRefs": _ONE},
    ),
    *_by_resource("cr-disabled", {"required": "mandatory", "disabled": True, "configMapRefs": _ONE}, "mandatory"),
    conf("cr-document-place", [_item("OAuth2", "mandatory")]),
    _authentication("cr-document-place", {"default": {"mtls": {"required": "mandatory", "configMapRefs": _ONE}}}),
    conf("cr-override-disabled", [_item("OAuth2", "mandatory")]),
    _authentication(
        "cr-override-disabled",
        {
            "default": {"authTypes": {"mtls": {"required": "mandatory", "configMapRefs": _ONE}}},
            "override": {"disabled": True},
        },
    ),
)
_SETTINGS: Mapping[str, Document] = {
    "apk-gateway": {"profile": "apk-1.2", "mutualSSL": {"CertificateHeader": HEADER}},
    "apk-document-gateway": {"profile": "document", "mutualSSL": {"CertificateHeader": HEADER}},
    "apk-configured-gateway": {
        "profile": "apk-1.2",
        "mutualSSL": {"CertificateHeader": "X-Client-Cert", "EnableOutboundCertificateHeader": True},
    },
}


def _gateway(server: Server, _posture: Posture, keys: KeyEndpoint, port: int, changes: Settings) -> str:
    settings = {
        keys.ca_setting: {"secretName": keys.ca_secret},
        "endpoint": endpoint(server.host, server.secret),
        "jwksUrl": keys.jwks_url(port),
        **({"issuer": server.issuer} if server.issuer else {}),
        **_SETTINGS[server.name],
        **changes,
    }
    first = {
        "apiVersion": "hopproof/v1",
        "kind": "APKGateway",
        "metadata": {"name": server.name},
        "spec": settings,
    }
    return yaml.safe_dump_all([first, *_APIS], sort_keys=False, width=200)


CONFIGURE: Mapping[str, Configure] = {"APKGateway": _gateway}
"""The configuration of a gateway: its settings, and every API with what it names."""
