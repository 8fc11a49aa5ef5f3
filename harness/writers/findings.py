"""Rows that break a requirement, as findings: one for each cause, the serious first.  Pure; decides no outcome."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from harness.model.record import Excuse, Row
from harness.model.verdict import LET_IN
from harness.model.vocabulary import BROKEN, Level, is_file
from harness.model.words import counted
from harness.writers.protection import held_by_a_client

_ABSENT = ("str-no-token", "tls-no-cert")


@dataclass(frozen=True)
class Finding:
    """One cause, and the rows that show it, in the order of the run."""

    sentence: str
    level: str
    requirement: str
    rows: tuple[Row, ...]

    @property
    def binding(self) -> bool:
        """Whether a MUST is broken; a recommendation that is not followed leaves a target conforming."""
        return self.level == Level.MUST

    @property
    def flows(self) -> list[str]:
        """The flows that show it."""
        return list(dict.fromkeys(row["flow"] for row in self.rows))

    @property
    def weight(self) -> str:
        """``MUST, 8 cases of 2 flows``."""
        flows = len(self.flows)
        message = f"{self.level}, {counted(len(self.rows), 'case')}"
        return f"{message} of {flows} flows" if flows > 1 else message


def findings(rows: Iterable[Row], planned: Iterable[str] = ()) -> list[Finding]:
    """What is broken and not excused: MUST first, then what is the easiest to exploit.

    Rows of one finding stand as they were *planned*, which is the catalogue's order: what an attacker tries first.
    """
    order = {case: number for number, case in enumerate(planned)}
    rows = sorted(rows, key=lambda row: order.get(row["case"], 0))
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["outcome"] in BROKEN and not row.get("known"):
            # Records from before rows had sentences are grouped by their requirement alone.
            groups.setdefault((row["requirement"], row.get("finding", "")), []).append(row)
    found = [
        Finding(sentence or f"{requirement} is not met", members[0]["level"], requirement, tuple(members))
        for (requirement, sentence), members in groups.items()
    ]
    return sorted(found, key=lambda one: (not one.binding, min(map(_seriousness, one.rows))))


def known(rows: Iterable[Row]) -> list[tuple[Excuse, list[Row]]]:
    """The known failures among *rows*: each exception with the rows that it excuses."""
    groups: dict[tuple[str, str, str], tuple[Excuse, list[Row]]] = {}
    for row in rows:
        if excuse := row.get("known"):
            same = (excuse["reason"], excuse["owner"] or "", excuse["expires"] or "")
            groups.setdefault(same, (excuse, []))[1].append(row)
    return list(groups.values())


def known_words(excuse: Excuse) -> str:
    """``known failure (reason; owner X; until 2027-01-31)``."""
    owner = f"owner {excuse['owner']}" if excuse["owner"] else ""
    until = f"until {excuse['expires']}" if excuse["expires"] else ""
    return f"known failure ({'; '.join(filter(None, (excuse['reason'], owner, until)))})"


def is_failure(row: Row) -> bool:
    """Whether a row makes the run fail: a MUST that is broken and not excused."""
    return row["outcome"] in BROKEN and row["level"] == Level.MUST and not row.get("known")


def repeat(row: Row, target: str, report: str) -> str:
    """A line to paste that repeats *row*: curl for a third-party server, after a replay that makes what it reads."""
    extra = row.get("evidence", {}).get("extra", {})
    again = ["hopproof", "replay", row["case"], "--report", report]
    if not is_file(target) or "curl" not in extra:
        return shlex.join(again)
    if "reads" not in extra:
        return str(extra["curl"])
    return f"{shlex.join([*again, '--write', extra['reads']])}; {extra['curl']}"


def presented(row: Row) -> list[str]:
    """The token and the certificate that *row*'s client presented, as far as they were read."""
    evidence = row["evidence"]
    client, server, balancer = (evidence.get("client", {}), evidence.get("server", {}), evidence.get("balancer", {}))
    requests = [*server.get("requests", ()), *balancer.get("requests", ())]
    tokens = [seen["token"] for seen in (client, *requests) if "token" in seen]
    chains = [view["client_chain"] for view in (client, server) if view.get("client_chain")]
    message = [
        f"certificate: {chain[0].get('subject', '')!r}, issued by {chain[0].get('issuer', '')!r}"
        for chain in chains[:1]
    ]
    for token in tokens[:1]:
        header, claims = (json.dumps(token.get(name)) if name in token else "?" for name in ("header", "claims"))
        message.append(f"token: {header} {claims}")
    return message


def _seriousness(row: Row) -> int:
    """0 where no credential is needed, 1 for a forgery, 2 for a credential of another party; 3 for none of these."""
    if row.get("reason_code") not in LET_IN:
        return 3
    parts = set(str(row.get("stimulus", "")).split("+"))
    if parts & set(_ABSENT):
        return 0
    return 2 if held_by_a_client(row) else 1
