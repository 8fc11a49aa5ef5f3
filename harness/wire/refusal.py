"""The one exception of whoever makes a stimulus."""

from __future__ import annotations


class CannotMake(Exception):
    """This stimulus cannot be made honestly from the credentials at hand; the message says what is missing."""
