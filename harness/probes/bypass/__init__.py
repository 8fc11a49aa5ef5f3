"""How a server is asked for the same thing in another way, without a credential.  Gathers facts; judges nothing."""

from __future__ import annotations

from collections.abc import Mapping

from harness.probes.bypass import connections, requests
from harness.probes.bypass.asking import Asking, Way
from harness.stimuli import bypass
from harness.stimuli.registry import Intrusiveness

__all__ = ["WAYS", "Asking", "Way"]

WAYS: Mapping[str, Way] = {
    "tls-12": Way("over TLS 1.2", connections.over_12, needs=connections.no_12),
    "other-sni": Way("with another SNI or none, for the protected host", connections.other_names),
    "host-spelling": Way(
        "the host name in upper case, and with a trailing dot, in the request and in SNI",
        connections.respelled_names,
    ),
    "resumed-session": Way(
        "in a TLS session resumed from one without a certificate, of this name or another", connections.resumed
    ),
    "certificate-in-header": Way(
        "the good client's certificate, which is public, in the headers in which balancers forward one",
        requests.certificate_headers,
    ),
    "identity-headers": Way("headers in which proxies name the user", requests.identity_headers),
    "source-headers": Way(
        "headers in which proxies say where a request comes from, with the server's own address",
        requests.source_headers,
    ),
    "kept-connection": Way("on a connection on which the good client was served before", requests.kept_connection),
    "method-safe": Way("the other methods that change nothing: GET, HEAD, OPTIONS", requests.methods("safe")),
    "method-post": Way(
        "POST (PUT where the request is a POST)", requests.methods("post"), intrusive=Intrusiveness.WRITE
    ),
    "method-write": Way(
        "the other methods that write: PUT, PATCH, DELETE", requests.methods("write"), intrusive=Intrusiveness.WRITE
    ),
    "method-unknown": Way(
        "an unknown method, and the request's own in lower case",
        requests.methods("unknown"),
        intrusive=Intrusiveness.WRITE,
    ),
    "method-override": Way(
        "another method, with the request's own in X-HTTP-Method-Override",
        requests.overridden,
        intrusive=Intrusiveness.WRITE,
    ),
    "upgrade-websocket": Way("an upgrade to WebSocket, with GET and with the request's own method", requests.websocket),
    "upgrade-h2c": Way(
        (
            "an upgrade to HTTP/2 (Upgrade: h2c), in the request itself and in one for a public path, "
            "with this request following in HTTP/2"
        ),
        requests.http2,
    ),
    "path-dots": Way(
        "the path with segments that normalise away: //, /./, /%2e/, /../",
        requests.paths(lambda asking: bypass.dotted(asking.path)),
    ),
    "path-spelling": Way(
        "other spellings of the path: a trailing slash, ;x=1, a letter percent-encoded, upper case",
        requests.paths(lambda asking: bypass.respelled(asking.path)),
    ),
    "path-in-header": Way(
        "the path with a header that names a public one (X-Original-URL and the like), and vice versa",
        requests.path_headers,
    ),
    "path-absolute-form": Way(
        "the request's target in absolute form",
        requests.paths(lambda asking: bypass.absolute(asking.path, asking.entrypoint.host_header)),
    ),
}
"""The ways by the name that the catalogue has for each."""
