"""Credentials that were given to us: what can be made from them honestly, and what cannot.

The classes of bad certificates and tokens were written for a deployment whose every key we hold.  Here they meet the
keys that a target's owner handed over.  What needs a key that is not there raises :class:`StimulusUnavailable` with the
reason, and the case that asked for it is unobserved, never guessed.
"""

from harness.stimuli.partial.certificates import ClientCredential, PartialPki
from harness.stimuli.partial.stimuli import PartialStimuli
from harness.stimuli.partial.tokens import ExternallySignedTokens, ServiceTokenIssuer
from harness.stimuli.unavailable import StimulusUnavailable

__all__ = [
    "ClientCredential",
    "ExternallySignedTokens",
    "PartialPki",
    "PartialStimuli",
    "ServiceTokenIssuer",
    "StimulusUnavailable",
]
