"""The transport classes that the catalogue may name, and in words what each does; ``exchanges`` carries them out."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.case import EXPORTED
from harness.probes.bypass import WAYS
from harness.probes.certificate_header import HEADERS

TRANSPORTS: Mapping[str, str] = {
    **{name: way.summary for name, way in WAYS.items()},
    **HEADERS,
    "j-tls-untrusted": "a good token, while the JWKS URL leads to a server whose certificate another CA has signed",
    "j-tls-wrong-name": "a good token, while the JWKS URL leads to a server whose certificate is for another name",
    "t-plaintext": "a good request in clear text on the TLS port",
    EXPORTED: "nothing is sent: exported manifests and certificates are judged",
    "compared": "no request: the handshake of what answers is compared with the server's own",
    "j-other-kinds": "a good token, whose key stands in the JWK set beside keys of other kinds",
    "start": "nothing is sent: the server is started with this configuration",
    "renewed-ingestion-client": "the ingestion client certificate is renewed while gateways run",
    "renewed-portal-client": "management's client certificate is renewed while management runs",
    "j-cache-hit": "several good tokens one after the other",
    "j-cache-expiry": "good tokens before and after the key cache has expired",
    "j-outage-warm": "good tokens while management is down and the cached keys are fresh",
    "j-outage-stale": "good tokens while management is down and the cached keys have expired, then when it is back",
    "j-rot-removed": "management signs with a new key and withdraws the old one",
    "j-rot-overlap": "management publishes a new key beside the old one, and withdraws that later",
    "o-past-balancer": "management tries the server's own addresses, past the balancer",
    "o-management-stopped": "good tokens while management's container is stopped for a day, and after",
    "o-management-hangs": "a good token whose keys must come from a management that takes connections and is mute",
    "o-cut-off": "a good token whose keys must come from a management that the network no longer reaches",
    "o-killed": "the server's container is killed while it verifies a good token",
    "o-slow-network": "a good token whose keys arrive late",
    "o-jwks-moved": "the operator changes jwksUrl while good requests keep coming",
    "server-wrong-ca": "the client under test connects to a server whose certificate another CA has signed",
    "server-wrong-name": "the client under test connects to a server whose certificate is for another name",
    "server-expired": "the client under test connects to a server whose certificate has expired",
    "j-rot-new-kid": "management signs with a new key; the next token names a key id the server has not seen",
    "j-kid-flood": "many tokens that name unknown keys, one after the other",
    "j-outage-token-expires": "one token for the whole outage, which it does not outlive",
    "validation-off": "the client under test has no CA for the platform API, whose certificate another CA has signed",
    "corporate-front": "the client under test meets a balancer whose own certificate is under a corporate CA",
    "in-cluster": "a good request, while the keys come from the in-cluster service under its own CA",
    "in-cluster-wrong-ca": "a good request, while the in-cluster service has a certificate of the external CA",
    "empty-jwks-url": "a good request to a server whose jwksUrl is set, but empty",
    "old-switch-name": "a good request to a gateway that is configured with validateApimClient, the old name",
    "publish-api": "the gateway's second request: an API is published",
    "without-sni": "a good request through a balancer that names no host to the server",
    "token-stripped": "a good request through a balancer that drops the Authorization header",
    "client-key-held": "a good request through a balancer that was given management's client key",
    "upstream-wrong-ca": "a good request through a balancer, to a server whose certificate another CA has signed",
    "upstream-wrong-name": "a good request through a balancer, to a server whose certificate is for another name",
    "upstream-expired": "a good request through a balancer, to a server whose certificate has expired",
    "initiated": "the subsystem that is the client sends its own request; nothing is made up",
}
"""The transport classes that the catalogue may name, and what each does."""
