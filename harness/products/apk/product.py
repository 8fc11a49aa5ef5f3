"""WSO2 APK as a :class:`harness.products.product.Product`; the lab's key server stands for the token issuer."""

from __future__ import annotations

from harness.pki.deployment import CLIENT as CLIENT_USAGE
from harness.pki.deployment import Blueprint, Secret, server_secrets
from harness.products.apk.header import HEADER
from harness.products.apk.manifests import CLIENT, CONFIGURE, SECOND
from harness.products.apk.rules import FILE_RULES
from harness.products.apk.target import PROFILES, asked
from harness.products.product import Product, Variant

_CA, _INTERNAL_CA = "ingress-ca", "management-ca"

APK = Product(
    name="apk",
    title="WSO2 APK",
    pki=Blueprint(
        authorities=(_CA, _INTERNAL_CA),
        secrets={
            **server_secrets(_CA, {"apk-gateway-listener": "default.gw.wso2.test"}),
            CLIENT: Secret(_CA, CLIENT_USAGE),
            SECOND: Secret(_CA, CLIENT_USAGE),
        },
        clients=(CLIENT, SECOND),
        organization="cert-manager",
        external=_CA,
        internal=_INTERNAL_CA,
    ),
    keys=None,
    configure=CONFIGURE,
    variants={
        "full-path-validation": Variant(spec={"fullPathValidation": True}),
        "url-encoded-certificates": Variant(
            spec={"mutualSSL": {"CertificateHeader": HEADER, "ClientCertificateEncode": True}}
        ),
    },
    subsystems=("harness.subsystems.apk.kinds",),
    features=frozenset({"backend-tells-headers"}),
    files=FILE_RULES,
    certificate_header=HEADER,
    profiles=PROFILES,
    asked=asked,
)
