"""Who is verified by what, per flow, as the rows showed it; and where the traffic lies open.  Reported, not judged.

A documented default can conform and protect nothing; this table says so beside the conformance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from harness.catalogue.registry import STIMULUS_CLASSES
from harness.checks import CHECKS
from harness.model.record import Protection, Row, Shield
from harness.model.vocabulary import Grade, Level, Outcome, Path
from harness.probes.exchange import EXCHANGES
from harness.stimuli.registry import MadeBy, StimulusClass
from harness.writers import combined

_ADVICE = frozenset({Level.SHOULD, Level.MAY})
_TRAITS = ("lets_in", "lets_anybody_in", "reads_start", "tries_another_way")
_LET_IN, _ANYBODY, _START, _WAYS = (CHECKS.that(trait) for trait in _TRAITS)
_SHOWS = tuple((CHECKS[name].shows, name) for name in CHECKS if CHECKS[name].shows)


def protection(rows: Iterable[Row]) -> Protection:
    """Flow -> posture -> ``server_verified_by``, ``client_verified_by`` (list), ``open_ways`` past that,
    ``clear_text_at``, ``works_over``.

    Only what a passed case showed is said; what no case looked at is ``not shown``.
    """
    rows = list(rows)
    cells: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        # What an odd balancer does is a finding of its own, not how the flow is protected.
        if not row["case"].startswith("balancers/") and row["grade"] != Grade.CONFIG:
            cells[row["flow"], row["posture"]].append(row)
    table: Protection = {row["flow"]: {} for row in rows}
    for (flow, posture), members in cells.items():
        table[flow][posture] = _cell(members)
    return table


def open_to_all(rows: Iterable[Row]) -> list[str]:
    """A sentence for each flow and posture whose server was seen to serve any client, though it should not."""
    found = {(row["flow"], row["posture"]): _seen_open(row) for row in rows if _seen_open(row)}
    return [f"{flow} ({posture}): every client is let in: {how}" for (flow, posture), how in found.items()]


def _seen_open(row: Row) -> str:
    return str(row.get("evidence", {}).get("extra", {}).get("everybody_let_in", ""))


def held_by_a_client(row: Row) -> bool:
    """Whether only the holder of a good credential could have sent this: its acceptance lets no stranger in."""
    return not _loosely(row) and any(presented.made_by is not MadeBy.STRANGER for presented in _presented(row))


def _without_right(row: Row) -> bool:
    """Whether somebody was let in who must not be: what is only recommended takes nothing from the protection."""
    let_in = row["reason_code"] in ("accepted", "flow-works") and row["level"] not in _ADVICE
    return let_in and not held_by_a_client(row)


def _cell(rows: list[Row]) -> Shield:
    passed = [row for row in rows if row["outcome"] == Outcome.PASS]
    # A setup of one case's own (x-) says nothing of the posture.
    if any(row["expected"] in _START and not row["stimulus"].startswith("x-") for row in passed):
        return {"state": "refused at start"}
    called = [row for row in passed if any(_calls(row))]
    served = {row["path"] for row in passed if row["expected"] in _LET_IN}
    served |= {row["path"] for row in called if any(_served(call) for call in _calls(row))}
    let_in = [row for row in rows if _without_right(row)]
    refused = any(not _served(call) for row in called for call in _calls(row))
    verified = [words for name, expected in _SHOWS if (words := _verified(name, expected, passed, let_in))]
    if refused and TOKEN not in verified and not let_in:
        verified.append(TOKEN)
    verified += [words for words in combined.verified(passed, let_in) if words not in verified]
    strangers = [*let_in, *(row for row in passed if row["expected"] in _LET_IN)]
    return {
        "state": "shown" if passed else "not shown",
        "modes": rows[0].get("modes", ""),
        "server_verified_by": "the client, by its CA" if served else "not shown",
        "client_verified_by": verified or (["nobody"] if any(map(_unauthenticated, strangers)) else []),
        "open_ways": _open_ways(let_in),
        "clear_text_at": _clear_text_at(rows, served),
        "path_as_declared": all(row["grade"] == Grade.CLIENT_ONLY for row in rows),
        "works_over": sorted(served),
    }


def _calls(row: Row) -> Iterator[dict[str, Any]]:
    """What became of the calls of the server under test, in a script in which services exchange tokens."""
    if row["stimulus"] not in EXCHANGES:
        return
    for step in row["evidence"].get("extra", {}).get("steps", ()):
        if isinstance(step, dict) and "effect" in step and not step.get("server"):
            yield step


def _served(call: Mapping[str, Any]) -> bool:
    status = call.get("status")
    return isinstance(status, int) and status < 400 and not call.get("marked")


def _open_ways(let_in: Iterable[Row]) -> list[str]:
    """The requirements on other ways to the same thing of which one was seen open without a credential."""
    return sorted({row["requirement"] for row in let_in if row["expected"] in _WAYS})


def _clear_text_at(rows: Iterable[Row], served: Collection[str]) -> list[str]:
    at = ["terminating balancer"] if Path.TERMINATING in served else []
    ended = any(row["expected"] == "own-certificate" and row["outcome"] == Outcome.FAIL for row in rows)
    return [*at, *([ENDED] if ended else [])]


def _verified(name: str, expected: str, passed: Iterable[Row], let_in: Iterable[Row]) -> str:
    """What the credential *name* was seen to be good for; '' where nothing was seen, or a stranger was let in."""
    if not any(row["expected"] == expected for row in passed):
        return ""
    wrongly = {_loosely(row) for row in let_in if row["expected"] == expected}
    return "" if "" in wrongly else " and ".join(sorted(wrongly)) or name


def _loosely(row: Row) -> str:
    """Credentials that the issuer did sign, but for another party: what remains of the protection, in words."""
    return next((presented.lets_in for presented in _presented(row) if presented.lets_in), "")


def _presented(row: Row) -> list[StimulusClass[Any]]:
    """The classes that *row* presented and this version knows: a record may be another's, and the inspector names
    what it sees in ways that no class has."""
    return [STIMULUS_CLASSES[part] for part in str(row["stimulus"]).split("+") if part in STIMULUS_CLASSES]


def _unauthenticated(row: Row) -> bool:
    """Whether this row, whose client was let in, let in one without what identifies a client, rightly or not."""
    if row["expected"] in _LET_IN:
        return row["stimulus"] == "tls-no-cert+str-no-token" or row["expected"] in _ANYBODY
    return not _loosely(row)


TOKEN = "JWT"
ENDED = "the declared passthrough"
"""Where the payload lies open though the target file says otherwise; this was seen."""


def open_in_words(cell: Shield) -> str:
    """Where the payload can be read; what only the target file says of that is marked "as declared"."""
    at = cell.get("clear_text_at", ())
    words = ", ".join(at) or "nowhere"
    return f"{words}, as declared" if cell.get("path_as_declared") and ENDED not in at else words


def named(posture: str, cell: Shield) -> str:
    """What a person calls the posture of *cell*: how the server authenticates its clients, where that says more."""
    return cell.get("modes") or posture


_NAMES = {"certificate": "certificate", "JWT": "token"}


def in_words(cell: Shield, in_part: Collection[str] = ()) -> str:
    """One cell for people: ``certificate + JWT``; ``nobody``; ``refused at start``.

    *in_part* are the protections (``certificate``, ``token``) of which not even the core was judged.
    """
    if cell.get("state") == "refused at start":
        return "refused at start"
    words = cell.get("client_verified_by") or ["not shown"]
    by = " + ".join(f"{word} (in part)" if _NAMES.get(word) in in_part else str(word) for word in words)
    ways = cell.get("open_ways")
    return f"{by}, but can be bypassed: {', '.join(ways)}" if ways and by != "nobody" else by
