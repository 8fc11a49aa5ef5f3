"""What the page says beside the record: texts of requirements, flows, words.  Plain data that a caller fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Words = Mapping[str, str]


@dataclass(frozen=True)
class Guide:
    """The catalogue as a reader needs it.

    ``requirements``: id -> ``area``, ``text``, ``why``, ``source``, ``basis``, ``level``, ``note``, ``faults``;
    ``flows``: name -> ``client``, ``server``, ``endpoint``, ``default``, ``effect``; ``words``: what a ``stimulus``,
    ``posture``, ``path`` or ``expected`` of that name means; ``faults``: name -> summary; ``cases``: how many cases
    the catalogue has for all targets at every depth.
    """

    catalogue_sha256: str = ""
    requirements: Mapping[str, Words] = field(default_factory=dict)
    flows: Mapping[str, Words] = field(default_factory=dict)
    words: Mapping[str, Words] = field(default_factory=dict)
    faults: Words = field(default_factory=dict)
    cases: int = 0
