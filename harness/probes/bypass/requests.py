"""Other requests for the same thing: headers that speak for a client, other methods, other spellings of the path."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from cryptography import x509

from harness.probes.bypass.asking import Asking, Tries, Try, served
from harness.products import registry
from harness.stimuli import bypass
from harness.stimuli.factory import NONCE_HEADER
from harness.stimuli.partial import StimulusUnavailable
from harness.wire.send import Address, Prepared
from harness.wire.upgrade import Fields

_CLOSE = b"Connection: close\r\n"


def _at_all_doors(asking: Asking, how: str, request: Prepared) -> Iterator[Try]:
    yield Try(how, asking.entrypoint.address, request, asking.usual())
    if asking.entrypoint.origin is not None:
        context = asking.under_another_name()
        yield Try(f"{how}, sent directly to the server", asking.entrypoint.origin, request, context)


def certificate_headers(asking: Asking) -> Iterator[Try]:
    """The good client's certificate in one header after the other."""
    certificate = asking.means.stimuli.certificate(asking.case.flow.client_secret)
    if certificate is None:
        raise StimulusUnavailable("needs the client's certificate")
    for headers in bypass.certificate_headers(certificate, registry.certificate_headers()):
        request = bypass.with_headers(asking.request(), headers)
        yield from _at_all_doors(
            asking, f"with the client's certificate in {headers[0][0]} and {headers[1][0]}: SUCCESS", request
        )


def identity_headers(asking: Asking) -> Iterator[Try]:
    """All headers at once; where that is served, one after the other first, to see which it is."""
    yield from _all_or_one(asking, bypass.identity_headers(*_who(asking)))


def source_headers(asking: Asking) -> Iterator[Try]:
    """The same with headers that say where the request comes from."""
    yield from _all_or_one(asking, bypass.source_headers())


def _all_or_one(asking: Asking, headers: bypass.Headers) -> Iterator[Try]:
    together = list(_at_all_doors(asking, "with all of them", bypass.with_headers(asking.request(), headers)))
    answers = [asking.means.send(one.address, one.request, one.context) for one in together]
    if any(served(asking, answer) for answer in answers):
        for header in headers:
            request = bypass.with_headers(asking.request(), (header,))
            yield from _at_all_doors(asking, f"with {header[0]}", request)
    yield from together


def _who(asking: Asking) -> tuple[str, str]:
    """The good client by a short name and by a long one."""
    try:
        certificate = asking.means.stimuli.certificate(asking.case.flow.client_secret)
    except StimulusUnavailable:
        certificate = None
    if certificate is None:
        return "admin", asking.case.flow.server.subject or "CN=admin"
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else "admin", certificate.subject.rfc4514_string()


def kept_connection(asking: Asking) -> Iterator[Try]:
    """The request right after a good one, on that one's connection."""
    good = asking.good()
    kept = replace(good, head=good.head.replace(_CLOSE, b""))
    request = replace(asking.request(), before=kept)
    how = "on a connection on which the good client was served before"
    yield Try(how, asking.entrypoint.address, request, asking.usual())


def methods(kind: str) -> Tries:
    """The request with the other methods of *kind*."""

    def tries(asking: Asking) -> Iterator[Try]:
        for method in bypass.other_methods(kind, asking.case.flow.method):
            yield Try(method, asking.entrypoint.address, asking.request(method=method), asking.usual())

    return tries


def overridden(asking: Asking) -> Iterator[Try]:
    """A method that may be open, with the request's own in a header that some frameworks obey."""
    own = asking.case.flow.method
    for method in ("GET" if own not in bypass.SAFE else "POST", "HEAD"):
        request = bypass.with_headers(asking.request(method=method), ((bypass.OVERRIDE, own.encode()),))
        yield Try(f"{method} with {bypass.OVERRIDE}: {own}", asking.entrypoint.address, request, asking.usual())


def websocket(asking: Asking) -> Iterator[Try]:
    """A WebSocket's handshake, which is a GET; the request's own method; Upgrade alone, which a filter may go by."""
    own, host, address, context = asking.case.flow.method, asking.entrypoint.host_header, *_usually(asking)

    def plainly() -> Try:
        return Try("GET without Upgrade", address, asking.request(method="GET"), context)

    for method in dict.fromkeys(("GET", own)):
        request = bypass.asking_for_websocket(asking.request(method=method), host)
        # A GET that is served for its method has a case of its own.
        aside = plainly if method != own else None
        yield Try(f"{method} with Upgrade: websocket", address, request, context, aside, judged_elsewhere=True)
    request = bypass.asking_for_websocket(asking.request(), host, alone=True)
    yield Try(f"{own} with Upgrade: websocket, but no Connection: Upgrade", address, request, context)


def http2(asking: Asking) -> Iterator[Try]:
    """A request for a public path with Upgrade: h2c, in whose HTTP/2 this one follows; and this one so itself.

    A balancer that hands Upgrade on looks at the first request alone: what follows is a tunnel to it.
    """
    address, context = _usually(asking)
    for public in bypass.PUBLIC_PATHS[:2]:
        if public != asking.path:
            yield _inside(asking, public)
    request = bypass.asking_for_http2(asking.request())
    yield Try(f"{asking.case.flow.method} with Upgrade: h2c", address, request, context)


def _usually(asking: Asking) -> tuple[Address, ssl.SSLContext]:
    return asking.entrypoint.address, asking.usual()


def _inside(asking: Asking, public: str) -> Try:
    """The request in the HTTP/2 that follows one for *public*; beside it, one for no such path."""
    address, context = _usually(asking)

    def follows(path: str, how: str, aside: Callable[[], Try] | None = None) -> Try:
        request = bypass.asking_for_http2(asking.request(method="GET", path=public), _in_http2(asking, path))
        return Try(how, address, request, context, aside)

    other = f"/hopproof-{asking.nonce}"
    return follows(
        asking.path,
        f"GET in HTTP/2, after {public} with Upgrade: h2c",
        lambda: follows(other, f"asked for {other} so"),
    )


def _in_http2(asking: Asking, path: str) -> Fields:
    """The fields of a request for *path* that has no credential and no body."""
    pseudo = ((":method", "GET"), (":scheme", "https"), (":authority", asking.entrypoint.host_header), (":path", path))
    return (*pseudo, (NONCE_HEADER.lower(), asking.nonce))


def path_headers(asking: Asking) -> Iterator[Try]:
    """The path with a header that names a public one, and a public path with a header that names this one."""
    named = [(asking.path, public, "") for public in bypass.PUBLIC_PATHS]
    named += [(public, asking.path, public) for public in bypass.PUBLIC_PATHS[:2]]
    for path, header, bare in named:
        if path != header:
            yield _rewritten(asking, path, header, bare)


def _rewritten(asking: Asking, path: str, header: str, bare: str) -> Try:
    """*path* with *header* in the headers; beside it *bare* without them, or no such path with them."""
    headers, context = bypass.path_headers(header), asking.usual()

    def aside() -> Try:
        other = bare or f"/hopproof-{asking.nonce}"
        request = asking.stranger(path=other)
        request = request if bare else bypass.with_headers(request, headers)
        return Try(f"asked for {other}{'' if bare else ' so'}", asking.entrypoint.address, request, context)

    request = bypass.with_headers(asking.request(path=path), headers)
    how = f"asked for {path} with {headers[0][0]} and the like: {header}"
    return Try(how, asking.entrypoint.address, request, context, aside)


def paths(spell: Callable[[Asking], Iterable[str]]) -> Tries:
    """The request with the paths that *spell* makes of its own."""

    def tries(asking: Asking) -> Iterator[Try]:
        context = asking.usual()

        def aside() -> Try:
            path = f"/hopproof-{asking.nonce}"
            return Try(f"asked for {path}", asking.entrypoint.address, asking.stranger(path=path), context)

        for path in spell(asking):
            yield Try(f"asked for {path}", asking.entrypoint.address, asking.request(path=path), context, aside)

    return tries
