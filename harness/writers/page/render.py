"""Writes ``index.html``: the first screen as plain HTML, the rest as data that a script shows when asked for."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.decode.shape import misfit
from harness.errors import ReportError
from harness.model.kills import Kills
from harness.model.record import Footer, Header, Row
from harness.model.vocabulary import Outcome, Posture
from harness.model.words import counted
from harness.writers import answer
from harness.writers.counts import of_header, of_rows
from harness.writers.findings import findings, known, known_words, presented, repeat
from harness.writers.page import data, topology
from harness.writers.page.guide import Guide
from harness.writers.protection import in_words, named, open_in_words, open_to_all, protection
from harness.writers.summary import LEGEND

NAME = "index.html"
KILLS = "mutants.json"
_HERE = Path(__file__).parent
_SCRIPTS = ("state.js", "matrix.js", "evidence.js", "main.js")
_LEGEND = {
    **{str(name): text for name, text in LEGEND.items()},
    data.WITHHELD: "does not apply to this target; never run",
    data.SKIPPED: "skipped (--skip)",
}


def write(folder: Path, header: Header, rows: Sequence[Row], footer: Footer, guide: Guide) -> Path:
    """Write ``index.html`` into *folder*, whole or not at all; raises :class:`ReportError`."""
    target, draft = folder / NAME, folder / f".{NAME}.part"
    try:
        with draft.open("w", encoding="utf-8") as file:
            for piece in _pieces(folder, header, rows, footer, guide):
                file.write(piece)
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ReportError(f"the page cannot be written: {error.strerror}", where=str(target)) from error
    return target


def read_kills(folder: Path, catalogue_sha256: str) -> Kills | None:
    """The kill matrix that lies beside the record, if it is of the same catalogue."""
    try:
        found = json.loads((folder / KILLS).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if misfit(found, Kills):
        return None
    kills: Kills = found
    return kills if kills["catalogue_sha256"] == catalogue_sha256 else None


def _pieces(folder: Path, header: Header, rows: Sequence[Row], footer: Footer, guide: Guide) -> Iterator[str]:
    listed = data.entries(header, rows, guide)
    style, script = _text("page.css"), "\n".join(_text(name) for name in _SCRIPTS)
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    yield from environment.get_template("page.html.j2").generate(
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_digest(style),
        script_hash=_digest(script),
        index=Markup(data.index(listed, header, guide, str(folder))),  # noqa: S704 - escaped by for_script
        blocks=data.blocks(listed),
        header={"only": [], **header},
        guide=guide,
        drawings=topology.drawings(rows, guide),
        shape=topology,
        kills=read_kills(folder, header["catalogue_sha256"]),
        symbols=topology.SYMBOLS,
        legend=_LEGEND,
        presented=presented,
        repeat=lambda row: repeat(row, str(header["target"]), str(folder)),
        **_summary(header, listed, rows, footer),
    )


def _asked(header: Header, rows: Sequence[Row]) -> str:
    cases = counted(len(header["planned"]), "case")
    requirements = counted(len({row["requirement"] for row in rows}), "requirement")
    return f"{cases} of {requirements} over {counted(len({row['flow'] for row in rows}), 'flow')}"


def _summary(header: Header, listed: Sequence[data.Entry], rows: Sequence[Row], footer: Footer) -> dict[str, Any]:
    status = footer.get("exit_status", 3)
    counted = of_header(header)
    reasons = Counter((row["outcome"], row["reason"]) for row in listed if row["outcome"] in _NOT_JUDGED)
    return {
        "verdict": answer.headline(header, rows, footer),
        "not_shown": answer.gaps(footer),
        "unclaimed": answer.unclaimed(header),
        "status": status,
        "trouble": footer.get("trouble", ()),
        "notes": footer.get("notes", ()),
        "cannot_judge": footer.get("cannot_judge", False),
        "open_to_all": open_to_all(rows),
        "seconds": footer.get("seconds"),
        "counts": Counter(row["outcome"] for row in listed),
        "grades": sorted({row["grade"] for row in rows}),
        "cells": Counter((row["outcome"], row["grade"]) for row in rows),
        "asked": _asked(header, rows),
        "diagnosis": footer.get("diagnosis", ()),
        "findings": findings(rows, header["planned"]),
        "excused": [(known_words(excuse), members) for excuse, members in known(rows)],
        "unforeseen": [row for row in rows if row["outcome"] == Outcome.PASS and not row.get("as_expected", True)],
        "counted": [*(counted.lines() if counted else ()), of_rows(rows)],
        "idle": footer.get("idle_exceptions", ()),
        "protected": _protected(rows, footer),
        "unjudged": reasons.most_common(),
        "scope": header["scope"].partition("Out of scope:"),
    }


_POSTURES = {str(name): number for number, name in enumerate(Posture)}
_NOT_JUDGED = (Outcome.UNOBSERVED, Outcome.UNSUPPORTED, Outcome.HARNESS_ERROR, data.WITHHELD, data.SKIPPED)


def _protected(rows: Sequence[Row], footer: Footer) -> list[dict[str, Any]]:
    """The protection table: a line a flow and posture, with whether its cases are as required beside it."""
    own: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        own[row["flow"], row["posture"]].append(row)
    return [
        {
            "flow": flow,
            "posture": posture,
            "named": named(posture, cell),
            "server": cell.get("server_verified_by", "-"),
            "client": in_words(cell, answer.verified_in_part(footer, flow, posture)),
            "open": open_in_words(cell),
            "readable": bool(cell.get("clear_text_at")),
            "over": ", ".join(cell.get("works_over", ())) or "-",
            "answer": answer.of_flow(own[flow, posture], footer),
        }
        for flow, cells in sorted(protection(rows).items())
        for posture, cell in sorted(cells.items(), key=lambda item: _POSTURES.get(item[0], 99))
    ]


def _text(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
