"""Checks: pure functions from a question (case and exchange) to findings.  They decide no outcome; the judge does.

A check is one record here.  Its name is what a case *expects*: ``served``, ``certificate-refused`` and so on, as the
catalogue writes it; everything else that other parts must know of a check stands beside its function.
"""

from __future__ import annotations

from harness.checks import (
    access,
    bypass,
    clients,
    configuration,
    files,
    gateway,
    load_record,
    on_the_wire,
    script,
    transport,
)
from harness.checks.question import Question
from harness.checks.registry import Check, registered

CHECKS = registered(
    Check(
        "served",
        access.served,
        "the request is accepted, has its effect, and arrives unchanged",
        lets_in=True,
        about_credentials=True,
    ),
    Check(
        "certificate-refused",
        access.certificate_refused,
        "the client is rejected because of its certificate, and the request has no effect",
        needs_twin=True,
        about_credentials=True,
        shows="certificate",
    ),
    Check(
        "token-refused",
        access.token_refused,
        "the request is answered 401 because of its token, and has no effect",
        needs_twin=True,
        about_credentials=True,
        shows="JWT",
    ),
    Check(
        "refused",
        access.refused,
        "the client is rejected because of its certificate or its token, and the request has no effect",
        needs_twin=True,
        about_credentials=True,
    ),
    Check(
        "flow-broken",
        access.flow_broken,
        "the request fails, because no client certificate reaches the server",
        needs_twin=True,
    ),
    Check(
        "start-refused",
        configuration.start_refused,
        "the server refuses to start and names the settings to change",
        reads_start=True,
    ),
    Check(
        "no-clear-text",
        transport.no_clear_text,
        "no application response in clear text, and no effect",
        needs_twin=True,
    ),
    Check(
        "own-certificate",
        transport.own_certificate,
        "the client sees the server's own certificate and the server's own CertificateRequest",
    ),
    Check(
        "token-sent",
        clients.token_sent,
        "the client under test sends a JWT that is valid now, and its request succeeds",
        lets_in=True,
    ),
    Check(
        "nothing-sent",
        clients.nothing_sent,
        "the client under test refuses the server's certificate and sends nothing, in particular no token",
    ),
    Check(
        "not-bypassed",
        clients.not_bypassed,
        "the client under test cannot reach the server without the balancer, and is served through it",
    ),
    Check(
        "called",
        clients.called,
        "the client under test is served",
        lets_in=True,
        lets_anybody_in=True,
    ),
    Check(
        "no-token-sent",
        clients.no_token_sent,
        "the client under test is served, and sends no JWT",
        lets_in=True,
    ),
    Check(
        "own-request-refused",
        clients.own_request_refused,
        "the client under test is rejected, because it cannot present the required credential",
    ),
    Check(
        "keys-published",
        configuration.keys_published,
        "the response is a JWK set of public keys only",
        lets_in=True,
        lets_anybody_in=True,
    ),
    Check(
        "token-lost",
        access.token_lost,
        "the request is refused because it has no token: the balancer dropped it",
        needs_twin=True,
    ),
    Check(
        "nothing-passed-on",
        access.nothing_passed_on,
        "the balancer refuses the server's certificate, and the server receives nothing of the request",
        needs_twin=True,
    ),
    Check(
        "not-let-in",
        bypass.not_let_in,
        "no request is served without the credential, whichever way it is sent",
        needs_twin=True,
        about_credentials=True,
        tries_another_way=True,
    ),
    Check(
        "unauthenticated",
        gateway.unauthenticated,
        (
            "the gateway answers 401 with the documented code because of the certificate or the token, "
            "and the backend receives nothing"
        ),
        needs_twin=True,
        about_credentials=True,
    ),
    Check(
        "header-withheld",
        gateway.withheld,
        "the request is served, and the backend does not receive the header",
        lets_in=True,
        about_credentials=True,
    ),
    Check(
        "header-handed-on",
        gateway.handed_on,
        "the request is served, and the backend receives the header",
        lets_in=True,
        about_credentials=True,
    ),
    Check(
        "files-conform",
        files.files_conform,
        "no object in the files breaks the rule",
    ),
    Check(
        "as-configured",
        files.as_configured,
        "the servers are protected as the files configure them",
    ),
    Check(
        "tls-passed-through",
        on_the_wire.passed_through,
        "the packets show the same handshake on both sides of the balancer, and the client's certificate in it",
    ),
    Check(
        "certificate-on-the-wire",
        on_the_wire.certificate_sent,
        "the packets show that the server asks for a client certificate, and that the client sends one",
    ),
    Check(
        "nothing-carried-over",
        on_the_wire.nothing_carried,
        "the packets show that the balancer terminates TLS, and that no data reaches the server",
        needs_twin=True,
    ),
    Check(
        "tls-reencrypted",
        on_the_wire.reencrypted,
        (
            "the packets show separate TLS sessions on the two sides of the balancer, data on "
            "both, and no token in clear text"
        ),
    ),
    Check(
        "token-encrypted",
        on_the_wire.encrypted,
        "the packets show TLS on every connection of the request, and no bearer token in clear text",
    ),
    Check(
        "handshake-broken-off",
        on_the_wire.nothing_sent,
        "the packets show an aborted handshake, and no data after it",
    ),
    Check(
        "onward-broken-off",
        on_the_wire.nothing_passed_on,
        "the packets show that the balancer aborts its handshake with the server, and forwards no data",
    ),
    Check(
        "server-not-named",
        on_the_wire.unnamed,
        "the packets show that the balancer sends no SNI to the server, and data in both directions",
    ),
    Check(
        "certificate-of-balancer",
        on_the_wire.certificate_of_balancer,
        "the packets show a client certificate on the balancer's own handshake with the server",
    ),
    Check(
        "compared-under-load",
        load_record.compared,
        "mTLS and JWT were compared in one load, events were served with both, and the figures are in the record",
    ),
    Check(
        "as-scripted",
        script.as_scripted,
        "each step of the script ends as specified: requests, clock changes, outages, key rotations",
    ),
)

__all__ = ["CHECKS", "Check", "Question", "registered"]
