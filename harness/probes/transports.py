"""The transport classes that the catalogue may name: what each does, and what carries it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

from harness.lab import Entrypoint
from harness.model.case import EXPORTED, GOOD, Case
from harness.probes import procedures
from harness.probes.attempt import Attempt
from harness.probes.bypass import WAYS
from harness.probes.certificate_header import BY_HOLDER, HEADERS
from harness.probes.exchange import EXCHANGES
from harness.probes.procedures import Means
from harness.stimuli.registry import Family, Intrusiveness, MadeBy, Need, StimulusClass, StimulusClasses, Traits, needs

Procedure = Callable[[Means, Case, Entrypoint, str], Attempt]
Transport = StimulusClass[Procedure]


def _anywhere(name: str, procedure: Procedure, summary: str, **traits: Unpack[Traits]) -> Transport:
    """A class that needs nothing of ours at the other end, unless *traits* say so."""
    return StimulusClass(name, procedure, summary, Family.TRANSPORT, **traits)


def _own_lab(name: str, procedure: Procedure, summary: str) -> Transport:
    """A class that needs servers or clients that we start, stop and drive."""
    return _anywhere(name, procedure, summary, needs=needs(Need.OWN_LAB))


def _exchange(name: str, summary: str) -> Transport:
    """A script in which services exchange tokens and call each other: who plays it holds good credentials."""
    return _anywhere(name, procedures.script, summary, needs=needs(Need.OWN_LAB), made_by=MadeBy.HOLDER)


TRANSPORTS: StimulusClasses[Transport] = StimulusClasses(
    _anywhere(GOOD, procedures.request, "the request as the flow has it", made_by=MadeBy.HOLDER),
    *(_anywhere(name, procedures.another_way, way.summary, intrusive=way.intrusive) for name, way in WAYS.items()),
    *(_anywhere(name, procedures.request, HEADERS[name], made_by=MadeBy.HOLDER) for name in sorted(BY_HOLDER)),
    *(_anywhere(name, procedures.request, HEADERS[name]) for name in HEADERS if name not in BY_HOLDER),
    _own_lab(
        "j-tls-untrusted",
        procedures.request,
        "a good token, while the JWKS URL leads to a server whose certificate is from another CA",
    ),
    _own_lab(
        "j-tls-wrong-name",
        procedures.request,
        "a good token, while the JWKS URL leads to a server whose certificate is for another name",
    ),
    _anywhere(
        "t-plaintext",
        procedures.clear_text,
        "a good request in clear text on the TLS port",
        made_by=MadeBy.HOLDER,
        needs=needs(Need.LAB_ENVIRONMENT),
    ),
    _anywhere(
        EXPORTED,
        procedures.exported,
        "nothing is sent: exported manifests and certificates are judged",
        intrusive=Intrusiveness.HANDSHAKE,
        needs=needs(Need.EXPORTS),
    ),
    _anywhere(
        "compared",
        procedures.compared,
        "no request: the handshake at the front end is compared with the server's own",
        intrusive=Intrusiveness.HANDSHAKE,
        needs=needs(Need.ORIGIN),
    ),
    _anywhere(
        "load-compared",
        procedures.loaded,
        "nothing is sent: the record of a load is judged",
        intrusive=Intrusiveness.HANDSHAKE,
    ),
    _anywhere(
        "j-other-kinds",
        procedures.mixed_key_set,
        "a good token, whose key is in the JWK set beside keys of other types",
        needs=needs(Need.KEY_SERVER),
    ),
    *(_exchange(name, summary) for name, summary in EXCHANGES.items()),
    _own_lab(
        "x-shared-key",
        procedures.start,
        ("nothing is sent: a service is started that is configured with one key for two callers"),
    ),
    _own_lab("start", procedures.start, "nothing is sent: the server is started with this configuration"),
    _own_lab(
        "renewed-ingestion-client", procedures.script, "the ingestion client certificate is renewed while gateways run"
    ),
    _own_lab(
        "renewed-portal-client", procedures.script, "management's client certificate is renewed while management runs"
    ),
    _own_lab("j-cache-hit", procedures.script, "several good tokens one after the other"),
    _own_lab("j-cache-expiry", procedures.script, "good tokens before and after the key cache has expired"),
    _own_lab("j-outage-warm", procedures.script, "good tokens while management is down and the cached keys are fresh"),
    _own_lab(
        "j-outage-stale",
        procedures.script,
        "good tokens while management is down and the cached keys have expired, then when it is back",
    ),
    _own_lab("j-rot-removed", procedures.script, "management signs with a new key and withdraws the old one"),
    _own_lab(
        "j-rot-overlap",
        procedures.script,
        "management publishes a new key beside the old one, and withdraws that later",
    ),
    _own_lab(
        "o-past-balancer",
        procedures.past_balancer,
        ("management tries the server's own addresses, bypassing the balancer"),
    ),
    _own_lab(
        "o-management-stopped",
        procedures.script,
        "good tokens while management's container is stopped for a day, and after",
    ),
    _own_lab(
        "o-management-hangs",
        procedures.script,
        "a good token whose keys must come from a management that accepts connections but does not answer",
    ),
    _own_lab(
        "o-cut-off",
        procedures.script,
        "a good token whose keys must come from a management that is unreachable",
    ),
    _own_lab("o-killed", procedures.script, "the server's container is killed while it verifies a good token"),
    _own_lab("o-slow-network", procedures.script, "a good token whose keys arrive late"),
    _own_lab("o-jwks-moved", procedures.script, "the operator changes jwksUrl under a load of good requests"),
    _own_lab(
        "server-wrong-ca",
        procedures.initiated,
        "the client under test connects to a server whose certificate is from another CA",
    ),
    _own_lab(
        "server-wrong-name",
        procedures.initiated,
        "the client under test connects to a server whose certificate is for another name",
    ),
    _own_lab(
        "server-expired",
        procedures.initiated,
        "the client under test connects to a server whose certificate has expired",
    ),
    _own_lab(
        "j-rot-new-kid",
        procedures.script,
        "management signs with a new key; the next token has a kid that the server has not seen",
    ),
    _own_lab("j-kid-flood", procedures.script, "many tokens with unknown key ids, one after the other"),
    _own_lab("j-outage-token-expires", procedures.script, "one token for the whole outage, during which it expires"),
    _own_lab(
        "validation-off",
        procedures.initiated,
        "the client under test has no CA for the platform API, whose certificate is from another CA",
    ),
    _own_lab(
        "corporate-front",
        procedures.initiated,
        "the client under test connects to a balancer whose certificate is from a corporate CA",
    ),
    _own_lab(
        "in-cluster",
        procedures.request,
        "a good request, while the keys come from the in-cluster service under its own CA",
    ),
    _own_lab(
        "in-cluster-wrong-ca",
        procedures.request,
        "a good request, while the in-cluster service has a certificate of the external CA",
    ),
    _own_lab("empty-jwks-url", procedures.request, "a good request to a server whose jwksUrl is set, but empty"),
    _own_lab(
        "old-switch-name",
        procedures.request,
        "a good request to a gateway that is configured with validateApimClient, the deprecated name",
    ),
    _own_lab("publish-api", procedures.request, "the gateway's second request: an API is published"),
    _own_lab("without-sni", procedures.request, "a good request through a balancer that sends the server no SNI"),
    _own_lab(
        "token-stripped", procedures.request, "a good request through a balancer that drops the Authorization header"
    ),
    _own_lab(
        "client-key-held",
        procedures.request,
        "a good request through a balancer that was given management's client key",
    ),
    _own_lab(
        "upstream-wrong-ca",
        procedures.request,
        "a good request through a balancer, to a server whose certificate is from another CA",
    ),
    _own_lab(
        "upstream-wrong-name",
        procedures.request,
        "a good request through a balancer, to a server whose certificate is for another name",
    ),
    _own_lab(
        "upstream-expired",
        procedures.request,
        "a good request through a balancer, to a server whose certificate has expired",
    ),
    _own_lab("initiated", procedures.initiated, "the real client subsystem sends its own request"),
)
"""The transport classes by name."""
