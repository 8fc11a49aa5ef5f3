"""The one exception of this package: what cannot be made honestly."""

from __future__ import annotations


class StimulusUnavailable(Exception):
    """This stimulus cannot be made honestly from the credentials at hand; the message says what is missing."""


class NoRoom(StimulusUnavailable):
    """There is no such stimulus: the CA may have no further CA below it, and what has one is rightly refused."""
