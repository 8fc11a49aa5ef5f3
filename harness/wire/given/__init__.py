"""Credentials somebody gave us: what can be made from them honestly, and what cannot.

The class tables of ``wire.certificates`` and ``wire.tokens`` were written for a deployment whose every key we hold.
Here they meet the keys that a target's owner handed over; what needs a key that is not there raises :class:`CannotMake`
with the reason, and the case that wanted it is unobserved, never guessed.
"""

from harness.wire.given.certificates import ClientCredential, GivenPki
from harness.wire.given.stimuli import GivenStimuli
from harness.wire.given.tokens import BorrowedMint, ServiceMint
from harness.wire.refusal import CannotMake

__all__ = ["BorrowedMint", "CannotMake", "ClientCredential", "GivenPki", "GivenStimuli", "ServiceMint"]
