"""Files of APK that are judged in place of a user's: correct ones, and one mistake each.  Data."""

from __future__ import annotations

from collections.abc import Mapping

from harness import paths
from harness.model.fault import Fault
from harness.products.rules import Export

_FOLDER = paths.FIXTURES / "exports-apk"
REFERENCE = tuple(Export(f"sound/{name}", _FOLDER / "sound" / f"{name}.yaml") for name in ("apis", "resources"))

_SUMMARIES = {
    "conf-without-certificates": "an apk-conf has mTLS without certificates",
    "resource-without-certificates": "an Authentication resource has mTLS without certificates",
    "key-absent": "a reference names a key that its ConfigMap does not have",
    "secret-in-place-of-config-map": "an apk-conf names a Secret where a ConfigMap is read",
    "cut-certificate": "a configured certificate is truncated",
    "unknown-auth-type": "an apk-conf has an authType that APK does not know",
    "misspelt-required": "an apk-conf has required under a misspelt name",
    "misspelt-mode": "an Authentication resource has another word than mandatory or optional",
    "inline-in-conf": "an apk-conf has a certificate of its own",
    "secret-refs-in-conf": "an apk-conf has secretRefs",
    "release-without-mtls": "mTLS is configured for a release that has none",
    "required-left-out": "an apk-conf leaves required out of mTLS",
    "no-target": "an Authentication resource names no target",
    "mtls-on-resource": "an Authentication resource has mTLS for a Resource",
    "document-place": "an Authentication resource has mTLS beside authTypes",
    "former-version": "an Authentication resource of v1alpha1 has mTLS",
    "several-sources": "an Authentication resource has several sources of certificates",
}
_IMPLIES: Mapping[str, tuple[str, ...]] = {}

FAULTS: Mapping[str, tuple[Fault, Export]] = {
    f"apk-{name}": (
        Fault(f"apk-{name}", "apk", ("exports",), summary, _IMPLIES.get(name, ()), "files"),
        Export(f"broken/{name}", _FOLDER / "broken" / f"{name}.yaml"),
    )
    for name, summary in _SUMMARIES.items()
}
