"""Other ways to one resource: methods, spellings of its path, and headers in which a balancer speaks for a client.

Tables and pure functions; who sends what, and what an answer means, is decided elsewhere.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from harness.model.vocabulary import CertificateEncoding
from harness.stimuli.certificate_header import WRITERS, forwarded
from harness.wire.send import Prepared
from harness.wire.upgrade import H2C, WEBSOCKET, Fields, Upgrade, http2_settings

Headers = tuple[tuple[str, bytes], ...]

SAFE = ("GET", "HEAD", "OPTIONS")
WRITES = ("POST", "PUT", "PATCH", "DELETE")
OVERRIDE = "X-HTTP-Method-Override"


def other_methods(kind: str, own: str) -> tuple[str, ...]:
    """The methods of *kind* that a request whose method is *own* is sent with instead."""
    first, *rest = (method for method in WRITES if method != own)
    table: Mapping[str, tuple[str, ...]] = {
        "safe": tuple(method for method in SAFE if method != own),
        "post": (first,),
        "write": tuple(rest),
        "unknown": ("FOO", own.lower()),
    }
    return table[kind]


def dotted(path: str) -> tuple[str, ...]:
    """*path* with segments that a normalising reader drops (RFC 3986 sections 5.2.4 and 6.2.2)."""
    return (f"/{path}", f"/.{path}", f"/%2e{path}", f"/hopproof/..{path}", f"/hopproof/..;{path}")


def respelled(path: str) -> tuple[str, ...]:
    """*path* as another string that a lenient reader takes for the same; of several, only those that differ."""
    bare, mark, query = path.partition("?")
    last = bare.rstrip("/").rpartition("/")[2]
    stem = bare[: bare.rindex(last)] if last else bare
    forms = [f"{bare}/" if last else f"{bare};/", f"{bare};x=1", f"{stem}%{ord(last[0]):02x}{last[1:]}" if last else ""]
    forms += [bare.upper(), bare.swapcase()]
    whole = [form + mark + query for form in forms if form and form != bare]
    # A rule that is written for a path alone may not fit one that a query follows.
    return tuple(dict.fromkeys([*whole, f"{path}{'&' if mark else '?'}hopproof=1"]))


def absolute(path: str, host: str) -> tuple[str, ...]:
    """The absolute form of a request's target, which every server must accept (RFC 9112 section 3.2.2)."""
    return (f"https://{host}{path}",)


def with_headers(request: Prepared, headers: Headers) -> Prepared:
    """*request* with *headers* after its own."""
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers)
    return replace(request, head=request.head[:-2] + lines + b"\r\n")


_CLOSE = b"Connection: close\r\n"


def asking_for_websocket(request: Prepared, host: str, *, alone: bool = False) -> Prepared:
    """*request* with the fields of a WebSocket's opening handshake (RFC 6455 section 4.1); *alone*: with Upgrade only.

    Its Origin is the server's own, since servers turn other sites' scripts away.
    """
    fields: Headers = (("Upgrade", b"websocket"),)
    if not alone:
        key = base64.b64encode(secrets.token_bytes(16))
        fields = (
            *(("Connection", b"Upgrade"), *fields, ("Sec-WebSocket-Version", b"13"), ("Sec-WebSocket-Key", key)),
            ("Origin", f"https://{host}".encode()),
        )
        request = replace(request, head=request.head.replace(_CLOSE, b""))
    return replace(with_headers(request, fields), upgrade=Upgrade(WEBSOCKET))


def asking_for_http2(request: Prepared, then: Fields = ()) -> Prepared:
    """*request* with what asks for HTTP/2 on a connection that speaks HTTP/1.1 (RFC 7540 section 3.2)."""
    fields: Headers = (
        ("Connection", b"Upgrade, HTTP2-Settings"),
        ("Upgrade", b"h2c"),
        ("HTTP2-Settings", http2_settings().encode()),
    )
    bare = replace(request, head=request.head.replace(_CLOSE, b""))
    return replace(with_headers(bare, fields), upgrade=Upgrade(H2C, then))


def identity_headers(user: str, distinguished_name: str) -> Headers:
    """Headers in which proxies that authenticate clients name the user to the server behind them."""
    names = (
        *("X-Forwarded-User", "X-Remote-User", "Remote-User", "X-User", "X-Auth-Request-User", "X-Authenticated-User"),
        *("X-Forwarded-Preferred-Username", "X-WebAuth-User", "X-Consumer-Username"),
    )
    mails = ("X-Forwarded-Email", "X-Auth-Request-Email")
    verified = ("X-SSL-Client-Verify", "SSL-Client-Verify", "X-Client-Verify", "X-SSL-Client-Verified")
    subjects = ("X-SSL-Client-S-DN", "X-SSL-Client-DN", "SSL-Client-Subject-DN", "X-Client-DN", "X-SSL-Subject")
    common = ("X-SSL-Client-CN", "X-Client-CN")
    values: list[tuple[str, str]] = [(name, user) for name in (*names, *common)]
    values += [(name, f"{user}@example.com") for name in mails]
    values += [(name, "SUCCESS") for name in verified]
    values += [(name, distinguished_name) for name in subjects]
    return tuple((name, value.encode("latin-1", "replace")) for name, value in values)


def source_headers() -> Headers:
    """What proxies tell the server behind them of where a request comes from: here, from that server itself."""
    names = (
        *("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Cluster-Client-IP"),
        *("X-Originating-IP", "X-Remote-IP", "X-Remote-Addr", "X-Envoy-External-Address"),
    )
    values = [(name, "127.0.0.1") for name in names]
    values += [("Forwarded", "for=127.0.0.1;host=localhost;proto=https"), ("X-Forwarded-Host", "localhost")]
    values += [("X-Envoy-Internal", "true"), ("X-Internal-Request", "true")]
    return tuple((name, value.encode()) for name, value in values)


def path_headers(path: str) -> Headers:
    """*path* in each header in which proxies hand on the path that they were asked for."""
    names = ("X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Forwarded-Path")
    return tuple((name, path.encode("latin-1", "replace")) for name in (*names, "X-Envoy-Original-Path"))


PUBLIC_PATHS = ("/", "/health", "/healthz", "/login", "/favicon.ico", "/.well-known/openid-configuration")


def certificate_headers(certificate: x509.Certificate, products: Iterable[str] = ()) -> tuple[Headers, ...]:
    """*certificate* in each header in which balancers hand one on, in that balancer's form, and in those of *products*.

    Each is a request of its own: together they are longer than the headers that most servers read.
    """
    der = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
    written = {encoding: write(der) for encoding, write in WRITERS.items()}
    escaped, line = written[CertificateEncoding.URL_ENCODED_PEM], written[CertificateEncoding.PEM_SPACES]
    forms = (
        ("X-SSL-Client-Cert", escaped),
        ("X-SSL-Client-Cert", der),
        ("X-SSL-Client-Cert", line),
        ("ssl-client-cert", escaped),
        ("X-Client-Cert", escaped),
        ("X-Client-Cert", der),
        ("X-Client-Certificate", escaped),
        ("X-Forwarded-Client-Cert", forwarded(der, certificate.subject.rfc4514_string())),
        ("X-Forwarded-Client-Cert", der),
        ("X-Forwarded-Tls-Client-Cert", written[CertificateEncoding.URL_ENCODED_DER]),
        ("Client-Cert", written[CertificateEncoding.RFC_9440]),
        ("X-ARR-ClientCert", der),
        ("X-Amzn-Mtls-Clientcert", escaped),
        *((name, form) for name in products for form in (der, line)),
    )
    verified = (("X-SSL-Client-Verify", b"SUCCESS"), ("ssl-client-verify", b"SUCCESS"))
    return tuple(((name, value.encode("latin-1", "replace")), *verified) for name, value in forms)
