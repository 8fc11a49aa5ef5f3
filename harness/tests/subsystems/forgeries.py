"""Symptoms of servers that let a forged token in by another way than its signature."""

from __future__ import annotations

from harness.stimuli.attacker_listener import AttackerListener
from harness.stimuli.tokens import jwa
from harness.stimuli.tokens.attacker import attacker_kid
from harness.tests.subsystems.support import Deployment, Server


def fetched(lab: Deployment, server: Server) -> bool:
    """Whether *server* takes the key that the token's own jku leads to; whoever does has asked there."""
    attacker_listener, alg = AttackerListener(), "RS256"
    try:
        header = {"kid": attacker_kid(alg), "jku": f"{attacker_listener.url('n')}/{alg}/jwks.json"}
        result = server.good(token=lab.token(header, key=jwa.stranger(alg)))
        assert bool(attacker_listener.fetches("n")) is result.served is result.acted
        return result.served
    finally:
        attacker_listener.close()


def remembered(lab: Deployment, server: Server) -> bool:
    """Whether *server* takes the header and claims of a token that it has served under another signature."""
    good = lab.token()
    assert server.good(token=good).served
    signed, _, signature = good.rpartition(".")
    result = server.good(token=f"{signed}.{signature[:30].swapcase()}{signature[30:]}")
    assert result.served is result.acted
    return result.served


def kept_for_ever(lab: Deployment, server: Server) -> bool:
    """Whether *server* takes a token that it has served once more when it has expired, and none that is new to it."""
    good, unseen = lab.token(), lab.token(jti="unseen")
    assert server.good(token=good).served
    lab.process.do("clock", offset=10 * 86_400)
    try:
        assert not server.good(token=unseen).served
        return server.good(token=good).served
    finally:
        lab.process.do("clock", offset=0)
