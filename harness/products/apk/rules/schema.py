"""What the schemas of APK 1.2 know of authentication: kinds, their fields, the values of ``required``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

_TOKEN = ("sendTokenToUpstream", "headerName", "queryParamName", "headerEnable", "queryParamEnable")
CONF: Mapping[str, frozenset[str]] = {
    "OAuth2": frozenset({"authType", "required", "enabled", *_TOKEN}),
    "JWT": frozenset({"authType", "required", "enabled", "audience", *_TOKEN}),
    "mTLS": frozenset({"authType", "required", "enabled", "certificates"}),
    "APIKey": frozenset({"authType", "required", "enabled", *_TOKEN}),
}
"""apk-schema.json, ``authentication``; it takes no other field."""
RESOURCE: Mapping[str, frozenset[str]] = {
    "oauth2": frozenset({"required", "disabled", "header", "sendTokenToUpstream"}),
    "apiKey": frozenset({"required", "keys"}),
    "jwt": frozenset({"disabled", "header", "audience", "sendTokenToUpstream"}),
    "mtls": frozenset({"required", "disabled", "certificatesInline", "configMapRefs", "secretRefs"}),
}
"""The Authentication CRD of v1alpha2, ``authTypes``; Kubernetes drops any other field."""
FORMER: Mapping[str, frozenset[str]] = {
    "apiKey": frozenset({"in", "name", "sendTokenToUpstream"}),
    "oauth2": frozenset({"disabled", "header", "sendTokenToUpstream"}),
    "testConsoleKey": frozenset({"header", "sendTokenToUpstream"}),
}
"""The same in v1alpha1."""
MODES = ("mandatory", "optional")


def nearest(word: str, known: Iterable[str]) -> str:
    """Which of *known* was meant by *word*, as a remedy; all of them where none is near."""
    names = list(known)
    return meant(word, names) or f"one of {', '.join(names)}"


def meant(word: str, known: Iterable[str]) -> str:
    """Which of *known* was meant by *word*; '' where none is near."""
    names = list(known)
    near = get_close_matches(word.lower(), [name.lower() for name in names], 1, 0.6)
    return next((name for name in names if near and name.lower() == near[0]), "")
