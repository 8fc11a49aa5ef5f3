"""Tokens by class, as suites/tokens/catalogue.yaml names them, each differing from its twin in exactly one thing.

``TOKEN_CLASSES[name].build(issuer)`` gives the header lines and the query to send, ``forms(issuer)`` every form of it.
Knows how to make them, not how a server ought to judge them: that is in the catalogue.  URLs in tokens name a listener
of ours on loopback, where the issuer was given one, else port 9 of 127.0.0.1, where nothing listens.
"""

from __future__ import annotations

from harness.stimuli.registry import Need, StimulusClasses
from harness.stimuli.tokens import algorithms, claims, content, keys, names, signatures, structure, transport
from harness.stimuli.tokens.issuer import HeldTokenIssuer, TokenIssuer
from harness.stimuli.tokens.table import Presented, TokenClass, collect

TOKEN_CLASSES: StimulusClasses[TokenClass] = collect(
    structure.CLASSES,
    content.CLASSES,
    algorithms.CLASSES,
    keys.CLASSES,
    signatures.CLASSES,
    claims.CLASSES,
    names.CLASSES,
    transport.CLASSES,
)

LURING = TOKEN_CLASSES.needing(Need.LISTENER)
"""The classes whose token names a URL."""

__all__ = ["LURING", "TOKEN_CLASSES", "HeldTokenIssuer", "Presented", "TokenClass", "TokenIssuer"]
