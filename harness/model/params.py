"""What cells of the catalogue say beside their place in the grid; every case of theirs carries it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.script import Step
from harness.model.vocabulary import Reason


@dataclass(frozen=True)
class Params:
    """``script`` is played on a server of its own; ``variant`` names what differs around the server.

    ``path`` replaces the path of the flow's request, ``statuses`` are those that turn the credential away here,
    ``acceptable_reasons`` those for which a client's own request may be refused.  ``names`` are the settings that a
    refusal to start must name; ``compares_audience`` says that whom a token names is what is asked.
    ``combination`` marks a cell of the table of modes and credentials; ``code`` and ``challenge`` are what the body and
    the WWW-Authenticate field of a refusal must have; ``withheld_header`` must not reach what is behind the server.
    ``rule`` is the rule on files that decides, '' the one called like the requirement.
    """

    script: tuple[Step, ...] = ()
    variant: str = ""
    path: str = ""
    statuses: frozenset[int] = frozenset()
    acceptable_reasons: tuple[Reason, ...] = ()
    names: tuple[str, ...] = ()
    compares_audience: bool = False
    combination: bool = False
    code: str = ""
    challenge: str = ""
    withheld_header: str = ""
    rule: str = ""
