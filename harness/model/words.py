"""Words that several writers need."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``1 case``, ``2 cases``; only for nouns whose plural takes an s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
