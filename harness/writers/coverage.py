"""What kept a run on third-party servers from the rest of the catalogue, by reason.  Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.model.record import Header, Row
from harness.model.vocabulary import Grade, Outcome

_SHOWN = 8


def reach(rows: Sequence[Row], header: Header) -> list[str]:
    """Lines for people; none for our own lab, where everything is reached or the run does not count."""
    lines = _files(header)
    servers = [row for row in rows if row["grade"] != Grade.CONFIG]
    if not servers or any(row["grade"] != Grade.CLIENT_ONLY for row in servers):
        return lines
    return lines + _servers(servers, header)


def _files(header: Header) -> list[str]:
    """What the files have nothing of: a line for each thing that they lack."""
    lacking: defaultdict[str, list[str]] = defaultdict(list)
    for item in header["withheld"]:
        if "level" in item:
            lacking[item["reason"]].append(item["case"].split("/")[1])
    return [f"  not checked: {', '.join(names)}; {reason}" for reason, names in lacking.items()]


def _servers(rows: Sequence[Row], header: Header) -> list[str]:
    unseen = Counter(str(row["reason"]) for row in rows if row["outcome"] == Outcome.UNOBSERVED)
    withheld = Counter(str(item["reason"]) for item in header["withheld"] if "level" not in item)
    lines: list[str] = []
    outside = Counter(str(row["reason"]).split(", but ")[0] for row in rows if row["reason_code"] == "no-twin")
    if outside:
        let_in = sum(row["reason_code"] == "accepted" for row in rows)
        message = ", ".join(f"{number} {how}" for how, number in outside.most_common())
        lines.append(f"  tested from outside, without a good credential: {message}; {let_in} let in")
    return lines + _by_reason("unobserved", unseen) + _by_reason("withheld", withheld)


def _by_reason(what: str, reasons: Counter[str]) -> list[str]:
    lines = [f"  {number} {what}: {reason}" for reason, number in reasons.most_common(_SHOWN)]
    rest = sum(reasons.values()) - sum(number for _, number in reasons.most_common(_SHOWN))
    return [*lines, f"  {rest} {what} for other reasons; see the record"] if rest else lines
