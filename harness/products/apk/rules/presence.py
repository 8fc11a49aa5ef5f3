"""Whether files have at all what a rule is about."""

from __future__ import annotations

from harness.products.apk.rules.view import MTLS, View


def mtls(view: View) -> bool:
    """mTLS that is on."""
    return any(True for _ in view.mtls())


def parts(view: View) -> bool:
    """Some way of authentication."""
    return bool(view.parts)


def conf_mtls(view: View) -> bool:
    """mTLS in an apk-conf file."""
    return any(part.is_conf and part.kind == MTLS for part in view.parts)


def resources(view: View) -> bool:
    """Authentication resources."""
    return bool(view.authentications)


def resource_mtls(view: View) -> bool:
    """mTLS in an Authentication resource, wherever it is."""
    return any(part.kind == "mtls" and not part.is_conf for part in (*view.parts, *view.misplaced))


def resource_mtls_on(view: View) -> bool:
    """mTLS in an Authentication resource that is on, where the profile reads it."""
    return any(not part.is_conf for part in view.mtls())


def references(view: View) -> bool:
    """References to objects that hold certificates."""
    return any(each.kind for part in view.mtls() for each in view.references(part))


def certificates(view: View) -> bool:
    """Certificates that mTLS names."""
    return any(True for part in view.mtls() for _ in view.references(part))
