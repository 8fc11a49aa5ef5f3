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
        "the client is turned away because of its certificate, and nothing is acted upon",
        needs_twin=True,
        about_credentials=True,
        shows="certificate",
    ),
    Check(
        "token-refused",
        access.token_refused,
        "the request is answered 401 because of its token, and nothing is acted upon",
        needs_twin=True,
        about_credentials=True,
        shows="JWT",
    ),
    Check(
        "refused",
        access.refused,
        "the client is turned away, for its certificate or its token, and nothing is acted upon",
        needs_twin=True,
        about_credentials=True,
    ),
    Check(
        "flow-broken",
        access.flow_broken,
        "nothing gets through: the server misses the client's certificate",
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
        "no application answer in clear text, and no effect",
        needs_twin=True,
    ),
    Check(
        "own-certificate",
        transport.own_certificate,
        "a client meets the server's own certificate, and is asked for its own as the server asks",
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
        "the client under test refuses the server's certificate and sends nothing, no token above all",
    ),
    Check(
        "not-bypassed",
        clients.not_bypassed,
        "past the balancer the client under test reaches no server; through it, it is served",
    ),
    Check(
        "called",
        clients.called,
        "the client under test gets through with its own request",
        lets_in=True,
        lets_anybody_in=True,
    ),
    Check(
        "no-token-sent",
        clients.no_token_sent,
        "the client under test gets through, and sends no JWT",
        lets_in=True,
    ),
    Check(
        "own-request-refused",
        clients.own_request_refused,
        "the client under test is turned away: it cannot present what is asked",
    ),
    Check(
        "keys-published",
        configuration.keys_published,
        "a set of public keys, and nothing private",
        lets_in=True,
        lets_anybody_in=True,
    ),
    Check(
        "token-lost",
        access.token_lost,
        "the request is refused for want of a token: the balancer dropped it",
        needs_twin=True,
    ),
    Check(
        "nothing-passed-on",
        access.nothing_passed_on,
        "the balancer refuses the server's certificate, and the server gets nothing of the request",
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
        "the gateway answers 401, with the documented code, for certificate or token, and the backend gets nothing",
        needs_twin=True,
        about_credentials=True,
    ),
    Check(
        "header-withheld",
        gateway.withheld,
        "the request is served, and the backend does not get the header",
        lets_in=True,
        about_credentials=True,
    ),
    Check(
        "header-handed-on",
        gateway.handed_on,
        "the request is served, and the backend gets the header",
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
        "the packets show that the balancer ends TLS, and that no data goes on to the server",
        needs_twin=True,
    ),
    Check(
        "tls-reencrypted",
        on_the_wire.reencrypted,
        "the packets show TLS of the balancer's own on both sides, data on both, and no token in clear text",
    ),
    Check(
        "token-encrypted",
        on_the_wire.encrypted,
        "the packets show TLS on every connection of the request, and no bearer token in clear text",
    ),
    Check(
        "handshake-broken-off",
        on_the_wire.nothing_sent,
        "the packets show a handshake that is broken off, and no data after it",
    ),
    Check(
        "onward-broken-off",
        on_the_wire.nothing_passed_on,
        "the packets show that the balancer breaks the handshake off with the server, and sends no data on",
    ),
    Check(
        "server-not-named",
        on_the_wire.unnamed,
        "the packets show that the balancer names no host to the server, and data both ways",
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
        "each step of a script ends as written: requests, moved clocks, outages, rotated keys",
    ),
)

__all__ = ["CHECKS", "Check", "Question", "registered"]
