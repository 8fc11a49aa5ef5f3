"""The one exception of this package: what cannot be made honestly."""

from __future__ import annotations


class CannotMake(Exception):
    """This stimulus cannot be made honestly from the credentials at hand; the message says what is missing."""
